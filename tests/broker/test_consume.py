"""`fink consume`: what is shown, from where, until where, and what is skipped."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import yaml
from confluent_kafka import Producer

from tests.support.consume import (
    KEY,
    SCHEMA,
    Message,
    alert,
    lines,
    message,
    messages,
    numbers,
    summary,
)
from tests.support.fink import Fink

# What is shown


def test_json_equals_what_was_published(fink: Fink, topic: str, publish: Any) -> None:
    before = datetime.now(UTC)
    publish(topic, *messages(4))
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert done.returncode == 0, done.stderr
    shown = lines(done)
    assert [set(line) for line in shown] == [
        {"topic", "partition", "offset", "timestamp", "alert"}
    ] * 4
    assert [(line["topic"], line["partition"], line["offset"]) for line in shown] == [
        (topic, 0, offset) for offset in range(4)
    ]
    assert shown[0]["alert"] == alert(0) | {"cutout": base64.b64encode(b"\x00\xff").decode()}
    assert shown[2]["alert"]["mag"] is None
    assert shown[3]["alert"]["dec"] is None
    stamp = datetime.fromisoformat(shown[0]["timestamp"])
    assert abs((stamp - before).total_seconds()) < 60
    assert summary(done) == {"read": 4, "shown": 4, "skipped": 0}


def test_real_alerts_equal_what_fastavro_reads(
    fink: Fink, topic: str, publish: Any, raw_dir: Path
) -> None:
    expected = []
    for file in sorted(raw_dir.glob("*.avro"))[:5]:
        with file.open("rb") as content:
            reader = fastavro.reader(content)
            schema = reader.metadata["avro.schema"]
            each = next(reader)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), each)
        publish(topic, (schema.encode(), out.getvalue()))
        expected.append(each)
    done = fink("consume", "--topic", topic, "--limit", "5", "-o", "json")
    for line, original in zip(lines(done), expected, strict=True):
        assert line["alert"]["candidate"] == original["candidate"]
        assert line["alert"]["prv_candidates"] == original["prv_candidates"]
        cutout = base64.b64decode(line["alert"]["cutoutScience"]["stampData"])
        assert cutout == original["cutoutScience"]["stampData"]


def test_fields(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, message(7))
    fields = "objectId,history[-1],history[9]"
    done = fink("consume", "--topic", topic, "--limit", "1", "-o", "json", "--fields", fields)
    assert lines(done)[0]["alert"] == {
        "objectId": "ZTF0007",
        "history[-1]": 7.0,
        "history[9]": None,
    }
    table = fink("consume", "--topic", topic, "--limit", "1", "--fields", fields)
    assert table.stdout.splitlines()[0].split() == fields.split(",")
    missing = fink("consume", "--topic", topic, "--limit", "1", "--fields", "objectid,mag")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "--fields names objectid, and the alerts have no such field" in missing.stderr
    assert "Is it objectId that you mean?" in missing.stderr
    wrong = fink("consume", "--topic", topic, "--fields", "a..b")
    assert wrong.returncode == 2
    assert "character 3" in wrong.stderr


def test_yaml_is_a_stream_of_documents(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(2))
    done = fink("consume", "--topic", topic, "--limit", "2", "-o", "yaml")
    documents = list(yaml.safe_load_all(done.stdout))
    assert [each["alert"]["number"] for each in documents] == [0, 1]
    assert documents[0]["topic"] == topic
    assert done.stderr == "2 alerts shown.\n"


def test_table_without_a_terminal(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    done = fink("consume", "--topic", topic, "--until-end")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["object", "ra", "dec", "mag"]
    assert [row.split()[0] for row in rows] == ["ZTF0000", "ZTF0001", "ZTF0002"]
    assert {row.index("1.25000") for row in rows} == {rows[0].index("1.25000")}


def test_escapes_in_an_alert_are_inert(fink: Fink, topic: str, publish: Any) -> None:
    hostile = alert(0) | {"objectId": "\x1b[2J\x9b31m[red]\u202e"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), hostile)
    publish(topic, (KEY, out.getvalue()), (b"\x1b[2J", b""))
    for form in ("table", "json", "yaml"):
        done = fink("consume", "--topic", topic, "--until-end", "-o", form)
        assert not any(char in done.stdout + done.stderr for char in "\x1b\x9b\u202e")
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert lines(done)[0]["alert"]["objectId"] == hostile["objectId"]


# Where it starts and ends


def test_until_end_of_an_empty_topic(fink: Fink, make_topic: Any) -> None:
    topic = make_topic(partitions=3)
    began = time.monotonic()
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert time.monotonic() - began < 20
    assert (done.returncode, done.stdout) == (0, "")
    assert summary(done) == {"read": 0, "shown": 0, "skipped": 0}


def test_several_partitions_and_topics(fink: Fink, make_topic: Any, publish: Any) -> None:
    first, second = make_topic(partitions=3), make_topic()
    for partition in range(3):
        publish(first, *messages(5, first=5 * partition), partition=partition)
    publish(second, *messages(2, first=100))
    done = fink("consume", "--topic", first, "--topic", second, "--until-end", "-o", "json")
    assert sorted(numbers(done)) == [*range(15), 100, 101]
    table = fink("consume", "--until-end", env={"FINK_TOPIC": f"{first},{second}"})
    assert table.stdout.splitlines()[0].split()[0] == "topic"
    assert len(table.stdout.splitlines()) == 18


def test_a_pattern(fink: Fink, make_topic: Any, publish: Any) -> None:
    name = make_topic()
    publish(name, message(1))
    done = fink("consume", "--topic", f"{name[:-1]}*", "--until-end", "-o", "json")
    assert numbers(done) == [1]
    none = fink("consume", "--topic", "no-such-*", "--until-end")
    assert none.returncode == 1
    assert "no-such-*" in none.stderr


def test_limit(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(9))
    done = fink("consume", "--topic", topic, "--limit", "4", "-o", "json")
    assert numbers(done) == [0, 1, 2, 3]
    assert summary(done) == {"read": 4, "shown": 4, "skipped": 0}


def test_from(fink: Fink, make_topic: Any, publish: Any) -> None:
    topic = make_topic(**{"retention.ms": "-1"})  # else Kafka may delete what is from 2024
    old = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
    hour_ago = int((time.time() - 3600) * 1000)
    publish(topic, *messages(3), timestamp=old)
    publish(topic, *messages(3, first=3), timestamp=hour_ago)
    publish(topic, *messages(3, first=6))
    for start, expected in {
        "earliest": range(9),
        "latest": range(0),
        "0": range(9),
        "5": range(5, 9),
        "99": range(0),
        "2023-01-01": range(9),
        "2024-01-01T00:00:00Z": range(9),
        "2024-01-01T00:00:01": range(3, 9),
        "-30m": range(6, 9),
        "-2h": range(3, 9),
        "2100-01-01": range(0),
    }.items():
        done = fink("consume", "--topic", topic, "--until-end", "-o", "json", "--from", start)
        assert numbers(done) == list(expected), start
    wrong = fink("consume", "--topic", topic, "--from", "yesterday")
    assert wrong.returncode == 2


def test_the_end_of_a_topic_whose_last_offsets_hold_no_message(
    fink: Fink, cluster: Any, topic: str
) -> None:
    producer = Producer({**cluster.connection.librdkafka(), "transactional.id": topic})
    producer.init_transactions(30)
    for number in range(3):
        producer.begin_transaction()
        key, value = message(number)
        producer.produce(topic, key=key, value=value)
        if number == 1:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json", timeout=30)
    assert numbers(done) == [0, 2]


# Messages that are not alerts


def test_what_is_not_an_alert_is_skipped(fink: Fink, topic: str, publish: Any) -> None:
    key, value = message(1)
    assert value is not None
    bad: Sequence[Message] = [
        (key, b"\xff\xff not Avro"),
        (key, None),
        (None, value),
        (b"not a schema", value),
        (key, value[:-3]),
        (key, value + b"x"),
    ]
    publish(topic, message(0), *bad, message(2))
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert done.returncode == 0
    assert numbers(done) == [0, 2]
    assert summary(done) == {"read": 8, "shown": 2, "skipped": 6}
    for offset in range(1, 7):
        assert f"{topic} partition 0 offset {offset}: " in done.stderr
    strict = fink("consume", "--topic", topic, "--until-end", "-o", "json", "--strict")
    assert strict.returncode == 1
    assert numbers(strict) == [0, 2]
    assert "6 messages could not be decoded" in strict.stderr
    assert "Traceback" not in done.stderr + strict.stderr


def test_a_schema_file(fink: Fink, topic: str, publish: Any, tmp_path: Path) -> None:
    _, value = message(5)
    publish(topic, (None, value), (b"no schema", value))
    file = tmp_path / "alert.avsc"
    file.write_bytes(KEY)
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json", "--schema", str(file))
    assert numbers(done) == [5, 5]
    file.write_text("{}")
    wrong = fink("consume", "--topic", topic, "--until-end", "--schema", str(file))
    assert wrong.returncode == 2
    missing = fink("consume", "--topic", topic, "--schema", str(tmp_path / "none"))
    assert missing.returncode == 2
