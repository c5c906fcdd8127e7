"""Which fields of alerts are decoded as they come: those that were asked of the alerts before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from fink_cli.alerts.fields import Path
from fink_cli.alerts.where import Where
from fink_cli.avro import native
from fink_cli.avro.projection import Steps
from fink_cli.avro.reference import decoded
from fink_cli.avro.schema import Schema

FieldSteps = tuple[str | int, ...]


class NeededFields:
    """The fields that a program reads of alerts.

    A message is decoded at once with the fields that were read of earlier alerts. A field that is
    read for the first time is decoded alone, and is among them from the next messages on.

    Args:
        fields: the fields that will be read.
        where: the condition, which needs its own.

    Attributes:
        decoded: the fields that the messages decoded last have in full.
        changed: called when the fields have changed.
    """

    changed: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, fields: Iterable[Path] = (), where: Where | None = None) -> None:
        self.decoded: frozenset[FieldSteps] = frozenset()
        self._fields = {path.steps for path in fields}
        self._where = where

    def of(self, schema: Schema) -> Iterable[Steps]:
        """Return the fields to decode of alerts of a schema."""
        self.decoded = frozenset(self._fields)
        condition = self._where.paths_in(schema) if self._where else ()
        return [*self._fields, *(path.steps for path in condition)]

    def read(self, schema: Schema, encoded: bytes, steps: FieldSteps) -> dict[str, Any]:
        """Decode an alert with one field, and remember that field.

        Returns:
            The alert with that field, or all of it.
        """
        if steps not in self._fields:
            self._fields.add(steps)
            self.changed()
        reader = _reader(schema, steps)
        contents = [None] if reader is None else reader.rows([encoded])
        return decoded(encoded, schema) if contents[0] is None else contents[0]


@lru_cache(maxsize=256)
def _reader(schema: Schema, steps: FieldSteps) -> Any:
    return native.part_reader_of(schema, [steps])
