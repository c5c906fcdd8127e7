"""`fink consume` when it can't: logins, brokers, topics, rights."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclOperation,
)

from tests.support.consume import message, numbers
from tests.support.fink import Fink
from tests.support.users import as_user, new_user, right


def test_a_wrong_password(fink: Fink, cluster: Any, topic: str) -> None:
    wrong = as_user(cluster.connection, "admin", "wrong")
    began = time.monotonic()
    done = fink("consume", "--topic", topic, env=wrong)
    assert time.monotonic() - began < 30
    assert done.returncode == 3
    assert "refused the login of user 'admin'" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_no_broker(fink: Fink) -> None:
    done = fink("consume", "--topic", "x", "--bootstrap-servers", "127.0.0.1:1")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_missing_topic(fink: Fink) -> None:
    done = fink("consume", "--topic", "no-such-topic", "--until-end")
    assert done.returncode == 1
    assert "no-such-topic" in done.stderr
    assert "fink kafka topic" in done.stderr
    listed = fink("kafka", "topic", "list", "-o", "json")
    assert "no-such-topic" not in listed.stdout


def test_no_topic(fink: Fink) -> None:
    assert fink("consume").returncode == 2


@pytest.mark.parametrize("operation", [None, AclOperation.DESCRIBE, AclOperation.WRITE])
def test_a_topic_without_rights(
    fink: Fink, cluster: Any, topic: str, publish: Any, operation: AclOperation | None
) -> None:
    publish(topic, message(0))
    rights = [] if operation is None else [right(topic, operation)]
    user = new_user(cluster.connection, *rights)
    done = fink("consume", "--topic", topic, env=as_user(cluster.connection, user))
    assert done.returncode == 1
    assert f"User '{user}' lacks READ on topic '{topic}'" in done.stderr
    assert f"fink acl add -u {user} -t {topic}" in done.stderr


def test_an_empty_topic_without_rights_is_refused_too(fink: Fink, cluster: Any, topic: str) -> None:
    user = new_user(cluster.connection, right(topic, AclOperation.DESCRIBE))
    login = as_user(cluster.connection, user)
    done = fink("consume", "--topic", topic, "--until-end", env=login)
    assert done.returncode == 1
    assert f"User '{user}' lacks READ on topic '{topic}'" in done.stderr


def test_the_right_to_read_is_enough(fink: Fink, cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, message(0))
    user = new_user(cluster.connection, right(topic, AclOperation.READ))
    env = as_user(cluster.connection, user)
    done = fink("consume", "--topic", topic, "--until-end", "-o", "json", env=env)
    assert (done.returncode, numbers(done)) == (0, [0])
    group = fink("consume", "--topic", topic, "--until-end", "-g", "a-group", env=env)
    assert group.returncode == 1
    assert f"User '{user}' lacks READ on group 'a-group'" in group.stderr
