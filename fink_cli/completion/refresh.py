"""Ask the cluster for its names, in a process in the background that tells nobody anything.

``python -m fink_cli.completion.refresh FILE PROFILE SERVERS [TOPIC …]``
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fink_cli.completion.names import KnownNames, away_file, write_known
from fink_cli.connection import Connection, addresses
from fink_cli.errors import FinkError, UnreachableError
from fink_cli.kafka.client import connect_admin, kafka_errors
from fink_cli.paths import config_file
from fink_cli.private import write_private
from fink_cli.profiles import default_of, profiles_of, read_config
from fink_cli.settings import resolve_connection

_SECONDS = 5.0
Question = Callable[[Any, Connection], list[str]]


def main(words: list[str]) -> None:
    """Write the file of the names anew; where they can't be had, write that down instead."""
    file = Path(words[0])
    profile, servers = (word or None for word in words[1:3])
    try:
        _refresh(file, profile, servers, words[3:])
    except FinkError:
        file.unlink(missing_ok=True)
        write_private(away_file(file), "")


def _refresh(file: Path, profile: str | None, servers: str | None, topics: Sequence[str]) -> None:
    if _may_ask_a_person(profile):
        write_private(away_file(file), "")
        return
    connection = resolve_connection(profile, servers)
    client = connect_admin(connection, timeout=_SECONDS)
    host, port = addresses(connection.bootstrap_servers)[0]
    names: dict[str, list[str]] = {}
    # Of the alerts in topics nothing else is asked for: they are kept in a file of their own.
    for kind, ask in ({"alerts": _alerts(topics)} if topics else _QUESTIONS).items():
        try:
            with kafka_errors(connection.attempt("DESCRIBE")):
                names[kind] = ask(client, connection)
        except UnreachableError:
            raise
        except FinkError:
            names[kind] = []
        # Written after each, so that the first need not wait for the last.
        write_known(file, KnownNames(time.time(), host, port, names))
        away_file(file).unlink(missing_ok=True)


def _may_ask_a_person(profile: str | None) -> bool:
    """Return whether the login runs a command for its password, which may ask something."""
    document = read_config(config_file())
    chosen = profile or os.environ.get("FINK_PROFILE") or default_of(document)
    table = profiles_of(document).get(chosen, {})
    return "password_command" in table and not os.environ.get("FINK_PASSWORD")


def _topics(client: Any, _connection: Connection) -> list[str]:
    topics = client.list_topics(timeout=_SECONDS).topics
    return sorted(name for name in topics if not name.startswith("__"))


def _groups(client: Any, _connection: Connection) -> list[str]:
    listing = client.list_consumer_groups(request_timeout=_SECONDS).result()
    return sorted(group.group_id for group in listing.valid)


def _users(_client: Any, connection: Connection) -> list[str]:
    from fink_cli.admin.users import list_users

    return sorted({row.user for row in list_users(connection)})


def _alerts(topics: Sequence[str]) -> Question:
    from fink_cli.consumer.newest_names import newest_names

    return lambda _client, connection: newest_names(connection, topics)


_QUESTIONS: dict[str, Question] = {
    "topics": _topics,
    "groups": _groups,
    "users": _users,
}

if __name__ == "__main__":
    main(sys.argv[1:])
