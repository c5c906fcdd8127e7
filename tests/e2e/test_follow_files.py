"""Each file of the source is handed on once, whatever becomes of it meanwhile; by real Spark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fink_cli.distribution import checkpoint
from fink_cli.distribution.spark import files
from tests.jobs import a_job

COMPACT = "spark.sql.streaming.fileSource.log.compactInterval"


@pytest.fixture
def one_file_a_batch(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Micro-batches of a file each, and a record that Spark writes as a whole at every third."""
    monkeypatch.setattr(files, "_BATCH_BYTES_A_CORE", 1)
    before = spark.conf.get(COMPACT)
    assert before is not None
    spark.conf.set(COMPACT, "3")
    yield
    spark.conf.set(COMPACT, before)


@pytest.mark.usefixtures("one_file_a_batch")
def test_a_file_that_is_gone_when_its_turn_comes_is_handed_on_all_the_same(
    spark: SparkSession, tmp_path: Path
) -> None:
    source = tmp_path / "my science #1 [a]%20"
    wanted = [source / f"night={night}" / "a b%.parquet" for night in range(8)]
    for file in wanted:
        file.parent.mkdir(parents=True)
        file.write_text("not read here")
    taken: dict[int, list[Path]] = {}

    def take(found: list[Path], number: int) -> None:
        taken[number] = found
        assert checkpoint.files_of(tmp_path / "state" / "checkpoint", number) == found
        if number == 1:
            # Spark has listed all of them by now.
            left = [each for each in wanted if each not in {*taken[0], *taken[1]}]
            left[0].unlink()
            left[0].parent.rmdir()
            left[-1].unlink()

    files.follow_files(spark, a_job(tmp_path / "state", source), take).awaitTermination()
    assert sorted(file for found in taken.values() for file in found) == wanted
    assert len(taken) == len(wanted)


@pytest.mark.usefixtures("one_file_a_batch")
def test_a_file_with_two_names_is_handed_on_once(spark: SparkSession, tmp_path: Path) -> None:
    source = tmp_path / "science"
    file = source / "night=1" / "a.parquet"
    file.parent.mkdir(parents=True)
    file.write_text("not read here")
    (source / "latest").symlink_to("night=1")
    taken: list[Path] = []
    job = a_job(tmp_path / "state", source)
    files.follow_files(spark, job, lambda found, _: taken.extend(found)).awaitTermination()
    assert taken == [file]


@pytest.mark.parametrize("lost", ["commits/1", "offsets/1", "metadata"])
@pytest.mark.usefixtures("one_file_a_batch")
def test_a_file_of_the_checkpoint_that_a_power_cut_left_empty_ends_nothing(
    spark: SparkSession, tmp_path: Path, lost: str
) -> None:
    source, state = tmp_path / "science", tmp_path / "state"
    source.mkdir()
    (source / "a.parquet").write_text("not read here")
    taken: dict[int, list[Path]] = {}
    job = a_job(state, source)

    def follow() -> None:
        files.follow_files(
            spark, job, lambda found, number: taken.update({number: found})
        ).awaitTermination()

    follow()
    (source / "b.parquet").write_text("not read here")
    follow()
    assert taken == {0: [source / "a.parquet"], 1: [source / "b.parquet"]}
    # What is written when the power goes is there by its name, and empty.
    names = [lost] if lost != "offsets/1" else [lost, "commits/1", "sources/0/1"]
    for name in names:
        file = state / "checkpoint" / name
        if file.exists():
            file.write_text("")
    if lost == "metadata":
        shutil.rmtree(state / "checkpoint" / "offsets")
        shutil.rmtree(state / "checkpoint" / "commits")
        shutil.rmtree(state / "checkpoint" / "sources")
    taken.clear()
    follow()
    assert sorted(file for found in taken.values() for file in found)[-1] == source / "b.parquet"
