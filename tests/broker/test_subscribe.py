"""Reading alerts in Python: ``fink.subscribe``."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest

import fink_cli as fink
from tests.support.avro import survey_messages
from tests.support.cluster import TestCluster
from tests.support.consume import KEY, Message, messages
from tests.support.fink import Fink
from tests.support.topics import committed_offset
from tests.support.waiting import wait_for

LSST_SOURCE = [
    *("diaSourceId", "long", "diaObjectId", "long", "midpointMjdTai", "double", "ra", "double"),
    *("dec", "double", "psfFlux", "float", "psfFluxErr", "float", "band", "string"),
]
LSST = {
    "type": "record",
    "name": "alert",
    "fields": [
        {
            "name": "diaSource",
            "type": {
                "type": "record",
                "name": "diaSource",
                "fields": [
                    {"name": name, "type": kind}
                    for name, kind in zip(LSST_SOURCE[::2], LSST_SOURCE[1::2], strict=True)
                ],
            },
        },
        {"name": "prvDiaSources", "type": {"type": "array", "items": "diaSource"}},
    ],
}


def lsst_message(flux: float = 3631.0) -> Message:
    source = dict(
        zip(LSST_SOURCE[::2], (1, 169, 60800.0, 58.3, -48.7, flux, 15.0, "r"), strict=True)
    )
    value = io.BytesIO()
    alert = {"diaSource": source, "prvDiaSources": [source | {"midpointMjdTai": 60799.0}]}
    fastavro.schemaless_writer(value, fastavro.parse_schema(LSST), alert)
    return json.dumps(LSST).encode(), value.getvalue()


@pytest.fixture(autouse=True)
def settings(cluster: TestCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FINK_HOME", "FINK_CONFIG"):
        monkeypatch.setenv(name, cluster.environ[name])


def numbers(alerts: Any) -> list[int]:
    return [alert["number"] for alert in alerts]


def test_alerts_of_two_surveys(make_topic: Callable[..., str], publish: Any, raw_dir: Path) -> None:
    ztf, lsst = make_topic(), make_topic()
    key, value, content = survey_messages(raw_dir)[0]
    publish(ztf, (key, value), ids=True)
    publish(lsst, lsst_message())
    with fink.subscribe([ztf, lsst], until_end=True) as stream:
        alerts = {alert.topic: alert for alert in stream}
    alert, candidate = alerts[ztf], content["candidate"]
    assert (alert.id, alert.object_id, alert.offset) == ("0", content["objectId"], 0)
    assert alert.time is not None
    assert alert.time.jd == pytest.approx(candidate["jd"], abs=1e-9)
    assert alert.position is not None
    assert alert.position.ra.deg == pytest.approx(candidate["ra"])
    assert alert.magnitude == candidate["magpsf"]
    assert alert.band == {1: "g", 2: "r"}[candidate["fid"]]
    assert alert["candidate.rb"] == candidate["rb"]
    assert alert["candidate"] == candidate
    assert alert.record == content
    assert isinstance(alert.published_at, datetime)
    with pytest.raises(KeyError, match=r"candidate\.magpsf"):
        alert["candidate.magpsg"]
    curve = alert.light_curve()
    assert len(curve) == len(content["prv_candidates"] or []) + 1
    assert str(curve["magnitude"].unit) == "mag"
    assert {name: image.ndim for name, image in alert.cutouts().items()} == {
        "science": 2, "template": 2, "difference": 2,
    }  # fmt: skip
    alert = alerts[lsst]
    assert (alert.id, alert.object_id, alert.band) == ("1", "169", "r")
    assert alert.time is not None
    assert (alert.time.scale, alert.time.mjd) == ("tai", 60800.0)
    assert alert.magnitude == pytest.approx(22.5, abs=0.001)
    curve = alert.light_curve()
    assert (len(curve), str(curve["flux"].unit)) == (2, "nJy")
    assert curve["time"].scale == "utc"
    assert alert.classification is None
    assert alert.cutouts() == {}


def test_a_message_that_is_no_alert_is_skipped_and_told(
    topic: str, publish: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publish(topic, *messages(2), (KEY, b"\x1b[31m"), (KEY, None), *messages(1, first=2))
    with (
        caplog.at_level(logging.WARNING, "fink_cli"),
        fink.subscribe(topic, until_end=True) as stream,
    ):
        assert numbers(stream) == [0, 1, 2]
    assert (stream.counts.read, stream.counts.skipped) == (5, 2)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"Skipped {topic} partition 0 offset {offset}" for offset in (2, 3)
    ]
    assert "\x1b" not in caplog.text


def test_what_is_read(topic: str, publish: Any) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    publish(topic, *messages(10), timestamp=now - 3 * 3600 * 1000)
    publish(topic, *messages(10, first=10), timestamp=now)
    with fink.subscribe(topic, until_end=True, where="number < 15", since="-2h") as stream:
        taken = stream.take(2)
        assert numbers(stream) == [12, 13, 14]
    assert numbers(taken) == [10, 11]
    with fink.subscribe(topic, since=18, until_end=True) as stream:
        assert numbers(stream) == [18, 19]
    since = datetime.now(UTC) - timedelta(hours=1)
    fields = ["objectId", "number", "history[0]"]
    with fink.subscribe(topic, since=since, fields=fields, until_end=True) as stream:
        tables = list(stream.batches(6))
    assert [table.num_rows for table in tables] == [6, 4]
    assert tables[0].column_names == fields
    assert str(tables[0].schema.field("number").type) == "int32"
    assert tables[1]["number"].to_pylist() == [16, 17, 18, 19]
    with fink.subscribe(topic, until_end=True) as stream:
        (table,) = stream.batches()
    assert table["history"].to_pylist()[3] == [1.0, 2.5, 3.0]
    with (
        pytest.raises(fink.FinkError, match="numbr") as caught,
        fink.subscribe(topic, until_end=True, where="numbr > 1") as stream,
    ):
        list(stream)
    assert "number" in caught.value.__notes__[0]
    with pytest.raises(fink.FinkError, match="not open"):
        fink.subscribe(topic).take(1)


def test_an_exception_loses_no_alert(cluster: TestCluster, topic: str, publish: Any) -> None:
    publish(topic, *messages(6))

    def fail(stream: fink.AlertStream) -> None:
        for alert in stream:
            assert alert["number"] != 2

    subscription = fink.subscribe(topic, group="mia-1", until_end=True)
    with pytest.raises(AssertionError), subscription as stream:
        fail(stream)
    assert committed_offset(cluster.connection, "mia-1", topic) == 2
    with fink.subscribe(topic, group="mia-1", until_end=True) as stream:
        assert numbers(stream.take(1)) == [2]
        stream.commit()
        assert committed_offset(cluster.connection, "mia-1", topic) == 3
        for alert in stream:
            if alert["number"] == 4:
                break
    assert committed_offset(cluster.connection, "mia-1", topic) == 5
    with fink.subscribe(topic, group="mia-1", until_end=True, autocommit=False) as stream:
        assert numbers(stream) == [5]
    assert committed_offset(cluster.connection, "mia-1", topic) == 5
    with (
        pytest.raises(fink.FinkError, match="without a group"),
        fink.subscribe(topic, until_end=True) as stream,
    ):
        stream.commit()


KILLED = """
import os, signal, sys
import fink_cli as fink
with fink.subscribe(sys.argv[1], group="mia-2") as stream:
    for alert in stream:
        print(alert["number"], flush=True)
        if alert["number"] == 3:
            stream.commit()
        if alert["number"] == 5:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_program_loses_no_alert(cluster: TestCluster, topic: str, publish: Any) -> None:
    publish(topic, *messages(8))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, topic],
        env=cluster.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    assert [*map(int, done.stdout.split())] == [0, 1, 2, 3, 4, 5]
    # The group has its dead member for ten seconds more, and then goes on from there.
    assert committed_offset(cluster.connection, "mia-2", topic) == 4


def test_a_rebalance_loses_no_alert(make_topic: Callable[..., str], publish: Any) -> None:
    topic = make_topic(2)
    for partition in range(2):
        publish(topic, *messages(50, first=50 * partition), partition=partition)
    of_first: list[int] = []
    with fink.subscribe(topic, group="mia-3") as first:

        def collect() -> None:
            # It waits for more than there is, so that it has finished with none.
            for table in first.batches(1000, seconds=600):
                of_first.extend(table["number"].to_pylist())

        collecting = threading.Thread(target=collect, daemon=True)
        collecting.start()
        wait_for(lambda: first.counts.shown == 100)
        with fink.subscribe(topic, group="mia-3") as second:
            # What the first has collected comes again: half of it here, half there.
            of_second = numbers(second.take(50))
            wait_for(lambda: first.counts.shown == 150)
            first.stop()
            collecting.join(60)
    assert sorted(of_first + of_second) == [*range(100)]


def test_a_commit_by_hand_takes_the_table_in_hand_alone(
    make_topic: Callable[..., str], publish: Any
) -> None:
    """Two topics have two schemas, so what was read together is more than one table."""
    topics = [make_topic(), make_topic()]
    publish(topics[0], *messages(3))
    publish(topics[1], lsst_message(), lsst_message())
    rows = []
    for _ in range(2):
        with fink.subscribe(topics, group=topics[0], until_end=True, autocommit=False) as stream:
            rows.append(next(stream.batches(100)).num_rows)
            stream.commit()
    assert sorted(rows) == [2, 3]


def test_a_warning_has_no_escape_code(
    topic: str, publish: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publish(topic, (b"\x1b]0;x\x07\x1b[2J", b"no JSON"))
    with (
        caplog.at_level(logging.WARNING, "fink_cli"),
        fink.subscribe(topic, until_end=True) as stream,
    ):
        assert [*stream] == []
    assert "Skipped" in caplog.text
    assert "\x1b" not in caplog.text
    assert "\x07" not in caplog.text


def test_an_async_loop_that_is_cancelled(topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    seen: list[int] = []

    async def read() -> None:
        with fink.subscribe(topic) as stream:
            async for alert in stream:
                seen.append(alert["number"])

    async def main() -> None:
        task = asyncio.create_task(read())
        while len(seen) < 3:
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("form", ["parquet", "avro", "ndjson"])
def test_saved_alerts_are_the_same(
    request: pytest.FixtureRequest,
    topic: str,
    publish: Any,
    tmp_path: Path,
    raw_dir: Path,
    form: str,
) -> None:
    key, value, content = survey_messages(raw_dir)[0]
    publish(topic, (key, value))
    words = ("consume", "--topic", topic, "--until-end", "--save", str(tmp_path))
    program: Fink = request.getfixturevalue("fink")
    assert program(*words, "--format", form).returncode == 0
    (alert,) = fink.read(tmp_path)
    (same,) = fink.read(next(tmp_path.glob("*.*")))
    assert (alert.topic, alert.partition, alert.offset) == (topic, 0, None)
    assert alert.object_id == same.object_id == content["objectId"]
    assert alert["candidate.jd"] == content["candidate"]["jd"]
    assert len(alert.light_curve()) == len(content["prv_candidates"] or []) + 1
    if form != "ndjson":  # bytes are base64 in JSON
        assert len(alert.cutouts()) == 3


def test_what_is_no_saved_file(tmp_path: Path) -> None:
    with pytest.raises(fink.FinkError, match="no file of alerts"):
        fink.read(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(fink.FinkError, match=r"a\.parquet can't be read"):
        list(fink.read(tmp_path))


def test_importing_it_loads_little() -> None:
    code = (
        "import sys, time; before = {*sys.modules}; at = time.perf_counter(); import fink_cli\n"
        "spent = time.perf_counter() - at\n"
        "print(spent, *sorted({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[0]) < 0.06
    assert not {"confluent_kafka", "numpy", "astropy", "pyarrow", "rich"} & {*done.stdout.split()}
