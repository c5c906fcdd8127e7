"""Calls in threads of their own: they can't be stopped, and may take minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T]) -> Future[T]:
    """Run a call in a thread of its own, which does not keep the program alive.

    Returns:
        What it returns, or the error that it raises, once it is done.
    """
    pending: Future[T] = Future()

    def run() -> None:
        # Whatever it raises is raised again where the result is asked for.
        try:
            pending.set_result(call())
        except BaseException as error:
            pending.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return pending
