"""Ctrl-C, a request to end, and a terminal that is closed: when they take effect."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_REQUESTS = (signal.SIGTERM, signal.SIGHUP)
_ENDING = (signal.SIGINT, *_REQUESTS)


def take_requests_as_interrupts() -> None:
    """Let SIGTERM and SIGHUP raise ``KeyboardInterrupt`` from now on, as Ctrl-C does."""
    for number in _REQUESTS:
        # Who starts it with nohup wants it to go on.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether the program was asked to end within the block.

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


@contextmanager
def signals_held_back() -> Iterator[Callable[[], None]]:
    """Let what asks the program to end take effect after the block, however often it comes.

    Yields:
        A function that lets it take effect from now on, for the part of the block that is ready.
    """
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in _ENDING
    }

    def let_through() -> None:
        while before:
            signal.signal(*before.popitem())
        while came:
            signal.raise_signal(came.pop(0))

    try:
        yield let_through
    finally:
        let_through()
