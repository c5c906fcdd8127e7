"""A deadline for checks that run in threads: none can hold up the others, or the program's end."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TypeVar

from fink_cli.doctor.check_result import CheckResult, failed, failure
from fink_cli.errors import FinkError

T = TypeVar("T")
_LATE = "Check the network and the settings, fink config show, and try again"
_UNREADABLE = "See the rights of what is named: ls -ld PATH"


class Deadline:
    """The time by which several checks must have ended."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds

    def part(self, seconds: float) -> Deadline:
        """Return a deadline for some of the checks, no later than this one."""
        return Deadline(min(seconds, max(self._ends - time.monotonic(), 0)))

    def value(self, check: str, pending: Future[T], what: str = "") -> T | CheckResult:
        """Wait for a value, and return it, or the failure of its check.

        Args:
            what: what is checked, if the check has several.
        """
        try:
            return pending.result(max(self._ends - time.monotonic(), 0))
        except TimeoutError:
            prefix = f"{what}: " if what else ""
            return failure(check, f"{prefix}no answer within {self._seconds:.0f} s", _LATE)
        except FinkError as error:
            return failed(check, error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return failure(check, f"{where}{error.strerror or error}", _UNREADABLE)
