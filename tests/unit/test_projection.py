"""Alerts of which only some fields are decoded."""

from __future__ import annotations

import io
import json
import random
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fink_cli.alerts.fields import parse_fields, pick
from fink_cli.avro import native
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.projection import wanted_fields
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import Schema, leaf_paths, read_schema
from tests.support.avro import LOGICAL, LOGICAL_ALERT, content, encoded, survey_messages

POINT = {"type": "record", "name": "p", "fields": [{"name": n, "type": "int"} for n in "xyz"]}
LINE = {
    "type": "record",
    "name": "line",
    "namespace": "a.b",
    "fields": [
        {"name": "skipped", "type": {"type": "map", "values": POINT}},
        {"name": "kind", "type": ["null", {"type": "enum", "name": "k", "symbols": ["A", "B"]}]},
        {"name": "start", "type": "p"},
        {"name": "points", "type": {"type": "array", "items": ["null", "p"]}},
        {"name": "again", "type": "k"},
        {"name": "either", "type": ["null", "bytes"]},
    ],
}
SEVERAL = {
    **LINE,
    "fields": [*LINE["fields"], {"name": "one", "type": ["double", "int", "string", "bytes"]}],
}
SOME = {"x": 1, "y": 2, "z": 3}
LINE_ALERT = {
    "skipped": {"m": SOME},
    "kind": "B",
    "start": SOME,
    "points": [None, SOME],
    "again": "A",
    "either": b"5",
}


pytestmark = pytest.mark.usefixtures("either_reader")


def both(key: bytes, value: bytes, fields: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is picked from the whole alert, and from the one that was decoded in part."""
    paths = parse_fields(fields)
    part = Decoder(wanted=lambda _schema: [each.steps for each in paths])
    return pick(content(Decoder(), key, value), paths), pick(content(part, key, value), paths)


@pytest.mark.parametrize(
    "fields",
    [
        "start.x",
        "points[1].y,start.x",
        "points[-1],skipped.m.z",
        "points[0].x",
        "points",
        "skipped",
        "again",
        "kind",
        "either",
        "either,start.y",
        "missing,start.missing,points.x,start[0]",
        "start,start.x",
    ],
)
def test_the_values_are_those_of_the_whole_alert(fields: str) -> None:
    whole, part = both(*encoded(json.dumps(LINE), LINE_ALERT), fields)
    assert to_json_bytes(whole) == to_json_bytes(part)
    whole, part = both(*encoded(json.dumps(SEVERAL), LINE_ALERT | {"one": 5}), f"{fields},one")
    assert to_json_bytes(whole) == to_json_bytes(part)


def test_logical_types_too() -> None:
    key, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    for name in LOGICAL_ALERT:
        whole, part = both(key, value, name)
        assert whole == part == {name: LOGICAL_ALERT[name]}


def test_real_alerts(raw_dir: Path) -> None:
    random.seed(7)
    for key, value, _ in survey_messages(raw_dir):
        paths = [*leaf_paths(read_schema(key)), "prv_candidates[0].jd", "prv_candidates[-1]"]
        whole, part = both(key, value, ",".join(random.sample(paths, 4)))
        assert to_json_bytes(whole) == to_json_bytes(part)


@pytest.mark.skipif(native.library is None, reason="the native part is not built: make install")
def test_only_what_is_wanted_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    key, value = encoded(json.dumps(LINE), LINE_ALERT)
    decoder = Decoder(wanted=lambda _schema: [("start", "x"), ("points", 0, "y")])
    assert content(decoder, key, value) == {
        "start": {"x": 1, "y": 2},
        "points": [None, {"x": 1, "y": 2}],
    }


def test_the_schema_is_cut_once() -> None:
    asked: list[Schema] = []

    def wanted(schema: Schema) -> list[tuple[str]]:
        asked.append(schema)
        return [("again",)]

    decoder = Decoder(wanted=wanted)
    key, value = encoded(json.dumps(LINE), LINE_ALERT)
    for _ in range(3):
        content(decoder, key, value)
    assert len(asked) == 1


@pytest.mark.parametrize("change", ["cut", "longer"])
def test_what_is_left_out_must_be_there_all_the_same(change: str) -> None:
    key, value = encoded(json.dumps(LINE), LINE_ALERT)
    bad = value[:-3] if change == "cut" else value + b"xx"
    with pytest.raises(UndecodableError):
        content(Decoder(wanted=lambda _schema: [("kind",)]), key, bad)


@pytest.mark.parametrize(
    "item", ["double", "bytes", {"type": "fixed", "name": "f", "size": 9}, "f"]
)
def test_a_length_without_end_ends(item: Any) -> None:
    fields = [
        {
            "name": "named",
            "type": {"type": "fixed", "name": "f" if item == "f" else "g", "size": 0},
        },
        {"name": "many", "type": {"type": "array", "items": item}},
        {"name": "id", "type": "int"},
    ]
    key = json.dumps({"type": "record", "name": "r", "fields": fields}).encode()
    # A count of 2^60, as Avro writes a long.
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", 2**60)
    start = time.process_time()
    for value in (out.getvalue(), out.getvalue() * 3, b"\x01" + out.getvalue()):
        with pytest.raises(UndecodableError):
            content(Decoder(wanted=lambda _schema: [("id",)]), key, value)
    assert time.process_time() - start < 1


def test_changed_bytes_end_as_in_the_whole_alert() -> None:
    key, value = encoded(json.dumps(LINE), LINE_ALERT)
    chance = random.Random(11)
    part = Decoder(wanted=lambda _schema: [("start", "y"), ("points",)])
    paths = parse_fields("start.y,points")
    agreed = 0
    for _ in range(5000):
        changed = bytearray(value)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            whole = pick(content(Decoder(), key, bytes(changed)), paths)
        except UndecodableError:
            try:
                content(part, key, bytes(changed))
            except UndecodableError:
                agreed += 1
            continue
        assert pick(content(part, key, bytes(changed)), paths) == whole
        agreed += 1
    assert agreed > 4000


def test_a_type_used_very_often_is_looked_at_once() -> None:
    inner: Any = {"type": "record", "name": "r0", "fields": [{"name": "v", "type": "int"}]}
    for level in range(1, 13):
        fields = [{"name": "f0", "type": inner}, {"name": "f1", "type": f"r{level - 1}"}]
        inner = {"type": "record", "name": f"r{level}", "fields": fields}
    schema = read_schema(json.dumps(inner))
    start = time.process_time()
    assert len(wanted_fields(schema.root, [("f0",)])) == 13
    assert set(wanted_fields(schema.root, [()]).values()) == {
        frozenset({"v"}),
        frozenset({"f0", "f1"}),
    }
    assert time.process_time() - start < 0.5
