"""The distributions that were begun in this ``FINK_HOME``, for commands that ask no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fink_cli.distribution.prepare import Options
from fink_cli.distribution.service.folder import About, Folder, read_about
from fink_cli.distribution.service.states import ALIVE
from fink_cli.distribution.service.status import Report, read_report
from fink_cli.errors import OperationFailedError, UsageError


@dataclass(frozen=True)
class LocalDistribution:
    """A distribution that was begun in this ``FINK_HOME``.

    Attributes:
        folder: its folder.
        about: its name, source and topics.
        report: the last report of its driver; ``None`` before the first run.
    """

    folder: Folder
    about: About
    report: Report | None

    @property
    def running(self) -> bool:
        """Whether its driver runs now."""
        return self.report is not None and self.report.status.state in ALIVE


def local_distributions(home: Path, options: Options) -> list[LocalDistribution]:
    """List the distributions that were begun in a ``FINK_HOME``, the last one first.

    Args:
        home: the ``FINK_HOME``.
        options: choose by file, source, topic and name; ``None`` in them matches any.
    """
    chosen = [
        LocalDistribution(folder, about, read_report(folder))
        for folder in map(Folder, (home / "distributions").glob("*"))
        if folder.about.exists() and _matches(about := read_about(folder), options)
    ]
    return sorted(chosen, key=lambda each: each.folder.about.stat().st_mtime_ns, reverse=True)


def _matches(about: About, options: Options) -> bool:
    return (
        (options.config is None or about.has_config(options.config))
        and (options.source is None or str(options.source.resolve()) == about.source)
        and (options.topic is None or options.topic in about.topics)
        and options.name in (None, about.name)
    )


def choose_one(distributions: Sequence[LocalDistribution]) -> LocalDistribution:
    """Return the only distribution, or the only one that runs.

    Raises:
        OperationFailedError: there is none.
        UsageError: there are several.
    """
    if not distributions:
        raise OperationFailedError(
            "No such distribution was begun here.",
            "Start one: fink distribute start --source DIR --topic T",
        )
    # Where several have one name, the newest: the topic or the cluster was created anew.
    newest = {each.about.all_options: each for each in reversed(distributions)}
    running = [each for each in distributions if each.running]
    if len(newest) > 1 and len(running) != 1:
        lines = "\n".join(f"  {options}" for options in reversed(newest))
        raise UsageError(f"There are {len(newest)} distributions.", f"Say which:\n{lines}")
    return running[0] if running else distributions[0]
