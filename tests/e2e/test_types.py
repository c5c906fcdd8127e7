"""Every type that Parquet has: what Avro makes of it on the wire, or that it is refused by name.

Spark runs within the test, with the job's own settings, so that one start of Spark tries all.
"""

# ruff: noqa: E501 - a type stands on a line

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.avro.functions import to_avro

from fink_cli.distribution.columns.columns import read_type
from fink_cli.distribution.source.parquet_files import check_files, read_footer
from fink_cli.distribution.spark.schemas import (
    avro_schema,
    describe_alerts,
    encoding_of,
    read_alerts,
    struct_type,
)
from fink_cli.distribution.streams import single
from fink_cli.errors import UsageError

WHEN = datetime(2026, 11, 22, 1, 2, 3, 456789)
MILLIS = WHEN.replace(microsecond=456000)
NANOS = int(WHEN.replace(tzinfo=UTC).timestamp()) * 10**9 + 456_789_012
DECIMAL = {"type": "fixed", "logicalType": "decimal"}
INNER = pa.struct([("x", pa.uint16()), ("y", pa.struct([("z", pa.string())]))])

# Name: Arrow's type, a value, the Avro type beside null, and the value on the wire, if another.
TAKEN: dict[str, tuple[Any, ...]] = {
    "bool": (pa.bool_(), True, "boolean"),
    "int8": (pa.int8(), -128, "int"),
    "int16": (pa.int16(), -32768, "int"),
    "int32": (pa.int32(), -(2**31), "int"),
    "int64": (pa.int64(), 2**63 - 1, "long"),
    "uint8": (pa.uint8(), 255, "int"),
    "uint16": (pa.uint16(), 65535, "int"),
    "uint32": (pa.uint32(), 2**32 - 1, "long"),
    "uint64": (pa.uint64(), 2**64 - 1, DECIMAL | {"precision": 20, "scale": 0, "size": 9}),
    "float32": (pa.float32(), 1.5, "float"),
    "float64": (pa.float64(), 0.1, "double"),
    "decimal32": (pa.decimal32(5, 2), Decimal("1.25"), DECIMAL | {"precision": 5, "scale": 2}),
    "decimal128": (pa.decimal128(38, 9), Decimal("1.25"), DECIMAL | {"precision": 38, "size": 16}),
    "decimal256": (pa.decimal256(38, 2), Decimal("1.25"), DECIMAL | {"precision": 38, "scale": 2}),
    "string": (pa.string(), "é\n", "string"),
    "large_string": (pa.large_string(), "é", "string"),
    "string_view": (pa.string_view(), "é", "string"),
    "json": (pa.json_(), "{}", "string"),
    "binary": (pa.binary(), b"\0\xff", "bytes"),
    "large_binary": (pa.large_binary(), b"\0\xff", "bytes"),
    "fixed_binary": (pa.binary(3), b"abc", "bytes"),
    "binary_view": (pa.binary_view(), b"\0\xff", "bytes"),
    "date": (pa.date32(), date(1500, 1, 1), {"logicalType": "date"}),
    "date64": (pa.date64(), date(2026, 11, 22), {"logicalType": "date"}),
    "stamp_s": (pa.timestamp("s"), WHEN.replace(microsecond=0), {"logicalType": "local-timestamp-micros"}),
    "stamp_ms": (pa.timestamp("ms"), MILLIS, {"logicalType": "local-timestamp-micros"}),
    "stamp_us": (pa.timestamp("us"), WHEN, {"logicalType": "local-timestamp-micros"}),
    "stamp_ns": (pa.timestamp("ns"), NANOS, {"logicalType": "local-timestamp-micros"}, WHEN),
    "stamp_ns_utc": (pa.timestamp("ns", "UTC"), NANOS, {"logicalType": "timestamp-micros"}, WHEN.replace(tzinfo=UTC)),
    "stamp_ns_1677": (pa.timestamp("ns"), -(2**63) + 1, {"logicalType": "local-timestamp-micros"}, datetime(1677, 9, 21, 0, 12, 43, 145224)),
    "stamp_ns_2262": (pa.timestamp("ns"), 2**63 - 1, {"logicalType": "local-timestamp-micros"}, datetime(2262, 4, 11, 23, 47, 16, 854775)),
    "stamp_ms_utc": (pa.timestamp("ms", "UTC"), MILLIS, {"logicalType": "timestamp-micros"}, MILLIS.replace(tzinfo=UTC)),
    "stamp_us_utc": (pa.timestamp("us", "UTC"), WHEN, {"logicalType": "timestamp-micros"}, WHEN.replace(tzinfo=UTC)),
    "stamp_zone": (pa.timestamp("us", "Europe/Paris"), WHEN.replace(tzinfo=UTC), {"logicalType": "timestamp-micros"}),
    "duration_s": (pa.duration("s"), timedelta(seconds=5), "long", 5),
    "duration_ns": (pa.duration("ns"), 5, "long", 5),
    "null": (pa.null(), None, "int"),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), "a", "string"),
    "struct": (INNER, {"x": 65535, "y": {"z": "a"}}, {"type": "record"}),
    "struct_null": (pa.struct([("x", pa.null()), ("y", pa.int8())]), {"x": None, "y": 1}, {"type": "record"}),
    "array": (pa.list_(pa.int32()), [1, None], {"type": "array"}),
    "large_array": (pa.large_list(pa.int32()), [1], {"type": "array"}),
    "fixed_array": (pa.list_(pa.float32(), 2), [1.0, 2.0], {"type": "array"}),
    "view_array": (pa.list_view(pa.int32()), [1], {"type": "array"}),
    "array_array": (pa.list_(pa.list_(pa.uint8())), [[255], None, []], {"type": "array"}),
    "array_struct": (pa.list_(INNER), [{"x": 1, "y": None}, None], {"type": "array"}),
    "array_null": (pa.list_(pa.null()), [None], {"type": "array"}),
    "array_uint64": (pa.list_(pa.uint64()), [2**64 - 1], {"type": "array"}),
    "array_ns": (pa.list_(pa.timestamp("ns")), [NANOS, None], {"type": "array"}, [WHEN, None]),
    "struct_ns": (pa.list_(pa.struct([("t", pa.timestamp("ns")), ("n", pa.null())])), [{"t": NANOS}, None], {"type": "array"}, [{"t": WHEN, "n": None}, None]),
    "map_ns": (pa.map_(pa.string(), pa.timestamp("ns")), [("a", NANOS)], {"type": "map"}, {"a": WHEN}),
    "map": (pa.map_(pa.string(), pa.int32()), [("a", 1), ("b", None)], {"type": "map"}, {"a": 1, "b": None}),
    "map_null": (pa.map_(pa.string(), pa.null()), [("a", None)], {"type": "map"}, {"a": None}),
    "map_struct": (pa.map_(pa.string(), INNER), [("a", {"x": 1, "y": None})], {"type": "map"}, {"a": {"x": 1, "y": None}}),
    "map_int": (pa.map_(pa.int32(), pa.int32()), [(1, 2)], {"type": "map"}, {"1": 2}),
    "map_bool": (pa.map_(pa.bool_(), pa.int32()), [(True, 2)], {"type": "map"}, {"true": 2}),
    "map_uint64": (pa.map_(pa.uint64(), pa.int32()), [(2**64 - 1, 2)], {"type": "map"}, {"18446744073709551615": 2}),
    "map_double": (pa.map_(pa.float64(), pa.int32()), [(0.1, 2)], {"type": "map"}, {"0.1": 2}),
    "map_decimal": (pa.map_(pa.decimal128(5, 2), pa.int32()), [(Decimal("1.50"), 2)], {"type": "map"}, {"1.50": 2}),
    "map_date": (pa.map_(pa.date32(), pa.int32()), [(date(2026, 11, 22), 2)], {"type": "map"}, {"2026-11-22": 2}),
    "map_stamp": (pa.map_(pa.timestamp("us", "UTC"), pa.int32()), [(WHEN, 2)], {"type": "map"}, {"2026-11-22 01:02:03.456789": 2}),
    "map_map": (
        pa.struct([("x", pa.list_(pa.map_(pa.int8(), pa.map_(pa.int8(), pa.int8()))))]),
        {"x": [[(1, [(2, 3)])]]}, {"type": "record"}, {"x": [{"1": {"2": 3}}]},
    ),
    "ra": (pa.float64(), 1.0, "double"),
    "RA": (pa.float64(), 2.0, "double"),
    "class": (pa.int32(), 1, "int"),
    "_9": (pa.int32(), 1, "int"),
    "名é": (pa.int32(), 1, "int"),
}  # fmt: skip

MANY = "there is another of the same name"
BYTES = pa.map_(pa.binary(), pa.int32())

# The type of the column `c`, the path that is named, and why.
REFUSED: list[tuple[pa.DataType, str, str]] = [
    (pa.float16(), "c", "no 16-bit floats"),
    (pa.list_(pa.float16()), "c[]", "no 16-bit floats"),
    (pa.time32("s"), "c", "no time of day"),
    (pa.time32("ms"), "c", "no time of day"),
    (pa.time64("us"), "c", "no time of day"),
    (pa.time64("ns"), "c", "no time of day"),
    (pa.decimal256(39, 2), "c", "more than 38 digits"),
    (pa.uuid(), "c", "no UUID"),
    (BYTES, "c{key}", "keys of a map are text"),
    (pa.map_(pa.struct([("x", pa.int8())]), pa.int8()), "c{key}", "keys of a map are text"),
    (pa.map_(pa.string(), BYTES), "c{}{key}", "keys of a map are text"),
    (pa.struct([("x", pa.list_(BYTES))]), "c.x[]{key}", "keys of a map are text"),
    (pa.struct([("x", pa.int8()), ("x", pa.int8())]), "c.x", MANY),
]


def on_the_wire(
    spark: SparkSession, *files: Path, drop: Sequence[str] = ()
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The Avro schema of the alerts of some files, and what fastavro decodes of them."""
    found = check_files(files, None)
    assert found.columns is not None
    assert found.bad == []
    alerts = describe_alerts(found.columns, single("t"))
    empty = spark.createDataFrame([], alerts.spark)
    encoding = encoding_of(empty, alerts, None, drop)
    value = to_avro(F.struct(*encoding.columns), encoding.avro).alias("value")
    parsed = fastavro.parse_schema(json.loads(encoding.avro))
    rows = read_alerts(spark, files, alerts).select(value).collect()
    return json.loads(encoding.avro), [
        fastavro.schemaless_reader(io.BytesIO(row.value), parsed) for row in rows
    ]


@pytest.fixture(scope="module")
def decoded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All types that are taken in one file, with a row of values and one of nulls."""
    file = tmp_path_factory.mktemp("types") / "all.parquet"
    columns = [pa.array([value, None], kind) for kind, value, *_ in TAKEN.values()]
    pq.write_table(pa.table(columns, names=list(TAKEN)), file)
    schema, alerts = on_the_wire(spark, file)
    return {each["name"]: each["type"] for each in schema["fields"]}, alerts


@pytest.mark.parametrize("name", TAKEN)
def test_what_a_type_becomes(name: str, decoded: Any) -> None:
    types, (full, nulls) = decoded
    _, value, avro, *other = TAKEN[name]
    found, null = types[name]
    assert null == "null"
    assert found == avro if isinstance(avro, str) else avro.items() <= found.items()
    assert full[name] == (other[0] if other else value)
    assert nulls[name] is None


def test_spark_would_read_the_same_columns(spark: SparkSession, tmp_path: Path) -> None:
    """The types that are told of a file are those that Spark finds, but for nanoseconds."""
    file = tmp_path / "all.parquet"
    kinds = {name: kind for name, (kind, *_) in TAKEN.items() if "_ns" not in name}
    pq.write_table(pa.table({name: pa.array([None], kind) for name, kind in kinds.items()}), file)
    columns = read_footer(file).columns
    assert struct_type(read_type(columns, columns)) == spark.read.parquet(str(file)).schema


@pytest.mark.parametrize("noted", [True, False], ids=["arrow", "plain"])
@pytest.mark.parametrize(("kind", "path", "reason"), REFUSED, ids=[str(e[0])[:40] for e in REFUSED])
def test_what_is_refused_is_named_and_spark_does_refuse_it(
    kind: pa.DataType, path: str, reason: str, noted: bool, spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "c.parquet"
    # With Arrow's own notes on the types in the file, as pyarrow writes it, and without.
    table = pa.table({"c": pa.array([None], kind), "id": pa.array([1])})
    pq.write_table(table, file, store_schema=noted)
    with pytest.raises(UsageError) as refused:
        on_the_wire(spark, file)
    assert f"  {path} (" in refused.value.message
    assert reason in refused.value.message
    assert on_the_wire(spark, file, drop=["c"])[1] == [{"id": 1}]
    with pytest.raises((PySparkException, Py4JError)):
        _as_spark_reads_it(spark, file)


def _as_spark_reads_it(spark: SparkSession, file: Path) -> None:
    alerts = spark.read.parquet(str(file))
    alerts.select(
        to_avro(F.struct(alerts.columns[0]), avro_schema(spark, alerts.schema[:1]))
    ).collect()


NAMES = {"2MASS_name": "_2MASS_name", "mag-psf": "mag_psf", "d:x": "d_x", "": "_", "a b": "a_b"}
NAMES |= {"a.b": "a_b", "`": "_", "x²": "x_", "\U0001d465": "_", "\x1b[31m": "__31m"}


def test_a_name_that_avro_does_not_take_is_published_under_another(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "c.parquet"
    table, expected, dropped = {}, {}, {}
    for number, (name, published) in enumerate(NAMES.items()):
        struct = pa.struct([(name, pa.int8()), ("x", pa.list_(pa.struct([(name, pa.int8())])))])
        table[f"c{number}"] = pa.array([{name: 1, "x": [{name: 2}]}], struct)
        expected[f"c{number}"] = {published: 1, "x": [{published: 2}]}
        dropped[f"c{number}"] = {"x": [{published: 2}]}
    table["9 at the top"] = pa.array([3])
    pq.write_table(pa.table(table), file)
    schema, alerts = on_the_wire(spark, file)
    assert alerts == [expected | {"_9_at_the_top": 3}]
    assert "c0._2MASS_name is c0.2MASS_name, c0.x[]._2MASS_name is c0.x[].2M" in schema["doc"]
    for paths in (NAMES.keys(), NAMES.values()):
        drop = [f"c{number}.{path}" for number, path in enumerate(paths)]
        assert on_the_wire(spark, file, drop=[*drop, "9 at the top"])[1] == [dropped]
    # Spark itself takes none of them.
    with pytest.raises((PySparkException, Py4JError)):
        _as_spark_reads_it(spark, file)


def test_two_names_that_become_one_are_refused_where_both_are_published(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "c.parquet"
    struct = pa.struct([("a-b", pa.int8()), ("a_b", pa.int8())])
    pq.write_table(pa.table({"c": pa.array([{"a-b": 1, "a_b": 2}], struct)}), file)
    with pytest.raises(UsageError, match=r"'c.a-b' and 'c.a_b' would both be published as a_b"):
        on_the_wire(spark, file)
    assert on_the_wire(spark, file, drop=["c.a_b"])[1] == [{"c": {"a_b": 1}}]
    assert on_the_wire(spark, file, drop=["c.a-b"])[1] == [{"c": {"a_b": 2}}]
