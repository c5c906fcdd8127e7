"""Messages into alerts, alerts into JSON, and messages that are neither."""

from __future__ import annotations

import base64
import io
import json
import math
import random
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pytest

from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import Schema, read_schema
from tests.support.avro import LOGICAL, LOGICAL_ALERT, content, encoded, mutated, survey_messages

pytestmark = pytest.mark.usefixtures("either_reader")


def new_decoder(schema: Schema | None = None) -> Decoder:
    """Return a decoder of all fields, which the native package may read too."""
    return Decoder(schema, wanted=lambda _schema: [()])


def test_a_real_alert_comes_back(raw_dir: Path) -> None:
    decoder = new_decoder()
    for key, value, alert in survey_messages(raw_dir):
        assert content(decoder, key, value) == alert


def test_logical_types() -> None:
    key, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    assert content(new_decoder(), key, value) == LOGICAL_ALERT


def test_a_schema_is_parsed_once() -> None:
    key, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    decoder = new_decoder()
    content(decoder, key, value)
    assert decoder.schema(bytes(bytearray(key))) is decoder.schema(key)


def test_a_given_schema_goes_before_the_key() -> None:
    _, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    decoder = new_decoder(read_schema(json.dumps(LOGICAL)))
    assert content(decoder, None, value) == LOGICAL_ALERT
    assert content(decoder, b"not a schema", value) == LOGICAL_ALERT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda key, value: (None, value), "no schema in its key"),
        (lambda key, value: (b"", value), "no schema in its key"),
        (lambda key, value: (b"ZTF18abc", value), "no JSON"),
        (lambda key, value: (b'{"type": "record"}', value), "not an Avro record"),
        (lambda key, value: (key, None), "no value"),
        (lambda key, value: (key, b""), "ends before"),
        (lambda key, value: (key, value[:-1]), "ends before"),
        (lambda key, value: (key, value + b"\0\0"), "2 bytes follow"),
        (lambda key, value: (key, b"\x00\x00\x00\x00\x07" + value), "it holds|ends|follow"),
    ],
)
def test_a_message_that_is_no_alert(change: Any, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason):
        content(new_decoder(), *change(*encoded(json.dumps(LOGICAL), LOGICAL_ALERT)))


MUTATIONS = 6000


def test_an_accident_is_an_alert_or_undecodable(raw_dir: Path) -> None:
    dice = random.Random(1)
    samples = [each[:2] for each in survey_messages(raw_dir)[:3]]
    # Short messages, so that an accident hits more than a cutout.
    samples += [encoded(json.dumps(LOGICAL), LOGICAL_ALERT)] * 6
    decoder = new_decoder()
    undecodable = 0
    for _ in range(MUTATIONS):
        key, value = dice.choice(samples)
        try:
            to_json_bytes(content(decoder, key, mutated(value, dice)))
        except UndecodableError:
            undecodable += 1
    assert undecodable > MUTATIONS / 4


def test_json_of_what_json_lacks() -> None:
    alert = {
        "nan": math.nan,
        "inf": -math.inf,
        "bytes": b"\x00\xff",
        "time": datetime(2021, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "date": date(2021, 1, 2),
        "clock": time(1, 2, 3),
        "decimal": Decimal("1.10"),
        "uuid": UUID(int=7),
        "long": 2**62,
        "list": [math.nan, {"deep": b"x"}],
    }
    assert json.loads(to_json_bytes(alert)) == {
        "nan": None,
        "inf": None,
        "bytes": base64.b64encode(b"\x00\xff").decode(),
        "time": "2021-01-02T03:04:05.000006Z",
        "date": "2021-01-02",
        "clock": "01:02:03",
        "decimal": "1.10",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "long": 2**62,
        "list": [None, {"deep": "eA=="}],
    }


def test_json_of_what_orjson_refuses() -> None:
    alert = {
        "large": 2**70,
        "small": -(2**70),
        "lone": "a\ud800b",
        "\udfff": [{"pair": "\ud83d\ude00"}],
        "clock": time(1, 2, tzinfo=UTC),
        "bytes": b"x",
        "flag": True,
    }
    assert json.loads(to_json_bytes(alert)) == {
        "large": str(2**70),
        "small": str(-(2**70)),
        "lone": "a\ufffdb",
        "\ufffd": [{"pair": "😀"}],
        "clock": "01:02:00+00:00",
        "bytes": "eA==",
        "flag": True,
    }


def test_times_that_python_does_not_have() -> None:
    kinds = {
        "d": {"type": "int", "logicalType": "date"},
        "t": {"type": "long", "logicalType": "timestamp-micros"},
        "m": {"type": "long", "logicalType": "timestamp-millis"},
        "l": {"type": "long", "logicalType": "local-timestamp-millis"},
        "n": {"type": "long", "logicalType": "timestamp-micros"},
    }
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    schema = {"type": "record", "name": "a", "fields": fields}
    plain = {**schema, "fields": [{**each, "type": each["type"]["type"]} for each in fields]}
    out = io.BytesIO()
    numbers = {
        "d": 2932897,
        "t": 253402300800000000,
        "m": 2**63 - 1,
        "l": -(2**62),
        "n": 1609556645000006,
    }
    fastavro.schemaless_writer(out, fastavro.parse_schema(plain), numbers)
    key = json.dumps(schema).encode()
    found = content(new_decoder(), key, out.getvalue())
    assert json.loads(to_json_bytes(found)) == {
        "d": 2932897,
        "t": 253402300800000000,
        "m": str((2**63 - 1) * 1000),
        "l": str(-(2**62) * 1000),
        "n": "2021-01-02T03:04:05.000006Z",
    }


def test_a_schema_as_python_writes_it() -> None:
    text = (
        '{"type": "record", "name": "a", "fields": [{"name": "m", "type": "int", "default": NaN}]}'
    )
    assert content(new_decoder(), b"\xef\xbb\xbf" + text.encode(), b"\x02") == {"m": 1}
    assert read_schema(b"\xef\xbb\xbf" + text.encode()).text == text
