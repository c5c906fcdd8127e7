"""Compose messages in Slack's Block Kit, within its limits. Pure.

The limits are those of https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message,
3,000 characters a text. ``&``, ``<`` and ``>`` are escaped, as
https://docs.slack.dev/messaging/formatting-message-text says. Texts from alerts are inline code as
well, in which ``*``, ``_``, ``~`` and ``:smile:`` have no effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fink_cli.text import counted, printable

MOST_BLOCKS = 50
MOST_BLOCK_TEXT = 3000
# The limit of chat.postMessage for a text without blocks.
MOST_TEXT = 40_000
# Slack refuses a message whose blocks together are too long (msg_blocks_too_long), and does not
# document the limit; nobody reads more than this.
_MOST_TOGETHER = 12_000
_LONGEST_CELL = 40
_LONGEST_LINKED = 100
_NAMED_IN_TEXT = 5
_MOST_LINES = 20
_LONGEST_LINE = 500

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        text: its text; with blocks, that of the notification.
        digest: the id of a digest, by which it is recognised; else empty.
    """

    text: str
    blocks: tuple[Block, ...]
    digest: str = ""


@dataclass(frozen=True)
class Row:
    """An alert in a table: a text for each column, and the URL to link to, or an empty text."""

    cells: tuple[str, ...]
    link: str = ""


@dataclass(frozen=True)
class Section:
    """The alerts of a class.

    Attributes:
        count: the number of alerts, with those that are not in ``rows``.
        rows: the newest alerts; the first cell names the object.
    """

    kind: str
    count: int
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def escape(text: str) -> str:
    """Escape a text, so that no mention, link or channel in it takes effect."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Return a text as inline code; a backtick in it becomes an apostrophe."""
    return f"`{escape(printable(text).replace('`', chr(39)))}`"


def cell_text(value: Any) -> str:
    """Format a value as the text of a cell; ``-`` for null and NaN."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def link_to(template: str, name: str) -> str:
    """Return the URL of an object: the template with its name; empty for an unusable name."""
    if not template or not name or name == "-" or len(name) > _LONGEST_LINKED:
        return ""
    return template.replace("{object}", quote(name.encode("utf-8", "replace"), safe=""))


def compose(sections: Sequence[Section], footer: str = "", digest: str = "") -> Message:
    """Compose a message with a table for each class.

    Args:
        sections: the classes; those that do not fit are counted in a last line.
        footer: a line of plain text at the end.
        digest: the id by which the message is recognised.
    """
    blocks: list[Block] = []
    together = 0
    shown = 0
    room = MOST_BLOCKS - 2
    for section in sections:
        texts = _packed(_lines(section))
        length = sum(len(text) for text in texts)
        if blocks and (len(blocks) + len(texts) > room or together + length > _MOST_TOGETHER):
            break
        blocks += [_section(text) for text in texts[:room]]
        together += length
        shown += 1
    rest = sections[shown:]
    if rest:
        alerts = sum(section.count for section in rest)
        blocks.append(_section(f"… and {counted(alerts, 'alert')} of {len(rest)} more classes"))
    if footer:
        blocks.append(
            {
                "type": "context",
                "elements": [
                    {"type": "mrkdwn", "text": escape(printable(footer, 500)), "verbatim": True}
                ],
            }
        )
    return Message(_notification(sections), tuple(blocks), digest)


def notice(title: str, lines: Sequence[str]) -> Message:
    """Compose a message of a title and lines.

    Args:
        title: a text of fink's own; Slack's markup takes effect.
        lines: texts with names of others, which are shown as they are; those that do not fit are
            counted.
    """
    shown = [code(printable(line, _LONGEST_LINE)) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… and {len(lines) - _MOST_LINES} more")
    texts = _packed([title, *shown])
    first = escape(printable(lines[0], _LONGEST_LINE)) if lines else ""
    return Message(f"{title}: {first}" if first else title, tuple(map(_section, texts)))


def plain(message: Message) -> str:
    """Return a message as text, as ``--dry-run`` shows it."""
    if not message.blocks:
        return message.text
    texts = [
        block["text"]["text"] if "text" in block else block["elements"][0]["text"]
        for block in message.blocks
    ]
    return "\n".join(texts)


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _lines(section: Section) -> list[str]:
    """Return the lines of a class, each of at most ``MOST_BLOCK_TEXT`` characters."""
    table = [_cut(section.headings), *(_cut(row.cells) for row in section.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    padded = [
        code("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for row in table
    ]
    title = f"{code(printable(section.kind, 80))}: {counted(section.count, 'alert')}"
    lines = [title, padded[0]]
    length = sum(len(line) for line in lines)
    shown = 0
    for row, text in zip(section.rows, padded[1:], strict=True):
        line = f"{text} <{row.link}|open>" if row.link else text
        length += len(line) + 1
        if length > _MOST_TOGETHER or len(line) > MOST_BLOCK_TEXT:
            break
        lines.append(line)
        shown += 1
    if section.count > shown:
        lines.append(f"… and {counted(section.count - shown, 'more alert')}")
    return lines


def _cut(cells: Sequence[str]) -> list[str]:
    return [printable(text, _LONGEST_CELL) for text in cells]


def _packed(lines: Sequence[str]) -> list[str]:
    """Join lines into as few texts as possible, each of ``MOST_BLOCK_TEXT`` characters at most."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= MOST_BLOCK_TEXT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _notification(sections: Sequence[Section]) -> str:
    texts = []
    for section in sections[:_NAMED_IN_TEXT]:
        objects = [row.cells[0] for row in section.rows[:_NAMED_IN_TEXT]]
        named = f": {', '.join(objects)}" if objects else ""
        more = ", …" if section.count > len(objects) else ""
        kind = printable(section.kind, 80)
        texts.append(f"{kind}: {counted(section.count, 'alert')}{named}{more}")
    text = printable("; ".join(texts), 800)
    return escape(text + ("; …" if len(sections) > _NAMED_IN_TEXT else ""))
