"""``fink acl audit``, ``plan``, ``list`` and ``auth list`` of a big cluster against a bare listing.

A real cluster of 1,000 topics, 5,000 users and 15,000 rules (``--users`` sets another number): each
user reads a few topics, some by a prefix, in groups of its own; some rules are for nobody, and some
take. The bare listing is a whole process that asks confluent-kafka for all rules and prints them, a
line each. Run it with ``make bench``.

Goals: audit 10 s, plan 5 s, list 3 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from night import cluster, fink

from fink_cli.admin.acl.client import create_rules
from fink_cli.admin.acl.flags import Flags, rules_from
from fink_cli.admin.acl.model import CONSUMER, Operation, ResourceType, role_rules
from fink_cli.admin.topics import create_topics
from fink_cli.settings import resolve_connection

BARE = """
import sys
from confluent_kafka.admin import AclBindingFilter, AdminClient
pairs = (line.rstrip("\\n").split("=", 1) for line in sys.stdin)
client = AdminClient(dict(pairs))
asked = AclBindingFilter("ANY", None, "ANY", None, None, "ANY", "ANY")
for rule in client.describe_acls(asked, request_timeout=60).result(60):
    print(rule.principal, rule.host, rule.operation.name, rule.restype.name, rule.name)
"""
GOALS = {"acl audit": 10.0, "acl plan": 5.0, "acl list": 3.0, "auth list": 3.0}
ROUNDS = 3
TOPICS = 1000


def fill(users: int) -> str:
    """Make topics, users and rules; the declared access of the same users, as a file's text."""
    connection = resolve_connection()
    names = [f"fink_{number % 20:02}_{number:04}" for number in range(TOPICS)]
    for at in range(0, TOPICS, 100):
        create_topics(
            connection,
            names[at : at + 100],
            partitions=1,
            replication_factor=1,
            config={},
        )
    client = AdminClient(connection.librdkafka())
    login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    people = [f"user{number:05}" for number in range(users)]
    for at in range(0, users, 500):
        given = [
            UserScramCredentialUpsertion(name, login, b"secret") for name in people[at : at + 500]
        ]
        for done in client.alter_user_scram_credentials(given, request_timeout=60).values():
            done.result(60)
    rules, declared = [], []
    for number, user in enumerate(people):
        topic = f"fink_{number % 20:02}_*" if number % 10 == 0 else names[number % TOPICS]
        if number % 50 == 1:
            rules += rules_from(Flags(user, topic, deny=True, host="192.0.2.7"))
        rules += role_rules(user, ResourceType.TOPIC, [topic], CONSUMER)
        rules += role_rules(user, ResourceType.GROUP, [f"{user}-*"], [Operation.READ])
        declared.append(f'[users.{user}]\nconsumer = ["{topic}", "{names[number % 7]}"]\n')
    create_rules(connection, rules)
    return "".join(declared)


def seconds(command: Sequence[str | Path], stdin: str = "") -> tuple[float, float]:
    """How long a whole process takes whose output goes to a file, and how much of it a core works.

    On a machine that is busy with other things the second says more.
    """
    with tempfile.TemporaryFile("w+") as out:
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, input=stdin, stdout=out, text=True, check=True)
        after = os.times()
    worked = after.children_user + after.children_system
    worked -= before.children_user + before.children_system
    return time.perf_counter() - began, worked


def main() -> None:
    """Fill a cluster, time each command and the bare listing in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5000)
    users = parser.parse_args().users
    program = Path(sys.executable).with_name("fink")
    with cluster() as home:
        began = time.perf_counter()
        declared = home / "access.toml"
        declared.write_text(fill(users))
        print(f"{users} users, {TOPICS} topics, in {time.perf_counter() - began:.0f} s")
        print(fink("acl", "list", "-o", "json").count('"principal"'), "rules")
        settings = "\n".join(f"{k}={v}" for k, v in resolve_connection().librdkafka().items())
        for words, goal in GOALS.items():
            command = [program, *words.split(), *([declared] if words == "acl plan" else [])]
            for form in ("table", "json"):
                pairs = [
                    (
                        seconds([*command, "-o", form]),
                        seconds([sys.executable, "-c", BARE], settings),
                    )
                    for _ in range(ROUNDS)
                ]
                ours, bare = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
                print(
                    f"{words} -o {form}: {ours[0]:.1f} s, {ours[1]:.1f} of CPU (goal {goal:.0f}); "
                    f"a bare listing of the rules {bare[0]:.1f} s, {bare[1]:.1f} s of CPU: "
                    f"{ours[1] / bare[1]:.1f} times",
                    flush=True,
                )


if __name__ == "__main__":
    main()
