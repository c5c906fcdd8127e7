"""Alerts that are unlike others, within Spark: no id, times beyond pandas, errors everywhere."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from fink_cli.distribution.source.parquet_files import read_footer
from fink_cli.distribution.spark.messages import Plan, only_rows, slot_rows
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.probe import sql_error, unreadable
from fink_cli.distribution.spark.schemas import describe_alerts, read_alerts
from fink_cli.distribution.streams import Distribution, Stream
from fink_cli.errors import UsageError


def planned(spark: SparkSession, file: Path, *streams: Stream, code: Path | None = None) -> Plan:
    distribution = Distribution(stream=list(streams))
    alerts = describe_alerts(read_footer(file).columns, distribution)
    return make_plan(spark, alerts, streams, code)


def rows_of(spark: SparkSession, plan: Plan, file: Path) -> list[Row]:
    return slot_rows(read_alerts(spark, [file], plan.alerts), plan).collect()


def test_an_alert_whose_id_is_null_has_a_name_and_rows_are_replayed_by_their_number(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "a b+%20 ä.parquet"
    table = {"candid": [1, None, None], "objectId": ["x", "y", None], "magpsf": [0.0, 0.0, 0.0]}
    pq.write_table(pa.table(table), file)
    plan = planned(spark, file, Stream(topic="s", filter="1 / magpsf > 0"), Stream(topic="all"))
    rows = rows_of(spark, plan, file)
    names = {row.alert_id for row in rows}
    assert len(names) == 3
    assert None not in names
    assert [row.codes for row in rows] == [[-1, 1]] * 3
    assert "Division by zero" in sql_error(spark, plan, "s", file, 1)
    assert {row.object_id for row in rows} - names == {"x", "y"}
    wanted = only_rows(read_alerts(spark, [file], plan.alerts), {str(file): [0, 2]})
    assert [row.row for row in slot_rows(wanted, plan).collect()] == [0, 2]


def test_times_beyond_python_are_no_reason_to_skip(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    near = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**6
    after, before = 10**18, -(10**17)  # the years 33658 and -1199, in microseconds from 1970
    kind, day = pa.timestamp("us", "UTC"), pa.date32()
    nested = pa.struct([("first", kind), ("all", pa.list_(pa.timestamp("us"))), ("n", pa.int8())])
    days = pa.array([20000, 10**7, -(10**6), None], pa.int32())
    table = pa.table(
        {
            "candid": [0, 1, 2, 3],
            "when": pa.array([near, after, before, None], pa.int64()).cast(kind),
            "day": days.cast(day),
            "seen": pa.array(
                [
                    {"first": near, "all": [near], "n": 1},
                    {"first": after, "all": [before, near, None], "n": 1},
                    None,
                    {"first": None, "all": None, "n": 1},
                ],
                nested,
            ),
        }
    )
    pq.write_table(table, file)
    (tmp_path / "odd_times.py").write_text(
        "def top(when, day):\n    return when.notna() | day.notna()\n\n"
        "def within(seen):\n"
        "    for times in seen['all'].dropna():\n"
        "        assert [str(each)[:4] for each in times] in (['2026'], ['NaT', '2026', 'NaT'])\n"
        "    return (seen['n'] == 1) & seen['first'].isna()\n"
    )
    streams = [Stream(topic=name, filter=f"odd_times.{name}") for name in ("top", "within")]
    sql = Stream(topic="sql", filter="when > '9999-12-31' OR day < '0001-01-01'")
    plan = planned(spark, file, *streams, sql, Stream(topic="all"), code=tmp_path)
    found = rows_of(spark, plan, file)
    ways = {code: {row.alert_id for row in found if code in row.codes} for code in (0, 1, 2, 3)}
    assert ways == {0: {"0"}, 1: {"1", "3"}, 2: {"1", "2"}, 3: set("0123")}
    assert all(code >= 0 for row in found for code in row.codes)
    values = {row.alert_id: row.value0 for row in found}
    for name, number in (("1", after), ("2", before)):
        alert = fastavro.schemaless_reader(io.BytesIO(values[name]), raw(plan.encodings[0].avro))
        assert alert["when"] == number
        assert alert["day"] == days[int(name)].as_py()
    # Without an id, an alert is named by its content.
    without = replace(plan, alerts=replace(plan.alerts, alert_id=None, object_id=None))
    assert len({row.alert_id for row in rows_of(spark, without, file)}) == 4


def raw(avro: str) -> Any:
    """A schema without logical types, so that numbers are decoded as they stand."""
    return fastavro.parse_schema(json.loads(re.sub(r',"logicalType":"[a-z-]*"', "", avro)))


def test_what_each_filter_raised_is_told_by_the_pass_itself(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"candid": list(range(5))}), file)
    names = [f"f{number}" for number in range(6)]
    module = "".join(f"def {each}(candid):\n    raise ValueError('{each}')\n" for each in names)
    (tmp_path / "broken_all.py").write_text(module)
    streams = [Stream(topic=each, filter=f"broken_all.{each}") for each in names]
    plan = planned(spark, file, Stream(topic="all"), *streams, code=tmp_path)
    for row in rows_of(spark, plan, file):
        assert row.codes == [0, -2, -3, -4, -5, -6, -7]
        assert row.errors == {name: f"ValueError: {name}" for name in names}


def test_a_file_torn_within_is_named(spark: SparkSession, tmp_path: Path) -> None:
    good, torn = tmp_path / "a.parquet", tmp_path / "x.parquet"
    for file in (good, torn):
        pq.write_table(pa.table({"candid": range(1000), "text": ["x" * 50] * 1000}), file)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    assert pq.read_metadata(torn).num_rows == 1000
    plan = planned(spark, good, Stream(topic="all"))
    (found,) = unreadable(spark, plan, [good, torn])
    assert found.file == str(torn)
    assert found.reason.startswith("can't be read: ")
    assert unreadable(spark, plan, [good]) == []


def test_spark_speaks_in_our_words_of_columns(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    struct = pa.struct([("rb", pa.float64()), ("2MASS_name", pa.string())])
    at = pa.array([None], pa.time64("us"))
    pq.write_table(pa.table({"candid": [1], "c": pa.array([None], struct), "at": at}), file)
    told = {
        "c.`2MASS_nam` = 'x'": "no column 2MASS_nam. Did you mean c.2MASS_name?",
        "cc.rb > 1": "no column cc.rb. Did you mean c.rb?",
        "at IS NULL": "Spark can't read the column at (time64[us]). Spark reads no time of day",
        "zzz > 1": "no column zzz. They have: candid, c, at",
        "nosuch(candid)": "Spark SQL has no function nosuch.",
        "candid >": "Syntax error at or near end of input.",
        "candid > 'a' AND": "refused: it ends in the midst of a condition.",
        "candid + struct(1) > 1": 'Cannot resolve "(candid + struct(1))" due to data type mismatch',
    }
    for condition, words in told.items():
        with pytest.raises(UsageError) as refused:
            planned(spark, file, Stream(topic="s", filter=condition, drop=["at"]))
        assert words in refused.value.message
        assert "[" not in refused.value.message.replace("time64[us]", "")
