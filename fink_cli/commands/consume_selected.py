"""Which alerts `fink consume` shows: those for which --where holds, and none twice if so asked."""

from __future__ import annotations

from fink_cli import output
from fink_cli.alerts.where import Where
from fink_cli.consumer.dedup import Recent
from fink_cli.consumer.read import Alert


class Selected:
    """Says of an alert whether it is chosen.

    The first alert of each topic shows which fields of the expression the topic lacks. A field
    that every topic lacks is a mistake, in whatever order their messages come.

    Args:
        where: the expression, if there is one.
        recent: the alerts that came before; none where these are shown too.
    """

    def __init__(self, where: Where | None, recent: Recent | None) -> None:
        self._where, self._recent = where, recent
        self._topics, self._holds = 1, False
        self._held: list[str] = []
        self._checked: set[str] = set()
        self._lacking: dict[str, int] = {}

    def begin(self, topics: int, holds: bool) -> None:
        """Be told of how many topics alerts come, and whether warnings have to wait for the end."""
        self._topics, self._holds = topics, holds

    def leave(self) -> None:
        """Warn of what had to wait."""
        for each in self._held:
            output.warn(each)
        self._held.clear()

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
            if self._holds:
                self._held.append(text)
            else:
                output.warn(text)
