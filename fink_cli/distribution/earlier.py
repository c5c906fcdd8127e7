"""What earlier runs of a distribution have done, for who wonders why nothing is published now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from fink_cli.distribution.science import parquet_files
from fink_cli.distribution.state import Folder
from fink_cli.distribution.streams import Distribution
from fink_cli.private import write_private

_MOST_NAMED = 3


def keep_streams(folder: Folder, distribution: Distribution) -> None:
    """Note how the streams are declared that a run publishes."""
    write_private(folder.streams, json.dumps(_definitions(distribution)))


def changed_streams(folder: Folder, distribution: Distribution) -> list[str]:
    """Return the streams that are new or declared otherwise than in the last run."""
    if not folder.streams.exists() or last_batch(folder) is None:
        return []
    before = json.loads(folder.streams.read_text(encoding="utf-8"))
    now = _definitions(distribution)
    return [title for title, definition in now.items() if before.get(title) != definition]


def _definitions(distribution: Distribution) -> dict[str, str]:
    return {each.title: each.model_dump_json() for each in distribution.stream}


def last_batch(folder: Folder) -> datetime | None:
    """Return when the last micro-batch was done, or ``None`` where none was."""
    done = [each.stat().st_mtime for each in (folder.checkpoint / "commits").glob("[0-9]*")]
    return datetime.fromtimestamp(max(done), UTC) if done else None


def why_nothing(folder: Folder, source: Path) -> str | None:
    """Tell why a run published nothing; ``None`` where no run before it published anything."""
    last = last_batch(folder)
    if last is None:
        return None
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
