"""`fink consume` while its broker goes away and comes back."""

from __future__ import annotations

import json
import time
from typing import Any, NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException

from fink_cli.consumer import assignment, topic_reader
from fink_cli.consumer.topic_reader import TopicReader, open_topics
from fink_cli.errors import UnreachableError
from fink_cli.kafka import offsets
from tests.support.consume import messages, numbers
from tests.support.fink import Fink
from tests.support.processes import running, shown_by
from tests.support.waiting import wait_for


def poll_for_ever(*sources: TopicReader) -> NoReturn:
    while True:
        for source in sources:
            source.poll()


def test_what_was_shown_after_an_outage_is_committed(
    fink: Fink, cluster: Any, topic: str, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(topic, *messages(1000))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json")
    live = ("consume", "--topic", topic, "--where", "number in [0, 1000]", "-o", "json")
    with (
        running(cluster.environ, *words, "--limit", "2000") as process,
        running(cluster.environ, *live) as following,
        open_topics(cluster.connection, [topic], until_end=True) as ending,
        open_topics(cluster.connection, [topic], keeps_trying=True) as going_on,
    ):
        # It waits in the middle: there is no room for its lines before somebody reads on.
        assert process.stdout is not None
        assert process.stdout.readline()
        assert shown_by(following, 1) == [0]
        assert fink("kafka", "stop").returncode == 0
        # Who follows goes on for ever; who has an end gives up after a while, here a short one.
        monkeypatch.setattr(topic_reader, "LOST_SECONDS", 1.0)
        with pytest.raises(UnreachableError):
            poll_for_ever(going_on, ending)
        assert following.stderr is not None
        assert "does not answer: trying until it does" in following.stderr.readline()
        assert fink("kafka", "start").returncode == 0
        publish(topic, *messages(1000, first=1000))
        assert shown_by(following, 1) == [1000]
        wait_for(lambda: len(going_on.poll()) > 0)
        assert "answers again" in following.stderr.readline()
        following.terminate()
        _, warned = following.communicate(timeout=30)
        assert following.returncode == 130, warned
        assert "answer" not in warned
        time.sleep(3)  # then it has all, and the error of the connection among it
        shown, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert "committed" not in said
    last = json.loads(shown.splitlines()[-1])["alert"]["number"]
    assert numbers(fink(*words, "--until-end")) == list(range(last + 1, 2000))


def test_what_a_group_hands_out_while_the_cluster_is_away_is_read_later(
    cluster: Any, topic: str, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(topic, *messages(3))
    away = KafkaException(KafkaError(KafkaError._TRANSPORT))
    tries = 0

    def spans_of(*given: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise away
        return offsets.spans_of(*given)

    monkeypatch.setattr(assignment, "spans_of", spans_of)
    with open_topics(cluster.connection, [topic], f"g-{topic}", keeps_trying=True) as source:
        read: list[int | None] = []
        while len(read) < 3:
            read += [message.offset() for message in source.poll()]
    assert read == [0, 1, 2]
    assert tries == 3
