"""A distribution's dead letters, as its operator reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fink_cli.admin.publishers import DEAD_LETTERS
from fink_cli.connection import Connection
from fink_cli.distribution.owner import Owner, read_all
from fink_cli.distribution.progress import DeadLetter, read_dead_letters


def dead_letters(connection: Connection, name: str, source: Path) -> list[DeadLetter]:
    """Read the dead letters of a distribution.

    Args:
        connection: the cluster, and a login that may read the two topics.
        name: the distribution.
        source: the folder of the science database, for the paths of the files.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    letters = read_dead_letters(name, read_all(connection, name, DEAD_LETTERS)).values()
    if not letters:
        return []
    owner = Owner(connection, name)
    owner.read()
    reasons = owner.progress.reasons
    return [
        replace(
            letter,
            reason=letter.reason or reasons.get(letter.stream, ""),
            file=str(source / letter.file),
        )
        for letter in letters
    ]
