"""Plan what has to change on a cluster so that it matches a file of declared access. Pure.

The file governs the ALLOW rules of the users that it names, on topics, consumer groups and
transactional ids; the rates that it names of them; and the existence of the topics that it names.
Everything else stays as it is:
DENY rules, rules on the cluster, logins, and users and topics that it does not name. Where one of
these contradicts the file, the plan has a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fink_cli.admin.acl.access_file import AccessFile, DeclaredUser
from fink_cli.admin.acl.authorizer import AccessRequest, Policy, authorize
from fink_cli.admin.acl.model import (
    ANY,
    CONSUMER,
    USER_PREFIX,
    Operation,
    PatternType,
    Permission,
    Resource,
    ResourceType,
    Rule,
    order,
    principal_of,
    role_rules,
)
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.quotas import Quota
from fink_cli.errors import OperationFailedError
from fink_cli.text import close_names, fink_command

_GOVERNED = {ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID}


@dataclass(frozen=True)
class CurrentAccess:
    """The access on a cluster now.

    Attributes:
        topics: the number of partitions of each topic.
        quotas: the quotas, by user; none if the file declares none.
    """

    cluster_id: str
    rules: frozenset[Rule]
    topics: dict[str, int]
    users: frozenset[str]
    quotas: Mapping[str, Quota] = field(default_factory=dict)


class Action(StrEnum):
    """The action of a step."""

    CREATE = "create"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True)
class PlanStep:
    """A step of a plan: a topic to create, or an ALLOW rule to add or remove.

    Attributes:
        user: the user of the rule; ``None`` for a topic.
        operation: the operation that the rule allows; ``None`` for a topic.
        host: the IP address of the rule; ``None`` for a topic.
    """

    action: Action
    user: str | None
    operation: Operation | None
    resource_type: ResourceType
    resource_name: str
    pattern_type: PatternType
    host: str | None

    @property
    def rule(self) -> Rule | None:
        """The rule of the step; ``None`` for a topic."""
        if self.user is None or self.operation is None or self.host is None:
            return None
        return Rule(
            principal_of(self.user),
            self.host,
            self.operation,
            Permission.ALLOW,
            self.resource_type,
            self.resource_name,
            self.pattern_type,
        )

    def __str__(self) -> str:
        sign = "-" if self.action is Action.REMOVE else "+"
        return f"{sign} {self.rule or f'topic {self.resource_name}'}"


@dataclass(frozen=True)
class QuotaStep:
    """A limit of a user to set or to remove.

    Attributes:
        user: the user.
        limit: ``consume_rate`` or ``produce_rate``.
        before: the bytes a second that it had; ``None`` for no limit.
        after: those that it gets.
    """

    user: str
    limit: str
    before: float | None
    after: float | None

    def __str__(self) -> str:
        return f"~ {self.user}: {self.limit} {_limit(self.before)} -> {_limit(self.after)}"


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f} bytes/s"


@dataclass(frozen=True)
class PlanNote:
    """A difference between file and cluster that no step of the plan removes."""

    subject: str
    note: str


@dataclass(frozen=True)
class AccessPlan:
    """What has to change on a cluster.

    Attributes:
        changes: the steps in their order: rules are added before others are removed, so that
            nobody lacks a right in between.
        quotas: the limits to set or to remove.
        notes: what is left to the operator.
    """

    cluster_id: str
    changes: list[PlanStep]
    quotas: list[QuotaStep]
    notes: list[PlanNote]

    def steps(self) -> list[str]:
        """Return all steps, as they are shown before they are done."""
        return [str(step) for step in (*self.changes, *self.quotas)]

    def rules(self, action: Action) -> list[Rule]:
        """Return the rules to add or to remove."""
        return [step.rule for step in self.changes if step.action is action and step.rule]

    def topics(self) -> list[str]:
        """Return the topics to create."""
        return [step.resource_name for step in self.changes if step.action is Action.CREATE]


def require_same_cluster(declared: AccessFile, cluster_id: str) -> None:
    """Raise OperationFailedError if a file is for another cluster."""
    if declared.cluster_id is not None and declared.cluster_id != cluster_id:
        raise OperationFailedError(
            f"The file is for the cluster {declared.cluster_id}, and this one is {cluster_id}.",
            "Choose the right cluster: --profile NAME, or mend cluster_id in the file.",
        )


def make_plan(declared: AccessFile, current: CurrentAccess) -> AccessPlan:
    """Return the plan that makes the cluster match the file."""
    wanted = {rule for name, user in declared.users.items() for rule in declared_rules(name, user)}
    governed = {rule for rule in current.rules if _is_governed(declared, rule)}
    topics = [name for name in sorted(declared.topics) if name not in current.topics]
    after = (current.rules - governed) | wanted
    return AccessPlan(
        current.cluster_id,
        [
            *(_topic_step(name) for name in topics),
            *(_rule_step(Action.ADD, rule) for rule in sorted(wanted - current.rules, key=order)),
            *(_rule_step(Action.REMOVE, rule) for rule in sorted(governed - wanted, key=order)),
        ],
        list(_quota_steps(declared, current)),
        [*_missing(declared, current), *_differing(declared, current), *_denied(wanted, after)],
    )


def declared_rules(name: str, user: DeclaredUser) -> list[Rule]:
    """Return the rules that the file declares for a user."""
    return [
        *role_rules(name, ResourceType.TOPIC, user.consumer, CONSUMER, user.hosts),
        *publisher_rules(name, user.producer, user.hosts),
        *role_rules(name, ResourceType.GROUP, user.groups_of(name), [Operation.READ], user.hosts),
    ]


def _is_governed(declared: AccessFile, rule: Rule) -> bool:
    return (
        rule.principal.startswith(USER_PREFIX)
        and rule.user in declared.users
        and rule.permission is Permission.ALLOW
        and rule.resource_type in _GOVERNED
        and rule.operation is not Operation.UNKNOWN
    )


def _topic_step(name: str) -> PlanStep:
    return PlanStep(Action.CREATE, None, None, ResourceType.TOPIC, name, PatternType.LITERAL, None)


def _rule_step(action: Action, rule: Rule) -> PlanStep:
    return PlanStep(
        action,
        rule.user,
        rule.operation,
        rule.resource_type,
        rule.resource_name,
        rule.pattern_type,
        rule.host,
    )


def _quota_steps(declared: AccessFile, current: CurrentAccess) -> Iterable[QuotaStep]:
    for name, user in sorted(declared.users.items()):
        quota = current.quotas.get(name, Quota(name))
        for limit, after in user.limits().items():
            before = getattr(quota, limit)
            if before != after:
                yield QuotaStep(name, limit, before, after)


def _missing(declared: AccessFile, current: CurrentAccess) -> Iterable[PlanNote]:
    topics = current.topics.keys() | declared.topics.keys()
    for name, user in declared.users.items():
        if name not in current.users and declared_rules(name, user):
            add = fink_command("auth", "add", "-u", name, "--generate")
            yield PlanNote(name, f"has no login yet: {add}")
        for topic in sorted({*user.consumer, *user.producer}):
            if ANY not in topic and topic not in topics:
                close = " or ".join(close_names(topic, topics))
                hint = f"; did you mean {close}?" if close else ""
                yield PlanNote(name, f"is given the topic '{topic}', which does not exist{hint}")


def _differing(declared: AccessFile, current: CurrentAccess) -> Iterable[PlanNote]:
    for name, topic in declared.topics.items():
        now = current.topics.get(name)
        if now is not None and topic.partitions is not None and topic.partitions != now:
            mend = (
                f"fink kafka topic alter {name} --partitions {topic.partitions} --yes"
                if now < topic.partitions
                else f"Kafka takes none away: say partitions = {now}"
            )
            note = f"has {now} partition(s) and not {topic.partitions}: {mend}"
            yield PlanNote(f"topic {name}", note)


def _denied(wanted: Iterable[Rule], after: Iterable[Rule]) -> Iterable[PlanNote]:
    # Only a DENY rule keeps a user out.
    policy = Policy([rule for rule in after if rule.permission is Permission.DENY])
    denied = {rule.principal for rule in policy.rules}
    denies_everybody = principal_of(ANY) in denied
    refusals = {}
    for rule in sorted(wanted, key=order):
        if not denies_everybody and rule.principal not in denied:
            continue
        resource = Resource(rule.resource_type, rule.resource_name)
        decision = authorize(policy, AccessRequest(rule.user, rule.operation, resource, rule.host))
        if decision.rule is not None and not decision.allowed:
            refusals[rule.user, decision.rule] = decision
    for (user, _), decision in refusals.items():
        yield PlanNote(user, f"is kept out by a rule that stays: {decision.reason}")
