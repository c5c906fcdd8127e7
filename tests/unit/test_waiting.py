"""Which files wait to be published: real Parquet files, and what becomes of them."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.distribution.progress.records import Progress, PublishedFile
from fink_cli.distribution.source import folder as source_files
from fink_cli.distribution.source.waiting import WaitingFiles


def write(file: Path, *candids: int) -> Path:
    """Write a file of alerts, in its place at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"candid": list(candids)}), file.with_name(f".{file.name}"))
    file.with_name(f".{file.name}").rename(file)
    return file


def mark_published(waiting: WaitingFiles, progress: Progress, name: str) -> None:
    file = waiting.files[name]
    progress.files[name] = PublishedFile(file, [(0, file.rows)])
    waiting.drop_published()


@pytest.fixture
def progress() -> Progress:
    return Progress("x")


@pytest.fixture
def waiting(tmp_path: Path, progress: Progress) -> WaitingFiles:
    write(tmp_path / "night=1" / "a.parquet", 1, 2)
    found = WaitingFiles(tmp_path, progress)
    found.update()
    return found


def test_a_file_waits_until_it_is_published(waiting: WaitingFiles, progress: Progress) -> None:
    [file] = waiting.take(10**9)
    assert (file.name, file.rows) == ("night=1/a.parquet", 2)
    mark_published(waiting, progress, file.name)
    waiting.update(full=True)
    assert not waiting.files
    assert waiting.oldest_at() is None


def test_new_files_and_folders_are_seen_at_once(waiting: WaitingFiles, tmp_path: Path) -> None:
    write(tmp_path / "night=1" / "b.parquet", 3)
    waiting.update()
    write(tmp_path / "night=2" / "c.parquet", 4)
    (tmp_path / "night=3").mkdir()
    waiting.update()
    write(tmp_path / "night=3" / "d.parquet", 5)
    waiting.update()
    assert [Path(name).name for name in waiting.files] == [f"{each}.parquet" for each in "abcd"]


def test_a_look_reads_only_folders_that_changed(
    waiting: WaitingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        write(tmp_path / f"night={number}" / "x.parquet", number)
    long_ago = time.time() - 3600
    for folder in (tmp_path, *tmp_path.glob("night=*")):
        os.utime(folder, (long_ago, long_ago))
    waiting.update(full=True)
    looked_at: list[Path] = []
    stamp_of = source_files.stamp_of
    monkeypatch.setattr(
        source_files, "stamp_of", lambda path: looked_at.append(path) or stamp_of(path)
    )
    waiting.update()
    assert looked_at == []
    write(tmp_path / "night=7" / "y.parquet", 100)
    waiting.update()
    assert {path.parent.name for path in looked_at} == {"night=7"}


def test_a_file_that_was_replaced_is_told_and_does_not_wait(
    waiting: WaitingFiles, progress: Progress, tmp_path: Path
) -> None:
    mark_published(waiting, progress, "night=1/a.parquet")
    write(tmp_path / "night=1" / "a.parquet", 1, 2, 3)
    waiting.update(full=True)
    assert not waiting.files
    assert waiting.replaced == {"night=1/a.parquet"}


def test_a_file_that_was_replaced_when_a_part_of_it_was_published_is_told_too(
    waiting: WaitingFiles, progress: Progress, tmp_path: Path
) -> None:
    """The rows of the former content say nothing of those of the new one."""
    file = waiting.files["night=1/a.parquet"]
    progress.files[file.name] = PublishedFile(file, [(0, 1)])
    waiting.update(full=True)
    assert set(waiting.files) == {file.name}
    write(tmp_path / "night=1" / "a.parquet", 7, 8, 9)
    waiting.start_anew()
    waiting.update()
    assert (set(waiting.files), waiting.replaced) == (set(), {file.name})


def test_a_copy_of_a_published_file_is_the_same_one(
    waiting: WaitingFiles, progress: Progress, tmp_path: Path
) -> None:
    mark_published(waiting, progress, "night=1/a.parquet")
    os.utime(tmp_path / "night=1" / "a.parquet", (1, 1))
    waiting.update(full=True)
    assert not waiting.files
    assert not waiting.replaced


def test_a_bad_file_waits_once_it_is_mended(waiting: WaitingFiles, tmp_path: Path) -> None:
    half = write(tmp_path / "half.parquet", *range(100))
    whole = half.read_bytes()
    half.write_bytes(whole[:50])
    waiting.update(full=True)
    assert [Path(each.file).name for each in waiting.bad_files()] == ["half.parquet"]
    assert "half.parquet" not in waiting.files
    half.write_bytes(whole)
    waiting.update(full=True)
    assert waiting.bad_files() == []
    assert "half.parquet" in waiting.files


def test_a_batch_has_files_up_to_a_size_and_at_least_one(
    waiting: WaitingFiles, tmp_path: Path
) -> None:
    for name in "bcd":
        write(tmp_path / f"{name}.parquet", 1)
    waiting.update()
    size = waiting.files["b.parquet"].size
    assert [file.name for file in waiting.take(2 * size)] == ["b.parquet", "c.parquet"]
    assert len(waiting.take(0)) == 1


def test_a_file_that_was_moved_is_not_published_again(
    waiting: WaitingFiles, progress: Progress, tmp_path: Path
) -> None:
    """A copy that keeps its time is a file of its own as long as its original is there."""
    name = "night=1/a.parquet"
    mark_published(waiting, progress, name)
    shutil.copy2(tmp_path / name, tmp_path / "copy.parquet")
    waiting.update(full=True)
    assert waiting.take_moved() == {}
    assert set(waiting.files) == {"copy.parquet"}
    mark_published(waiting, progress, "copy.parquet")
    (tmp_path / "night=2").mkdir()
    (tmp_path / name).rename(tmp_path / "night=2" / "b.parquet")
    waiting.update(full=True)
    [(before, file)] = waiting.take_moved().items()
    assert (before, file.name) == (name, "night=2/b.parquet")
    assert waiting.take_moved() == {}
