"""The filters of fink-filters pass the same alerts in ``check``, without Spark, as published."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from fink_cli.distribution.columns.selection import all_paths, readable_tree
from fink_cli.distribution.dry_run.python_streams import decide_python
from fink_cli.distribution.dry_run.requests import FilterAnswer, FilterRequest, RowRange
from fink_cli.distribution.dry_run.sample import read_source, take_sample
from fink_cli.distribution.dry_run.stream_filters import check_streams
from fink_cli.distribution.spark.sample import answer
from fink_cli.distribution.streams import Stream
from tests.support.real_filters import real_filters, write_rubin, write_ztf

# Of these, so many import with what the tests install.
FEWEST = {"ztf": 25, "rubin": 25}


@pytest.mark.parametrize("survey", ["ztf", "rubin"])
def test_real_filters_decide_as_in_spark(
    spark: SparkSession, science_dir: Path, tmp_path: Path, survey: str
) -> None:
    if survey == "ztf":
        write_ztf(pq.read_table(science_dir), tmp_path / survey)
    else:
        write_rubin(tmp_path / survey)
    source = read_source(tmp_path / survey)
    sample = take_sample(source, 1000)
    filters = real_filters(survey, list(all_paths(readable_tree(source.columns))))
    assert len(filters) >= FEWEST[survey], filters
    streams = [
        Stream(topic=f"topic{number}", name=path, filter=path)
        for number, path in enumerate(filters)
    ]
    rows = [RowRange(str(file), each.start, each.stop) for file, each in sample.rows.items()]
    request = FilterRequest(sample.columns, streams, None, rows)
    published = answer(spark, request)
    assert isinstance(published, FilterAnswer)
    some = 0
    for planned in check_streams(source.columns, streams, None):
        assert planned.function is not None
        assert not planned.needs_spark
        decided = decide_python(planned.function, sample)
        assert decided.passed == published.passed[planned.title], planned.title
        assert decided.reason == published.reasons.get(planned.title)
        some += any(decided.passed)
    assert some > len(filters) / 3, "most filters that pass nothing try nothing"
