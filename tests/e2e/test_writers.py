"""Parquet files of the same columns by several writers, as one distribution publishes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.fink import Fink

ROW_METADATA = b"org.apache.spark.sql.parquet.row.metadata"
WHEN = datetime(2026, 11, 22, 1, 2, 3, 456789)

STREAMS = """
[[stream]]
topic = "{all}"
drop = ["at"]

[[stream]]
topic = "{some}"
columns = ["objectId"]
filter = "timestamp > '2026-01-01' AND mangrove.`2MASS_name` = 'J12' AND score IS NULL"
"""


def more(number: int, **kinds: pa.DataType) -> dict[str, pa.Array]:
    """Columns beside those of Spark; ``kinds`` are the types that this writer gives them."""
    kinds = {"score": pa.float64(), "when": pa.timestamp("us", "UTC"), "name": pa.string()} | kinds
    mangrove = pa.struct([("2MASS_name", kinds["name"]), ("lum_dist", kinds["score"])])
    prv = pa.list_(pa.struct([("jd", kinds["when"])]))
    score = None if pa.types.is_null(kinds["score"]) else number + 0.5
    when: datetime | int | None = None if pa.types.is_null(kinds["when"]) else WHEN
    if kinds["when"] == pa.timestamp("ns", "Europe/Paris"):
        when = int(WHEN.replace(tzinfo=UTC).timestamp()) * 10**9 + 456_789_012
    return {
        "score": pa.array([score, None], kinds["score"]),
        "when": pa.array([when, None], kinds["when"]),
        "mangrove": pa.array([{"2MASS_name": "J12", "lum_dist": score}] * 2, mangrove),
        "prv": pa.array([[{"jd": when}, None], None], prv),
        "at": pa.array([1, None], pa.time64("us")),
    }


@pytest.fixture
def source(science_dir: Path, tmp_path: Path) -> Path:
    """Four files of two alerts each, which all have in the footer what Spark wrote there first."""
    folder = tmp_path / "science"
    folder.mkdir()
    spark = pq.read_table(min(science_dir.glob("*.parquet")))
    assert ROW_METADATA in spark.schema.metadata
    spark = spark.select(["objectId", "candid", "cdsxmatch"])
    category = pa.dictionary(pa.int16(), pa.large_string())
    writers: list[tuple[dict[str, pa.DataType], pa.DataType, dict[str, Any]]] = [
        ({"score": pa.null(), "when": pa.null()}, pa.timestamp("us", "UTC"), {}),
        ({}, pa.timestamp("ns"), {"use_deprecated_int96_timestamps": True}),
        ({"when": pa.timestamp("ns", "Europe/Paris")}, pa.timestamp("ns"), {}),
        (
            {"when": pa.timestamp("ms", "UTC"), "name": category, "score": pa.float32()},
            pa.timestamp("us"),
            {"use_compliant_nested_type": False},
        ),
    ]
    for number, (kinds, stamp, settings) in enumerate(writers):
        part = spark.slice(2 * number, 2)
        columns = {"timestamp": pa.array([WHEN, WHEN], stamp), **more(number, **kinds)}
        for name, column in columns.items():
            part = part.append_column(name, column)
        pq.write_table(part, folder / f"{number}.parquet", **settings)
    return folder


def test_files_of_several_writers_are_one_source(
    fink: Fink, spark_fink: Fink, make_topic: Any, source: Path, tmp_path: Path
) -> None:
    topics = {"all": make_topic(), "some": make_topic()}
    config = tmp_path / "streams.toml"
    config.write_text(STREAMS.format(**topics))
    words = ("--config", str(config), "--source", str(source))
    done = spark_fink("distribute", "check", *words)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "mangrove.2MASS_name as mangrove._2MASS_name" in said
    assert "Nanoseconds, published down to the microsecond: when, prv[].jd." in said

    done = spark_fink("distribute", "run", "--once", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["published"] == {topics["all"]: 8, topics["some"]: 5}
    assert report["bad_files"] == []

    read = fink("consume", "-t", topics["all"], "--until-end", "-o", "json")
    alerts = [json.loads(line)["alert"] for line in read.stdout.splitlines()]
    when = WHEN.replace(tzinfo=UTC)
    for number, millis in enumerate([None, False, False, True]):
        candids = pq.read_table(source / f"{number}.parquet")["candid"].to_pylist()
        first, second = (alert for alert in alerts if alert["candid"] in candids)
        expected = when.replace(microsecond=456000) if millis else when
        assert datetime.fromisoformat(first["timestamp"]) == when
        assert second["when"] is None
        assert first["mangrove"]["_2MASS_name"] == "J12"
        assert second["prv"] is None
        if number == 0:
            assert (first["score"], first["when"]) == (None, None)
            assert first["prv"] == [{"jd": None}, None]
        else:
            assert (first["score"], first["mangrove"]["lum_dist"]) == (number + 0.5, number + 0.5)
            assert datetime.fromisoformat(first["when"]) == expected
            assert datetime.fromisoformat(first["prv"][0]["jd"]) == expected
