"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fink_cli.errors import FinkError


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: what was looked at.
        state: how it is.
        found: what was found; never a secret.
        hint: what to type; empty where there is nothing to do.
    """

    check: str
    state: State
    found: str
    hint: str = ""


def fine(check: str, found: str) -> Finding:
    """All is as it should be."""
    return Finding(check, State.OK, found)


def warning(check: str, found: str, hint: str = "") -> Finding:
    """Something that may be meant so, or was not looked at."""
    return Finding(check, State.WARNING, found, hint)


def failure(check: str, found: str, hint: str = "") -> Finding:
    """Something that does not work."""
    return Finding(check, State.FAILURE, found, hint)


def failed(check: str, error: FinkError) -> Finding:
    """An error as a finding."""
    return failure(check, error.message, error.hint)


def unlooked(check: str, why: str) -> Finding:
    """A check that could not be made, because of what another one found."""
    return warning(check, f"not checked: {why}")
