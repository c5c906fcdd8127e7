"""Few bytes that say very much are refused before they are decoded, and large alerts are not."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fink_cli.avro.decoder import Decoder
from fink_cli.avro.limits import MOST_BYTES, MOST_WEIGHT, memory_of
from fink_cli.avro.reference import UndecodableError
from tests.support.avro import RECORD, hostile, records
from tests.support.random_schemas import long

NULLS = {
    "type": "record",
    "name": "i",
    "fields": [
        {"name": "a", "type": "boolean"},
        {"name": "b", "type": "null"},
        {"name": "c", "type": "null"},
    ],
}
ONE = {"type": "record", "name": "i", "fields": [{"name": "a", "type": "boolean"}]}
TIGHT = {"type": "record", "name": "i", "fields": [{"name": "a", "type": "double"}]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("either_reader")


def new_decoder() -> Decoder:
    """Return a decoder of all fields, which the native package may read too."""
    return Decoder(wanted=lambda _schema: [()])


def record_of(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]}


def many(items: Any, one: bytes, count: int) -> tuple[bytes, bytes]:
    """The key and the value of an alert with an array."""
    schema = record_of({"type": "array", "items": items})
    return json.dumps(schema).encode(), long(count) + one * count + b"\0"


def packed(schema: Any, count: int, data: bytes) -> bytes:
    squeezer = zlib.compressobj(9, wbits=-15)
    return hostile(schema, count, squeezer.compress(data) + squeezer.flush(), "deflate")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        many("null", b"", 2**60),
        many({"type": "record", "name": "i", "fields": []}, b"", 2**30),
        many({"type": "fixed", "name": "f", "size": 0}, b"", 2**30),
        many(NULLS, b"\0", 1_000_000),
        many(ONE, b"\0", 1_000_000),
        many(["null", ONE], b"\2\0", 1_000_000),
        many({"type": "map", "values": "int"}, b"\0", 1_000_000),
        many({"type": "array", "items": NULLS}, b"\2\0\0", 500_000),
        many("string", b"\2a", 1_000_000),
        many("long", b"\0", 2_000_000),
        many({"type": "enum", "name": "e", "symbols": ["A" * 10_000]}, b"\0", 100_000),
        many(TIGHT, bytes(8), 1_000_000),
        # A block of items that also says its length.
        (many(NULLS, b"", 0)[0], long(-1_000_000) + long(1_000_000) + bytes(1_000_001)),
        (None, packed(record_of({"type": "array", "items": NULLS}), 1,
                      long(4_000_000) + bytes(4_000_001))),
        (None, packed(NULLS, 4_000_000, bytes(4_000_000))),
        (None, packed(ONE, 2**60, bytes(4_000_000))),
        (None, b'{"a":[' + b"{}," * 1_000_000 + b"1]}"),
        (None, b"{" + b",".join(b'"%d":1' % each for each in range(100_000)) + b"}"),
        (b"", bytes(MOST_BYTES + 1)),
    ],
)  # fmt: skip
def test_what_would_take_too_much(key: bytes | None, value: bytes) -> None:
    began = time.process_time()
    tracemalloc.start()
    with pytest.raises(UndecodableError, match=r"memory|longer than|more than"):
        records(new_decoder(), key, value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # JSON has to be parsed for its fields to be counted.
    assert peak < 32 * MIB
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("items", "one", "weight"),
    [
        (NULLS, b"\0", 9),
        (ONE, b"\0", 7),
        ("string", b"\6abc", 2),
        ("double", b"abcdefgh", 1),
        (DECIMAL, b"\2\1", 3),
        ({"type": "map", "values": "int"}, b"\0", 2),
    ],
)
def test_what_just_passes_takes_no_more_than_the_docs_say(
    items: Any, one: bytes, weight: int
) -> None:
    count = MOST_WEIGHT // weight - 30
    (alert,) = records(new_decoder(), *many(items, one, count))
    assert len(alert.content["x"]) == count
    assert 15 * MIB < memory_of(alert.content) < 100 * MIB


@pytest.fixture(scope="module")
def ztf(raw_dir: Path) -> tuple[Any, dict[str, Any]]:
    """A schema of ZTF and an alert, with 5,000 candidates before it and cutouts of 10 MB."""
    with min(raw_dir.glob("*.avro")).open("rb") as stream:
        reader = fastavro.reader(stream)
        alert: Any = next(reader)
    before = (alert["prv_candidates"] or [alert["candidate"]]) * 5000
    cutout = {"fileName": "c.fits.gz", "stampData": bytes(10_000_000)}
    names = [name for name in alert if name.startswith("cutout")]
    assert len(names) == 3
    return reader.writer_schema, {
        **alert, "prv_candidates": before[:5000], **dict.fromkeys(names, cutout),
    }  # fmt: skip


def test_a_large_alert_of_a_survey_is_none(ztf: tuple[Any, dict[str, Any]]) -> None:
    schema, alert = ztf
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, alert)
    (found,) = records(new_decoder(), json.dumps(schema).encode(), out.getvalue())
    assert found.content["objectId"] == alert["objectId"]
    assert len(found.content["prv_candidates"]) == 5000
    out = io.BytesIO()
    fastavro.writer(out, schema, [alert])
    (found,) = records(new_decoder(), None, out.getvalue())
    assert len(found.content["cutoutScience"]["stampData"]) == 10_000_000


def test_many_columns_and_many_alerts_are_none() -> None:
    names = [f"c{number}" for number in range(10_000)]
    schema = {**record_of("int"), "fields": [
        {"name": each, "type": ["null", "double"]} for each in names]}  # fmt: skip
    alert = dict.fromkeys(names, 1.5)
    assert [each.content for each in records(new_decoder(), None, fill(schema, [alert] * 3))] == [
        alert
    ] * 3
    (found,) = records(new_decoder(), None, json.dumps(alert).encode())
    assert found.content == alert


def fill(schema: Any, alerts: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, alerts)
    return out.getvalue()


@pytest.mark.parametrize("cut", [1, 1000])
def test_what_is_cut_while_it_is_weighed_is_said(cut: int) -> None:
    key, value = many(NULLS, b"\0", 2000)
    text = record_of({"type": "array", "items": ["null", "string", NULLS]})
    one = long(45_000) + b"\2\2a" * 45_000 + b"\0"
    for schema, data in ((key, value), (json.dumps(text).encode(), one)):
        with pytest.raises(UndecodableError, match="ends before"):
            records(new_decoder(), schema, data[:-cut])


def test_every_kind_of_value_is_weighed() -> None:
    every = {"type": "record", "name": "e", "fields": [
        {"name": "a", "type": {"type": "fixed", "name": "f", "size": 3}},
        {"name": "b", "type": {"type": "enum", "name": "s", "symbols": ["A", "B"]}},
        {"name": "c", "type": {"type": "map", "values": ["null", "long", "f", "s"]}},
        {"name": "d", "type": {"type": "array", "items": {"type": "array", "items": "float"}}},
        {"name": "e", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "f", "type": "boolean"}, {"name": "g", "type": "bytes"},
    ]}  # fmt: skip
    one = {"a": b"abc", "b": "B", "c": {"k": -(2**40), "l": None, "m": b"xyz", "n": "A"},
           "d": [[1.0, 2.0], []], "e": 2**50, "f": True, "g": b"\xff" * 100}  # fmt: skip
    schema = record_of({"type": "array", "items": every})
    count = 8_000
    value = fill(schema, [{"x": [one] * count}])
    (found,) = records(new_decoder(), None, value)
    assert len(found.content["x"]) == count
    assert found.content["x"][-1]["c"] == one["c"]
    with pytest.raises(UndecodableError, match="memory"):
        records(new_decoder(), None, fill(RECORD, [{"id": "a", "n": 1}] * 60_000))
