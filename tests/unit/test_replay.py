"""Replays that are interrupted: each page and stream has a mark of its own."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.distribution import run
from fink_cli.distribution.delivery import Mark, read_mark, write_mark
from fink_cli.distribution.ledger import UNDECIDED, Skipped, read_ledger, write_page
from fink_cli.distribution.publishing import Batch, Outcome
from fink_cli.distribution.run import Run
from fink_cli.distribution.spec import Job, Spark, Target
from fink_cli.distribution.streams import Distribution, Stream


class KilledError(Exception):
    """The driver dies while it publishes."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"candid": [1]}), tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


def replay(
    folder: Path, stream: str, monkeypatch: pytest.MonkeyPatch, killed_at: int | None = None
) -> list[tuple[str, bool]]:
    """Replay a stream; the names of its batches, and whether each was begun before."""
    streams = [Stream(topic="t", name=name) for name in ("s", "other/one")]
    job = Job(
        source=str(folder),
        folder=str(folder),
        distribution=Distribution(stream=streams),
        code=None,
        targets={"t": Target(1, True, None)},
        connection=None,  # type: ignore[arg-type]
        spark=Spark("local[1]", []),
        once=False,
        trigger=1,
        exit_after=None,
        replay=stream,
    )
    began: list[tuple[str, bool]] = []

    def publish(spark: object, job: Job, plan: object, batch: Batch) -> Outcome:
        mark = read_mark(batch.mark)
        began.append((batch.name, mark is not None and mark.batch == batch.name))
        write_mark(batch.mark, Mark(batch.name, {}))
        if len(began) == killed_at:
            raise KilledError
        return Outcome(Counter(), [], ())

    def get_ready(self: Any) -> None:
        self.plan = SimpleNamespace(partitions={})

    monkeypatch.setattr(run, "publish_batch", publish)
    monkeypatch.setattr(run, "partition_counts", lambda *_: {})
    monkeypatch.setattr(run, "unreadable", lambda *_: [])
    monkeypatch.setattr(Run, "get_ready", get_ready)
    replaying = Run(job, None, threading.Event())  # type: ignore[arg-type]
    if killed_at is None:
        replaying.replay()
    else:
        with pytest.raises(KilledError):
            replaying.replay()
    return began


def test_a_killed_replay_is_known_whatever_is_replayed_before_it(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def skipped(page: int, *streams: str) -> None:
        rows = [Skipped(stream, str(page), UNDECIDED, "", str(file)) for stream in streams]
        write_page(tmp_path / "skipped" / f"{page:09d}.jsonl", rows)

    skipped(2, "s", "other/one")
    ((killed, _),) = replay(tmp_path, "s", monkeypatch, killed_at=1)
    # An earlier page has alerts of the stream again, and another stream is replayed in between.
    skipped(1, "s", "other/one")
    assert [again for _, again in replay(tmp_path, "other/one", monkeypatch)] == [False, False]
    found = replay(tmp_path, "s", monkeypatch)
    assert len(found) == 2
    assert found[0][1] is False
    assert found[1] == (killed, True)
    assert list(read_ledger(tmp_path / "skipped")) == []
    assert list((tmp_path / "replays").iterdir()) == []


def test_what_an_interrupted_batch_skipped_waits_until_it_is_complete(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch decides its alerts again, by the mended filter: they would be published twice."""
    for page in (3, 4):
        rows = [Skipped("s", str(page), UNDECIDED, "", str(file))]
        write_page(tmp_path / "skipped" / f"{page:09d}.jsonl", rows)
    (tmp_path / "taken.json").write_text('{"batch": 4, "files": {}}')
    commits = tmp_path / "checkpoint" / "commits"
    commits.mkdir(parents=True)
    (commits / "3").touch()
    assert len(replay(tmp_path, "s", monkeypatch)) == 1
    assert [row.alert_id for row in read_ledger(tmp_path / "skipped")] == ["4"]
    (commits / "4").touch()
    assert len(replay(tmp_path, "s", monkeypatch)) == 1


def test_a_file_that_cannot_be_read_keeps_its_alerts_in_the_ledger(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / "torn.parquet"
    torn.write_text("not Parquet")
    rows = [
        Skipped("s", str(number), UNDECIDED, "", str(each))
        for number, each in enumerate((file, torn))
    ]
    write_page(tmp_path / "skipped" / "000000000.jsonl", rows)
    assert len(replay(tmp_path, "s", monkeypatch)) == 1
    assert list(read_ledger(tmp_path / "skipped")) == [rows[1]]
