"""Probes side by side, none of which can hold up the others or the end of the program."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TypeVar

from fink_cli.doctor.finding import CheckResult, failed, failure
from fink_cli.errors import FinkError

T = TypeVar("T")
_LATE = "Check the network and the settings, fink config show, and try again"
_UNREADABLE = "See the rights of what is named: ls -ld PATH"


class Deadline:
    """A time by which several probes have to be done.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds

    def part(self, seconds: float) -> Deadline:
        """A time for some of the probes, which ends no later than this one."""
        return Deadline(min(seconds, max(self._ends - time.monotonic(), 0)))

    def value(self, check: str, pending: Future[T], what: str = "") -> T | CheckResult:
        """What a probe returns, or the failure that stands for it.

        Args:
            check: the name of the check, for the failure.
            pending: the probe that was begun.
            what: what it looks at, where the check has several.
        """
        try:
            return pending.result(max(self._ends - time.monotonic(), 0))
        except TimeoutError:
            said = f"{what}: " if what else ""
            return failure(check, f"{said}no answer within {self._seconds:.0f} s", _LATE)
        except FinkError as error:
            return failed(check, error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return failure(check, f"{where}{error.strerror or error}", _UNREADABLE)
