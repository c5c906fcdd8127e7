"""What changed from one round of a check to the next: the objects gained and lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fink_cli.distribution.dry_run.check import SampleResult


@dataclass(frozen=True)
class Change:
    """What a stream takes that it did not take in the round before.

    Attributes:
        stream: its name.
        before: the number of alerts that passed in the round before.
        passed: the number of alerts that pass now.
        gained: objects that pass now, and did not.
        lost: objects that passed, and do not any more.
    """

    stream: str
    before: int
    passed: int
    gained: list[str]
    lost: list[str]


def differences(before: SampleResult, after: SampleResult) -> list[Change]:
    """Return the streams that take other objects than in the round before."""
    different = []
    for title, objects in after.objects.items():
        former = before.objects.get(title, [])
        gained, lost = _without(objects, former), _without(former, objects)
        if gained or lost or len(objects) != len(former):
            different.append(Change(title, len(former), len(objects), gained, lost))
    return different


def _without(objects: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(objects) if name not in set(others)]
