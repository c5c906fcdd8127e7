"""Alerts read as columns, against fastavro and pyarrow value by value."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.alerts.codec import OutliningDecoder
from fink_cli.alerts.columnar import Columns
from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.formats import UnwritableError, package
from fink_cli.alerts.outline import Outline, outliner_of
from fink_cli.alerts.parquet import arrow_schema, arrow_table, encoding_of
from fink_cli.alerts.schema import Schema, read_schema
from tests.support.avro import mutated, survey_messages
from tests.support.random_schemas import Sampler, long, reference, sized


class Outlined(NamedTuple):
    encoded: bytes
    outline: Outline


def schema_of(*fields: Any) -> Schema:
    made = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)]
    return read_schema(json.dumps({"type": "record", "name": "r", "fields": made}))


def as_columns(schema: Schema, values: list[bytes]) -> pa.Table:
    """The alerts as a table, by way of their outlines."""
    outliner = outliner_of(schema)
    assert outliner is not None
    outlines = [outliner.outline(each) for each in values]
    alerts = [Outlined(v, o) for v, o in zip(values, outlines, strict=True) if o is not None]
    assert len(alerts) == len(values)
    found = Columns(schema, arrow_schema(schema)).of(alerts)
    found.validate(full=True)
    return found


def as_objects(schema: Schema, values: list[bytes]) -> pa.Table:
    """The alerts as a table, by way of fastavro and an object for each value."""
    return arrow_table(arrow_schema(schema), [reference(each, schema) or {} for each in values])


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    assert found.schema == expected.schema
    if found.equals(expected):
        return
    # As text: NaN is no NaN's equal.
    assert repr(found.to_pylist()) == repr(expected.to_pylist())


def is_fit(schema: Schema) -> bool:
    try:
        arrow_schema(schema)
    except UnwritableError:
        return False
    return True


def outlined(values: list[bytes], schema: Schema) -> list[bytes]:
    """Those that have an outline; each of these is an alert to fastavro too."""
    outliner = outliner_of(schema)
    if outliner is None:
        return []
    found = [each for each in values if outliner.outline(each) is not None]
    assert all(reference(each, schema) is not None for each in found)
    return found


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("seed", range(150))
def test_types_of_all_kinds(seed: int) -> None:
    sampler = Sampler(seed)
    schema = read_schema(json.dumps(sampler.record()))
    made = [sampler.value(schema.parsed | {"type": "record"}) for _ in range(30)]
    values = made[:15] + [mutated(each, sampler.dice) for each in made[15:]]
    found = outlined(values, schema)
    if found and is_fit(schema):
        assert_same(as_columns(schema, found), as_objects(schema, found))


def test_most_alerts_have_an_outline() -> None:
    counts = [0, 0]
    for seed in range(100):
        sampler = Sampler(seed)
        schema = read_schema(json.dumps(sampler.record()))
        value = sampler.value(schema.parsed | {"type": "record"})
        if reference(value, schema) is not None and is_fit(schema):
            counts[0] += 1
            counts[1] += len(outlined([value], schema))
    assert counts[0] > 50
    assert counts[1] > 0.35 * counts[0]


@pytest.mark.usefixtures("early")
def test_real_alerts(raw_dir: Path) -> None:
    found: dict[bytes, list[bytes]] = {}
    for key, value, _ in survey_messages(raw_dir):
        found.setdefault(key, []).append(value)
    for key, values in found.items():
        schema = read_schema(key)
        assert_same(as_columns(schema, values), as_objects(schema, values))


LOGICAL = [
    {"type": "int", "logicalType": "date"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-millis"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
]


@pytest.mark.parametrize("kind", LOGICAL)
def test_dates_and_times(kind: dict[str, str]) -> None:
    schema = schema_of(kind, ["null", kind])
    values = [long(n) + b"\2" + long(-n) for n in (0, 1, 19_000)] + [long(5) + b"\0"]
    assert_same(as_columns(schema, values), as_objects(schema, values))
    outliner = outliner_of(schema)
    assert outliner is not None
    # What Arrow can't hold; of dates beyond the year 9999 it holds many.
    scale = 1000 if "millis" in kind["logicalType"] else 1
    fits = kind["type"] == "long" and 2**60 * scale < 2**63
    assert (outliner.outline(long(2**60) + b"\0") is not None) is fits
    far = [long(3_000_000 if kind["type"] == "int" else 2**59 // scale) + b"\0"]
    assert outlined(far, schema) == far
    assert as_columns(schema, far).equals(as_objects(schema, far))


def test_the_largest_numbers() -> None:
    schema = schema_of("int", "long")
    values = [long(n) + long(m) for n in (2**31 - 1, -(2**31)) for m in (2**62 - 1, -(2**62))]
    assert_same(as_columns(schema, values), as_objects(schema, values))
    assert outlined([long(2**31) + long(0), long(0) + long(2**63 - 1)], schema) == []


@pytest.mark.usefixtures("early")
def test_texts_short_and_long_plain_and_not() -> None:
    schema = schema_of("string", ["null", "string"], "int")
    texts = ["", "a", "x" * 63, "x" * 64, "x" * 127, "x" * 128, "x" * 9000, "é", "☄" * 100]
    values = [sized(a.encode()) + b"\2" + sized(b.encode()) + long(7) for a in texts for b in texts]
    assert_same(as_columns(schema, values), as_objects(schema, values))
    assert outlined([sized(b"\xff") + b"\0" + long(7)], schema) == []


def test_what_only_fastavro_decides() -> None:
    twice = long(2) + (sized(b"k") + long(1)) * 2 + long(0)
    assert outlined([twice], schema_of({"type": "map", "values": "int"})) == []
    many = long(200_000) + b"\0" * 200_000 + long(0)
    assert outlined([many], schema_of({"type": "array", "items": "int"})) == []
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    assert outliner_of(schema_of(decimal)) is None
    assert outliner_of(schema_of(["string", "int"])) is None
    assert outliner_of(schema_of(*["int"] * 3000)) is None


def test_a_file_of_alerts_with_and_without_outlines(tmp_path: Path) -> None:
    schema = schema_of({"type": "map", "values": "int"}, "int")
    one = long(1) + sized(b"k") + long(1) + long(0)
    twice = long(2) + (sized(b"k") + long(1)) * 2 + long(0)
    values = [each + long(n) for n, each in enumerate([one, one, twice, one, twice])]
    decoder = OutliningDecoder(schema)
    alerts = [found for each in values for found in decoder.records(None, each)]
    assert [each.outline is None for each in alerts] == [False, False, True, False, True]
    made = package(FileFormat.PARQUET, schema, tmp_path / "a.parquet")
    made.add(alerts[:4])
    made.add(alerts[4:])
    made.finish()
    assert_same(pq.read_table(tmp_path / "a.parquet"), as_objects(schema, values))


def test_what_is_compressed_is_not_compressed_again(science_dir: Path) -> None:
    table = pq.read_table(science_dir)
    told = encoding_of(table)
    assert told["compression"]["cutoutScience.stampData"] == "none"
    assert told["compression"]["prv_candidates.list.element.magpsf"] == "zstd"
    assert set(told["compression"]) == paths_of(table)
    assert {"objectId", "mangrove.key_value.value"} < set(told["use_dictionary"])
    plain = pa.table({"picture": [bytes(10_000)] * 3, "none": pa.nulls(3, pa.binary())})
    assert encoding_of(plain)["compression"] == {"picture": "zstd", "none": "zstd"}


def paths_of(table: pa.Table) -> set[str]:
    """The columns as Parquet names them."""
    out = pa.BufferOutputStream()
    pq.write_table(table.slice(0, 1), out)
    schema = pq.ParquetFile(pa.BufferReader(out.getvalue())).schema
    return {schema.column(number).path for number in range(len(schema))}


def test_a_short_schema_of_endless_columns_is_refused_soon() -> None:
    kind: Any = "int"
    for level in range(30):
        name = f"r{level}"
        fields = [{"name": "a", "type": ["null", kind]}, {"name": "b", "type": ["null", "int"]}]
        if level:
            fields[1]["type"] = ["null", f"r{level - 1}"]
        kind = {"type": "record", "name": name, "fields": fields}
    schema = read_schema(json.dumps(kind))
    start = time.process_time()
    with pytest.raises(UnwritableError, match="20,000 fields"):
        arrow_schema(schema)
    assert outliner_of(schema) is None
    assert time.process_time() - start < 10


def test_a_number_that_its_type_can_not_hold_is_refused(tmp_path: Path) -> None:
    schema = schema_of("int")
    alerts = OutliningDecoder(schema).records(None, long(2**40))
    assert alerts[0].content == {"f0": 2**40}
    [unfit] = package(FileFormat.PARQUET, schema, tmp_path / "a.parquet").add(alerts)
    assert unfit.alert is alerts[0]
    assert unfit.reason.startswith("Parquet can't hold it: ")
