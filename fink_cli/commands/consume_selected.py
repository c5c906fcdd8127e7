"""Which alerts `fink consume` shows: those for which --where holds, and none twice if so asked."""

from __future__ import annotations

from collections.abc import Callable

from fink_cli import output
from fink_cli.alerts.where import Where
from fink_cli.consumer.dedup import Recent
from fink_cli.consumer.read import Alert


class Warnings:
    """Says warnings, once nothing is drawn any more on the terminal where they would stand."""

    def __init__(self) -> None:
        self._holds = False
        self._held: list[str] = []

    def __call__(self, text: str) -> None:
        """Say a warning, now or later."""
        if self._holds:
            self._held.append(text)
        else:
            output.warn(text)

    def hold(self) -> None:
        """Let them wait from now on."""
        self._holds = True

    def leave(self) -> None:
        """Say those that had to wait."""
        self._holds = False
        for text in self._held:
            output.warn(text)
        self._held.clear()


class Selected:
    """Says of an alert whether it is chosen.

    The first alert of each topic shows which fields of the expression the topic lacks. A field
    that every topic lacks is a mistake, in whatever order their messages come.

    Args:
        where: the expression, if there is one.
        recent: the alerts that came before; none where these are shown too.
        warn: is told which fields some of the topics lack.
    """

    def __init__(
        self, where: Where | None, recent: Recent | None, warn: Callable[[str], None]
    ) -> None:
        self._where, self._recent, self._warn = where, recent, warn
        self._topics = 1
        self._checked: set[str] = set()
        self._lacking: dict[str, int] = {}

    def begin(self, topics: int) -> None:
        """Be told of how many topics alerts come."""
        self._topics = topics

    def __call__(self, alert: Alert) -> bool:
        """Whether it is chosen.

        Raises:
            UsageError: the expression names a field that no topic has.
        """
        if self._where is not None:
            if alert.topic not in self._checked:
                self._check(self._where, alert)
            if not self._where.matches(alert.content):
                return False
        return self._recent is None or self._recent.is_new(alert.id)

    def _check(self, where: Where, alert: Alert) -> None:
        self._checked.add(alert.topic)
        if alert.schema.inferred:
            return
        for path in where.missing(alert.schema):
            count = self._lacking[path.text] = self._lacking.get(path.text, 0) + 1
            if count >= self._topics:
                raise where.mistake(path, alert.schema)
            text = (
                f"--where names {path.text}, which the alerts of {alert.topic} do not have: "
                "it is None there."
            )
            self._warn(text)
