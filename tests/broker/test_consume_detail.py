"""`fink consume --detail`, `--position`, `--duplicates`, and `fink consume show`."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer

from tests.support.consume import KEY, SCHEMA, lines, message, messages, numbers, summary
from tests.support.fink import Fink
from tests.support.terminal import run_on_terminal


def send_real(cluster: Any, topic: str, raw_dir: Path, count: int = 3) -> list[dict[str, Any]]:
    """Put real alerts on a topic, as the project does; give back what they hold."""
    producer = Producer(cluster.connection.librdkafka())
    sent = []
    for file in sorted(raw_dir.glob("*.avro"))[:count]:
        with file.open("rb") as opened:
            reader = fastavro.reader(opened)
            schema = reader.writer_schema
            content = next(iter(reader))
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), content)
        headers = [("alert-id", f"id-{content['candid']}".encode())]
        key = json.dumps(schema).encode()
        producer.produce(topic, key=key, value=out.getvalue(), headers=headers, partition=0)
        sent.append(content)
    assert producer.flush(30) == 0
    return sent


def send_twice(cluster: Any, topic: str) -> None:
    producer = Producer(cluster.connection.librdkafka())
    for at, (key, value) in enumerate([*messages(3), message(1)]):
        headers = [("alert-id", str(at % 3 if at < 3 else 1).encode())]
        producer.produce(topic, key=key, value=value, headers=headers, partition=0)
    assert producer.flush(30) == 0


def test_detail(fink: Fink, cluster: Any, topic: str, raw_dir: Path) -> None:
    sent = send_real(cluster, topic, raw_dir)
    done = fink("consume", "--topic", topic, "--until-end", "--detail")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for each in sent:
        assert f"{each['objectId']}\n" in done.stdout
        assert f"from      {topic} partition 0 offset" in done.stdout
        assert f"https://fink-portal.org/{each['objectId']}\n" in done.stdout
    assert done.stdout.count("Light curve") == done.stdout.count("science, 63x63 pixels") == 3
    assert done.stdout.count("▲ this alert") == 3
    assert done.stderr == "3 alerts shown.\n"
    # What scripts read does not change.
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    assert fink(*words, "--detail").stdout == fink(*words).stdout


def test_detail_on_a_terminal(cluster: Any, topic: str, raw_dir: Path) -> None:
    sent = send_real(cluster, topic, raw_dir, 1)
    words = ["consume", "--topic", topic, "--until-end", "--detail"]
    for more, colours in (({}, True), ({"NO_COLOR": "1"}, False)):
        environ = {**cluster.environ, "COLORTERM": "truecolor", "COLUMNS": "100", **more}
        exit_code, seen = run_on_terminal(environ, *words, width=100)
        assert exit_code == 0
        assert sent[0]["objectId"] in seen
        assert ("\x1b]8;" in seen) is colours
        assert ("▀" in seen) is colours
        assert ("\x1b" in seen) is colours


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--detail", "--fields", "number"], "whole alerts"),
        (["--detail", "--browse"], "exclude each other"),
        (["--browse", "--fields", "number"], "whole alerts"),
        (["--browse", "-g", "a"], "keeps no offsets"),
        (["--browse", "-o", "json"], "prints nothing"),
        (["--browse"], "needs a terminal"),
        (["--dedup", "--duplicates", "show"], "drops duplicates"),
    ],
)
def test_what_can_t_be_asked_together(fink: Fink, topic: str, more: list[str], said: str) -> None:
    done = fink("consume", "--topic", topic, "--until-end", *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_positions(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(2))
    words = ("consume", "--topic", topic, "--until-end")
    assert "10.50000" in fink(*words).stdout
    done = fink(*words, "--position", "hms").stdout
    assert "00:42:00.00" in done
    assert "+01:15:00.0" in done
    picked = fink(*words, "--position", "hms", "--fields", "objectId,dec").stdout
    assert picked.splitlines()[1].split() == ["ZTF0000", "+01:15:00.0"]
    assert lines(fink(*words, "-o", "json", "--position", "hms"))[0]["alert"]["ra"] == 10.5


def test_duplicates_are_marked(fink: Fink, cluster: Any, topic: str) -> None:
    send_twice(cluster, topic)
    words = ("consume", "--topic", topic, "--until-end")
    done = fink(*words)
    rows = [line for line in done.stdout.splitlines() if "ZTF" in line]
    assert [line.startswith("↺") for line in rows] == [False, False, False, True]
    assert done.stderr == "4 alerts shown. 1 came before (↺).\n"
    json_words = (*words, "-o", "json")
    found = fink(*json_words)
    assert [line.get("duplicate") for line in lines(found)] == [None, None, None, True]
    assert summary(found) == {"read": 4, "shown": 4, "skipped": 0}
    shown = fink(*json_words, "--duplicates", "show")
    assert not any("duplicate" in line for line in lines(shown))
    assert numbers(fink(*json_words, "--duplicates", "drop")) == [0, 1, 2]
    assert numbers(fink(*json_words, "--dedup")) == [0, 1, 2]
    detail = fink(*words, "--detail").stdout
    assert detail.count("↺ This alert came before.") == 1


def test_show(fink: Fink, cluster: Any, topic: str, raw_dir: Path, publish: Any) -> None:
    publish(topic, (KEY, b"not Avro"))
    sent = send_real(cluster, topic, raw_dir)
    for wanted in (f"id-{sent[1]['candid']}", str(sent[1]["candid"]), sent[1]["objectId"]):
        done = fink("consume", "show", wanted, "--topic", topic)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{sent[1]['objectId']}\n")
        assert "Light curve" in done.stdout
        assert "1 message could not be decoded" in done.stderr
    shown = fink("consume", "show", "--topic", topic, "--id", str(sent[1]["candid"]), "-o", "json")
    found = json.loads(shown.stdout)
    assert (found["topic"], found["offset"]) == (topic, 2)
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    assert found == lines(fink(*words))[1]
    assert fink("consume", "show", "--id", "x", env={"FINK_TOPIC": topic}).returncode == 1


def test_show_takes_the_newest(fink: Fink, make_topic: Any, publish: Any) -> None:
    topic = make_topic(partitions=2)
    began = int(time.time() * 1000) - 60_000
    publish(topic, message(1), partition=1, timestamp=began + 2_000)
    publish(topic, message(1), partition=0, timestamp=began + 9_000)
    publish(topic, message(1), partition=1, timestamp=began + 3_000)
    done = fink("consume", "show", "--topic", topic, "--id", "ZTF0001", "-o", "json")
    assert (json.loads(done.stdout)["partition"], done.returncode) == (0, 0)
    assert "The newest of 3 that fit." in done.stderr


def test_show_takes_the_topics_and_schemas_that_consume_takes(
    fink: Fink, make_topic: Any, publish: Any, tmp_path: Path
) -> None:
    one, two = make_topic(), make_topic()
    publish(one, message(1))
    publish(two, (None, b"\x00" + (7).to_bytes(4, "big") + (message(2)[1] or b"")))
    (tmp_path / "7.avsc").write_text(json.dumps(SCHEMA))
    words = ("consume", "show", "--schema", str(tmp_path), "-o", "json", "--id")
    for given, wanted, topic in (
        (f"{one},{two}", "ZTF0001", one),
        (f"{one} {two[:-1]}?", "ZTF0002", two),
    ):
        done = fink(*words, wanted, env={"FINK_TOPIC": given})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["topic"] == topic
    assert fink("consume", "show", "--id", "x").returncode == 2


def test_show_what_is_not_there(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    done = fink("consume", "show", "--topic", topic, "--id", "ZTF9999")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "None of the 3 messages" in done.stderr
    assert f"fink consume --topic {topic}" in done.stderr
    for words in ((), ("ZTF1", "--id", "ZTF2")):
        refused = fink("consume", "show", *words, "--topic", topic)
        assert refused.returncode == 2
        assert "One object or alert is shown." in refused.stderr
    assert fink("consume", "show", "--topic", "no_such", "--id", "x").returncode == 1
