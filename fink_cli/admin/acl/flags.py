"""Turn the flags of `fink acl add` and `delete` into rules, and a rule into its command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fink_cli.admin.acl.model import (
    ANY,
    CLUSTER_NAME,
    CONSUMER,
    OPERATIONS,
    PRODUCER,
    USER_PREFIX,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    kafka_host,
    principal_of,
)
from fink_cli.errors import UsageError
from fink_cli.text import acl_command


@dataclass(frozen=True)
class Flags:
    """The flags of ``fink acl add`` and ``delete``.

    Attributes:
        user: the user's name; ``*`` for every user.
        operations: the operations, in place of those of a consumer.
    """

    user: str
    topic: str | None = None
    group: str | None = None
    cluster: bool = False
    transactional_id: str | None = None
    producer: bool = False
    operations: Sequence[Operation] = field(default=())
    host: str = ANY
    prefixed: bool = False
    deny: bool = False


def rules_from(flags: Flags) -> list[Rule]:
    """Return the rules that the flags stand for.

    A topic alone is read, with ``producer`` it is written; with a group and ``producer``, both.
    Operations replace these on the topic, else on the only other resource. A group beside a topic
    always gets READ.

    Raises:
        UsageError: no resource is named, or it does not have an operation.
    """
    if not flags.user:
        raise UsageError("The name of the user is empty.", "Name it: -u USER; '*' is everybody")
    wanted: list[tuple[ResourceType, str, Sequence[Operation]]] = []
    if flags.topic is not None:
        wanted.append((ResourceType.TOPIC, flags.topic, _on_topic(flags)))
    elif flags.producer:
        raise UsageError("-p needs a topic to write.", "Name it: -t TOPIC")
    has_topic = flags.topic is not None
    operations = [] if has_topic else flags.operations
    if flags.group is not None:
        wanted.append((ResourceType.GROUP, flags.group, operations or [Operation.READ]))
    if flags.transactional_id is not None:
        both = operations or [Operation.WRITE, Operation.DESCRIBE]
        wanted.append((ResourceType.TRANSACTIONAL_ID, flags.transactional_id, both))
    if flags.cluster:
        if has_topic or flags.group is not None or not flags.operations:
            raise UsageError(
                "--cluster goes with --operation, and without a topic or a group.",
                "For example: fink acl add -u USER --cluster --operation DESCRIBE",
            )
        wanted.append((ResourceType.CLUSTER, CLUSTER_NAME, flags.operations))
    if not wanted:
        raise UsageError(
            "No resource is named.", "Name a topic with -t TOPIC, or a consumer group with -c GROUP"
        )
    return [
        rule
        for kind, name, operations in wanted
        for rule in _rules(flags, kind, name, dict.fromkeys(operations))
    ]


def _on_topic(flags: Flags) -> list[Operation]:
    operations = list(flags.operations)
    if not operations and (flags.group is not None or not flags.producer):
        operations = list(CONSUMER)
    return [*operations, *(PRODUCER if flags.producer else ())]


def _rules(
    flags: Flags, kind: ResourceType, name: str, operations: Iterable[Operation]
) -> list[Rule]:
    if not name:
        raise UsageError(f"The name of the {kind.lower()} is empty.")
    for operation in operations:
        if operation not in OPERATIONS[kind]:
            raise UsageError(
                f"Kafka knows no operation {operation} on a {kind.lower()}.",
                f"It knows: {', '.join(sorted(OPERATIONS[kind]))}",
            )
    prefixed = flags.prefixed and kind is not ResourceType.CLUSTER
    if ANY in name and (prefixed or name != ANY):
        raise UsageError(
            f"A name can't hold '*': {name}.",
            f"For all names that begin so: --prefixed with '{name.partition(ANY)[0] or 'fink_'}'",
        )
    return [
        Rule(
            principal_of(flags.user),
            kafka_host(flags.host),
            operation,
            Permission.DENY if flags.deny else Permission.ALLOW,
            kind,
            name,
            PatternType.PREFIXED if prefixed else PatternType.LITERAL,
        )
        for operation in operations
    ]


def add_command(rule: Rule) -> str:
    """Return the command that adds a rule."""
    return _command("add", rule)


def delete_command(rule: Rule) -> str:
    """Return the command that deletes a rule."""
    return _command("delete", rule)


def _command(verb: str, rule: Rule) -> str:
    # The command takes "User:" off the name, so a name that begins with it is written in full.
    user = rule.principal if rule.user.startswith(USER_PREFIX) else rule.user
    more: list[str] = ["--operation", rule.operation]
    more += ["-H", rule.host] if rule.host != ANY else []
    more += ["--prefixed"] if rule.pattern_type is PatternType.PREFIXED else []
    more += ["--deny"] if rule.permission is Permission.DENY else []
    return acl_command(verb, user, {rule.resource_type.lower(): rule.resource_name}, *more)
