"""Compare a file of declared access with a cluster, and change the cluster to match it."""

from __future__ import annotations

from fink_cli.admin.acl.access_file import AccessFile
from fink_cli.admin.acl.client import create_rules, delete_rules, read_rules
from fink_cli.admin.acl.plan import AccessPlan, Action, CurrentAccess, make_plan
from fink_cli.admin.quotas import JavaTools, Quota, open_quotas
from fink_cli.admin.topics import create_topics, list_topics
from fink_cli.admin.users import list_users
from fink_cli.connection import Connection
from fink_cli.kafka.client import connect_admin

_SECONDS = 30.0


def read_plan(connection: Connection, declared: AccessFile, tools: JavaTools | None) -> AccessPlan:
    """Return what has to change on a cluster; ``tools`` read the quotas, if it declares any."""
    client = connect_admin(connection)
    quotas: dict[str, Quota] = {}
    if tools is not None:
        with open_quotas(connection, tools) as quota_client:
            quotas = quota_client.read()
    current = CurrentAccess(
        cluster_id=str(client.list_topics(timeout=_SECONDS).cluster_id),
        rules=frozenset(read_rules(connection)),
        topics={topic.name: topic.partitions for topic in list_topics(connection, internal=True)},
        users=frozenset(user.user for user in list_users(connection)),
        quotas=quotas,
    )
    return make_plan(declared, current)


def apply_plan(
    connection: Connection, declared: AccessFile, plan: AccessPlan, tools: JavaTools | None
) -> None:
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
    if plan.quotas and tools is not None:
        with open_quotas(connection, tools) as quota_client:
            for step in plan.quotas:
                quota_client.change(step.user, {step.limit: step.after})
