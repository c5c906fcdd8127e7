"""What ``fink consume`` says at its end: how many alerts, and why there are none."""

from __future__ import annotations

import orjson

from fink_cli import console
from fink_cli.consumer.files.saver import Saver
from fink_cli.consumer.loop import Counts
from fink_cli.consumer.start import Start
from fink_cli.consumer.topic_reader import TopicReader
from fink_cli.consumer.view.table import AGAIN_SIGN, topics_text
from fink_cli.render import Format
from fink_cli.text import counted

_MOST_FILES = 3


def summarise(
    *,
    source: TopicReader,
    counts: Counts,
    form: Format,
    group: str | None,
    start: Start | None,
    saver: Saver | None,
    duplicates: int,
) -> None:
    """Say on stderr what was read.

    Args:
        saver: what saved the alerts; ``None`` where they were shown.
    """
    if form is Format.JSON:
        numbers = {"read": counts.read, "shown": counts.shown, "skipped": counts.skipped}
        saved = {} if saver is None else _saved_data(saver)
        console.note(orjson.dumps({**numbers, **saved}).decode())
        return
    if saver is not None:
        sentences = [f"{counted(counts.alerts, 'alert')} read.", _saved_text(saver)]
    elif counts.shown < counts.alerts:
        sentences = [f"{counts.shown:,} of {counted(counts.alerts, 'alert')} shown."]
    else:
        sentences = [f"{counted(counts.shown, 'alert')} shown."]
    if duplicates:
        sentences.append(f"{duplicates:,} came before ({AGAIN_SIGN}).")
    if counts.skipped:
        sentences.append(f"{counted(counts.skipped, 'message')} skipped.")
    if not counts.read and source.is_at_end:
        sentences.append(_why_nothing(source, group, start))
    # The names of files are to be copied: they are not broken.
    console.note(" ".join(sentences), unbroken=saver is not None)


def _saved_data(saver: Saver) -> dict[str, int | str]:
    return {
        "saved": saver.saved,
        "saved_before": saver.again,
        "folder": str(saver.folder),
        "files": saver.files,
    }


def _saved_text(saver: Saver) -> str:
    text = f"{saver.saved:,} saved"
    if saver.files:
        names = ", ".join(list(saver.names)[:_MOST_FILES])
        more = ", …" if saver.files > _MOST_FILES else ""
        text += f" to {saver.folder} in {counted(saver.files, 'file')}: {names}{more}"
    before = f" {saver.again:,} are in {saver.folder} from before." if saver.again else ""
    return f"{text}.{before}"


def _why_nothing(source: TopicReader, group: str | None, start: Start | None) -> str:
    topics = topics_text(source.topics)
    if group is not None:
        return f"The group {group} is at the end of {topics}: nothing new."
    if start is None or start == "earliest":
        return f"There is no message in {topics}."
    return f"There is no message in {topics} from there on."
