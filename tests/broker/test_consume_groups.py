"""`fink consume` in a consumer group."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
)

from tests.support.consume import messages, numbers
from tests.support.fink import Fink
from tests.support.processes import running, shown_by
from tests.support.topics import committed_offset, has_shared_out
from tests.support.waiting import wait_for


def test_a_group_goes_on_where_it_stopped(fink: Fink, topic: str, publish: Any) -> None:
    publish(topic, *messages(10))
    group = f"g-{topic}"
    words = ("consume", "--topic", topic, "-g", group, "-o", "json")
    assert numbers(fink(*words, "--limit", "4")) == [0, 1, 2, 3]
    assert numbers(fink(*words, "--limit", "1")) == [4]
    assert numbers(fink(*words, "--until-end")) == [5, 6, 7, 8, 9]
    assert numbers(fink(*words, "--until-end")) == []
    assert numbers(fink(*words, "--until-end", "--from", "8")) == [8, 9]
    assert numbers(fink(*words, "--until-end")) == []
    assert numbers(fink(*words, "--limit", "2", "--from", "earliest")) == [0, 1]
    assert numbers(fink(*words, "--until-end", "--from", "latest")) == []
    publish(topic, *messages(2, first=10))
    assert numbers(fink(*words, "--until-end")) == [10, 11]


def test_what_was_deleted_before_it_was_read_is_told_once(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    publish(topic, *messages(10))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json")
    assert numbers(fink(*words, "--limit", "4")) == [0, 1, 2, 3]
    admin = AdminClient(cluster.connection.librdkafka())
    for future in admin.delete_records([TopicPartition(topic, 0, 10)]).values():
        future.result()
    done = fink(*words, "--until-end")
    assert f"6 messages of {topic} were deleted before the group" in done.stderr
    assert (done.returncode, numbers(done)) == (0, [])
    assert "deleted" not in fink(*words, "--until-end").stderr


def test_without_a_group_nothing_is_left_behind(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    publish(topic, *messages(3))
    admin = AdminClient(cluster.connection.librdkafka())
    before = {each.group_id for each in admin.list_consumer_groups().result().valid}
    for _ in range(2):
        assert numbers(fink("consume", "--topic", topic, "--until-end", "-o", "json")) == [0, 1, 2]
    after = {each.group_id for each in admin.list_consumer_groups().result().valid}
    # Only new ones count: what another test has left empty may go meanwhile.
    assert after <= before


def test_after_a_kill_no_alert_is_lost(fink: Fink, cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(5))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json")
    with running(cluster.environ, *words) as process:
        assert shown_by(process, 5) == [0, 1, 2, 3, 4]
        wait_for(lambda: committed_offset(cluster.connection, f"g-{topic}", topic) == 5)
        process.send_signal(signal.SIGKILL)
    publish(topic, *messages(5, first=5))
    # The dead member's session has to end first.
    done = fink(*words, "--limit", "5")
    assert numbers(done) == [5, 6, 7, 8, 9]


def test_killed_in_the_middle_nothing_is_passed_over(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    total = 20_000
    publish(topic, *messages(total))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json")
    with running(cluster.environ, *words) as process:
        before = shown_by(process, 2000)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        for line in process.stdout.read().splitlines():
            try:
                before.append(json.loads(line)["alert"]["number"])
            except json.JSONDecodeError:
                break  # the line that the kill cut
    after = numbers(fink(*words, "--until-end"))
    assert after[0] <= before[-1] + 1
    assert sorted({*before, *after}) == list(range(total))


def new_to(seen: list[int], process: subprocess.Popen[str], count: int) -> list[int]:
    """What a member shows until so many are among it that were not seen before."""
    share: list[int] = []
    while len(set(share) - set(seen)) < count:
        share += shown_by(process, 1)
    return share


def test_two_members_share_the_work(cluster: Any, make_topic: Any, publish: Any) -> None:
    topic = make_topic(partitions=2)
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json", "--from", "earliest")
    for partition in range(2):
        publish(topic, *messages(10, first=10 * partition), partition=partition)
    with running(cluster.environ, *words) as first:
        seen = shown_by(first, 20)
        with running(cluster.environ, *words) as second:
            wait_for(lambda: has_shared_out(cluster.connection, f"g-{topic}"))
            for partition in range(2):
                publish(topic, *messages(10, first=20 + 10 * partition), partition=partition)
            shares = [new_to(seen, process, 10) for process in (first, second)]
            for process, share in zip((first, second), shares, strict=True):
                process.send_signal(signal.SIGINT)
                out, said = process.communicate(timeout=60)
                assert process.returncode == 130
                assert ("has other members" in said) == (process is second)
                share += [json.loads(line)["alert"]["number"] for line in out.splitlines()]
    assert [len(set(share) - set(seen)) for share in shares] == [10, 10]
    # The second does not move a group that the first reads in.
    assert not set(shares[1]) & set(seen)
    assert sorted({*seen, *shares[0], *shares[1]}) == list(range(40))
