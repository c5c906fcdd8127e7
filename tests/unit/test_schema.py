"""Schemas from the wire: fingerprints, paths, and hostile ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fink_cli.avro.schema import (
    BadSchemaError,
    fingerprint,
    leaf_paths,
    read_schema,
)


def record(*fields: Any, name: str = "alert", **more: Any) -> dict[str, Any]:
    """A record; each field is its type."""
    named = [{"name": f"f{at}", "type": each} for at, each in enumerate(fields)]
    return {"type": "record", "name": name, "fields": named, **more}


def embedded_schema(file: Path) -> str:
    with file.open("rb") as content:
        return str(fastavro.reader(content).metadata["avro.schema"])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ('"null"', "63dd24e7cc258f8a"),
        ('"int"', "7275d51a3f395c8f"),
        ('{"type": "int", "doc": "the same"}', "7275d51a3f395c8f"),
        ('"string"', "8f014872634503c7"),
    ],
)
def test_fingerprint_is_the_number_of_the_specification(schema: str, expected: str) -> None:
    assert fingerprint(schema) == expected


def test_fingerprint_ignores_what_does_not_change_the_encoding() -> None:
    plain = {"type": "record", "name": "n.a", "fields": [{"name": "x", "type": "long"}]}
    wordy = {
        "fields": [{"doc": "x", "default": 3, "type": {"type": "long"}, "name": "x"}],
        "name": "a",
        "namespace": "n",
        "type": "record",
        "doc": "an alert",
    }
    assert fingerprint(json.dumps(plain)) == fingerprint(json.dumps(wordy))
    other = record("int")
    assert fingerprint(json.dumps(plain)) != fingerprint(json.dumps(other))


def test_fingerprint_of_a_schema_that_refers_to_itself_ends() -> None:
    assert len(fingerprint(json.dumps(record(["null", "alert"])))) == 16


def test_leaf_paths_of_a_real_alert(raw_dir: Path) -> None:
    schema = read_schema(embedded_schema(min(raw_dir.glob("*.avro"))))
    paths = leaf_paths(schema)
    assert paths["objectId"] == "string"
    assert paths["candid"] == "long"
    assert paths["candidate.jd"] == "double"
    assert paths["cutoutScience.stampData"] == "bytes"
    assert not any(path.startswith("prv_candidates") for path in paths)


def test_leaf_paths_follow_names_within_their_namespace() -> None:
    point = record("double", name="Point", namespace="sky")
    schema = {
        "type": "record",
        "name": "Alert",
        "namespace": "sky",
        "fields": [
            {"name": "here", "type": ["null", point]},
            {"name": "there", "type": "Point"},
            {"name": "named", "type": "sky.Point"},
            {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A"]}},
            {"name": "kind2", "type": "K"},
            {"name": "many", "type": {"type": "array", "items": "Point"}},
            {"name": "table", "type": {"type": "map", "values": "int"}},
            {"name": "nothing", "type": "null"},
        ],
    }
    expected = ["here.f0", "there.f0", "named.f0", "kind", "kind2"]
    assert list(leaf_paths(read_schema(json.dumps(schema)))) == expected


def test_ten_thousand_columns_can_be_read() -> None:
    schema = read_schema(json.dumps(record(*["int"] * 10_000)))
    assert len(leaf_paths(schema)) == 10_000


def zero_bytes(items: Any) -> dict[str, Any]:
    return record({"type": "array", "items": items})


def doubling(levels: int) -> dict[str, Any]:
    first = record("null", name="r0")
    rest = [record(f"r{at - 1}", f"r{at - 1}", name=f"r{at}") for at in range(1, levels)]
    return record(first, *rest)


def optional_doubling(levels: int) -> dict[str, Any]:
    rest = [record(*[["null", f"r{at - 1}"]] * 2, name=f"r{at}") for at in range(1, levels)]
    return record(record("int", name="r0"), *rest)


def chain(length: int) -> dict[str, Any]:
    """Each record holds the next by its name: shallow as JSON, deep as a value."""
    links = [record(f"r{at - 1}" if at else "int", name=f"r{at}") for at in range(length)]
    return record(*links)


def nested(depth: int) -> dict[str, Any]:
    inner: Any = "int"
    for _ in range(depth):
        inner = {"type": "array", "items": inner}
    return record(inner)


BAD = {
    "empty": "",
    "not JSON": "{",
    "not UTF-8": b"\xff\xfe",
    "a number": "3",
    "a primitive": '"int"',
    "a union": json.dumps([record("int")]),
    "no fields": '{"type": "record", "name": "a"}',
    "a type of the root that is a type": '{"type": {"type": "record"}, "fields": []}',
    "no name": '{"type": "record", "fields": []}',
    "a number as name": json.dumps(record("int") | {"name": 3}),
    "a list of numbers as fields": '{"type": "record", "name": "a", "fields": [3]}',
    "a field without a type": '{"type": "record", "name": "a", "fields": [{"name": "x"}]}',
    "an unknown type": json.dumps(record("nothing")),
    "a type in a type": json.dumps(record({"type": {"type": "int"}})),
    "a type of a list": json.dumps(record({"type": ["int"]})),
    "an empty union": json.dumps(record([])),
    "an array of nothing": json.dumps(record({"type": "array"})),
    "symbols that are numbers": json.dumps(record({"type": "enum", "name": "e", "symbols": [1]})),
    "no symbols": json.dumps(record({"type": "enum", "name": "e"})),
    "a symbol that is no name": json.dumps(
        record({"type": "enum", "name": "e", "symbols": ["\x1b[31m"]})
    ),
    "a size that is a text": json.dumps(record({"type": "fixed", "name": "f", "size": "9"})),
    "a negative size": json.dumps(record({"type": "fixed", "name": "f", "size": -9})),
    "a name defined twice": json.dumps(record(record("int", name="b"), record("int", name="b"))),
    "a record that holds itself": json.dumps(record("alert")),
    "an optional record that holds itself": json.dumps(record(["null", "alert"])),
    "an array that holds itself": json.dumps(zero_bytes("alert")),
    "two fields of one name": json.dumps(
        {**record(), "fields": [{"name": "x", "type": "int"}] * 2}
    ),
    "2^200 values of no bytes": json.dumps(doubling(200)),
    "2^30 optional values": json.dumps(optional_doubling(30)),
    "a long chain": json.dumps(chain(500)),
    "deep nesting": json.dumps(nested(200)),
    "deeper nesting": json.dumps(nested(480)),
    "nesting that JSON refuses": '{"a":' * 100_000,
    "fastavro's own marks": '{"__fastavro_parsed": true, "__named_schemas": {"x": "int"}}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_schema_is_named(text: str | bytes) -> None:
    with pytest.raises(BadSchemaError) as caught:
        read_schema(text)
    assert len(str(caught.value)) < 250


def test_fastavros_own_marks_are_not_believed() -> None:
    hostile = {**record("int"), "__fastavro_parsed": True, "__named_schemas": {"other": "int"}}
    parsed = read_schema(json.dumps(hostile)).parsed
    assert list(parsed["__named_schemas"]) == ["alert"]


def test_what_decoding_does_not_need_is_left_out() -> None:
    schema = record("int") | {"doc": "x", "aliases": 3}
    schema["fields"][0] |= {"default": "not a number", "order": 3}
    parsed = read_schema(json.dumps(schema)).parsed
    assert fastavro.schemaless_reader(io.BytesIO(b"\x04"), parsed) == {"f0": 2}


@pytest.mark.parametrize(
    "more",
    [{}, {"precision": "9"}, {"precision": 10**18}, {"precision": 2, "scale": 9}, {"scale": 1}],
)
def test_a_wrong_decimal_is_bytes(more: dict[str, Any]) -> None:
    schema = record({"type": "bytes", "logicalType": "decimal", **more})
    parsed = read_schema(json.dumps(schema)).parsed
    assert fastavro.schemaless_reader(io.BytesIO(b"\x02\x07"), parsed) == {"f0": b"\x07"}
