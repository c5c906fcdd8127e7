"""List users; set and delete their SCRAM passwords. Works with Kafka 2.7 and later (KIP-554)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from fink_cli.admin.acl.model import Operation
from fink_cli.admin.cluster_rights import require_cluster_right
from fink_cli.connection import Connection, scram_name_fault
from fink_cli.errors import OperationFailedError, UsageError, did_you_mean
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.text import fink_command, printable

# The default of Kafka's own tools.
ITERATIONS = 4096
SHA_512 = "SCRAM-SHA-512"
SHA_256 = "SCRAM-SHA-256"
# So long that a client file's name still fits (255 bytes), and a line of kcat's settings (511).
LONGEST_NAME = 200
_SECONDS = 30.0
_NAMES = {ScramMechanism.SCRAM_SHA_512: SHA_512, ScramMechanism.SCRAM_SHA_256: SHA_256}
_MECHANISMS = {name: mechanism for mechanism, name in _NAMES.items()}


@dataclass(frozen=True)
class User:
    """A password of a user. A user has one for each mechanism.

    Attributes:
        iterations: how many times the password is hashed.
    """

    user: str
    mechanism: str
    iterations: int


@dataclass(frozen=True)
class LimitedUser(User):
    """A password of a user, and its quota, where a user of the cluster has one.

    Attributes:
        consume_rate: the bytes a second that the user may read; ``None`` for no limit of its own.
        produce_rate: the bytes a second that it may write.
        requests: the time that its requests may take, in percent of one thread of a broker.
    """

    consume_rate: float | None = field(default=None, metadata={"title": "consume, bytes/s"})
    produce_rate: float | None = field(default=None, metadata={"title": "produce, bytes/s"})
    requests: float | None = field(default=None, metadata={"title": "requests, %"})


@dataclass(frozen=True)
class UserChange:
    """A user and its outcome.

    Attributes:
        outcome: ``added``, ``rotated``, ``deleted`` or ``would …``.
        mechanism: the mechanisms that changed.
        iterations: how many times the password is hashed; ``None`` for a deletion.
        rules: how many access rules were deleted with the user.
        quota: whether a quota of its own was deleted with it; ``None`` if that is not known.
        password: a generated password to show, or ``None``.
        file: the file that a generated password was written to, or ``None``.
    """

    user: str
    outcome: str
    mechanism: str
    iterations: int | None = None
    rules: int | None = None
    quota: bool | None = None
    password: str | None = None
    file: str | None = None


def valid_user(name: str) -> str:
    """Return a name if a principal of type ``User`` can have it.

    Raises:
        UsageError: it is empty, ``*``, or holds control characters.
    """
    if not name or name == "*" or printable(name) != name:
        raise _no_name(name, "it is empty, '*', or holds control characters")
    return name


def require_login_name(name: str) -> None:
    """Raise UsageError if some client can't log in with SCRAM under this name."""
    fault = scram_name_fault(valid_user(name))
    if name.strip() != name:
        fault = "librdkafka takes white space away from its ends"
    elif len(name) > LONGEST_NAME:
        fault = f"it has {len(name)} characters, and clients' files hold {LONGEST_NAME} at most"
    if fault:
        raise _no_name(name, fault)


def _no_name(name: str, fault: str) -> UsageError:
    return UsageError(
        f"'{name}' can't be the name of a user: {fault}.",
        "Use letters from A to Z, digits, '-', '_'.",
    )


def list_users(connection: Connection) -> list[User]:
    """Return all users that log in with SCRAM, sorted by name."""
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    require_cluster_right(client, connection, Operation.DESCRIBE)
    with kafka_errors(connection.attempt("DESCRIBE")):
        future: Any = client.describe_user_scram_credentials(request_timeout=_SECONDS)
        descriptions = future.result(_SECONDS)
    return sorted(
        (
            User(name, _NAMES.get(info.mechanism, str(info.mechanism)), info.iterations)
            for name, description in descriptions.items()
            for info in description.scram_credential_infos
        ),
        key=lambda row: (row.user, row.mechanism),
    )


def mechanisms_of(users: Iterable[User], name: str) -> list[str]:
    """Return the mechanisms for which a user has a password; empty if there is no such user."""
    return [row.mechanism for row in users if row.user == name]


def set_password(
    connection: Connection, user: str, password: str, mechanisms: Sequence[str] = (SHA_512,)
) -> None:
    """Set a user's password; a user that does not exist is created."""
    _alter(
        connection,
        [
            UserScramCredentialUpsertion(
                user, ScramCredentialInfo(_MECHANISMS[each], ITERATIONS), password.encode()
            )
            for each in mechanisms
        ],
    )


def require_absent(users: Iterable[User], name: str) -> None:
    """Raise OperationFailedError if a user exists."""
    if mechanisms_of(users, name):
        raise OperationFailedError(
            f"The user '{name}' exists already.",
            f"Give it another password: {fink_command('auth', 'rotate', '-u', name)}",
        )


def rotated_mechanisms(users: Sequence[User], name: str) -> list[str]:
    """Return the mechanisms for which a user's new password must be set.

    These are all that the user has, else the old password would still log in; and SCRAM-SHA-512.

    Raises:
        OperationFailedError: there is no such user.
    """
    mechanisms = mechanisms_of(users, name)
    if not mechanisms:
        raise OperationFailedError(
            f"There is no user '{name}'.",
            did_you_mean(
                name,
                {row.user for row in users},
                "fink auth list",
                f"Add it: {fink_command('auth', 'add', '-u', name)}",
            ),
        )
    return sorted({*mechanisms, SHA_512}, reverse=True)


def delete_logins(connection: Connection, user: str, mechanisms: Sequence[str]) -> None:
    """Delete a user's passwords."""
    _alter(
        connection, [UserScramCredentialDeletion(user, _MECHANISMS[each]) for each in mechanisms]
    )


def _alter(connection: Connection, alterations: list[UserScramCredentialAlteration]) -> None:
    client = connect_admin(connection)  # kept: its futures never end once it is collected
    for alteration in alterations:  # Kafka takes one change of a user in a request
        futures = client.alter_user_scram_credentials([alteration], request_timeout=_SECONDS)
        with kafka_errors(connection.attempt("ALTER")):
            for future in futures.values():
                future.result(_SECONDS)
