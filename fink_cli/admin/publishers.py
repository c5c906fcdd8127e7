"""The access rules that a user needs to publish: topics, state topics, transactions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fink_cli.admin.acl.model import (
    ANY,
    PRODUCER,
    Operation,
    Resource,
    ResourceType,
    Rule,
    role_rules,
)

DISTRIBUTIONS, DEAD_LETTERS = "fink_distributions", "fink_dead_letters"
STATE_TOPICS = (DISTRIBUTIONS, DEAD_LETTERS)
"""The topics that hold the state of all distributions; no alert is on them."""

TRANSACTIONS = "fink."
"""How the transactional ids of all distributions begin."""

PARTITIONS = 8
_STATE = (Operation.READ, Operation.WRITE, Operation.DESCRIBE)


STATE_RIGHTS: list[tuple[Operation, Resource]] = [
    *(
        (operation, Resource(ResourceType.TOPIC, topic))
        for topic in STATE_TOPICS
        for operation in _STATE
    ),
    (Operation.WRITE, Resource(ResourceType.TRANSACTIONAL_ID, TRANSACTIONS)),
    (Operation.DESCRIBE, Resource(ResourceType.TRANSACTIONAL_ID, TRANSACTIONS)),
]
"""The operations that a publisher needs beside WRITE on its topics."""


def publisher_rules(user: str, topics: Iterable[str], hosts: Sequence[str] = (ANY,)) -> list[Rule]:
    """Return the rules that a user needs to publish to topics with ``fink distribute``.

    Args:
        topics: the topics; ``fink_*`` means every topic whose name begins with ``fink_``.
        hosts: the IP addresses that the user connects from.
    """
    wanted = list(topics)
    if not wanted:
        return []
    transactions = (Operation.WRITE, Operation.DESCRIBE)
    ids = [f"{TRANSACTIONS}*"]
    return [
        *role_rules(user, ResourceType.TOPIC, wanted, PRODUCER, hosts),
        *role_rules(user, ResourceType.TOPIC, STATE_TOPICS, _STATE, hosts),
        *role_rules(user, ResourceType.TRANSACTIONAL_ID, ids, transactions, hosts),
        # No group is joined, but librdkafka asks for the coordinator of a group all the same.
        *role_rules(user, ResourceType.GROUP, [f"{user}-*"], [Operation.READ], hosts),
    ]
