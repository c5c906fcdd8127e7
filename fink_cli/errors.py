"""What can go wrong, the exit code of each kind, and what the user types next.

This is the only table of exit codes and hints. It names Kafka's errors by their names, so that
nothing here loads a Kafka client.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from fink_cli.text import acl_command, close_names, one_line

DONE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


class FinkError(Exception):
    """An error meant for the user: what happened, and what to type next.

    Attributes:
        message: one sentence that says what happened.
        hint: one sentence that says what to type next; empty where there is nothing to type.
        exit_code: the exit code of the program: that of the kind of error, unless another process
            of fink failed and has said which.
    """

    exit_code: int = FAILED

    def __init__(self, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # Python shows it below the traceback
        if exit_code is not None:
            self.exit_code = exit_code

    def because(self, reason: str) -> FinkError:
        """Return the error with what Kafka said beside its sentence; as it is without a reason."""
        if not reason:
            return self
        message = f"{self.message.rstrip('.')} (Kafka: {reason})."
        return type(self)(message, self.hint, self.exit_code)


class FinkWarning(UserWarning):
    """A warning meant for the user: what did not stop the command, and what to type next."""


class OperationFailedError(FinkError):
    """The operation failed, or the answer is no."""


class UsageError(FinkError):
    """Wrong usage or configuration."""

    exit_code = USAGE


class NotConfiguredError(UsageError):
    """Nothing says which cluster is meant."""


class UnreachableError(FinkError):
    """The cluster can't be reached, or refused the login."""

    exit_code = UNREACHABLE


class LoginRefusedError(UnreachableError):
    """The cluster refused the login: it stays so, however often it is tried."""


@dataclass(frozen=True)
class Attempt:
    """What was tried on Kafka, so that an error can name it.

    Attributes:
        user: the user that was logged in; empty without a login.
        operation: the Kafka operation that the attempt needs, for example ``READ``.
        resource_type: ``topic``, ``group`` or ``cluster``.
        protocol: the security protocol of the connection, for example ``SASL_SSL``.
        mechanism: the SASL mechanism; empty without a login.
    """

    servers: str
    user: str = ""
    operation: str = ""
    resource_type: str = "cluster"
    resource: str = ""
    protocol: str = ""
    mechanism: str = ""

    @property
    def what(self) -> str:
        """The resource as a person says it: ``topic 'fink_sso'``, or ``the cluster``."""
        return f"{self.resource_type} '{self.resource}'" if self.resource else "the cluster"


@dataclass(frozen=True)
class _Explanation:
    kind: type[FinkError]
    message: str
    hint: str


_REFUSED = _Explanation(
    OperationFailedError,
    "User '{user}' lacks {operation} on {what}.",
    "An operator can grant it: {grant}",
)
_NO_ANSWER = _Explanation(
    UnreachableError,
    "No Kafka broker answers at {servers}.",
    "Start one with: fink kafka start, or name another: --bootstrap-servers HOST:PORT",
)
_BAD_LOGIN = _Explanation(
    LoginRefusedError,
    "The cluster at {servers} refused the login of user '{user}'.",
    "Check the user and the password: fink config show, or set FINK_USERNAME and FINK_PASSWORD",
)
_OTHER_MECHANISM = _Explanation(
    LoginRefusedError,
    "The cluster at {servers} does not offer the SASL mechanism {mechanism}; it offers {offered}.",
    "Set FINK_SASL_MECHANISM, or in the profile: fink config set sasl_mechanism {usable}",
)
_NO_TOPIC = _Explanation(
    OperationFailedError,
    "There is no topic '{resource}' that user '{user}' can see.",
    "See what there is: fink kafka topic list, or create it: fink kafka topic create {word}",
)
_IN_USE = _Explanation(
    OperationFailedError,
    "The {what} is in use by a member.",
    "Stop its members first; fink kafka group list shows when it is Empty.",
)
_COLLIDING = _Explanation(
    OperationFailedError,
    "The topic '{resource}' collides with '{existing}', which exists: in the names of its metrics "
    "Kafka writes '.' and '_' alike.",
    "Use that topic, or choose a name that differs in more than '.' and '_'.",
)

_KAFKA: dict[str, _Explanation] = {
    "_AUTHENTICATION": _BAD_LOGIN,
    "SASL_AUTHENTICATION_FAILED": _BAD_LOGIN,
    "_ALL_BROKERS_DOWN": _NO_ANSWER,
    "_TRANSPORT": _NO_ANSWER,
    "_RESOLVE": _NO_ANSWER,
    "_TIMED_OUT": _NO_ANSWER,
    "_SSL": _Explanation(
        UnreachableError,
        "The TLS handshake with {servers} failed.",
        "Check security_protocol and ssl_ca_location: fink config show",
    ),
    "TOPIC_AUTHORIZATION_FAILED": _REFUSED,
    "GROUP_AUTHORIZATION_FAILED": _REFUSED,
    "CLUSTER_AUTHORIZATION_FAILED": _REFUSED,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": _REFUSED,
    "SECURITY_DISABLED": _Explanation(
        OperationFailedError,
        "The cluster at {servers} has no authorizer: everybody may do everything.",
        "Set authorizer.class.name in the settings of its brokers.",
    ),
    "NON_EMPTY_GROUP": _IN_USE,
    "UNKNOWN_MEMBER_ID": _IN_USE,
    "UNSUPPORTED_VERSION": _Explanation(
        OperationFailedError,
        "The cluster at {servers} is too old for this: {detail}.",
        "fink works with Kafka 2.8 and later.",
    ),
    "UNKNOWN_TOPIC_OR_PART": _NO_TOPIC,
    "_UNKNOWN_TOPIC": _NO_TOPIC,
    "_UNKNOWN_PARTITION": _NO_TOPIC,
    "TOPIC_EXCEPTION": _Explanation(
        UsageError,
        "'{resource}' can't be the name of a topic.",
        "Use letters, digits, '.', '_' and '-', 249 characters at most.",
    ),
    "INVALID_REPLICATION_FACTOR": _Explanation(
        OperationFailedError,
        "The cluster has fewer brokers than the replication factor asked for {what}.",
        "Ask for fewer copies with --replication-factor; fink kafka status shows the brokers.",
    ),
    "INVALID_CONFIG": _Explanation(
        UsageError,
        "The cluster refused the configuration of {what}: {detail}.",
        "The settings that there are: fink kafka topic describe NAME",
    ),
    "INVALID_PARTITIONS": _Explanation(
        UsageError,
        "The cluster refused the number of partitions of {what}: {detail}.",
        "A topic can only gain partitions: give --partitions a larger number.",
    ),
    "POLICY_VIOLATION": _Explanation(
        OperationFailedError, "The cluster's policy refused the change of {what}: {detail}.", ""
    ),
}


def _grant(attempt: Attempt) -> str:
    more: list[str] = []
    if (attempt.resource_type, attempt.operation) == ("topic", "WRITE"):
        more = ["-p"]
    elif attempt.operation != "READ":
        more = ["--operation", attempt.operation or "OP"]
    resource = {attempt.resource_type.replace(" ", "_"): attempt.resource}
    return acl_command("add", attempt.user or "USER", resource, *more)


# What librdkafka writes around the reason: the broker before it, and how long it took after it; and
# a count, which is none.
_AROUND_THE_REASON = re.compile(
    r"^\w+://\S+: |\s*\(after \d+ms in state [^)]*(\(s\)[^)]*)?\)$|^\d+/\d+ brokers are down$"
)
# What only says in other words which error it is.
_NAMES_THE_ERROR = re.compile(r"^(Broker|Local): [^:]+$")
_OFFERED = re.compile(r"broker's supported mechanisms: ([\w, -]+)")
_COLLISION = re.compile(r"collides with existing topics?: ([\w.-]+)")
# Those that fink knows, the best first.
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


def kafka_reason(detail: str) -> str:
    """Return the reason that a broker or the library gave, on one line and without decoration."""
    return _AROUND_THE_REASON.sub("", one_line(detail)).rstrip(". ")


def did_you_mean(name: str, names: Iterable[str], show_all: str, otherwise: str) -> str:
    """Return the hint for a name that is missing.

    Args:
        show_all: the command that lists these.
        otherwise: the hint when none of the names is like it.
    """
    close = [shlex.quote(each) for each in close_names(name, names)]
    return f"Did you mean {' or '.join(close)}? See all: {show_all}" if close else otherwise


def explain_kafka(name: str, detail: str, attempt: Attempt, names: Iterable[str] = ()) -> FinkError:
    """Turn a Kafka error into one for the user, which keeps what Kafka said beside our own words.

    Args:
        name: Kafka's or librdkafka's name of the error, for example ``_AUTHENTICATION``.
        detail: what the broker or the library said of it; empty if fink itself found it.
        names: the topics that there are, so that one whose name is alike can be named.

    Returns:
        The error to raise. An error that the table does not hold is an
        :class:`OperationFailedError` that quotes ``detail``.
    """
    reason = kafka_reason(detail)
    explanation = _KAFKA.get(name)
    if explanation is None:
        return OperationFailedError(
            f"Kafka refused an operation on {attempt.what}: {reason} ({name}).",
            "The broker's log may say more: fink kafka logs",
        )
    words = {
        "servers": attempt.servers,
        "user": attempt.user or "anonymous",
        "operation": attempt.operation or "the right to do this",
        "what": attempt.what,
        "resource": attempt.resource,
        "word": shlex.quote(attempt.resource),
        "detail": reason,
        "grant": _grant(attempt),
        "mechanism": attempt.mechanism,
    }
    if offered := _OFFERED.search(reason):
        explanation = _OTHER_MECHANISM
        known = [mechanism for mechanism in _MECHANISMS if mechanism in offered[1]]
        words |= {"offered": offered[1].strip(), "usable": known[0] if known else "MECHANISM"}
    elif collision := _COLLISION.search(reason):
        explanation = _COLLIDING
        words["existing"] = collision[1]
    message, hint = explanation.message.format(**words), explanation.hint.format(**words)
    if explanation is _NO_TOPIC:
        hint = did_you_mean(attempt.resource, names, "fink kafka topic list", hint)
    error = explanation.kind(message, hint)
    # Of a refused right Kafka says no more than its name, or the insides of its request.
    complete = explanation is _REFUSED or "{detail}" in explanation.message
    return error if complete or _NAMES_THE_ERROR.search(reason) else error.because(reason)
