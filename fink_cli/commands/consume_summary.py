"""What `fink consume` says at its end: how many alerts, and why there are none."""

from __future__ import annotations

import orjson

from fink_cli import output
from fink_cli.commands.consume_save import saved_text, summary_of
from fink_cli.consumer.files.saver import Saver
from fink_cli.consumer.loop import Counts
from fink_cli.consumer.start import Earliest, Start
from fink_cli.consumer.topic_reader import TopicReader
from fink_cli.consumer.view.table import AGAIN_SIGN, topics_text
from fink_cli.output import Format


def summarise(
    source: TopicReader,
    counts: Counts,
    form: Format,
    group: str | None,
    start: Start | None,
    saver: Saver | None,
    marked: int,
) -> None:
    """Say on stderr what was read.

    Args:
        source: what it was read from.
        counts: how many messages were read, shown and skipped.
        form: the form of the output; JSON has the counts as JSON.
        group: the group that was read in.
        start: where it was asked to start.
        saver: what saved the alerts; ``None`` where they were shown.
        marked: how many alerts were marked as duplicates.
    """
    if form is Format.JSON:
        numbers = {"read": counts.read, "shown": counts.shown, "skipped": counts.skipped}
        output.note(orjson.dumps(numbers | (summary_of(saver) if saver else {})).decode())
        return
    if saver is not None:
        said = f"{count(counts.alerts, 'alert')} read. {saved_text(saver)}"
    elif counts.shown < counts.alerts:
        said = f"{counts.shown:,} of {count(counts.alerts, 'alert')} shown."
    else:
        said = f"{count(counts.shown, 'alert')} shown."
    said += f" {marked:,} came before ({AGAIN_SIGN})." if marked else ""
    said += f" {count(counts.skipped, 'message')} skipped." if counts.skipped else ""
    if not counts.read and source.is_at_end:
        said += f" {_why_nothing(source, group, start)}"
    # The names of files are to be copied, and stay whole.
    output.note(said, whole=saver is not None)


def _why_nothing(source: TopicReader, group: str | None, start: Start | None) -> str:
    topics = topics_text(source.topics)
    if group is not None:
        return f"The group {group} is at the end of {topics}: nothing new."
    if start is None or isinstance(start, Earliest):
        return f"There is no message in {topics}."
    return f"There is no message in {topics} from there on."


def count(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
