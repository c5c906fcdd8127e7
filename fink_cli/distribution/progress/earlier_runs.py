"""Compare a run with earlier ones: changed streams, and why nothing was published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fink_cli.distribution.service.status import Status
from fink_cli.distribution.source.parquet_files import parquet_files
from fink_cli.distribution.streams import Stream

_MOST_NAMED = 3


def definitions(streams: Sequence[Stream]) -> dict[str, str]:
    """Digest what each stream publishes, by its title."""
    return {
        stream.title: hashlib.sha256(stream.model_dump_json(by_alias=True).encode()).hexdigest()
        for stream in streams
    }


def changed_streams(before: Mapping[str, str], streams: Sequence[Stream]) -> list[str]:
    """Return the streams that are new or declared otherwise than in the last run.

    Args:
        before: the digests of the last run, by :func:`definitions`.
        streams: the streams of this one.
    """
    now = definitions(streams)
    return [title for title, definition in now.items() if before.get(title) != definition]


def why_nothing(status: Status, source: Path) -> str | None:
    """Tell why a run published nothing; ``None`` where no run before it published anything."""
    if status.last_batch_at is None:
        return None
    last = datetime.fromisoformat(status.last_batch_at)
    when = f"the last on {last:%Y-%m-%d} at {last:%H:%M} UTC"
    files = parquet_files(source)
    if not files:
        return f"{source} holds no Parquet file now. What it held was published before, {when}."
    named = ", ".join(str(file.relative_to(source)) for file in files[-_MOST_NAMED:])
    which = named if len(files) <= _MOST_NAMED else f"{named} and {len(files) - _MOST_NAMED} more"
    return (
        f"No file of {source} is new: all {len(files)} ({which}) were published before, {when}. "
        "What was published is not published again."
    )
