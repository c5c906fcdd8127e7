"""`fink consume --browse`: reads in one thread, while the terminal is served by another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from fink_cli import console
from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.sky import Position
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.message import Alert
from fink_cli.consumer.topic_reader import TopicReader
from fink_cli.consumer.view.browse.feed import Feed
from fink_cli.errors import UsageError


def require_terminal() -> None:
    """Refuse to browse without a terminal.

    Raises:
        UsageError: stdin or stdout is none, or it can't be drawn on.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or console.stdout().is_dumb_terminal:
        raise UsageError(
            "--browse needs a terminal.", "Leave it out: the alerts are printed line by line then."
        )


def browse(
    source: TopicReader,
    decoder: Decoder,
    rules: LoopOptions,
    counts: Counts,
    folder: Path,
    position: Position,
    interrupted: Callable[[], bool],
    again: Callable[[Alert], bool] | None,
) -> bool:
    """Show a list to move through, until it is left.

    Args:
        source: the messages; without a group.
        decoder: makes alerts of them.
        rules: what is done with which messages.
        counts: counts.
        folder: where alerts are saved.
        position: how positions are written.
        interrupted: whether the program was asked to end.
        again: says of an alert whether it came before; none marks no alert.

    Returns:
        Whether it was interrupted.

    Raises:
        FinkError: the topics can't be read, or the cluster is lost.
    """
    # Loaded here: Textual is needed by nothing else.
    from fink_cli.consumer.view.browse.app import Browser

    feed = Feed()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(
            follow,
            source,
            decoder,
            feed,
            counts,
            replace(rules, progress=feed.report),
            stopped=lambda: feed.closed,
        )
        try:
            app = Browser(feed, reading, source.topics, folder, position, interrupted, again)
            was_interrupted = bool(app.run())
        finally:
            feed.close()
        reading.result()
    return was_interrupted
