"""`fink consume --where`."""

from __future__ import annotations

import json
from typing import Any

import pexpect

from tests.broker.watching import FINK, Fink, lines, messages, numbers, summary


def test_only_what_is_selected_is_shown(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(6))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    done = fink(*words, "--where", "number >= 2 and objectId in ['ZTF0002', 'ZTF0004']")
    assert numbers(done) == [2, 4]
    assert summary(done) == {"read": 6, "shown": 2, "skipped": 0}
    assert numbers(fink(*words, "--where", "number > 1", "--limit", "2")) == [2, 3]
    assert numbers(fink(*words, "--where", "mag < 99")) == []


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
    child = pexpect.spawn(
        FINK[0],
        [*FINK[1:], *several[:2], *several[4:]],
        env={**cluster.environ, "TERM": "xterm"},
        dimensions=(40, 200),
    )
    child.expect(pexpect.EOF, timeout=30)
    assert child.before.count(f"which the alerts of {third} do not have".encode()) == 1


def test_a_mistake_ends_it_before_the_first_alert(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    for where, says in [("number >", "syntax"), ("numbre > 1", "Is it number that you mean?")]:
        done = fink(*words, "--where", where)
        assert done.returncode == 2
        assert done.stdout == ""
        assert says in done.stderr
