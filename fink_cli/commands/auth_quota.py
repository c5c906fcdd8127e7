"""``fink auth quota``: how much a user may read and write."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fink_cli import console, render
from fink_cli.commands.options import DryRun, ReportOptions, user_option
from fink_cli.errors import FinkError, UsageError
from fink_cli.text import fink_command

if TYPE_CHECKING:
    from fink_cli.admin.quotas import JavaTools, Limits
    from fink_cli.admin.users import User
    from fink_cli.connection import Connection

_LIMITS = ("consume_rate", "produce_rate", "requests")


def quota(
    user: Annotated[str, user_option("The user; '*' for every user without a quota of its own.")],
    consume: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="What it may read: 20MB/s.", show_default=False),
    ] = None,
    produce: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="What it may write: 500kB/s.", show_default=False),
    ] = None,
    requests: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="The time that its requests may take, of one thread of a broker: 50%.",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove all its limits.")] = False,
    dry_run: DryRun = False,
    *,
    options: ReportOptions,
) -> None:
    """Show or change how much a user may read and write. It holds on each broker by itself.

    Kafka refuses nothing to who asks for more: its answers come later.
    """
    from fink_cli.admin import quotas
    from fink_cli.admin.users import list_users

    limits = _limits(consume, produce, requests)
    if remove and limits:
        raise UsageError(
            "--remove is given together with a limit.",
            "Leave one of them away: a limit that is given replaces the one before.",
        )
    if remove:
        limits = dict.fromkeys(_LIMITS)
    connection = options.connection()
    with quotas.open_quotas(connection, java_tools()) as client:
        before = client.read().get(user, quotas.Quota(user))
        if limits and not dry_run:
            client.change(user, limits)
    render.emit(replace(before, **limits) if limits else before, options.form)  # type: ignore[arg-type]
    if limits and user != quotas.EVERYBODY:
        known = {row.user for row in list_users(connection)}
        if user not in known:
            console.warn(f"No user '{user}' logs in with SCRAM: see fink auth list")


def has_quota(connection: Connection, user: str) -> bool | None:
    """Return whether a user has a quota of its own; warn, and return ``None``, if nobody can tell.

    Java may be missing, or the right to see quotas.
    """
    from fink_cli.admin.quotas import open_quotas

    try:
        with open_quotas(connection, java_tools()) as client:
            return user in client.read()
    except FinkError as error:
        remove = fink_command("auth", "quota", "-u", user, "--remove")
        console.warn(f"A quota of '{user}' would stay: {error.message} To remove it: {remove}")
        return None


def remove_quota(connection: Connection, user: str) -> None:
    """Remove all limits of a user."""
    from fink_cli.admin.quotas import open_quotas

    with open_quotas(connection, java_tools()) as client:
        client.change(user, dict.fromkeys(_LIMITS))


def _limits(consume: str | None, produce: str | None, requests: str | None) -> Limits:
    from fink_cli.admin.quotas import rate, share

    limits: dict[str, float | None] = {}
    if consume is not None:
        limits["consume_rate"] = rate(consume)
    if produce is not None:
        limits["produce_rate"] = rate(produce)
    if requests is not None:
        limits["requests"] = share(requests)
    return limits


def java_tools() -> JavaTools:
    """Return what runs Kafka's own Admin client; fetch it where it is missing.

    Raises:
        FinkError: there is no Java, or no jars can be fetched.
    """
    from fink_cli.admin.quotas import JavaTools
    from fink_cli.cluster.install import kafka_jars
    from fink_cli.cluster.java import find_java
    from fink_cli.extras import PUBLISH, require_extra

    require_extra(PUBLISH, "A quota")
    java = find_java().program
    with console.fetching("Kafka's jars") as report:
        return JavaTools(java, kafka_jars(report))


def with_quotas(rows: list[User], connection: Connection) -> list[Any]:
    """Return users with their limits."""
    from fink_cli.admin.quotas import EVERYBODY, Quota, open_quotas
    from fink_cli.admin.users import LimitedUser

    with open_quotas(connection, java_tools()) as client:
        quotas = client.read()
    if EVERYBODY in quotas:
        console.note("Who has no limit has that of everybody: fink auth quota -u '*'")
    limits = {row.user: asdict(quotas.get(row.user, Quota(row.user))) for row in rows}
    return [LimitedUser(**{**asdict(row), **limits[row.user]}) for row in rows]
