"""An alert as it was decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fink_cli.avro.schema import Schema


@dataclass(frozen=True)
class Decoded:
    """An alert out of a message, or so far only as much of it as was wanted.

    Attributes:
        schema: the schema that decoded it.
        content: its fields, or those that were wanted.
        encoded: its bytes as schemaless Avro; `None` if it came as JSON.
        is_whole: whether the content is all of the alert. If not, its bytes were checked.
    """

    schema: Schema
    content: dict[str, Any]
    encoded: bytes | None = None
    is_whole: bool = True
