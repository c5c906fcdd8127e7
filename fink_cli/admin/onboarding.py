"""A newcomer's access in one step, and its end; and what the audit reads from a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fink_cli.admin.acl.client import create_rules, delete_rules, read_rules
from fink_cli.admin.acl.model import (
    ANY,
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
from fink_cli.admin.groups import require_group_right
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

# A broker learns of a new login and of new rules a moment after the controller has them.
_PROOF_SECONDS = 10.0


@dataclass(frozen=True)
class NewUser:
    """Whom to give access, and to what; in a topic, ``fink_*`` means all that begin so.

    Attributes:
        user: the user's name.
        consume: the topics to read.
        produce: the topics to write.
        form: the client whose file is written.
        file: where it is written.
    """

    user: str
    consume: Sequence[str]
    produce: Sequence[str]
    form: ClientFormat
    file: Path

    def rules(self) -> list[Rule]:
        """What the newcomer needs."""
        groups = [f"{group_prefix(self.user)}{ANY}"] if self.consume else []
        rules = [
            *role_rules(self.user, ResourceType.TOPIC, self.consume, CONSUMER),
            *publisher_rules(self.user, self.produce),
            *role_rules(self.user, ResourceType.GROUP, groups, [Operation.READ]),
        ]
        return list(dict.fromkeys(rules))


@dataclass(frozen=True)
class OnboardResult:
    """A newcomer's access.

    Attributes:
        user: the user.
        outcome: ``onboarded``, or ``would onboard``.
        mechanism: how it logs in.
        file: the client's file; it holds the password.
        certificate: the authority's certificate, which belongs beside the client's file; ``None``
            where none is needed.
        format: the client.
        proven: what was proven by logging in as the user.
        rules: the rules that were added.
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
    """What a cluster holds of a user: the mechanisms of its passwords, and its rules."""

    user: str
    mechanisms: list[str]
    rules: list[Rule]

    def lines(self) -> list[str]:
        """It in words, a line each."""
        return [f"the login of '{self.user}' ({each})" for each in self.mechanisms] + [
            str(rule) for rule in self.rules
        ]


def onboard(
    connection: Connection, newcomer: NewUser, password: str, dry_run: bool = False
) -> OnboardResult:
    """Make a user, its rules and its client's file, and prove them; or nothing of it.

    Args:
        connection: the cluster, and the login of an administrator.
        newcomer: whom to give access, and to what.
        password: the user's password; empty for a dry run.
        dry_run: look whether it can be done, and change nothing.

    Raises:
        UsageError: no topic is named, or the client can't use this cluster.
        OperationFailedError: the user, or the file, exists; a topic is missing; the
            administrator lacks a right; or the proof failed, and all was undone.
        UnreachableError: no broker answers, or a login is refused.
    """
    if not (newcomer.consume or newcomer.produce):
        raise UsageError("No topic is named.", "Name one: --consume TOPIC or --produce TOPIC")
    require_new_file(newcomer.file)
    login = login_of(connection, newcomer.user, password)
    client = client_file(login, newcomer.form, newcomer.file)
    require_absent(list_users(connection), newcomer.user)
    topics = _topics_of(connection, newcomer)
    there = set(read_rules(connection))
    new = [rule for rule in newcomer.rules() if rule not in there]
    done = OnboardResult(
        newcomer.user, "onboarded", SHA_512, newcomer.file, newcomer.form, [], newcomer.rules()
    )
    if dry_run:
        return replace(done, outcome="would onboard")
    if newcomer.produce:
        ensure_topics(connection)
    try:
        set_password(connection, newcomer.user, password)
        create_rules(connection, new)
        proven = _prove(login, newcomer, topics)
        write_private(newcomer.file, client.text)
        certificate = write_certificate(client, newcomer.file)
    except BaseException as error:
        _undo(connection, newcomer, new, error)
        raise
    return replace(done, proven=proven, certificate=certificate)


def login_of(connection: Connection, user: str, password: str) -> Connection:
    """The login of another user to the same cluster, complete wherever it is used."""
    return replace(
        connection.with_authority_inside(),
        username=user,
        password=password,
        sasl_mechanism=SHA_512,
    )


def require_new_file(file: Path) -> None:
    """Refuse to write over a file.

    Raises:
        OperationFailedError: it exists.
    """
    if file.exists():
        raise OperationFailedError(
            f"{file} exists already.", "Remove it, or name another file: --out FILE"
        )


def _topics_of(connection: Connection, newcomer: NewUser) -> dict[str, list[str]]:
    """The topics that there are of each name or pattern."""
    there = [topic.name for topic in list_topics(connection)]
    found = {
        text: [name for name in there if _fits(text, name)]
        for text in dict.fromkeys([*newcomer.consume, *newcomer.produce])
    }
    for text, names in found.items():
        if not names and pattern(text)[1] is PatternType.LITERAL and text != ANY:
            raise OperationFailedError(
                f"There is no topic '{text}'.",
                did_you_mean(
                    text,
                    there,
                    "fink kafka topic list",
                    f"Create it: {fink_command('kafka', 'topic', 'create', text)}",
                ),
            )
    return found


def _fits(text: str, name: str) -> bool:
    [rule, *_] = role_rules("", ResourceType.TOPIC, [text], CONSUMER)
    return rule.covers(Resource(ResourceType.TOPIC, name))


def _prove(login: Connection, newcomer: NewUser, topics: dict[str, list[str]]) -> list[str]:
    deadline = time.monotonic() + _PROOF_SECONDS
    _soon(deadline, partial(connect_admin, login))
    proven = [f"logged in as '{login.username}'"]
    for operation, texts in (("READ", newcomer.consume), ("WRITE", newcomer.produce)):
        # One topic of a pattern stands for all that begin so.
        for name in dict.fromkeys(name for text in texts for name in topics[text][:1]):
            _soon(deadline, partial(usable_topic, login, name, operation))
            proven.append(f"{operation} on topic '{name}'")
    if newcomer.consume:
        group = f"{group_prefix(newcomer.user)}fink-onboard"
        _soon(deadline, partial(require_group_right, login, group, Operation.READ))
        proven.append(f"READ on group '{group_prefix(newcomer.user)}*'")
    return proven


def _soon(deadline: float, attempt: Callable[[], object]) -> None:
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
    connection: Connection, newcomer: NewUser, new: Sequence[Rule], error: BaseException
) -> None:
    try:
        mechanisms = mechanisms_of(list_users(connection), newcomer.user)
        delete_logins(connection, newcomer.user, mechanisms)
        delete_rules(connection, new)
    except FinkError as second:
        reason = error.message if isinstance(error, FinkError) else str(error)
        raise OperationFailedError(
            f"{reason} Then undoing it failed as well: {second.message}",
            f"Undo it: {fink_command('auth', 'offboard', '-u', newcomer.user)}",
        ) from error
    newcomer.file.unlink(missing_ok=True)
    if isinstance(error, FinkError):
        raise type(error)(f"{error.message} Nothing was left behind.", error.hint) from error


def find_presence(connection: Connection, user: str) -> UserAccess:
    """What the cluster holds of a user.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the administrator lacks DESCRIBE on the cluster.
    """
    rules = [each for each in read_rules(connection) if each.principal == principal_of(user)]
    return UserAccess(user, mechanisms_of(list_users(connection), user), rules)


def require_ordinary(user: str, own_users: Collection[str]) -> None:
    """Refuse to touch a user that a cluster made for itself.

    Raises:
        OperationFailedError: the user is one of the cluster's own.
    """
    if user in own_users:
        raise OperationFailedError(
            f"'{user}' is a user of the cluster's own.",
            "Choose another name; what fink made for itself goes with: fink kafka destroy",
        )


def require_dispensable(connection: Connection, user: str, own_users: Collection[str]) -> None:
    """Refuse to take away a login that the cluster, or this command, stands on.

    Raises:
        OperationFailedError: it is the one that is logged in, or one of the cluster's own.
    """
    if user == connection.username:
        raise OperationFailedError(
            f"'{user}' is the user that you are logged in as.",
            "Log in as another administrator first: --profile NAME",
        )
    require_ordinary(user, own_users)


def remove(connection: Connection, presence: UserAccess) -> None:
    """Remove a user's passwords and then its rules.

    Raises:
        UnreachableError: no broker answers, or the login is refused.
        OperationFailedError: the administrator lacks ALTER on the cluster.
    """
    delete_logins(connection, presence.user, presence.mechanisms)
    delete_rules(connection, presence.rules)
