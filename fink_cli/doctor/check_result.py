"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fink_cli.errors import FinkError


class CheckState(StrEnum):
    """The state of what was checked."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes:
        found: what was found; never a secret.
        hint: what to type next; empty if there is nothing to do.
    """

    check: str
    state: CheckState
    found: str
    hint: str = ""


def fine(check: str, text: str) -> CheckResult:
    """Return the result of a check that is fine."""
    return CheckResult(check, CheckState.OK, text)


def warning(check: str, text: str, hint: str = "") -> CheckResult:
    """Return a result that may be intended, or could not be checked."""
    return CheckResult(check, CheckState.WARNING, text, hint)


def failure(check: str, text: str, hint: str = "") -> CheckResult:
    """Return the result of something that does not work."""
    return CheckResult(check, CheckState.FAILURE, text, hint)


def failed(check: str, error: FinkError) -> CheckResult:
    """Return an error as the result of a check."""
    return failure(check, error.message, error.hint)


def not_checked(check: str, why: str) -> CheckResult:
    """Return the result of a check that was left out because another one failed."""
    return warning(check, f"not checked: {why}")
