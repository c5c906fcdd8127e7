"""Alerts in what others write: Avro containers, Confluent's framing, JSON."""

from __future__ import annotations

import json
import math
import random
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fink_cli.alerts.columns import viewer_columns
from fink_cli.avro.container import MOST_BYTES
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_alerts import inferred_schema
from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.schema import leaf_paths
from tests.support.avro import (
    ALERTS,
    RECORD,
    SCHEMA,
    container,
    framed,
    hostile,
    plain,
    records,
)


def everything(_schema: Any) -> list[tuple[str, ...]]:
    return [()]


pytestmark = pytest.mark.usefixtures("either_reader")


def contents(decoder: Decoder, value: bytes, key: bytes | None = None) -> list[dict[str, Any]]:
    return [record.content for record in records(decoder, key, value)]


CODECS = ["null", "deflate"]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 50])
def test_a_container_holds_one_or_many(codec: str, count: int) -> None:
    decoder = Decoder(wanted=lambda _schema: [("n",)])
    assert contents(decoder, container(ALERTS[:count], codec), b"any key") == ALERTS[:count]


def test_files_of_the_survey_as_they_are(raw_dir: Path) -> None:
    for file in sorted(raw_dir.glob("*.avro")):
        with file.open("rb") as stream:
            expected = list(fastavro.reader(stream))
        assert repr(contents(Decoder(wanted=everything), file.read_bytes())) == repr(expected)


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_container_that_is_cut(cut: int) -> None:
    whole = container(ALERTS)
    with pytest.raises(UndecodableError):
        records(
            Decoder(wanted=everything),
            None,
            whole[: -cut or None] if cut < len(whole) - 4 else b"Obj\x01",
        )


def test_a_container_with_a_bad_record_is_not_shown_in_part() -> None:
    bad = container(ALERTS).replace(b"\x06a33", b"\x06a\xff\xff")
    with pytest.raises(UndecodableError) as caught:
        records(Decoder(wanted=everything), None, bad)
    assert "UTF-8" in str(caught.value)


def test_hostile_containers_end_soon() -> None:
    nothing = {"type": "record", "name": "r", "fields": []}
    own = {"type": "record", "name": "r", "fields": [{"name": "r", "type": "r"}]}
    wide = {"type": "record", "name": "r", "fields": [{"name": f"f{n}", "type": "null"}
            for n in range(9999)] + [{"name": "x", "type": "boolean"}]}  # fmt: skip
    squeezer = zlib.compressobj(9, wbits=-15)
    bomb = squeezer.compress(b"\0" * (MOST_BYTES + 1)) + squeezer.flush()
    start = time.process_time()
    for value in (
        hostile(nothing, 2**60, b""),
        hostile(own, 1, b""),
        hostile(wide, 10**6, b"\0" * 10**6),
        hostile(RECORD, 2**60, b"\0" * 100),
        hostile(RECORD, -1, b""),
        hostile(RECORD, 10, bomb, "deflate"),
        hostile(RECORD, 10, b"not deflated", "deflate"),
        hostile(RECORD, 1, plain(ALERTS[0]), "snappy"),
        hostile(RECORD, 0, b""),
        b"Obj\x01",
    ):
        with pytest.raises(UndecodableError):
            records(Decoder(wanted=everything), None, value)
    assert time.process_time() - start < 2


def test_many_small_blocks_that_are_packed() -> None:
    squeezer = zlib.compressobj(9, wbits=-15)
    packed = squeezer.compress(plain(ALERTS[0])) + squeezer.flush()
    one = hostile(RECORD, 1, packed, "deflate")
    head, block = one[: one.index(b"s" * 16) + 16], one[one.index(b"s" * 16) + 16 :]
    start = time.process_time()
    assert contents(Decoder(), head + block * 10_000) == [ALERTS[0]] * 10_000
    assert time.process_time() - start < 2


def test_confluent_framing_with_a_schema_file() -> None:
    decoder = Decoder(SCHEMA, everything)
    for alert in ALERTS:
        assert contents(decoder, framed(513, alert)) == [alert]
        assert contents(decoder, plain(alert)) == [alert]


def test_confluent_framing_with_the_schema_of_its_id() -> None:
    decoder = Decoder(wanted=everything, by_id={513: SCHEMA}.get)
    assert contents(decoder, framed(513, ALERTS[3])) == [ALERTS[3]]
    assert contents(decoder, plain(ALERTS[3]), json.dumps(RECORD).encode()) == [ALERTS[3]]
    with pytest.raises(UndecodableError):
        records(decoder, None, framed(514, ALERTS[3]))


def test_json() -> None:
    value = b' {"objectId": "ZTF1", "candidate": {"jd": 2459000.5, "ra": 1.5, "dec": 2, "x": [1]}}'
    for key in (None, b"ZTF1"):
        [found] = records(Decoder(wanted=everything), key, value)
        assert found.content == json.loads(value)
        assert list(leaf_paths(found.schema)) == [
            "objectId",
            "candidate.jd",
            "candidate.ra",
            "candidate.dec",
        ]
        assert viewer_columns(found.schema)[0].title == "object"


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b'{"a": NaN',
        b'{"a": nan}',
        b"[1]",
        b'"a"',
        b"\xff{}",
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_what_is_no_json_alert(value: bytes) -> None:
    with pytest.raises(UndecodableError):
        records(Decoder(wanted=everything), None, value)


def test_json_as_python_writes_it() -> None:
    value = b'\xef\xbb\xbf {"a": NaN, "b": [Infinity, -Infinity], "c": 17.5}'
    [found] = records(Decoder(wanted=everything), b"any key", value)
    assert math.isnan(found.content.pop("a"))
    assert found.content == {"b": [math.inf, -math.inf], "c": 17.5}
    deep = b'{"a":' * 5000 + b"NaN" + b"}" * 5000
    with pytest.raises(UndecodableError):
        records(Decoder(wanted=everything), None, deep)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"ZTF21abc", b'[{"a": 1}]', "it is a JSON array, and an alert is a JSON object"),
        (None, b"[NaN]", "it is a JSON array, and an alert is a JSON object"),
        (b"17", b'"a"', "it is a JSON text, and an alert is a JSON object"),
        (b"null", b"<?xml version='1.0'?><voe:VOEvent/>", "it is XML, which fink does not read"),
        (b'{"id": 5}', b" <a/>", "it is XML, which fink does not read"),
        (b"ZTF21abc", b"hello", "it is text, and no JSON; its key 'ZTF21abc' is no Avro schema"),
        (b"\xff" * 99, b"\x02\x00", "it is no JSON, and its key '.{40}…' is no Avro schema"),
        (b'{"id": 5}', b"\x02\x00", "the schema is not an Avro record"),
        (b"", b"\x02\x00", "the message has no schema in its key"),
    ],
)
def test_a_reason_says_what_the_message_is(key: bytes | None, value: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason):
        records(Decoder(wanted=everything), key, value)


def test_a_deep_and_odd_object_has_a_schema() -> None:
    content = {"a.b": {"a.b": {"a.b": None, "": True}}, "many": [{"x": 1}]}
    assert list(leaf_paths(inferred_schema(content))) == ["a.b.a.b."]


def test_changed_bytes_are_alerts_or_undecodable() -> None:
    chance = random.Random(5)
    seeds = [container(ALERTS[:5], codec) for codec in CODECS]
    seeds += [framed(3, ALERTS[1]), b'{"a": {"b": [1, 2, {"c": null}]}}']
    decoders = [
        Decoder(wanted=everything),
        Decoder(SCHEMA, everything),
        Decoder(wanted=everything, by_id={3: SCHEMA}.get),
    ]
    for _ in range(5000):
        changed = bytearray(chance.choice(seeds))
        at = chance.randrange(len(changed))
        changed[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        start = time.process_time()
        with suppress(UndecodableError):
            assert records(chance.choice(decoders), None, bytes(changed))
        assert time.process_time() - start < 1
