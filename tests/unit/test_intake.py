"""Which files a micro-batch takes, and when a refused one comes again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.distribution import intake
from fink_cli.distribution.columns import Struct
from fink_cli.distribution.delivery import Sent
from fink_cli.distribution.intake import Intake
from fink_cli.distribution.science import BadFile, Sorted, sort_out
from fink_cli.distribution.state import Folder

TABLE = pa.table({"candid": [1, 2], "name": ["a", "b"]})


class Distribution:
    """A distribution whose driver can die: what is on disk stays, the rest begins anew."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path / "state")
        self.science = path / "science"
        self.science.mkdir()
        self.told: list[BadFile] = []
        self.bad_within: set[str] = set()
        self.started()

    def started(self) -> Intake:
        self.intake = Intake(self.folder, self._tell, self._unreadable)
        return self.intake

    def _tell(self, files: list[BadFile]) -> None:
        self.told = files

    def _unreadable(self, files: Sequence[Path]) -> list[BadFile]:
        return [BadFile(str(each), "torn") for each in files if each.name in self.bad_within]

    def write(self, name: str) -> Path:
        pq.write_table(TABLE, self.science / name)
        return self.science / name

    def notes(self) -> list[str]:
        """The files that come again, in the notes that Spark has not seen."""
        found = sorted(self.folder.readmitted.glob("*.txt"))
        return [each.read_text().strip() for each in found]


@pytest.fixture
def distribution(tmp_path: Path) -> Distribution:
    return Distribution(tmp_path)


def test_an_interrupted_batch_takes_the_same_files_when_another_was_mended(
    distribution: Distribution,
) -> None:
    good, half = distribution.write("a.parquet"), distribution.write("x.parquet")
    whole = half.read_bytes()
    half.write_bytes(whole[:100])
    assert distribution.intake.take([good, half], 5) == {good: 2}
    half.write_bytes(whole)
    after = distribution.started()
    after.look_again()
    assert distribution.notes() == [str(half)]
    assert after.take([good, half], 5) == {good: 2}
    assert distribution.told == []
    after.look_again()
    assert distribution.notes() == [str(half)]
    assert after.take([half], 6) == {half: 2}


def test_a_driver_that_died_before_it_refused_a_file_loses_it_not(
    distribution: Distribution,
) -> None:
    good, late = distribution.write("a.parquet"), distribution.write("x.parquet")
    whole = late.read_bytes()
    late.write_bytes(b"")
    distribution.intake.take([good, late], 0)
    distribution.folder.bad_files.unlink()
    assert distribution.started().take([good, late], 0) == {good: 2}
    assert [each.file for each in distribution.told] == [str(late)]
    distribution.folder.bad_files.unlink()
    late.write_bytes(whole)
    assert distribution.started().take([good, late], 0) == {good: 2}
    assert distribution.notes() == [str(late)]


def test_a_file_refused_twice_comes_again_twice(distribution: Distribution) -> None:
    file = distribution.write("a.parquet")
    whole = file.read_bytes()
    for number in (3, 4):
        file.write_bytes(b"not Parquet")
        assert distribution.intake.take([file], number) == {}
        file.write_bytes(whole)
        distribution.intake.look_again()
        assert len(distribution.notes()) == number - 2
    assert distribution.intake.take([file], 5) == {file: 2}


def test_a_change_that_size_and_time_do_not_show(distribution: Distribution) -> None:
    file = distribution.write("a.parquet")
    whole, before = file.read_bytes(), file.stat()
    file.write_bytes(b"\0" * len(whole))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    distribution.intake.take([file], 0)
    distribution.intake.look_again()
    file.write_bytes(whole)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    distribution.intake.look_again()
    assert distribution.notes() == [str(file)]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """A disk that can fail."""
    disk = {"fails": True}

    def sorted_out(files: list[Path], columns: Struct | None) -> Sorted:
        if disk["fails"]:
            stale = [BadFile(str(each), "Stale file handle") for each in files]
            return Sorted({}, stale, columns)
        return sort_out(files, columns)

    monkeypatch.setattr(intake, "sort_out", sorted_out)
    return disk


def test_a_passing_error_is_asked_about_once_a_minute_and_at_a_start(
    distribution: Distribution, disk: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = distribution.write("a.parquet")
    distribution.intake.take([file], 0)
    distribution.intake.look_again()
    disk["fails"] = False
    distribution.intake.look_again()
    assert distribution.notes() == [], "a minute has not passed"
    distribution.started().look_again()
    assert distribution.notes() == [str(file)]

    monkeypatch.setattr(intake, "_LOOK_SECONDS", 0)
    disk["fails"] = True
    distribution.intake.take([file], 1)
    distribution.started().look_again()
    disk["fails"] = False
    distribution.intake.look_again()
    assert len(distribution.notes()) == 2


def test_chmod_lets_a_file_come_again(distribution: Distribution, disk: dict[str, bool]) -> None:
    file = distribution.write("a.parquet")
    distribution.intake.take([file], 0)
    distribution.intake.look_again()
    disk["fails"] = False
    file.chmod(0o640)
    distribution.intake.look_again()
    assert distribution.notes() == [str(file)]


def test_a_file_that_is_gone_comes_again_with_its_disk(distribution: Distribution) -> None:
    file = distribution.write("a.parquet")
    aside = file.rename(file.with_suffix(".aside"))
    distribution.intake.take([file], 0)
    assert distribution.told == []
    distribution.intake.look_again()
    aside.rename(file)
    distribution.intake.look_again()
    assert distribution.notes() == [str(file)]


def test_a_file_torn_within_is_kept_with_what_was_published_of_it(
    distribution: Distribution,
) -> None:
    good, torn = distribution.write("a.parquet"), distribution.write("x.parquet")
    distribution.bad_within = {"x.parquet"}
    assert set(distribution.intake.take([good, torn], 0)) == {good, torn}
    sent = {Sent("7", "s", "t")}
    bad = [BadFile(str(torn), "torn")]
    assert distribution.intake.set_aside(0, bad, True, sent) == {good: 2}
    assert distribution.told == bad
    assert distribution.started().take([good, torn], 0) == {good: 2}
    distribution.intake.look_again()
    assert distribution.notes() == [], "it was read whole, and is as bad as before"
    distribution.bad_within = set()
    distribution.started().look_again()
    assert distribution.notes() == [str(torn)]
    assert distribution.intake.take([torn], 1) == {torn: 2}
    assert distribution.intake.sent_of([torn]) == sent
    assert distribution.started().sent_of([torn]) == sent, "batch 1 may be interrupted too"
    distribution.intake.take([good], 2)
    assert distribution.intake.sent_of([torn]) == set()


def test_damaged_footers_are_refused_whatever_they_raise(tmp_path: Path) -> None:
    """Every byte of a footer, turned round in three ways: nothing but a reason comes of it."""
    whole_file = tmp_path / "whole.parquet"
    table = pa.table({"candid": [1], "when": pa.array([0], pa.timestamp("ns")), "höhe": ["é"]})
    pq.write_table(table, whole_file, use_deprecated_int96_timestamps=True)
    whole = whole_file.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    torn = []
    for place in range(len(whole) - 8 - length, len(whole) - 8):
        for mask in (0xFF, 0x80, 0x01):
            file = tmp_path / f"{place}-{mask}.parquet"
            file.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            torn.append(file)
    found = sort_out(torn, None)
    assert len(found.good) + len(found.bad) == len(torn)
    assert "not a whole Parquet file" in {each.reason for each in found.bad}
