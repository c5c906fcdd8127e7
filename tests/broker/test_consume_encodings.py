"""`fink consume` of what other clients write."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path
from typing import Any

import fastavro

from tests.support.consume import KEY, SCHEMA, alert, lines, message, numbers
from tests.support.fink import Fink
from tests.support.processes import running


def test_files_of_the_survey_sent_as_they_are(
    fink: Fink, topic: str, publish: Any, raw_dir: Path
) -> None:
    files = sorted(raw_dir.glob("*.avro"))[:5]
    publish(topic, *((None, each.read_bytes()) for each in files))
    words = ("consume", "--topic", topic, "--until-end")
    done = fink(*words, "-o", "json", "--strict")
    assert done.returncode == 0
    found = [line["alert"]["candid"] for line in lines(done)]
    assert found == [int(each.stem) for each in files]
    assert "ZTF" in fink(*words, "--where", "candidate.rb >= 0").stdout


def test_many_records_framing_and_json(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(SCHEMA), [alert(0), alert(1), alert(2)])
    frame = b"\x00" + (7).to_bytes(4, "big")
    publish(
        topic,
        (b"key", out.getvalue()),
        (None, frame + (message(3)[1] or b"")),
        message(4),
        (None, b'{"number": 5}'),
    )
    (tmp_path / "7.avsc").write_text(json.dumps(SCHEMA))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    assert numbers(fink(*words, "--schema", str(tmp_path))) == [0, 1, 2, 3, 4, 5]
    assert numbers(fink(*words, "--schema", str(tmp_path / "7.avsc"))) == [0, 1, 2, 3, 4]
    # A container of which only a part was asked for comes whole to the group's next reader.
    grouped = (*words, "-g", f"g-{topic}")
    assert numbers(fink(*grouped, "--limit", "2")) == [0, 1]
    assert numbers(fink(*grouped, "--limit", "3")) == [0, 1, 2]


def test_json_as_others_write_it_and_what_is_no_alert(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    values = [
        '{"number": 0, "mag": NaN}',
        '{"number": 1, "mag": 17.5, "err": Infinity}',
        '\ufeff{"number": 2}',
        '[{"number": 3}]',
        '<?xml version="1.0"?><voe:VOEvent/>',
    ]
    publish(topic, *((b"ZTF21abcdefg", each.encode()) for each in values))
    schema = KEY.replace(b'"type": "int"', b'"type": "int", "default": NaN')
    publish(topic, (schema, message(5)[1]))
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json")
    assert numbers(done) == [0, 1, 2, 5]
    assert lines(done)[0]["alert"]["mag"] is None
    assert "offset 3: it is a JSON array, and an alert is a JSON object" in done.stderr
    assert "offset 4: it is XML, which fink does not read" in done.stderr
    assert "schema is not JSON" not in done.stderr
    # Without a schema it shows at the end which names no alert has.
    words = ("consume", "--topic", topic, "--limit", "3", "--fields")
    assert fink(*words, "number,err").returncode == 0
    wrong = fink(*words, "number,Mag")
    assert wrong.returncode == 2
    assert "--fields names Mag, and the alerts have no such field" in wrong.stderr
    # The first has this field, and no value of it.
    assert fink("consume", "-t", topic, "--limit", "1", "--fields", "number,mag").returncode == 0
    with running(cluster.environ, "consume", "-t", topic, "-o", "json", "--fields", "Mag") as live:
        assert live.stdout is not None
        live.stdout.readline()
        live.send_signal(signal.SIGINT)
        _, said = live.communicate(timeout=60)
        assert live.returncode == 130, said
