"""What a user needs to publish: rights on topics, those of the state, and transactions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fink_cli.admin.rules import (
    ANY,
    PRODUCER,
    Operation,
    ResourceType,
    Rule,
    role_rules,
)

DISTRIBUTIONS, DEAD_LETTERS = "fink_distributions", "fink_dead_letters"
TRANSACTIONS = "fink."
"""How the transactional ids of all distributions begin."""

PARTITIONS = 8
_STATE = (Operation.READ, Operation.WRITE, Operation.DESCRIBE)


def publisher_rules(user: str, topics: Iterable[str], hosts: Sequence[str] = (ANY,)) -> list[Rule]:
    """List the rules that a user needs to publish to topics with ``fink distribute``.

    Args:
        user: the user.
        topics: the topics; ``fink_*`` means all that begin so.
        hosts: where the user comes from.
    """
    wanted = list(topics)
    if not wanted:
        return []
    transactions = (Operation.WRITE, Operation.DESCRIBE)
    ids = [f"{TRANSACTIONS}*"]
    return [
        *role_rules(user, ResourceType.TOPIC, wanted, PRODUCER, hosts),
        *role_rules(user, ResourceType.TOPIC, (DISTRIBUTIONS, DEAD_LETTERS), _STATE, hosts),
        *role_rules(user, ResourceType.TRANSACTIONAL_ID, ids, transactions, hosts),
    ]
