"""``fink distribute check`` with SQL, which Spark decides."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.distribution.columns.selection import tree
from fink_cli.distribution.dry_run.estimates import published_sizes
from fink_cli.distribution.dry_run.sample import read_source, take_sample
from fink_cli.distribution.spark.messages import slot_rows
from fink_cli.distribution.spark.plan import make_plan
from fink_cli.distribution.spark.schemas import describe_alerts, path_of, read_alerts
from fink_cli.distribution.streams import Distribution, Stream
from tests.support.fink import Fink
from tests.support.real_filters import write_rubin

STREAMS = """
source = "{source}"
[[stream]]
topic = "sql"
filter = "candidate.rb > 0.5 AND (candidate.magpsf < 18 OR cdsxmatch = 'RRLyr')"
[[stream]]
topic = "undecided"
filter = "1 / (candidate.fid - 1) > 0"
[[stream]]
topic = "by_spark"
filter = "own.has_key"
[[stream]]
topic = "text"
filter = "candidate.rb > '0.5'"
"""


def test_sql_and_what_only_spark_converts(
    spark_fink: Fink, science_dir: Path, tmp_path: Path
) -> None:
    alerts = pq.read_table(science_dir).select(["objectId", "candid", "candidate", "cdsxmatch"])
    # How Spark writes a fraction as text is its own.
    keys = pa.array([[(1.5, n)] for n in range(124)], pa.map_(pa.float64(), pa.int64()))
    (tmp_path / "science").mkdir()
    for number in range(2):
        part = alerts.append_column("by_number", keys).slice(number * 62, 62)
        pq.write_table(part, tmp_path / "science" / f"{number}.parquet")
    text = "def has_key(by_number): return by_number.map(lambda each: each['1.5'] > 100)\n"
    (tmp_path / "own.py").write_text(text)
    config = tmp_path / "streams.toml"
    config.write_text(STREAMS.format(source=tmp_path / "science"))
    words = ("distribute", "check", "--config", str(config), "-o", "json")

    done = spark_fink(*words, "--sample", "100")
    assert done.returncode == 1
    candidates = alerts["candidate"].to_pylist()
    passing = [
        each["rb"] > 0.5 and (each["magpsf"] < 18 or kind == "RRLyr")
        for each, kind in zip(candidates, alerts["cdsxmatch"].to_pylist(), strict=True)
    ]
    # The newest file is taken first.
    taken = [*range(62, 124), *range(38)]
    found = {each["stream"]: each for each in json.loads(done.stdout)}
    assert found["sql"]["passed"] == sum(passing[n] for n in taken)
    assert found["sql"]["seconds_per_1000"] is None
    assert found["undecided"]["undecided"] == sum(candidates[n]["fid"] == 1 for n in taken)
    assert "Division by zero" in found["undecided"]["warnings"][0]
    assert found["by_spark"]["passed"] == 23
    doubt = found["text"]["warnings"][0]
    assert "It compares candidate.rb (a number) with '0.5' (a text)." in doubt

    name = str(alerts["candid"][0].as_py())
    done = spark_fink(*words, "--id", name)
    assert done.returncode == 0, done.stderr
    explained = {each["stream"]: each for each in json.loads(done.stdout)}
    assert explained["sql"]["passes"] is bool(passing[0])
    values = explained["sql"]["values"]
    assert float(values["candidate.magpsf"]) == pytest.approx(candidates[0]["magpsf"])
    assert values["candidate.magpsf < 18"] == str(candidates[0]["magpsf"] < 18).lower()
    assert values["cdsxmatch = 'RRLyr'"] in ("true", "false")
    undecided = explained["undecided"]["values"]["1 / (candidate.fid - 1) > 0"]
    assert undecided in ("true", "(Division by zero)")


def test_the_size_of_alerts_is_that_of_spark(
    spark: SparkSession, science_dir: Path, tmp_path: Path
) -> None:
    write_rubin(tmp_path / "rubin")
    for folder in (science_dir, tmp_path / "rubin"):
        source = read_source(folder)
        sample = take_sample(source, 1000)
        streams = [Stream(topic="all")]
        alerts = describe_alerts(source.columns, Distribution(stream=streams))
        plan = make_plan(spark, alerts, streams, None)
        rows = slot_rows(read_alerts(spark, list(sample.rows), alerts), plan)
        encoded = rows.select("file", "row", F.length("value0")).collect()
        sizes = {(path_of(file), row): size for file, row, size in encoded}
        expected = [sizes[sample.position(index)] for index in range(sample.size)]
        assert published_sizes(sample, tree(source.columns)).tolist() == expected
