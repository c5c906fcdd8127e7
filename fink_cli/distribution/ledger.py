"""The ledger of alerts that were not published, and why, so that they can be later.

It has a file for each micro-batch that skipped any, with a line for each alert and stream: a batch
that is run again writes its file again, whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.private import write_private

UNDECIDED, NO_TOPIC, TOO_LARGE = "not decided", "no topic", "too large"


@dataclass(frozen=True)
class Skipped:
    """An alert that a stream did not publish.

    Attributes:
        stream: what the stream is called.
        alert_id: the alert.
        kind: ``not decided``: its filter raised; ``no topic``: the topic was missing;
            ``too large``: the broker refused the message.
        reason: what was said.
        file: the Parquet file that holds it.
    """

    stream: str
    alert_id: str
    kind: str
    reason: str
    file: str


def ledger_files(folder: Path) -> list[Path]:
    """The files of a ledger, one a micro-batch, in the order of their names."""
    return sorted(folder.glob("*.jsonl"))


def write_page(file: Path, rows: Iterable[Skipped]) -> None:
    """Keep what a micro-batch skipped; nothing removes what was kept of it."""
    lines = "".join(f"{json.dumps(asdict(row))}\n" for row in rows)
    if lines:
        write_private(file, lines)
    else:
        file.unlink(missing_ok=True)


def read_page(file: Path) -> list[Skipped]:
    """What a micro-batch skipped."""
    return [Skipped(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def count_ledger(folder: Path) -> int:
    """How many there are in :func:`read_ledger`; hundreds of thousands take no second."""
    return sum(file.read_bytes().count(b"\n") for file in ledger_files(folder))


def read_ledger(folder: Path) -> Iterator[Skipped]:
    """All that was skipped and is not published yet."""
    for file in ledger_files(folder):
        yield from read_page(file)
