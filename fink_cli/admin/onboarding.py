"""Onboard a user in one step, with rules and a client file, and offboard it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fink_cli.admin.acl.client import create_rules, delete_rules, read_rules
from fink_cli.admin.acl.model import (
    ANY,
    CLUSTER_NAME,
    CONSUMER,
    Operation,
    PatternType,
    Resource,
    ResourceType,
    Rule,
    pattern,
    principal_of,
    role_rules,
)
from fink_cli.admin.client_files import ClientFormat, client_file, group_prefix, write_certificate
from fink_cli.admin.groups import list_groups, require_group_right
from fink_cli.admin.publishers import publisher_rules
from fink_cli.admin.state_topics import ensure_topics
from fink_cli.admin.topic_rights import usable_topic
from fink_cli.admin.topics import list_topics
from fink_cli.admin.users import (
    SHA_512,
    delete_logins,
    list_users,
    mechanisms_of,
    require_absent,
    set_password,
)
from fink_cli.connection import Connection
from fink_cli.errors import FinkError, OperationFailedError, UsageError, did_you_mean
from fink_cli.kafka.client import connect_admin
from fink_cli.private import write_private
from fink_cli.text import fink_command

# A broker learns of a new login and new rules a moment after the controller.
_PROOF_SECONDS = 10.0


@dataclass(frozen=True)
class NewUser:
    """A user to onboard; ``fink_*`` stands for every topic with that prefix.

    Attributes:
        user: the user's name.
        consume: the topics to read.
        produce: the topics to write.
        watch: whether the user may describe all topics and groups, as ``fink metrics`` does.
        form: the client that reads the client file.
        file: the client file.
    """

    user: str
    consume: Sequence[str]
    produce: Sequence[str]
    watch: bool
    form: ClientFormat
    file: Path

    def rules(self) -> list[Rule]:
        """Return the rules that the user needs."""
        groups = [f"{group_prefix(self.user)}{ANY}"] if self.consume else []
        rules = [
            *role_rules(self.user, ResourceType.TOPIC, self.consume, CONSUMER),
            *publisher_rules(self.user, self.produce),
            *role_rules(self.user, ResourceType.GROUP, groups, [Operation.READ]),
            *(_watcher_rules(self.user) if self.watch else []),
        ]
        return list(dict.fromkeys(rules))


def _watcher_rules(user: str) -> list[Rule]:
    describe = [Operation.DESCRIBE]
    settings = [*describe, Operation.DESCRIBE_CONFIGS]
    return [
        *role_rules(user, ResourceType.CLUSTER, [CLUSTER_NAME], describe),
        *role_rules(user, ResourceType.TOPIC, [ANY], settings),
        *role_rules(user, ResourceType.GROUP, [ANY], describe),
    ]


@dataclass(frozen=True)
class OnboardResult:
    """The result of onboarding a user.

    Attributes:
        user: the user's name.
        outcome: ``onboarded``, or ``would onboard``.
        mechanism: the mechanism of its password.
        file: the client file; it holds the password.
        format: the client that reads it.
        proven: what a login as the user has proven.
        rules: the rules that were added.
        certificate: the authority's certificate file beside the client file, or ``None``.
    """

    user: str
    outcome: str
    mechanism: str
    file: Path
    format: ClientFormat
    proven: list[str]
    rules: list[Rule]
    certificate: Path | None = None


@dataclass(frozen=True)
class UserAccess:
    """A user's access: the mechanisms of its passwords, and the rules that name it."""

    user: str
    mechanisms: list[str]
    rules: list[Rule]

    def lines(self) -> list[str]:
        """Return a line for each password and each rule."""
        logins = [f"the login of '{self.user}' ({mechanism})" for mechanism in self.mechanisms]
        return logins + [str(rule) for rule in self.rules]


def onboard(
    connection: Connection,
    advertised: Connection,
    new_user: NewUser,
    password: str,
    dry_run: bool = False,
) -> OnboardResult:
    """Create a user, its rules and its client file, and prove that they work; or change nothing.

    Args:
        advertised: the cluster as the user reaches it, for the client file.
        password: the user's password; empty for a dry run.
        dry_run: check whether it can be done, and change nothing.

    Raises:
        UsageError: no topic is named, or the client can't use this cluster.
        OperationFailedError: the user, or the file, exists; a topic is missing; the
            administrator lacks a right; or the proof failed, and all was undone.
    """
    if not (new_user.consume or new_user.produce or new_user.watch):
        raise UsageError("No topic is named.", "Name one: --consume TOPIC or --produce TOPIC")
    require_new_file(new_user.file)
    login = login_of(connection, new_user.user, password)
    users_login = login_of(advertised, new_user.user, password)
    client = client_file(users_login, new_user.form, new_user.file)
    require_absent(list_users(connection), new_user.user)
    topics = _existing_topics(connection, new_user)
    existing = set(read_rules(connection))
    new_rules = [rule for rule in new_user.rules() if rule not in existing]
    result = OnboardResult(
        new_user.user, "onboarded", SHA_512, new_user.file, new_user.form, [], new_user.rules()
    )
    if dry_run:
        return replace(result, outcome="would onboard")
    if new_user.produce:
        ensure_topics(connection)
    try:
        set_password(connection, new_user.user, password)
        create_rules(connection, new_rules)
        proven = _prove(login, new_user, topics)
        write_private(new_user.file, client.text)
        certificate = write_certificate(client, new_user.file)
    except BaseException as error:
        _undo(connection, new_user, new_rules, error)
        raise
    return replace(result, proven=proven, certificate=certificate)


def login_of(connection: Connection, user: str, password: str) -> Connection:
    """Return another user's login to the same cluster, with the authority's certificate inside."""
    return replace(
        connection.with_authority_inside(),
        username=user,
        password=password,
        sasl_mechanism=SHA_512,
    )


def require_new_file(file: Path) -> None:
    """Raise OperationFailedError if a file exists: it would be overwritten."""
    if file.exists():
        raise OperationFailedError(
            f"{file} exists already.", "Remove it, or name another file: --out FILE"
        )


def _existing_topics(connection: Connection, new_user: NewUser) -> dict[str, list[str]]:
    """Return the cluster's topics for each name or pattern of the user."""
    existing = [topic.name for topic in list_topics(connection)]
    topics = {
        text: [name for name in existing if _matches(text, name)]
        for text in dict.fromkeys([*new_user.consume, *new_user.produce])
    }
    for text, names in topics.items():
        if not names and pattern(text)[1] is PatternType.LITERAL and text != ANY:
            raise OperationFailedError(
                f"There is no topic '{text}'.",
                did_you_mean(
                    text,
                    existing,
                    "fink kafka topic list",
                    f"Create it: {fink_command('kafka', 'topic', 'create', text)}",
                ),
            )
    return topics


def _matches(text: str, name: str) -> bool:
    [rule, *_] = role_rules("", ResourceType.TOPIC, [text], CONSUMER)
    return rule.covers(Resource(ResourceType.TOPIC, name))


def _prove(login: Connection, new_user: NewUser, topics: dict[str, list[str]]) -> list[str]:
    deadline = time.monotonic() + _PROOF_SECONDS
    _retry(deadline, partial(connect_admin, login))
    proven = [f"logged in as '{login.username}'"]
    for operation, texts in (("READ", new_user.consume), ("WRITE", new_user.produce)):
        # One topic is tried for each pattern.
        for name in dict.fromkeys(name for text in texts for name in topics[text][:1]):
            _retry(deadline, partial(usable_topic, login, name, operation))
            proven.append(f"{operation} on topic '{name}'")
    if new_user.consume:
        group = f"{group_prefix(new_user.user)}fink-onboard"
        _retry(deadline, partial(require_group_right, login, group, Operation.READ))
        proven.append(f"READ on group '{group_prefix(new_user.user)}*'")
    if new_user.watch:
        _retry(deadline, partial(list_groups, login))
        proven.append("DESCRIBE on all topics and groups")
    return proven


def _retry(deadline: float, attempt: Callable[[], object]) -> None:
    while True:
        try:
            attempt()
        except FinkError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _undo(
    connection: Connection, new_user: NewUser, new_rules: Sequence[Rule], error: BaseException
) -> None:
    try:
        mechanisms = mechanisms_of(list_users(connection), new_user.user)
        delete_logins(connection, new_user.user, mechanisms)
        delete_rules(connection, new_rules)
    except FinkError as second:
        reason = error.message if isinstance(error, FinkError) else str(error)
        raise OperationFailedError(
            f"{reason} Then undoing it failed as well: {second.message}",
            f"Undo it: {fink_command('auth', 'offboard', '-u', new_user.user)}",
        ) from error
    new_user.file.unlink(missing_ok=True)
    if isinstance(error, FinkError):
        raise type(error)(f"{error.message} Nothing was left behind.", error.hint) from error


def read_user_access(connection: Connection, user: str) -> UserAccess:
    """Return a user's passwords and rules on the cluster.

    Raises:
        OperationFailedError: the administrator lacks DESCRIBE on the cluster.
    """
    rules = [rule for rule in read_rules(connection) if rule.principal == principal_of(user)]
    return UserAccess(user, mechanisms_of(list_users(connection), user), rules)


def require_ordinary(user: str, own_users: Collection[str]) -> None:
    """Raise OperationFailedError if a cluster made the user for itself."""
    if user in own_users:
        raise OperationFailedError(
            f"'{user}' is a user of the cluster's own.",
            "Choose another name; what fink made for itself goes with: fink kafka destroy",
        )


def require_dispensable(connection: Connection, user: str, own_users: Collection[str]) -> None:
    """Raise OperationFailedError if the cluster or this command needs the user's login."""
    if user == connection.username:
        raise OperationFailedError(
            f"'{user}' is the user that you are logged in as.",
            "Log in as another administrator first: --profile NAME",
        )
    require_ordinary(user, own_users)


def remove_access(connection: Connection, access: UserAccess) -> None:
    """Delete a user's passwords, and then its rules.

    Raises:
        OperationFailedError: the administrator lacks ALTER on the cluster.
    """
    delete_logins(connection, access.user, access.mechanisms)
    delete_rules(connection, access.rules)
