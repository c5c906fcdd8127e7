"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fink_cli.errors import FinkError


class CheckState(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        check: what was looked at.
        state: how it is.
        found: what was found; never a secret.
        hint: what to type; empty where there is nothing to do.
    """

    check: str
    state: CheckState
    found: str
    hint: str = ""


def fine(check: str, found: str) -> CheckResult:
    """All is as it should be."""
    return CheckResult(check, CheckState.OK, found)


def warning(check: str, found: str, hint: str = "") -> CheckResult:
    """Something that may be meant so, or was not looked at."""
    return CheckResult(check, CheckState.WARNING, found, hint)


def failure(check: str, found: str, hint: str = "") -> CheckResult:
    """Something that does not work."""
    return CheckResult(check, CheckState.FAILURE, found, hint)


def failed(check: str, error: FinkError) -> CheckResult:
    """An error as a finding."""
    return failure(check, error.message, error.hint)


def unlooked(check: str, why: str) -> CheckResult:
    """A check that could not be made, because of what another one found."""
    return warning(check, f"not checked: {why}")
