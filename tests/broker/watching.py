"""Alerts to publish, and the viewer to watch them with."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fastavro
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

from fink_cli.connection import Connection

FINK = [sys.executable, "-m", "fink_cli"]
PASSWORD = "a-password-of-a-test"
SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "number", "type": "int"},
        {"name": "ra", "type": "double"},
        {"name": "dec", "type": "double"},
        {"name": "mag", "type": ["null", "float"]},
        {"name": "cutout", "type": "bytes"},
        {"name": "history", "type": {"type": "array", "items": "double"}},
    ],
}
KEY = json.dumps(SCHEMA).encode()

Fink = Callable[..., subprocess.CompletedProcess[str]]
Message = tuple[bytes | None, bytes | None]


def alert(number: int) -> dict[str, Any]:
    return {
        "objectId": f"ZTF{number:04d}",
        "number": number,
        "ra": 10.5 + number,
        "dec": -math.inf if number == 3 else 1.25,
        "mag": math.nan if number == 2 else None,
        "cutout": b"\x00\xff",
        "history": [1.0, 2.5, float(number)],
    }


def message(number: int) -> Message:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), alert(number))
    return KEY, out.getvalue()


def messages(count: int, first: int = 0) -> list[Message]:
    return [message(number) for number in range(first, first + count)]


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def numbers(done: subprocess.CompletedProcess[str]) -> list[int]:
    return [line["alert"]["number"] for line in lines(done)]


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    found: dict[str, int] = json.loads(done.stderr.splitlines()[-1])
    return found


def new_user(connection: Connection, *rights: AclBinding) -> str:
    """A user with these rights and the password of the tests."""
    admin = AdminClient(connection.librdkafka())
    user = f"user-{uuid.uuid4().hex[:8]}"
    login = UserScramCredentialUpsertion(
        user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
    )
    for future in admin.alter_user_scram_credentials([login]).values():
        future.result()
    bindings = [
        AclBinding(
            each.restype,
            each.name,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            each.operation,
            AclPermissionType.ALLOW,
        )
        for each in rights
    ]
    for future in (admin.create_acls(bindings) if bindings else {}).values():
        future.result()
    return user


def right(topic: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:nobody",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )


def as_user(connection: Connection, user: str, password: str = PASSWORD) -> dict[str, str]:
    return {
        "FINK_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "FINK_USERNAME": user,
        "FINK_PASSWORD": password,
        "FINK_SECURITY_PROTOCOL": connection.security_protocol,
    }


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


@contextmanager
def running(environ: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*FINK, *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def shown_by(process: subprocess.Popen[str], count: int) -> list[int]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline())["alert"]["number"] for _ in range(count)]
