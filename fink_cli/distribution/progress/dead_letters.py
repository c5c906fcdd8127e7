"""Dead letters: alerts that a stream should have published, or might have, and did not.

The topic ``fink_dead_letters`` holds one record for each; a record without a value takes it away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fink_cli.distribution.progress.records import Record, read_fields


@dataclass(frozen=True)
class DeadLetter:
    """An alert that a stream should have published, or might have, and did not.

    Attributes:
        stream: the stream.
        alert_id: the alert.
        kind: ``not decided``: the filter raised; ``no topic``: the topic was missing;
            ``not allowed``: the user may not write to it; ``too large``: the broker refused it.
        reason: the text of the error.
        file: the Parquet file, within the source.
        row: its row in the file, from 0.
    """

    stream: str
    alert_id: str
    kind: str
    reason: str
    file: str
    row: int


UNDECIDED, NO_TOPIC, NOT_ALLOWED, TOO_LARGE = "not decided", "no topic", "not allowed", "too large"


def dead_letter_key(name: str, stream: str, file: str, row: int) -> str:
    """Make the key of a dead letter: a later record of the same key takes its place."""
    return json.dumps({"distribution": name, "stream": stream, "file": file, "row": row})


def dead_letter_record(name: str, letter: DeadLetter) -> Record:
    """Make the record of a dead letter."""
    key = dead_letter_key(name, letter.stream, letter.file, letter.row)
    return Record(key, json.dumps({"distribution": name, **asdict(letter)}))


def read_dead_letters(
    name: str, records: Iterable[tuple[str, str | None]]
) -> Mapping[str, DeadLetter]:
    """Read what is left of a distribution's dead letters.

    Args:
        name: the distribution.
        records: key and value of the topic's records in their order; a value of ``None`` takes the
            letter away.

    Returns:
        The letters, by their keys.
    """
    letters: dict[str, DeadLetter] = {}
    for key, value in records:
        if value is None:
            letters.pop(key, None)
            continue
        try:
            content: dict[str, Any] = json.loads(value)
            if content["distribution"] == name:
                letters[key] = DeadLetter(**read_fields(DeadLetter, content))
        except (ValueError, KeyError, TypeError):
            continue  # not written by fink
    return letters
