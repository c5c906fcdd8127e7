"""`fink consume --where`."""

from __future__ import annotations

from typing import Any

from tests.broker.watching import Fink, messages, numbers, summary


def test_only_what_is_selected_is_shown(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(6))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    done = fink(*words, "--where", "number >= 2 and objectId in ['ZTF0002', 'ZTF0004']")
    assert numbers(done) == [2, 4]
    assert summary(done) == {"read": 6, "shown": 2, "skipped": 0}
    assert numbers(fink(*words, "--where", "number > 1", "--limit", "2")) == [2, 3]
    assert numbers(fink(*words, "--where", "mag < 99")) == []


def test_a_mistake_ends_it_before_the_first_alert(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(3))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json")
    for where, says in [("number >", "syntax"), ("numbre > 1", "Is it number that you mean?")]:
        done = fink(*words, "--where", where)
        assert done.returncode == 2
        assert done.stdout == ""
        assert says in done.stderr
