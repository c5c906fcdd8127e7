"""What `fink acl check` says, against what the broker does for each user."""

from __future__ import annotations

import itertools
import json
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient

from fink_cli.admin.acl.authorizer import (
    AccessRequest,
    Policy,
    Role,
    access_requests,
    authorize,
    check_access,
)
from fink_cli.admin.acl.client import create_rules, delete_rules, read_rules
from fink_cli.admin.acl.flags import Flags, rules_from
from fink_cli.admin.acl.model import (
    CLUSTER,
    OPERATIONS,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
)
from fink_cli.admin.topics import create_topics
from fink_cli.admin.users import delete_logins, set_password
from fink_cli.connection import Connection
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.waiting import wait_for

HERE = "127.0.0.1"
ELSEWHERE = "10.9.9.9"
SEED = 20_190_801
_ERRORS = {"TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED"}


def can_produce(login: Connection, topic: str) -> bool:
    """Whether the broker takes a message from the user."""
    errors: list[Any] = []
    producer = Producer({**login.librdkafka(), "message.timeout.ms": 15_000, "log_level": 0})
    producer.produce(topic, b"v", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors[0] is None or errors[0].name() in _ERRORS, errors
    return errors[0] is None


def can_consume(login: Connection, topic: str, group: str) -> bool:
    """Whether the broker gives the user a message, as a member of a group."""
    settings = {"group.id": group, "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer({**login.librdkafka(), **settings})
    consumer.subscribe([topic])
    deadline = time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None:
                error = message.error()
                assert error is None or error.name() in _ERRORS, error
                return error is None
    except KafkaException as error:
        if error.args[0].name() in _ERRORS:
            return False
        raise
    finally:
        consumer.close()
    pytest.fail(f"no answer: {login.username} {topic} {group}")


def rights(client: AdminClient, resource: Resource) -> set[str] | None:
    """What the broker tells the user that it may do; none where it may not even describe it."""
    deadline = time.monotonic() + 20
    while True:
        try:
            told = _ask(client, resource).result(15).authorized_operations
            return None if told is None else {each.name for each in told}
        except KafkaException as error:
            name = error.args[0].name()
            if name in _ERRORS:
                return None
            if "COORDINATOR" not in name or time.monotonic() > deadline:
                raise
        time.sleep(0.2)  # the topic of the groups' offsets is being made


def _ask(client: AdminClient, resource: Resource) -> Any:
    if resource.type is ResourceType.TOPIC:
        topics = TopicCollection([resource.name])
        return client.describe_topics(topics, include_authorized_operations=True)[resource.name]
    if resource.type is ResourceType.GROUP:
        return client.describe_consumer_groups([resource.name], include_authorized_operations=True)[
            resource.name
        ]
    return client.describe_cluster(include_authorized_operations=True)


def make_users(cluster: TestCluster, count: int) -> list[Connection]:
    logins = [
        replace(cluster.connection, username=f"m{uuid.uuid4().hex[:8]}", password="secret-1")
        for _ in range(count)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda u: set_password(cluster.connection, u.username, u.password), logins))
    return logins


def forget(cluster: TestCluster, logins: Sequence[Connection]) -> None:
    names = {each.username for each in logins}
    there = [rule for rule in read_rules(cluster.connection) if rule.user in names]
    delete_rules(cluster.connection, there)
    for each in logins:
        delete_logins(cluster.connection, each.username, ["SCRAM-SHA-512"])


# What `fink acl add` can be told: who reads, in a group or not, who writes, or both …
ROLES = [{}, {"group": True}, {"producer": True}, {"group": True, "producer": True}]
# … by the name or its beginning, from here, elsewhere or anywhere; alone, or denied on top.
MATRIX = list(itertools.product(ROLES, (False, True), ("*", HERE, ELSEWHERE), (False, True)))


def flags_of(user: str, topic: str, case: tuple[Any, ...]) -> list[Flags]:
    role, prefixed, host, denied = case
    group = f"{user}-g"
    flags = Flags(
        user,
        topic=topic[:-3] if prefixed else topic,
        group=(group[:-1] if prefixed else group) if "group" in role else None,
        producer="producer" in role,
        host=host,
        prefixed=prefixed,
    )
    if not denied:
        return [flags]
    # Everything is allowed, and the case is taken away again.
    everything = Flags(user, topic=topic, group=group, producer=True)
    return [everything, replace(flags, deny=True)]


def test_users_with_every_combination_of_flags(
    cluster: TestCluster, fink: Fink, topic: str, publish: Any
) -> None:
    publish(topic, (b"k", b"v"))
    users = make_users(cluster, len(MATRIX))
    try:
        wanted = [
            flags
            for login, case in zip(users, MATRIX, strict=True)
            for flags in flags_of(login.username, topic, case)
        ]
        rules = [rule for each in wanted for rule in rules_from(each)]
        create_rules(cluster.connection, rules)
        policy = policy_with(cluster.connection, rules)

        def differences(at: int) -> list[str]:
            login, group = users[at], f"{users[at].username}-g"
            done = {
                Role.PRODUCE: can_produce(login, topic),
                Role.CONSUME: can_consume(login, topic, group),
                Operation.DESCRIBE: rights(
                    AdminClient(login.librdkafka()), Resource(ResourceType.TOPIC, topic)
                )
                is not None,
            }
            groups = {Role.CONSUME: group}
            said = {
                act: check_access(
                    policy, act, access_requests(login.username, act, topic, groups.get(act), HERE)
                ).allowed
                for act in done
            }
            return [f"{MATRIX[at]} {act}: {said[act]}" for act in done if said[act] != done[act]]

        with ThreadPoolExecutor(8) as pool:
            found = [
                each for several in pool.map(differences, range(len(users))) for each in several
            ]
        assert found == []

        # The command says the same as the functions that it calls.
        for at in range(0, len(users), 7):
            name = users[at].username
            asked = access_requests(name, Role.CONSUME, topic, f"{name}-g", HERE)
            words = ["-u", name, "-t", topic, "-c", f"{name}-g", "--operation", "consume"]
            done = fink("acl", "check", *words, "-H", HERE, "-o", "json")
            expected = check_access(policy, Role.CONSUME, asked)
            assert json.loads(done.stdout)["allowed"] is expected.allowed
            assert json.loads(done.stdout)["decided_by"] == expected.decided_by
            assert done.returncode == (0 if expected.allowed else 1)
    finally:
        forget(cluster, users)


def policy_with(
    connection: Connection, made: Sequence[Rule], deleted: Sequence[Rule] = ()
) -> Policy:
    """The policy, once the broker has what was made, and no longer what was deleted.

    The controller has it first. What the broker tells is what it decides by.
    """
    found: list[Rule] = []

    def arrived() -> bool:
        found[:] = read_rules(connection)
        return set(made) <= set(found) and set(deleted).isdisjoint(found)

    wait_for(arrived)
    return Policy(found)


class World:
    """Two users, three topics, three groups, and rules among them that are drawn at random."""

    def __init__(self, cluster: TestCluster, seed: int) -> None:
        self.connection = cluster.connection
        self.random = random.Random(seed)
        base = f"w{uuid.uuid4().hex[:6]}"
        self.topics = [f"{base}_a", f"{base}_ab", f"{base}_b"]
        self.groups = [f"{base}-a", f"{base}-ab", f"{base}-b"]
        self.prefixes = {ResourceType.TOPIC: f"{base}_", ResourceType.GROUP: f"{base}-"}
        self.users = make_users(cluster, 2)
        create_topics(self.connection, self.topics, partitions=1, replication_factor=1, config={})
        producer = Producer(self.connection.librdkafka())
        for topic in self.topics:
            producer.produce(topic, b"v")
        assert producer.flush(20) == 0
        self.clients = [AdminClient(each.librdkafka()) for each in self.users]
        self.rules: list[Rule] = []

    @property
    def resources(self) -> list[Resource]:
        topics = [Resource(ResourceType.TOPIC, name) for name in self.topics]
        return [*topics, *(Resource(ResourceType.GROUP, name) for name in self.groups), CLUSTER]

    def draw(self) -> list[Rule]:
        """Some rules: mostly ALLOW, as it is in life, so that not everything is denied."""
        return [self._draw_one() for _ in range(self.random.randint(1, 12))]

    def _draw_one(self) -> Rule:
        pick = self.random.choice
        kind = pick([ResourceType.TOPIC] * 5 + [ResourceType.GROUP] * 4 + [ResourceType.CLUSTER])
        names = {ResourceType.TOPIC: self.topics, ResourceType.GROUP: self.groups}
        name, pattern = CLUSTER.name, PatternType.LITERAL
        if kind is not ResourceType.CLUSTER:
            prefix = self.prefixes[kind]
            name, pattern = pick(
                [
                    (pick(names[kind]), PatternType.LITERAL),
                    (pick(names[kind]), PatternType.PREFIXED),
                    (prefix, PatternType.PREFIXED),
                    (prefix[:3], PatternType.PREFIXED),
                    (f"{prefix}a", PatternType.LITERAL),
                    ("*", PatternType.LITERAL),
                    ("*", PatternType.PREFIXED),
                ]
            )
        possible = sorted(OPERATIONS[kind])
        likely = [
            op for op in (Operation.READ, Operation.WRITE, Operation.DESCRIBE) if op in possible
        ]
        operation = pick(likely * 2 + possible)
        names_of = [f"User:{each.username}" for each in self.users]
        return Rule(
            pick([*names_of, names_of[0], "User:*", f"Group:{self.users[0].username}"]),
            pick(["*", "*", HERE, ELSEWHERE]),
            operation,
            pick([Permission.ALLOW] * 3 + [Permission.DENY]),
            kind,
            name,
            pattern,
        )

    def put(self, rules: list[Rule]) -> Policy:
        """Make these the rules, and wait until the broker decides by them."""
        gone = [each for each in self.rules if each not in rules]
        new = [each for each in dict.fromkeys(rules) if each not in self.rules]
        delete_rules(self.connection, gone)
        create_rules(self.connection, new)
        self.rules = list(dict.fromkeys(rules))
        return policy_with(self.connection, self.rules, gone)

    def differences(self, policy: Policy) -> Iterator[str]:
        """Where the broker tells the users other rights than the policy gives them."""
        for login, client in zip(self.users, self.clients, strict=True):
            for resource in self.resources:
                yield from self._differences(policy, login.username, client, resource)

    def _differences(
        self, policy: Policy, user: str, client: AdminClient, resource: Resource
    ) -> Iterator[str]:
        told = rights(client, resource)
        for operation in sorted(OPERATIONS[resource.type] - {Operation.ALL}):
            decision = authorize(policy, AccessRequest(user, operation, resource, HERE))
            if told is None:
                # Who may not describe it is told nothing else.
                if operation is Operation.DESCRIBE and decision.allowed:
                    yield f"{user} {operation} {resource}: not told, {decision.reason}"
            elif (operation in told) is not decision.allowed:
                yield f"{user} {operation} {resource}: {decision.reason}"

    def differences_in_deed(self, policy: Policy) -> Iterator[str]:
        """Where producing or consuming ends otherwise than the policy has it."""
        login = self.random.choice(self.users)
        topic, group = self.random.choice(self.topics), self.random.choice(self.groups)
        for role, done in (
            (Role.PRODUCE, can_produce(login, topic)),
            (Role.CONSUME, can_consume(login, topic, group)),
        ):
            in_group = group if role is Role.CONSUME else None
            asked = access_requests(login.username, role, topic, in_group, HERE)
            said = check_access(policy, role, asked)
            if said.allowed is not done:
                yield f"{login.username} {role} {topic} {group}: {done}, {said.decisions}"

    def end(self, cluster: TestCluster) -> None:
        delete_rules(self.connection, self.rules)
        forget(cluster, self.users)


@pytest.mark.parametrize(
    ("rounds", "seed"), [(40, SEED), pytest.param(400, SEED + 1, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
def test_no_difference_between_check_and_the_broker(
    rounds: int, seed: int, cluster: TestCluster
) -> None:
    world = World(cluster, seed)
    try:
        for number in range(rounds):
            rules = world.draw()
            policy = world.put(rules)
            found = list(world.differences(policy))
            if number % 5 == 0:
                found += world.differences_in_deed(policy)
            said = "\n".join(["", *found, "by:", *map(str, sorted(policy.rules))])
            assert not found, f"round {number} of seed {seed}:{said}"
    finally:
        world.end(cluster)
