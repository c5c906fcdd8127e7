"""The native package, against fastavro, which is the reference."""

from __future__ import annotations

import io
import json
import math
import random
import struct
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pyarrow as pa
import pytest

from fink_cli.alerts.fields import parse_fields, pick
from fink_cli.avro import native
from fink_cli.avro.arrow import arrow_schema, table_of
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import Schema, leaf_paths, read_schema
from tests.support.avro import LOGICAL, mutated, survey_messages
from tests.support.random_schemas import Sampler, long, sized

pytestmark = pytest.mark.skipif(
    native.library is None, reason="the native part is not built: make install"
)
# Messages at a time, as they are polled.
BATCH = 100


def schema_of(*fields: Any) -> Schema:
    made = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)]
    return read_schema(json.dumps({"type": "record", "name": "r", "fields": made}))


def reference(value: bytes, schema: Schema) -> dict[str, Any] | None:
    """Return the alert as fink has it without the native package."""
    try:
        (record,) = Decoder(schema).records(None, value)
    except UndecodableError:
        return None
    return record.content


def plain(value: Any) -> Any:
    """Return a value whose NaNs are equal to each other, and whose types count."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return ("datetime", value.tzinfo is None, value.timestamp())
    return (type(value).__name__, struct.pack("d", value) if isinstance(value, float) else value)


def agreed(schema: Schema, values: list[bytes]) -> int:
    """Return how many messages are accepted; each is what fastavro makes of it."""
    reader = native.reader_of(schema)
    if reader is None:
        return 0
    lines = reader.json(values)
    columns, refused = reader.columns(values)
    assert reader.refused(values) == refused
    rows = pa.record_batch(columns).to_pylist(maps_as_pydicts="strict")
    assert len(rows) == len(values) - len(refused)
    objects = iter(rows)
    for number, row in enumerate(reader.rows(values)):
        assert (row is None) == (number in refused)
        assert row is None or plain(row) == plain(next(objects))
    accepted = [number for number in range(len(values)) if number not in set(refused)]
    alerts = []
    for number, row in zip(accepted, rows, strict=True):
        alert = reference(values[number], schema)
        assert alert is not None, "fastavro refuses it"
        assert plain(row) == plain(alert)
        assert lines[number] == to_json_bytes(alert)
        alerts.append(alert)
    assert all(lines[number] is None for number in refused)
    assert_same_table(schema, [values[number] for number in accepted], alerts)
    return len(accepted)


def assert_same_table(schema: Schema, values: list[bytes], alerts: list[dict[str, Any]]) -> None:
    if not values:
        return
    shape = arrow_schema(schema)
    batch = native.columns(schema, values)
    assert batch is not None
    table = pa.Table.from_batches([batch]).cast(shape)
    table.validate(full=True)
    expected = table_of(shape, alerts)
    assert plain(table.to_pylist()) == plain(expected.to_pylist())


def batches(values: list[bytes]) -> list[list[bytes]]:
    return [values[first : first + BATCH] for first in range(0, len(values), BATCH)]


@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.long)])
def test_mutated_alerts(raw_dir: Path, count: int) -> None:
    dice = random.Random(count)
    known = {
        **LOGICAL,
        "fields": [f for f in LOGICAL["fields"] if f["name"] not in {"u", "q", "m"}],
    }
    alert = {"t": None, "d": date(2021, 11, 22), "e": "B", "a": [1, None], "x": b"ab", "b": True}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(known), alert)
    samples = {json.dumps(known).encode(): [out.getvalue()]}
    for key, value, _ in survey_messages(raw_dir)[:6]:
        samples.setdefault(key, []).append(value)
    accepted = 0
    for key, values in samples.items():
        schema = read_schema(key)
        changed = [mutated(dice.choice(values), dice) for _ in range(count // len(samples))]
        accepted += sum(agreed(schema, some) for some in batches(changed))
    assert accepted > count / 20


@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.long)])
def test_random_schemas(count: int) -> None:
    accepted = known = decodable = 0
    for seed in range(count):
        sampler = Sampler(seed)
        schema = read_schema(json.dumps(sampler.record()))
        made = [sampler.value(schema.parsed | {"type": "record"}) for _ in range(12)]
        values = made[:6] + [mutated(each, sampler.dice) for each in made[6:]]
        if native.reader_of(schema) is not None:
            known += 1
            decodable += sum(reference(value, schema) is not None for value in values[:6])
            accepted += agreed(schema, values)
            agreed_in_part(schema, values, sampler.dice)
    assert known > count / 4
    assert accepted > decodable / 2


def agreed_in_part(schema: Schema, values: list[bytes], dice: random.Random) -> None:
    """Compare the values at some paths: those that were wanted, and those of the whole alert."""
    paths = list(leaf_paths(schema))
    chosen = parse_fields(",".join(dice.sample(paths, min(3, len(paths)))))
    parts = native.part_reader_of(schema, [path.steps for path in chosen]).rows(values)
    for value, part in zip(values, parts, strict=True):
        alert = reference(value, schema)
        if part is not None:
            assert alert is not None
            assert plain(pick(part, chosen)) == plain(pick(alert, chosen))
    refused = [number for number, part in enumerate(parts) if part is None]
    assert native.reader_of(schema).refused(values) == refused


SURVEY = {
    "type": "record",
    "name": "lsst.v11_0.alert",
    "fields": [
        {"name": "id", "type": "long", "doc": "an id"},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "diaSource",
                "namespace": "lsst.v11_0",
                "fields": [
                    {"name": "flux", "type": ["null", "float"], "default": None},
                    {"name": "band", "type": {"type": "enum", "name": "b", "symbols": ["g", "r"]}},
                    {"name": "when", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                ],
            },
        },
        {"name": "before", "type": ["null", {"type": "array", "items": "lsst.v11_0.diaSource"}]},
        {"name": "last", "type": ["null", "diaSource"], "default": None},
        {"name": "again", "type": "lsst.v11_0.b"},
        {"name": "names", "type": {"type": "map", "values": ["string", "null"]}},
    ],
}


def survey_alert(number: int) -> dict[str, Any]:
    moment = datetime(2026, 1, 2, 3, 4, 5, number, tzinfo=UTC)
    source = {"flux": math.nan if number % 3 else None, "band": "r", "when": moment}
    before = None if number % 5 == 0 else [source] * (number % 4)
    names = {'é\n"\\\x01\x7f': "☄", "none": None}
    return {"id": number, "source": source, "before": before, "last": source, "again": "g",
            "names": names}  # fmt: skip


def survey_values(count: int) -> list[bytes]:
    schema = fastavro.parse_schema(json.loads(json.dumps(SURVEY)))
    values = []
    for number in range(count):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, survey_alert(number))
        values.append(out.getvalue())
    return values


def test_names_with_dots_defaults_and_types_used_twice() -> None:
    schema = read_schema(json.dumps(SURVEY))
    assert agreed(schema, survey_values(30)) == 30
    part = native.part_reader_of(schema, [("before", 0, "flux"), ("last", "band"), ("names",)])
    for number, content in enumerate(part.rows(survey_values(30))):
        alert = survey_alert(number)
        assert content is not None
        assert content["last"]["band"] == "r"
        assert content["names"] == alert["names"]
        assert "id" not in content
        assert len(content["before"] or []) == len(alert["before"] or [])


def test_real_alerts_are_all_accepted(raw_dir: Path) -> None:
    groups: dict[bytes, list[bytes]] = {}
    for key, value, _ in survey_messages(raw_dir):
        groups.setdefault(key, []).append(value)
    for key, values in groups.items():
        assert agreed(read_schema(key), values) == len(values)


ITEMS = {"type": "array", "items": "int"}
WIDE = {"type": "record", "name": "w", "fields": [
    {"name": f"n{number}", "type": ["null", "double"]} for number in range(1000)]}  # fmt: skip
MICROS = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", b""),
        ("int", long(1) + b"\0"),
        ("int", long(2**31)),
        ("long", b"\xff" * 9 + b"\x02"),
        ("boolean", b"\x02"),
        ("string", sized(b"\xff")),
        ("string", long(-1)),
        (["null", "int"], long(2)),
        (["null", "int"], long(-1)),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, long(1)),
        ({"type": "map", "values": "int"}, long(2) + (sized(b"k") + long(1)) * 2 + long(0)),
        (ITEMS, long(-2) + long(1) + long(1) * 2 + long(0)),
        (ITEMS, long(2**60) + long(0)),
        (ITEMS, long(-(2**62)) * 2 + long(0)),
        (ITEMS, long(2_000_000) + b"\0" * 2_000_001),
        ({"type": "array", "items": "null"}, long(2**30) + long(0)),
        # A null record has a place for each of its fields in Arrow.
        ({"type": "array", "items": ["null", WIDE]}, long(90_000) + b"\0" * 90_001),
        (MICROS, long(253_402_300_800_000_000)),
        ({"type": "int", "logicalType": "date"}, long(2_932_897)),
    ],
)
def test_what_is_left_to_fastavro(kind: Any, value: bytes) -> None:
    schema = schema_of(kind)
    reader = native.reader_of(schema)
    assert reader is not None
    start = time.process_time()
    assert reader.refused([value]) == [0]
    assert reader.columns([value])[1] == [0]
    assert reader.rows([value]) == [None]
    assert reader.json([value]) == [None]
    assert time.process_time() - start < 0.2


def test_what_is_refused_leaves_the_others_as_they_are() -> None:
    schema = schema_of("int", "string")
    good = [long(number) + sized(b"abc") for number in range(20)]
    values = [each for number in range(20) for each in (good[number], good[number][:-1])]
    for _ in range(3):
        assert agreed(schema, values) == 20


def test_a_batch_is_bounded() -> None:
    schema = schema_of({"type": "array", "items": "boolean"})
    heavy = long(900_000) + b"\1" * 900_000 + long(0)
    assert native.reader_of(schema).refused([heavy] * 12) == list(range(8, 12))


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
        {"type": "string", "logicalType": "uuid"},
        {"type": "int", "logicalType": "time-millis"},
        ["null", "string", "int"],
        ["int"],
        {"type": "record", "name": "none", "fields": []},
    ],
)
def test_types_that_are_left_to_fastavro(kind: Any) -> None:
    assert native.reader_of(schema_of(kind, "int")) is None


def test_numbers_are_written_as_orjson_writes_them() -> None:
    dice = random.Random(1)
    doubles = [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(20_000)]
    doubles += [dice.uniform(-1, 1) * 10 ** dice.randint(-20, 20) for _ in range(20_000)]
    doubles += [float(10**power) for power in range(25)] + [0.0, -0.0, 1e-5, 123456789.5]
    floats = [struct.unpack("<f", struct.pack("<f", dice.gauss(0, 1e3)))[0] for _ in range(20_000)]
    for kind, form, numbers in (("double", "<d", doubles), ("float", "<f", floats)):
        values = [struct.pack(form, number) for number in numbers]
        lines = native.reader_of(schema_of(kind)).json(values)
        assert lines == [orjson.dumps({"f0": number}) for number in numbers]


def test_times_are_written_as_orjson_writes_them() -> None:
    dice = random.Random(2)
    kinds = [MICROS, {**MICROS, "logicalType": "local-timestamp-micros"}]
    kinds += [{**MICROS, "logicalType": f"{each}timestamp-millis"} for each in ("", "local-")]
    for kind in kinds:
        scale = 1000 if "millis" in kind["logicalType"] else 1
        seconds = [dice.randint(-62_135_596_800, 253_402_300_799) for _ in range(2_000)]
        ticks = [second * 10**6 // scale + dice.choice((0, 0, 1, 500)) for second in seconds]
        assert agreed(schema_of(kind), [long(number) for number in ticks[:BATCH]]) == BATCH
        lines = native.reader_of(schema_of(kind)).json([long(number) for number in ticks])
        alerts = [reference(long(number), schema_of(kind)) for number in ticks]
        assert lines == [to_json_bytes(alert) for alert in alerts]
    days = [long(day) for day in range(-719_162, 2_932_897, 997)]
    schema = schema_of({"type": "int", "logicalType": "date"})
    assert native.reader_of(schema).json(days) == [
        to_json_bytes(reference(day, schema)) for day in days
    ]


def test_ten_thousand_columns_are_soon_ready() -> None:
    schema = schema_of(*[["null", "long"]] * 9_999)
    start = time.process_time()
    assert native.reader_of(schema).refused([b"\0" * 9_999]) == []
    part = native.part_reader_of(schema, [("f1",)])
    assert part.rows([b"\0" * 9_999]) == [{"f1": None}]
    assert time.process_time() - start < 1
