"""Make the rows of a table of alerts, and the columns that they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from fink_cli.alerts.columns import Column, viewer_columns
from fink_cli.alerts.fields import Path, pick
from fink_cli.alerts.sky import Position
from fink_cli.avro.schema import Schema
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.cells import cell, role_text, typed_column
from fink_cli.consumer.view.table import (
    AGAIN,
    AGAIN_HEADING,
    AGAIN_SIGN,
    TOPIC,
    Heading,
    Row,
    key_of,
    topic_heading,
    widened,
)
from fink_cli.text import printable


class Rows:
    """Makes rows of alerts for a table whose columns grow with the kinds of alerts that come.

    Args:
        fields: the fields to show; ``None`` for those that the viewer chooses.
        again: returns whether an alert was read before, called once for each; ``None`` marks none.
    """

    def __init__(
        self,
        fields: Sequence[Path] | None,
        topics: Sequence[str],
        position: Position = Position.DEG,
        again: Callable[[ReadAlert], bool] | None = None,
    ) -> None:
        self._fields = fields
        self._position = position
        self._again = again
        self._columns = lru_cache(maxsize=64)(self._columns_of)
        self._topics = {*topics}
        self._has_again = False
        self._of_columns: tuple[Heading, ...] = ()

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The columns so far: the mark and the topic only where they tell alerts apart."""
        again = (AGAIN_HEADING,) if self._has_again else ()
        topic = (topic_heading(self._topics),) if len(self._topics) > 1 else ()
        return (*again, *topic, *self._of_columns)

    def row(self, alert: ReadAlert) -> Row:
        """Return the alert's row; the headings have all its columns afterwards."""
        columns = self._columns(alert.schema)
        values = None if self._fields is None else pick(alert.content, self._fields)
        cells = {
            key_of(column): cell(alert.content, column, self._position)
            if values is None
            else role_text(values[column.path], column, self._position)
            for column in columns
        }
        self._of_columns = widened(self._of_columns, columns, cells)
        if self._again is not None and self._again(alert):
            cells[AGAIN] = AGAIN_SIGN
            self._has_again = True
        cells[TOPIC] = printable(alert.topic)
        # Another topic may have come to match a pattern.
        self._topics.add(alert.topic)
        return cells

    def _columns_of(self, schema: Schema) -> list[Column]:
        if self._fields is None:
            return viewer_columns(schema)
        return [typed_column(path.text) for path in self._fields]
