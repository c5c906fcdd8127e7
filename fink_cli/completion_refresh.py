"""Keeps what completion shows fresh: a process in the background, which tells nobody anything.

``python -m fink_cli.completion_refresh tree FILE`` and ``… names FILE PROFILE SERVERS``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fink_cli.completion.complete import write_tree
from fink_cli.completion.names import Known, asks_for_its_password, away_file, write_known
from fink_cli.completion.tree import Node, described
from fink_cli.config import resolve_connection
from fink_cli.connection import Connection
from fink_cli.errors import FinkError, UnreachableError
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.paths import config_file
from fink_cli.private import write_private
from fink_cli.settings_file import profiles_of, read_config

_SECONDS = 5.0


def main(words: list[str]) -> None:
    """Make the file anew, or leave it as it is."""
    what, file, *rest = words
    if what == "tree":
        write_tree(Path(file), whole_tree())
        return
    profile, servers = (each or None for each in rest)
    try:
        _refresh_names(Path(file), profile, servers)
    except FinkError:
        Path(file).unlink(missing_ok=True)
        write_private(away_file(Path(file)), "")


def whole_tree() -> Node:
    """The shape of the whole command line, with every group loaded."""
    # Here, since names are wanted soon and need none of it.
    from typer.main import get_command

    from fink_cli.app import app, groups, load_group

    below = {name: described(load_group(name), name) for name in groups()}
    return replace(described(get_command(app)), commands=below)


def _refresh_names(file: Path, profile: str | None, servers: str | None) -> None:
    document = read_config(config_file())
    chosen = profile or os.environ.get("FINK_PROFILE") or document.get("default")
    table = profiles_of(document).get(str(chosen), {})
    if asks_for_its_password(table, os.environ):
        write_private(away_file(file), "")
        return
    connection = resolve_connection(profile, servers)
    client = connect_admin(connection, timeout=_SECONDS)
    names: dict[str, list[str]] = {}
    host, port = _first(connection.bootstrap_servers)
    for kind, ask in _QUESTIONS.items():
        try:
            with kafka_errors(connection.attempt("DESCRIBE")):
                names[kind] = ask(client, connection)
        except UnreachableError:
            raise
        except FinkError:
            names[kind] = []
        # Written after each, so that the first need not wait for the last.
        write_known(file, Known(time.time(), host, port, names))
        away_file(file).unlink(missing_ok=True)


def _first(bootstrap_servers: str) -> tuple[str, int]:
    host, _, port = bootstrap_servers.partition(",")[0].rpartition("://")[2].rpartition(":")
    return host.strip(" []"), int(port)


def _topics(client: Any, _connection: Connection) -> list[str]:
    found = client.list_topics(timeout=_SECONDS).topics
    return sorted(name for name in found if not name.startswith("__"))


def _groups(client: Any, _connection: Connection) -> list[str]:
    found = client.list_consumer_groups(request_timeout=_SECONDS).result()
    return sorted(each.group_id for each in found.valid)


def _users(_client: Any, connection: Connection) -> list[str]:
    from fink_cli.admin.users import list_users

    return sorted({each.user for each in list_users(connection)})


_QUESTIONS: dict[str, Callable[[Any, Connection], list[str]]] = {
    "topics": _topics,
    "groups": _groups,
    "users": _users,
}

if __name__ == "__main__":
    main(sys.argv[1:])
