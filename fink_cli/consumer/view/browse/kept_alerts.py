"""The alerts that the browser keeps, and those of them that it shows."""

from __future__ import annotations

from fink_cli.alerts.columns import OBJECT
from fink_cli.alerts.where import Where, parse_where
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.alert_summary import named
from fink_cli.consumer.view.browse.feed import MOST_KEPT, ListedAlert, NewestAlerts
from fink_cli.consumer.view.rows import Rows
from fink_cli.text import printable


class KeptAlerts:
    """The newest alerts, and which of them are selected.

    Attributes:
        rows: makes the rows.
        where: the expression that selects them; ``None`` for all.
        object: the object whose alerts alone are selected; empty for all.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.where: Where | None = None
        self.object = ""
        self._count = 0
        self._kept = self._selected = NewestAlerts()

    @property
    def selected(self) -> NewestAlerts:
        """The alerts that are selected."""
        return self._selected

    def add(self, alert: ReadAlert) -> None:
        """Keep an alert."""
        listed = ListedAlert(self._count, alert, self.rows.row(alert))
        self._count += 1
        self._kept.add(listed)
        if self._selected is not self._kept and self._matches(listed):
            self._selected.add(listed)

    def _matches(self, listed: ListedAlert) -> bool:
        if self.object and named(listed.alert, OBJECT) != self.object:
            return False
        alert = listed.alert
        return self.where is None or self.where.matches(alert.content, alert.schema)

    def select(self, *, where: Where | None, object: str) -> None:  # noqa: A002 (as the attribute)
        """Select by an expression and an object, from now on and of what is kept."""
        self.where, self.object = where, object
        self._selected = self._kept
        if where is not None or object:
            self._selected = NewestAlerts(MOST_KEPT)
            for listed in filter(self._matches, self._kept):
                self._selected.add(listed)

    def parsed(self, text: str) -> Where | None:
        """Parse an expression over the fields of the alerts that are kept; empty is ``None``.

        Raises:
            UsageError: it is none, or names a field that none of them has.
        """
        if not text:
            return None
        where = parse_where(text)
        schemas = {kept.alert.schema for kept in self._kept if not kept.alert.schema.inferred}
        mistakes = [where.mistakes(schema) for schema in schemas]
        for mistake in mistakes[0] if mistakes else []:
            # An expression that fits one of several schemas is no mistake.
            if all(mistake in others for others in mistakes):
                raise mistake.error("--where", next(iter(schemas)))
        return where

    def notes(self) -> list[str]:
        """Return how many alerts there are, and by what they are selected."""
        kept = len(self._kept)
        if self._selected is self._kept:
            notes = [f"{kept:,} in the list"]
            if self._count > kept:
                notes.append(f"of all alerts the newest {kept:,} are kept")
        else:
            newest = "the newest " if self._count > kept else ""
            notes = [f"{len(self._selected):,} of {newest}{kept:,} alerts"]
        if self.object:
            notes.append(f"only {printable(self.object, 40)}")
        if self.where is not None:
            notes.append(f"filter: {printable(self.where.text, 60)}")
        return notes
