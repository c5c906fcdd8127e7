"""Alerts decoded quickly, against fastavro, which is the reference."""

from __future__ import annotations

import io
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fink_cli.alerts.binary import UndecodableError, decoded
from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.projection import wanted_fields
from fink_cli.alerts.quick import quick_reader
from fink_cli.alerts.schema import Schema, leaf_paths, read_schema
from fink_cli.alerts.select import parse_fields, pick
from tests.unit.test_codec import LOGICAL, LOGICAL_ALERT, encoded, messages, mutated

SCALARS = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL_TYPES = [
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "string", "logicalType": "uuid"},
    {"type": "int", "logicalType": "of-nobody"},
]


class Sampler:
    """Types, and bytes that may be values of them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.names: dict[str, Any] = {}

    def record(self, depth: int = 0) -> dict[str, Any]:
        name = f"r{len(self.names)}"
        self.names[name] = {}
        fields = []
        for number in range(self.dice.randrange(1, 9)):
            # Numbers side by side, as alerts have them.
            for again in range(self.dice.choice((1, 1, 5))):
                kind = self.type(depth + 1) if again == 0 else self.optional(["float", "double"])
                fields.append({"name": f"f{number}_{again}", "type": kind})
        # No record is empty: an array of such items would be refused.
        fields.append({"name": "last", "type": "int"})
        self.names[name] |= {"type": "record", "name": name, "fields": fields}
        return self.names[name]

    def optional(self, kinds: list[str]) -> Any:
        kind = self.dice.choice(kinds)
        return self.dice.choice([kind, [kind, "null"], ["null", kind], ["null", kind]])

    def type(self, depth: int) -> Any:
        way = self.dice.random()
        if depth > 3 or way < 0.6:
            return self.optional([each for each in SCALARS if each != "null"])
        if way < 0.7:
            return self.dice.choice(LOGICAL_TYPES)
        if way < 0.76:
            self.names[name := f"e{len(self.names)}"] = {}
            return {"type": "enum", "name": name, "symbols": ["A", "B", "C"]}
        if way < 0.8:
            self.names[name := f"x{len(self.names)}"] = {}
            return {"type": "fixed", "name": name, "size": self.dice.choice((1, 4, 70_000))}
        if way < 0.85:
            return ["null", "string", "int", {"type": "array", "items": "int"}, "double"]
        if way < 0.92:
            return {"type": "array", "items": self.dice.choice([self.record(depth), "string"])}
        return {"type": "map", "values": self.type(depth + 1)}

    def value(self, kind: Any) -> bytes:
        """Bytes of a type, written here rather than by fastavro: also what it would not write."""
        dice = self.dice
        if isinstance(kind, list):
            number = dice.randrange(len(kind))
            return long(number) + self.value(kind[number])
        name = kind if isinstance(kind, str) else kind["type"]
        if name in {"int", "long", "enum"}:
            largest = 2 if name == "enum" else 2 ** dice.choice((3, 6, 20, 31, 62, 63))
            return long(dice.randint(0 if name == "enum" else -largest, largest))
        if name in {"float", "double"}:
            return dice.randbytes(4 if name == "float" else 8)
        if name in {"bytes", "string"}:
            if isinstance(kind, dict) and kind.get("logicalType") == "uuid":
                return sized(b"12345678-1234-5678-1234-567812345678")
            size = dice.choice((0, 3, 40, 100))
            return sized(dice.randbytes(size) if name == "bytes" else ("é" * size).encode())
        if name == "fixed":
            return dice.randbytes(kind["size"])
        if name in {"array", "map"}:
            return self.many(kind)
        if name == "record":
            return b"".join(self.value(each["type"]) for each in kind["fields"])
        return dice.choice((b"\0", b"\1")) if name == "boolean" else b""

    def many(self, kind: dict[str, Any]) -> bytes:
        key = sized(b"key") if kind["type"] == "map" else b""
        inner = kind["items" if kind["type"] == "array" else "values"]
        blocks = b""
        for count in self.dice.choice(([], [2], [1, -3])):
            items = b"".join(key + self.value(inner) for _ in range(abs(count)))
            blocks += long(count) + (long(len(items)) if count < 0 else b"") + items
        return blocks + long(0)


def long(number: int) -> bytes:
    left = (number << 1) ^ (number >> 63)
    found = bytearray()
    while left > 127:
        found.append(left & 127 | 128)
        left >>= 7
    return bytes([*found, left])


def sized(content: bytes) -> bytes:
    return long(len(content)) + content


def reference(value: bytes, schema: Schema) -> dict[str, Any] | None:
    try:
        return decoded(value, schema)
    except UndecodableError:
        return None


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("seed", range(150))
def test_types_of_all_kinds(seed: int) -> None:
    sampler = Sampler(seed)
    schema = read_schema(json.dumps(sampler.record()))
    quick, decodable, quickly = quick_reader(schema), 0, 0
    paths = list(leaf_paths(schema.parsed))
    chosen = parse_fields(",".join(sampler.dice.sample(paths, min(2, len(paths)))))
    fields = wanted_fields(schema, [each.steps for each in chosen])
    part = quick_reader(schema, fields)
    for number in range(30):
        value = sampler.value(schema.parsed | {"type": "record"})
        value = value if number < 15 else mutated(value, sampler.dice)
        expected, found, some = reference(value, schema), quick(value), part(value)
        decodable += number < 15 and expected is not None
        quickly += number < 15 and found is not None
        assert found is None or repr(found) == repr(expected)
        if some is not None and expected is not None:
            assert repr(pick(some, chosen)) == repr(pick(expected, chosen))
    # A number of 64 bits, and a date out of range, are for fastavro; most else is not.
    assert decodable == 0 or quickly > 0


def test_most_values_are_decoded_quickly() -> None:
    counts = [0, 0]
    for seed in range(100):
        sampler = Sampler(seed)
        schema = read_schema(json.dumps(sampler.record()))
        value = sampler.value(schema.parsed | {"type": "record"})
        if reference(value, schema) is not None:
            counts[0] += 1
            counts[1] += quick_reader(schema)(value) is not None
    assert counts[0] > 50
    assert counts[1] > 0.6 * counts[0]


def test_real_alerts_are_decoded_quickly(raw_dir: Path) -> None:
    for key, value, alert in messages(raw_dir):
        schema = read_schema(key)
        assert repr(quick_reader(schema)(value)) == repr(alert)
        part = wanted_fields(schema, [("objectId",), ("prv_candidates", 0, "jd")])
        some = quick_reader(schema, part)(value)
        assert some is not None
        assert some["objectId"] == alert["objectId"]
        assert set(some) == {"objectId", "prv_candidates"}


def test_logical_types_are_those_of_fastavro() -> None:
    key, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    assert quick_reader(read_schema(key))(value) == LOGICAL_ALERT


@pytest.mark.parametrize("name", ["int", "long"])
def test_the_largest_numbers(name: str) -> None:
    text = json.dumps({"type": "record", "name": "r", "fields": [{"name": "n", "type": name}]})
    for number in (2**62 - 1, -(2**62), 2**62, 2**63 - 1, -(2**63), 2**31):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, "long", number)
        assert Decoder().decode(text.encode(), out.getvalue()) == {"n": number}


def test_runs_of_numbers_with_gaps() -> None:
    names = [f"f{number}" for number in range(70)]
    fields = [{"name": each, "type": ["null", "double"]} for each in names]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    dice = random.Random(3)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        alert = {each: math.pi if dice.random() < share else None for each in names}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema.parsed, alert)
        assert quick_reader(schema)(out.getvalue()) == alert
        assert quick_reader(schema)(out.getvalue()[:-1]) is None
        assert quick_reader(schema)(out.getvalue() + b"\0") is None


def test_a_count_without_end_ends() -> None:
    inner = {"type": "record", "name": "i", "fields": [{"name": "x", "type": "double"}]}
    fields = [
        {"name": "a", "type": {"type": "array", "items": inner}},
        {"name": "n", "type": "int"},
    ]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    start = time.process_time()
    for wanted in (None, {"r": frozenset({"n"})}, {"r": frozenset({"a"})}):
        assert quick_reader(schema, wanted)(long(2**60) + b"\0" * 64) is None
        assert quick_reader(schema, wanted)(long(-(2**60)) * 2 + b"\0" * 64) is None
    assert time.process_time() - start < 0.5


def test_ten_thousand_columns_are_soon_ready() -> None:
    fields = [{"name": f"f{number}", "type": ["null", "long"]} for number in range(9_999)]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    start = time.process_time()
    for wanted in (None, {"r": frozenset({"f1"})}):
        assert quick_reader(schema, wanted)(b"\0" * 9_999) == {
            each["name"]: None for each in fields
        }
    assert time.process_time() - start < 1
