"""`fink consume --save`."""

from __future__ import annotations

import io
import json
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
from astropy.table import Table
from confluent_kafka import Consumer

from tests.support.avro import encoded
from tests.support.consume import SCHEMA, alert, messages
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.terminal import Terminal
from tests.support.topics import committed_offset, has_shared_out, wait_for_partitions
from tests.support.waiting import wait_for


def rows(folder: Path) -> list[int]:
    found = (pq.read_table(each, columns=["number"]) for each in folder.glob("*.parquet"))
    return sorted(row["number"] for table in found for row in table.to_pylist())


def test_a_group_saves_each_alert_once(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *messages(100))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "--save", str(tmp_path / "out"))
    assert "50 saved" in fink(*words, "--limit", "50").stderr
    done = fink(*words, "--until-end")
    assert "50 saved" in done.stderr
    assert done.stdout == ""
    assert rows(tmp_path / "out") == list(range(100))


def test_fields_are_saved_as_a_flat_table(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *messages(5))
    words = ("consume", "--topic", topic, "--until-end", "--save", str(tmp_path))
    for form in ("parquet", "avro", "ndjson", "csv", "votable", "fits"):
        done = fink(*words, "--format", form, "--fields", "objectId,history[1],mag")
        assert "5 saved" in done.stderr, done.stderr
    (parquet,) = tmp_path.glob("*.parquet")
    assert pq.read_table(parquet).to_pylist()[4] == {
        "objectId": "ZTF0004",
        "history[1]": 2.5,
        "mag": None,
    }
    (avro,) = tmp_path.glob("*.avro")
    with avro.open("rb") as opened:
        named = list(fastavro.reader(opened))
    assert named[4] == {"objectId": "ZTF0004", "history_1": 2.5, "mag": None}
    (lines,) = tmp_path.glob("*.ndjson")
    assert json.loads(lines.read_text().splitlines()[4])["history[1]"] == 2.5
    (text,) = tmp_path.glob("*.csv")
    assert text.read_text().splitlines()[5] == '"ZTF0004",2.5,'
    for form in ("votable", "fits"):
        (file,) = tmp_path.glob(f"*.{form}")
        table = Table.read(file, format=form)
        assert table.colnames == ["objectId", "history_1", "mag"]
        assert list(table["history_1"]) == [2.5] * 5
    # The same once more, and other fields of the same alerts.
    assert (
        "5 are in" in fink(*words, "--format", "csv", "--fields", "objectId,history[1],mag").stderr
    )
    other = fink(*words, "--format", "csv", "--fields", "number,history").stderr
    assert "history is no single value, and csv holds nothing else" in other
    assert not list(tmp_path.glob(".*.part"))


def test_a_container_is_saved_whole(fink: Fink, topic: str, publish: Any, tmp_path: Path) -> None:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(SCHEMA), [alert(0), alert(1), alert(2)])
    publish(topic, (None, out.getvalue()), *messages(1, first=3))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "--save", str(tmp_path))
    assert "3 saved" in fink(*words, "--limit", "2").stderr
    assert "1 saved" in fink(*words, "--until-end").stderr
    assert rows(tmp_path) == [0, 1, 2, 3]


def test_killed_and_resumed_each_alert_is_there_once(
    fink: Fink, cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    total = 30_000
    publish(topic, *messages(total))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "--save", str(tmp_path))
    with running(cluster.environ, *words) as process:
        wait_for(lambda: list(tmp_path.glob("*.parquet")), 30, interval=0.01)
        process.send_signal(signal.SIGKILL)
    before = len(rows(tmp_path))
    assert 0 < before < total
    assert fink(*words, "--until-end").returncode == 0
    assert rows(tmp_path) == list(range(total))


def test_what_a_killed_run_left_is_removed(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    left = tmp_path / f".{topic}-0-0-1-2-00000000-0123456789ab.parquet.{'0' * 32}.part"
    left.write_bytes(b"half a file")
    publish(topic, *messages(3))
    done = fink("consume", "--topic", topic, "--save", str(tmp_path), "--until-end")
    assert "Removed 1 file that a killed process had not finished writing." in done.stderr
    assert not left.exists()
    assert rows(tmp_path) == [0, 1, 2]


def test_a_bar_shows_how_far_it_has_come(
    cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    total = 30_000
    publish(topic, *messages(total))
    words = ("consume", "--topic", topic, "--save", str(tmp_path), "--until-end")
    terminal = Terminal(cluster.environ, *words, width=80, height=10)
    # Somewhere between the beginning and the end, of what was there at the start.
    under_way = terminal.until(lambda text: re.search(rf"[1-9]\d*/{total}", text) is not None)
    assert int(re.findall(rf"(\d+)/{total}", under_way)[-1]) < total
    assert "Reading" in under_way
    done = terminal.until(lambda text: f"{total:,} saved" in text)
    # The bar is gone then.
    assert "Reading" not in done
    assert terminal.exit_code() == 0
    assert rows(tmp_path) == list(range(total))


def test_a_member_that_was_away_saves_all_and_each_once(
    cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    some, bad, more = messages(1000), [(None, b"bad")] * 1500, messages(3000, first=1000)
    publish(topic, *some, *bad, *more, ids=True)
    group = f"g-{topic}"
    words = ("consume", "--topic", topic, "-g", group, "--save", str(tmp_path))
    settings = {"group.id": group, "enable.auto.commit": False, "session.timeout.ms": 10_000}
    other = Consumer(cluster.connection.librdkafka() | settings)
    with running(cluster.environ, *words, "--until-end", "--dedup") as process:
        # Until its warnings are read it waits, with alerts in hand that are in no file yet.
        assert process.stderr is not None
        assert "Skipped" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGSTOP)
        other.subscribe([topic])
        wait_for_partitions(other)
        process.send_signal(signal.SIGCONT)
        threading.Timer(4, other.close).start()
        # As the other one does not answer, the work is shared out anew only when it leaves.
        _, said = process.communicate(timeout=40)
    assert process.returncode == 0, said[-500:]
    assert rows(tmp_path) == list(range(4000))


def test_two_savers_of_a_group_lose_nothing(
    fink: Fink, cluster: Any, make_topic: Any, publish: Any, tmp_path: Path
) -> None:
    topic = make_topic(partitions=2)
    group = f"g-{topic}"
    for partition in range(2):
        publish(topic, *messages(6000, first=6000 * partition), partition=partition)
    words = ("consume", "--topic", topic, "-g", group, "--save", str(tmp_path))
    with running(cluster.environ, *words) as first:
        wait_for(lambda: bool(list(tmp_path.glob("*.parquet"))))
        with running(cluster.environ, *words) as second:
            wait_for(lambda: has_shared_out(cluster.connection, group))
            for partition in range(2):
                publish(topic, *messages(500, 12_000 + 500 * partition), partition=partition)
            # One is in the middle of it, the other has to take over what is not committed.
            first.send_signal(signal.SIGHUP)
            assert first.wait(60) == 130
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 130
    assert fink(*words, "--until-end").returncode == 0
    assert rows(tmp_path) == list(range(13_000))


def test_alerts_that_the_format_can_not_hold(
    fink: Fink, cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    schema = {"type": "record", "name": "alert", "fields": [{"name": "number", "type": "int"}]}
    several = schema | {"fields": [{"name": "number", "type": ["int", "string"]}]}
    sent = [
        encoded(json.dumps(kind), {"number": number})
        for kind, number in ((schema, 1), (several, "n/a"), (several, 5), (schema, 2))
    ]
    publish(topic, *sent)
    out, bad, group = tmp_path / "out", tmp_path / "bad", f"g-{topic}"
    words = ("consume", "--topic", topic, "--until-end", "--save")
    # The group would not read them again.
    ended = fink(*words, str(tmp_path / "ended"), "-g", group)
    assert ended.returncode == 1
    reason = "Parquet can't hold field number, which is of several types: int, string"
    assert f"{topic} partition 0 offset 1 can't be saved: {reason}." in ended.stderr
    assert committed_offset(cluster.connection, group, topic) < 0
    kept = fink(*words, str(out), "-g", group, "--bad", str(bad))
    assert kept.returncode == 0, kept.stderr
    assert "2 saved" in kept.stderr
    assert "2 messages skipped" in kept.stderr
    assert committed_offset(cluster.connection, group, topic) == 4
    assert rows(out) == [1, 2]
    kept_values = [(bad / f"{topic}-0-{at}.bin").read_bytes() for at in (1, 2)]
    assert kept_values == [value for _, value in sent[1:3]]
    assert reason in (bad / f"{topic}-0-2.json").read_text()
    # Without a group they are only named, and no format ends it.
    for form, saved in (("parquet", 2), ("ndjson", 4), ("avro", 4)):
        folder = tmp_path / form
        done = fink(*words, str(folder), "--format", form, "--strict", "-o", "json")
        numbers = json.loads(done.stderr.splitlines()[-1 if saved == 4 else -3])
        assert (done.returncode, numbers["saved"]) == (0 if saved == 4 else 1, saved)
        assert f"{4 - saved} messages could not be decoded or saved." in done.stderr or saved == 4


def test_saving_again_doubles_nothing_and_is_said(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *messages(10))
    out = tmp_path / "out"
    words = ("consume", "--topic", topic, "--until-end", "--save", str(out))
    said = fink(*words, "--where", "number > 6").stderr
    [file] = out.iterdir()
    assert f"10 alerts read. 3 saved to {out} in 1 file: {file.name}." in said
    said = fink(*words, "--where", "number > 6").stderr
    assert f"10 alerts read. 0 saved. 3 are in {out} from before." in said
    said = fink(*words).stderr
    assert f"{out} holds alerts of {topic} that were chosen otherwise" in said
    publish(topic, *messages(2, first=10))
    done = fink(*words, "--from", "5", "-o", "json")
    assert json.loads(done.stderr.splitlines()[-1]) == {
        **{"read": 7, "shown": 7, "skipped": 0},
        **{"saved": 2, "saved_before": 5, "folder": str(out), "files": 1},
    }
    assert rows(out) == sorted([*range(12), 7, 8, 9])
