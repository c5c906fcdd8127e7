"""Alerts as Arrow tables and as Parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.arrow import arrow_schema, table_of
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.schema import Schema, read_schema
from fink_cli.consumer.files.formats import package
from fink_cli.consumer.files.parquet import encoding_of
from tests.support.avro import records, survey_messages
from tests.support.random_schemas import long, reference, sized

pytestmark = pytest.mark.usefixtures("either_reader")


def schema_of(*fields: Any) -> Schema:
    made = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)]
    return read_schema(json.dumps({"type": "record", "name": "r", "fields": made}))


def read(schema: Schema, values: list[bytes]) -> list[Decoded]:
    """Return alerts of which no more is decoded than a file needs."""
    decoder = Decoder(schema, wanted=lambda _schema: [])
    return [alert for value in values for alert in records(decoder, None, value)]


def saved(schema: Schema, file: Path, *lots: list[Decoded]) -> pa.Table:
    made = package(FileFormat.PARQUET, schema, file)
    for alerts in lots:
        assert made.add(alerts) == []
    made.finish()
    return pq.read_table(file)


def test_real_alerts(raw_dir: Path, tmp_path: Path) -> None:
    groups: dict[bytes, list[bytes]] = {}
    for key, value, _ in survey_messages(raw_dir):
        groups.setdefault(key, []).append(value)
    for number, (key, values) in enumerate(groups.items()):
        schema = read_schema(key)
        table = saved(schema, tmp_path / f"{number}.parquet", read(schema, values))
        expected = table_of(
            arrow_schema(schema), [reference(each, schema) or {} for each in values]
        )
        # As text: NaN is no NaN's equal.
        assert repr(table.to_pylist()) == repr(expected.to_pylist())
        assert table.schema.equals(expected.schema)


def test_alerts_that_only_fastavro_reads_keep_their_places(tmp_path: Path) -> None:
    schema = schema_of({"type": "map", "values": "int"}, "int")
    one = long(1) + sized(b"k") + long(1) + long(0)
    twice = long(2) + (sized(b"k") + long(1)) * 2 + long(0)
    values = [each + long(n) for n, each in enumerate([one, one, twice, one, twice])]
    alerts = read(schema, values)
    table = saved(schema, tmp_path / "a.parquet", alerts[:4], alerts[4:])
    expected = table_of(arrow_schema(schema), [reference(each, schema) or {} for each in values])
    assert table.equals(expected)


def test_times_beyond_those_of_python(tmp_path: Path) -> None:
    schema = schema_of({"type": "long", "logicalType": "timestamp-millis"})
    table = saved(schema, tmp_path / "a.parquet", read(schema, [long(2**52), long(1)]))
    assert table["f0"].cast(pa.int64()).to_pylist() == [2**52 * 1000, 1000]


def test_a_number_that_its_type_can_not_hold_is_refused(tmp_path: Path) -> None:
    schema = schema_of("int")
    alerts = read(schema, [long(2**40)])
    assert alerts[0].content == {"f0": 2**40}
    [unfit] = package(FileFormat.PARQUET, schema, tmp_path / "a.parquet").add(alerts)
    assert unfit.alert is alerts[0]
    assert unfit.reason.startswith("a table can't hold it: ")


def test_how_columns_are_written_follows_from_what_they_hold(science_dir: Path) -> None:
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
