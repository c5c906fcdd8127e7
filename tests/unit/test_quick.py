"""Alerts decoded quickly, against fastavro, which is the reference."""

from __future__ import annotations

import io
import json
import math
import random
import time
from pathlib import Path

import fastavro
import pytest

from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.projection import wanted_fields
from fink_cli.alerts.quick import quick_reader
from fink_cli.alerts.schema import leaf_paths, read_schema
from fink_cli.alerts.select import parse_fields, pick
from tests.support.avro import LOGICAL, LOGICAL_ALERT, encoded, mutated, survey_messages
from tests.support.random_schemas import Sampler, long, reference


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("seed", range(150))
def test_types_of_all_kinds(seed: int) -> None:
    sampler = Sampler(seed)
    schema = read_schema(json.dumps(sampler.record()))
    quick, decodable, quickly = quick_reader(schema), 0, 0
    paths = list(leaf_paths(schema.parsed))
    chosen = parse_fields(",".join(sampler.dice.sample(paths, min(2, len(paths)))))
    fields = wanted_fields(schema, [each.steps for each in chosen])
    part = quick_reader(schema, fields)
    for number in range(30):
        value = sampler.value(schema.parsed | {"type": "record"})
        value = value if number < 15 else mutated(value, sampler.dice)
        expected, found, some = reference(value, schema), quick(value), part(value)
        decodable += number < 15 and expected is not None
        quickly += number < 15 and found is not None
        assert found is None or repr(found) == repr(expected)
        if some is not None and expected is not None:
            assert repr(pick(some, chosen)) == repr(pick(expected, chosen))
    # A number of 64 bits, and a date out of range, are for fastavro; most else is not.
    assert decodable == 0 or quickly > 0


def test_most_values_are_decoded_quickly() -> None:
    counts = [0, 0]
    for seed in range(100):
        sampler = Sampler(seed)
        schema = read_schema(json.dumps(sampler.record()))
        value = sampler.value(schema.parsed | {"type": "record"})
        if reference(value, schema) is not None:
            counts[0] += 1
            counts[1] += quick_reader(schema)(value) is not None
    assert counts[0] > 50
    assert counts[1] > 0.6 * counts[0]


def test_real_alerts_are_decoded_quickly(raw_dir: Path) -> None:
    for key, value, alert in survey_messages(raw_dir):
        schema = read_schema(key)
        assert repr(quick_reader(schema)(value)) == repr(alert)
        part = wanted_fields(schema, [("objectId",), ("prv_candidates", 0, "jd")])
        some = quick_reader(schema, part)(value)
        assert some is not None
        assert some["objectId"] == alert["objectId"]
        assert set(some) == {"objectId", "prv_candidates"}


def test_logical_types_are_those_of_fastavro() -> None:
    key, value = encoded(json.dumps(LOGICAL), LOGICAL_ALERT)
    assert quick_reader(read_schema(key))(value) == LOGICAL_ALERT


@pytest.mark.parametrize("name", ["int", "long"])
def test_the_largest_numbers(name: str) -> None:
    text = json.dumps({"type": "record", "name": "r", "fields": [{"name": "n", "type": name}]})
    for number in (2**62 - 1, -(2**62), 2**62, 2**63 - 1, -(2**63), 2**31):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, "long", number)
        assert Decoder().decode(text.encode(), out.getvalue()) == {"n": number}


def test_runs_of_numbers_with_gaps() -> None:
    names = [f"f{number}" for number in range(70)]
    fields = [{"name": each, "type": ["null", "double"]} for each in names]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    dice = random.Random(3)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        alert = {each: math.pi if dice.random() < share else None for each in names}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema.parsed, alert)
        assert quick_reader(schema)(out.getvalue()) == alert
        assert quick_reader(schema)(out.getvalue()[:-1]) is None
        assert quick_reader(schema)(out.getvalue() + b"\0") is None


def test_a_count_without_end_ends() -> None:
    inner = {"type": "record", "name": "i", "fields": [{"name": "x", "type": "double"}]}
    fields = [
        {"name": "a", "type": {"type": "array", "items": inner}},
        {"name": "n", "type": "int"},
    ]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    start = time.process_time()
    for wanted in (None, {"r": frozenset({"n"})}, {"r": frozenset({"a"})}):
        assert quick_reader(schema, wanted)(long(2**60) + b"\0" * 64) is None
        assert quick_reader(schema, wanted)(long(-(2**60)) * 2 + b"\0" * 64) is None
    assert time.process_time() - start < 0.5


def test_ten_thousand_columns_are_soon_ready() -> None:
    fields = [{"name": f"f{number}", "type": ["null", "long"]} for number in range(9_999)]
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": fields}))
    start = time.process_time()
    for wanted in (None, {"r": frozenset({"f1"})}):
        assert quick_reader(schema, wanted)(b"\0" * 9_999) == {
            each["name"]: None for each in fields
        }
    assert time.process_time() - start < 1
