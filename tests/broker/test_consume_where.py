"""`fink consume --where`."""

from __future__ import annotations

import io
import json
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro

from tests.support.consume import lines, messages, numbers, summary
from tests.support.fink import Fink
from tests.support.terminal import run_on_terminal


def test_only_what_is_selected_is_shown(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(6))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    done = fink(*words, "--where", "number >= 2 and objectId in ['ZTF0002', 'ZTF0004']")
    assert numbers(done) == [2, 4]
    assert summary(done) == {"read": 6, "shown": 2, "skipped": 0}
    assert numbers(fink(*words, "--where", "number > 1", "--limit", "2")) == [2, 3]
    assert numbers(fink(*words, "--where", "mag < 99")) == []
    # SQL, and the headings of the table.
    assert numbers(fink(*words, "--where", "object IN ('ZTF0003') OR number = 1")) == [1, 3]
    none = fink(*words[:4], "--where", "number > 99")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "0 of 6 alerts shown.\n")


def test_a_field_that_only_some_topics_have(
    fink: Fink, cluster: Any, make_topic: Any, publish: Any
) -> None:
    own = {"type": "record", "name": "o", "fields": [{"name": "m", "type": "int"}]}
    with_m, without, third = make_topic(), make_topic(), make_topic()
    publish(with_m, (json.dumps(own).encode(), b"\x04"))
    publish(without, *messages(2))
    publish(third, *messages(2))
    words = ("consume", "--until-end", "-o", "json", "--where")
    several = (*words, "m > 1", "-t", without, "-t", with_m, "-t", third)
    done = fink(*several)
    assert done.returncode == 0, done.stderr
    assert [line["alert"] for line in lines(done)] == [{"m": 2}]
    for topic in (without, third):
        assert done.stderr.count(f"names m, which the alerts of {topic} do not have") == 1
    # What no topic has is a mistake, whichever comes first.
    for where in ("n > 1", "m > 1"):
        done = fink(*words, where, "-t", without, "-t", third)
        assert done.returncode == 2
        assert "the alerts have no such field" in done.stderr
    # What is drawn in place has no room for a warning before the end.
    _, printed = run_on_terminal(cluster.environ, *several[:2], *several[4:], width=200)
    assert printed.count(f"which the alerts of {third} do not have") == 1


def test_a_mistake_ends_it_before_the_first_alert(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    for where, says in [
        ("number >", "an operand is missing"),
        ("numbre > 1", "Is it number that you mean?"),
        ("number != '3'", "compares number (a number) with '3' (a text)"),
    ]:
        done = fink(*words, "--where", where)
        assert done.returncode == 2
        assert done.stdout == ""
        assert says in done.stderr


def test_dates_times_decimals_and_uuids(fink: Fink, topic: str, publish: Any) -> None:
    kinds = {
        "night": {"type": "int", "logicalType": "date"},
        "at": {"type": "long", "logicalType": "time-micros"},
        "flux": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        "uid": {"type": "string", "logicalType": "uuid"},
        "never": {"type": "long", "logicalType": "timestamp-micros"},
    }
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    schema = {"type": "record", "name": "alert", "fields": fields}
    out = io.BytesIO()
    content = (date(2026, 1, 2), time(3, 4, 5), Decimal("-1.05"), UUID(int=5), 2**62)
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(schema), dict(zip(kinds, content, strict=True))
    )
    publish(topic, (json.dumps(schema).encode(), out.getvalue()))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json", "--strict", "--where")
    holds = (
        "night == '2026-01-02' and night < '2030-01-01' and at > '01:00:00' and flux == -1.05 and "
        "abs(flux) > 1 and uid == '00000000-0000-0000-0000-000000000005'"
    )
    done = fink(*words, holds)
    [line] = lines(done)
    assert line["alert"]["never"] == 2**62
    assert summary(done) == {"read": 1, "shown": 1, "skipped": 0}
    assert lines(fink(*words, "night != '2026-01-02' or flux != -1.05")) == []
