"""Users with the rights that a test gives them."""

from __future__ import annotations

import uuid

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from fink_cli.admin.onboarding import read_user_access, remove_access
from fink_cli.connection import Connection

PASSWORD = "a-password-of-a-test"


def new_user(connection: Connection, *rights: AclBinding) -> str:
    """Make a user with these rights and the password of the tests; return its name."""
    admin = AdminClient(connection.librdkafka())
    user = f"user-{uuid.uuid4().hex[:8]}"
    login = UserScramCredentialUpsertion(
        user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
    )
    for future in admin.alter_user_scram_credentials([login]).values():
        future.result()
    rules = [_allow(right.restype, right.name, right.operation, f"User:{user}") for right in rights]
    for future in (admin.create_acls(rules) if rules else {}).values():
        future.result()
    return user


def right(topic: str, operation: AclOperation) -> AclBinding:
    """Return a right on a topic, to be given to a user."""
    return _allow(ResourceType.TOPIC, topic, operation, "User:nobody")


def _allow(kind: ResourceType, name: str, operation: AclOperation, principal: str) -> AclBinding:
    literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(kind, name, literal, principal, "*", operation, allow)


def as_user(connection: Connection, user: str, password: str = PASSWORD) -> dict[str, str]:
    """Return the variables of somebody who has this login and no profile."""
    return {
        "FINK_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "FINK_USERNAME": user,
        "FINK_PASSWORD": password,
        "FINK_SECURITY_PROTOCOL": connection.security_protocol,
    }


def remove_user(connection: Connection, user: str) -> None:
    """Remove a user and its rules, if there are any, without a run of the program."""
    remove_access(connection, read_user_access(connection, user))
