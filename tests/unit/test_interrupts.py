"""What asks a program to end, while something is made whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fink_cli.interrupts import interrupts_wait

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_waits_and_the_second_does_not(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interrupts_wait() as interrupted:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_what_is_ignored_from_the_start_is_ignored_on() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts_wait() as interrupted:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupted()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
