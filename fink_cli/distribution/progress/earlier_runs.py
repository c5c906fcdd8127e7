"""Compare a run with earlier ones: changed streams, and why nothing was published."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fink_cli.distribution.progress.records import Progress
from fink_cli.distribution.service.status import Status
from fink_cli.distribution.source.parquet_files import parquet_files
from fink_cli.distribution.streams import Stream
from fink_cli.text import counted

_MOST_NAMED = 3


def definitions(streams: Sequence[Stream]) -> dict[str, str]:
    """Digest what each stream publishes, by its title: all of it, and which alerts it selects."""
    return {
        stream.title: f"{_digest(stream.model_dump_json(by_alias=True))} {_selection(stream)}"
        for stream in streams
    }


def _selection(stream: Stream) -> str:
    selects = {"topic", "filter", "arguments", "class_column", "classes"}
    return _digest(stream.model_dump_json(include=selects))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_same(before: str | None, now: str, part: int) -> bool:
    """Compare a part of two digests; one of an earlier fink has the first part only."""
    if before is None:
        return False
    number = min(part, before.count(" "))
    return before.split()[number] == now.split()[number]


def changed_streams(before: Mapping[str, str], streams: Sequence[Stream]) -> list[str]:
    """Return the streams that are new or declared otherwise than in the last run.

    Args:
        before: the digests of the last run, by :func:`definitions`.
        streams: the streams of this one.
    """
    now = definitions(streams)
    return [title for title, digest in now.items() if not _is_same(before.get(title), digest, 0)]


def behind_streams(progress: Progress, streams: Sequence[Stream], at: str) -> dict[str, str]:
    """Return since when each stream lacks what was published before, by its title.

    Args:
        progress: what was published, and by which definitions.
        streams: the streams of this run.
        at: now, ISO 8601.
    """
    driver = progress.driver
    if driver is None or not progress.files:
        return {}
    now = definitions(streams)
    behind = {title: since for title, since in driver.behind.items() if title in now}
    gone = {title: digest for title, digest in driver.streams.items() if title not in now}
    for title, digest in now.items():
        if title in driver.streams:
            before: str | None = title
        else:  # a stream with another name selects what it did
            before = next((old for old in gone if _is_same(gone[old], digest, 1)), None)
        if before is None or not _is_same(driver.streams[before], digest, 1):
            behind[title] = at
        elif before in driver.behind:
            behind[title] = driver.behind[before]
    return behind


def why_nothing(
    status: Status, source: Path, behind: Mapping[str, str], options: str
) -> str | None:
    """Tell why a run published nothing; ``None`` where no run before it published anything.

    Args:
        status: of the run.
        source: the folder of the science database.
        behind: the streams that lack what was published before.
        options: those that name the distribution.
    """
    if status.last_batch_at is None:
        return None
    last = datetime.fromisoformat(status.last_batch_at)
    when = f"the last on {last:%Y-%m-%d} at {last:%H:%M} UTC"
    files = parquet_files(source)
    if not files:
        return f"{source} holds no Parquet file now. What it held was published before, {when}."
    if behind:
        streams = ", ".join(f"'{title}'" for title in behind)
        first = shlex.quote(next(iter(behind)))
        were = "was" if len(files) == 1 else "were"
        return (
            f"{counted(len(files), 'file')} {were} published on {last:%Y-%m-%d %H:%M} UTC; "
            f"the filter of {streams} is new or has changed since: "
            f"fink distribute backfill --stream {first} {options}".rstrip()
        )
    named = ", ".join(str(file.relative_to(source)) for file in files[-_MOST_NAMED:])
    which = named if len(files) <= _MOST_NAMED else f"{named} and {len(files) - _MOST_NAMED} more"
    return (
        f"No file of {source} is new: all {len(files)} ({which}) were published before, {when}. "
        "What was published is not published again."
    )
