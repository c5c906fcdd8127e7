"""Ctrl-C, a request to end, and a terminal that is closed: they wait until something is whole."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether the program was asked to end.

    The second time it is asked, it is interrupted at once. What the program was started to
    ignore, as with ``nohup``, it goes on to ignore; but for SIGINT, which a shell lets all ignore
    that a script starts in the background, and which then only ever comes on purpose.
    """
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {
        number: signal.signal(number, ask)
        for number in _ENDING
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
