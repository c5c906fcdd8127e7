"""Which files of a folder are alerts, also where links give some of them more names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fink_cli.distribution.source.parquet_files import parquet_files
from fink_cli.errors import UsageError


def names(source: Path) -> list[str]:
    return [str(each.relative_to(source)) for each in parquet_files(source)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("science/night=1/a.parquet", "science/b.parquet", "elsewhere/night=2/c.parquet"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "science"


def test_files_that_are_being_written_are_left_out(source: Path) -> None:
    for name in ("_tmp/x.parquet", ".hidden.parquet", "night=1/_y.parquet", "other.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).touch()
    assert names(source) == ["b.parquet", "night=1/a.parquet"]


def test_a_folder_named_like_a_file_is_none(source: Path) -> None:
    (source / "spark.parquet").mkdir()
    (source / "spark.parquet" / "part-0.parquet").touch()
    assert "spark.parquet" not in names(source)
    assert "spark.parquet/part-0.parquet" in names(source)


def test_a_link_to_what_is_there_by_itself_gives_no_second_alert(source: Path) -> None:
    (source / "latest").symlink_to("night=1")
    (source / "absolute").symlink_to(source / "night=1")
    (source / "newest.parquet").symlink_to("night=1/a.parquet")
    assert names(source) == ["b.parquet", "night=1/a.parquet"]


def test_a_link_out_of_the_folder_is_followed_once(source: Path) -> None:
    (source / "night=2").symlink_to("../elsewhere/night=2")
    (source / "current").symlink_to("night=2")
    (source / "d.parquet").symlink_to("../elsewhere/night=2/c.parquet")
    assert names(source) == ["b.parquet", "d.parquet", "night=1/a.parquet", "night=2/c.parquet"]


def test_a_link_to_what_is_left_out_by_itself_is_kept(source: Path) -> None:
    (source / "_done").mkdir()
    (source / "_done" / "e.parquet").touch()
    (source / "night=3").symlink_to("_done")
    assert names(source) == ["b.parquet", "night=1/a.parquet", "night=3/e.parquet"]


def test_a_link_is_followed_from_where_its_folder_is(source: Path) -> None:
    for name in ("night=1/old.parquet", "night=2/e.parquet"):
        file = source.parent / "archive" / name
        file.parent.mkdir(parents=True)
        file.touch()
    (source.parent / "archive" / "night=2" / "before").symlink_to("../night=1")
    (source / "night=2").symlink_to("../archive/night=2")
    assert "night=2/before/old.parquet" in names(source)


def test_a_link_to_nothing_is_named(source: Path) -> None:
    (source / "itself.parquet").symlink_to("itself.parquet")
    (source / "gone.parquet").symlink_to("not_there.parquet")
    assert {"itself.parquet", "gone.parquet"} <= set(names(source))


@pytest.mark.parametrize("other", ["night=2", ""])
def test_two_links_to_the_same_files_are_refused(source: Path, other: str) -> None:
    (source / "one").symlink_to("../elsewhere/night=2")
    (source / "two").symlink_to(source.parent / "elsewhere" / other)
    with pytest.raises(UsageError, match="are links to the same files"):
        parquet_files(source)


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_circle_is_refused(source: Path, target: str) -> None:
    (source / "night=1" / "round").symlink_to(target)
    with pytest.raises(UsageError, match="a link to a folder that it is in"):
        parquet_files(source)
