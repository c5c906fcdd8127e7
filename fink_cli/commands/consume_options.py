"""What ``fink consume`` and ``fink consume show`` share: options and topics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fink_cli.alerts.sky import Position
from fink_cli.errors import UsageError

Positions = Annotated[
    Position,
    typer.Option("--position", help="Positions in degrees, or as hours, minutes and seconds."),
]
SchemaPath = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        help="Decode with this Avro schema, not the one in each message's key; or a folder "
        "with ID.avsc for each id of messages in Confluent's framing.",
    ),
]


def topic_names(given: Sequence[str]) -> list[str]:
    """Return the topics; several may stand in one text, as FINK_TOPIC can hold only one.

    Raises:
        UsageError: there is none.
    """
    from fink_cli.consumer.topic_names import split_names

    names = split_names(given)
    if not names:
        raise UsageError(
            "No topic is named.", "Name one: fink consume --topic NAME, or set FINK_TOPIC"
        )
    return names
