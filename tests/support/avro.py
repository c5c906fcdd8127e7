"""Alerts in Avro: as the survey writes them, in every encoding, and after accidents."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro

from fink_cli.avro.decoded import Decoded
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import read_schema

LOGICAL = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "t", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "d", "type": {"type": "int", "logicalType": "date"}},
        {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
        {
            "name": "q",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
        {"name": "e", "type": {"type": "enum", "name": "k", "symbols": ["A", "B"]}},
        {"name": "m", "type": {"type": "map", "values": ["null", "double", "string"]}},
        {"name": "a", "type": {"type": "array", "items": ["null", "long"]}},
        {"name": "x", "type": {"type": "fixed", "name": "f", "size": 2}},
        {"name": "b", "type": "boolean"},
    ],
}
LOGICAL_ALERT: dict[str, Any] = {
    "t": datetime(2021, 11, 22, 2, 30, 37, 5, tzinfo=UTC),
    "d": date(2021, 11, 22),
    "u": UUID(int=7),
    "q": Decimal("1.25"),
    "e": "B",
    "m": {"one": 1.5, "none": None, "text": "é"},
    "a": [1, None, -3],
    "x": b"\x00\xff",
    "b": True,
}


def encoded(schema: str, alert: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the key and the value of an alert on the wire."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), alert)
    return schema.encode(), out.getvalue()


def records(decoder: Decoder, key: bytes | None, value: bytes | None) -> list[Decoded]:
    """Return the alerts in a message, read as one of a batch.

    Raises:
        UndecodableError: the message is no alert.
    """
    (result,) = decoder.batch([(key, value)])
    if isinstance(result, UndecodableError):
        raise result
    return result


def content(decoder: Decoder, key: bytes | None, value: bytes | None) -> dict[str, Any]:
    """Return the alert in a message."""
    (record,) = records(decoder, key, value)
    return record.content


def survey_messages(raw_dir: Path) -> list[tuple[bytes, bytes, dict[str, Any]]]:
    """Return key, value and content of the survey's alerts, encoded as they are published."""
    messages = []
    for file in sorted(raw_dir.glob("*.avro")):
        with file.open("rb") as stream:
            reader = fastavro.reader(stream)
            for alert in reader:
                assert isinstance(alert, dict)
                messages.append((*encoded(reader.metadata["avro.schema"], alert), alert))
    return messages


def mutated(value: bytes, dice: random.Random) -> bytes:
    """Return a message after an accident: bytes changed, cut, or put in."""
    changed = bytearray(value)
    odd = [b"\xff" * 9 + b"\x01", b"\xff" * 40, b"\x80" * 5, b"\xfe" + b"\xff" * 8 + b"\x01"]
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        at = dice.randrange(len(changed) or 1)
        accident = dice.random()
        if accident < 0.6:
            changed[at : at + 1] = bytes([dice.randrange(256)])
        elif accident < 0.8:
            del changed[at:]
        else:
            changed[at:at] = dice.choice(odd)
    return bytes(changed)


RECORD: dict[str, Any] = {
    "type": "record",
    "name": "r",
    "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "int"}],
}
SCHEMA = read_schema(json.dumps(RECORD))
ALERTS = [{"id": f"a{n}", "n": n} for n in range(50)]


def container(alerts: list[dict[str, Any]], codec: str = "null", schema: Any = RECORD) -> bytes:
    """Return an Avro object container file."""
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(schema), alerts, codec=codec, sync_interval=100)
    return out.getvalue()


def plain(alert: dict[str, Any]) -> bytes:
    """Return an alert of the schema ``RECORD``, schemaless."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA.parsed, alert)
    return out.getvalue()


def framed(number: int, alert: dict[str, Any]) -> bytes:
    """Return the same with Confluent's frame, which has the number of a schema."""
    return b"\x00" + number.to_bytes(4, "big") + plain(alert)


def hostile(schema: Any, count: int, data: bytes, codec: str = "null") -> bytes:
    """Return a container of one block that claims to hold so many alerts."""
    out = io.BytesIO(b"Obj\x01")
    out.seek(4)
    header = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(out, {"type": "map", "values": "bytes"}, header)
    out.write(b"s" * 16)
    fastavro.schemaless_writer(out, "long", count)
    fastavro.schemaless_writer(out, "long", len(data))
    out.write(data + b"s" * 16)
    return out.getvalue()
