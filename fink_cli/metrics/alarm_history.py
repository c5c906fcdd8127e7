"""Which alarms are on, from one collection of figures to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from fink_cli.metrics.alarms import RAISED_SECONDS, RULES, AlertCounts, Readings
from fink_cli.metrics.figures import Figures


@dataclass(frozen=True)
class Alarm:
    """An alarm that is on.

    Attributes:
        alarm: its name, as Prometheus has it too.
        labels: what it is about.
        since: since when its condition holds, ISO 8601.
        text: what happened, and what to type.
    """

    alarm: str
    labels: dict[str, str]
    since: str
    text: str

    @property
    def key(self) -> str:
        """What tells it from others."""
        return json.dumps([self.alarm, self.labels], sort_keys=True)


class AlarmHistory:
    """Judges the alarms, with what has to be kept between two collections.

    It begins with nothing, or goes on where another one stopped.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Begin, or go on from a state.

        Raises:
            ValueError, KeyError, TypeError: the state is damaged.
        """
        state = state or {"holding": [], "counts": []}
        self._holding = {alarm.key: alarm for alarm in (Alarm(**row) for row in state["holding"])}
        self._counts = [
            (float(at), {name: AlertCounts(*counts) for name, counts in all_counts.items()})
            for at, all_counts in state["counts"]
        ]

    def state(self) -> dict[str, Any]:
        """Return what another one needs to go on, as JSON has it."""
        return {
            "holding": [asdict(alarm) for alarm in self._holding.values()],
            "counts": [
                [at, {name: [each.read, each.undecided] for name, each in counts.items()}]
                for at, counts in self._counts
            ],
        }

    def judge(self, figures: Figures, at: float, at_once: bool = False) -> list[Alarm]:
        """Return the alarms that are on.

        While the cluster does not answer, what it would have to tell stays as it was.

        Args:
            figures: the figures that were just collected.
            at: the time, in seconds since 1970.
            at_once: also those whose condition does not hold long enough yet.
        """
        readings = Readings(figures, at, self._before(figures, at))
        holding = {}
        alarms = []
        for rule in RULES:
            if rule.of_cluster and not figures.up:
                held = [each for each in self._holding.values() if each.alarm == rule.name]
            else:
                since = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
                held = [
                    Alarm(rule.name, dict(labels), since, rule.text(labels))
                    for labels in rule.holds_of(readings)
                ]
            for alarm in held:
                known = self._holding.get(alarm.key, alarm)
                age = at - datetime.fromisoformat(known.since).timestamp()
                if age < 0:  # the clock was set back
                    known, age = alarm, 0
                holding[alarm.key] = known
                if at_once or age >= rule.seconds:
                    alarms.append(known)
        self._holding = holding
        return alarms

    def _before(self, figures: Figures, at: float) -> dict[str, AlertCounts]:
        """Return the counts of ten minutes ago, or of the start of a session; keep those of now."""
        self._counts = [kept for kept in self._counts if at - kept[0] <= RAISED_SECONDS]
        before: dict[str, AlertCounts] = {}
        now: dict[str, AlertCounts] = {}
        for status in figures.distributions:
            name, session = status.name, status.session
            earlier = [counts[name] for _, counts in self._counts if name in counts]
            now[name] = AlertCounts(status.read, status.skipped)
            if not earlier:
                started = AlertCounts(status.read - session.read, status.skipped - session.skipped)
                earlier = [started]
                now[name] = started
            before[name] = earlier[0]
        self._counts.append((at, now))
        return before
