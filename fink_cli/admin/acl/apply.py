"""Compare a file of declared access with a cluster, and change the cluster to match it."""

from __future__ import annotations

from fink_cli.admin.acl.access_file import AccessFile
from fink_cli.admin.acl.client import create_rules, delete_rules, read_rules
from fink_cli.admin.acl.plan import AccessPlan, Action, CurrentAccess, make_plan
from fink_cli.admin.topics import create_topics, list_topics
from fink_cli.admin.users import list_users
from fink_cli.connection import Connection
from fink_cli.kafka.client import connect_admin

_SECONDS = 30.0


def read_plan(connection: Connection, declared: AccessFile) -> AccessPlan:
    """Return what has to change on a cluster."""
    client = connect_admin(connection)
    current = CurrentAccess(
        cluster_id=str(client.list_topics(timeout=_SECONDS).cluster_id),
        rules=frozenset(read_rules(connection)),
        topics={topic.name: topic.partitions for topic in list_topics(connection, internal=True)},
        users=frozenset(user.user for user in list_users(connection)),
    )
    return make_plan(declared, current)


def apply_plan(connection: Connection, declared: AccessFile, plan: AccessPlan) -> None:
    """Carry out a plan. If it fails half-way, a new plan has the steps that are left."""
    for name in plan.topics():
        topic = declared.topics[name]
        create_topics(
            connection,
            [name],
            partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            config=topic.config,
        )
    create_rules(connection, plan.rules(Action.ADD))
    delete_rules(connection, plan.rules(Action.REMOVE))
