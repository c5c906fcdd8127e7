"""Messages in Slack's Block Kit, within its limits. Pure: data in, data out.

The limits are those of https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message,
3,000 characters a text. Escaping is as https://docs.slack.dev/messaging/formatting-message-text
says: ``&``, ``<`` and ``>`` are all that Slack needs to be told of. What comes from alerts stands
in inline code besides, where ``*``, ``_``, ``~`` and ``:smile:`` mean nothing.
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
# Of chat.postMessage, for a text without blocks.
MOST_TEXT = 40_000
# Slack refuses a message whose blocks are too long together (msg_blocks_too_long), and does not
# document the length; nobody reads more than this.
_MOST_TOGETHER = 12_000
_LONGEST_CELL = 40
_LONGEST_LINKED = 100
_NAMED_IN_TEXT = 5

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """A message: its text (with blocks, that of the notification), its blocks, and, of a digest,
    the number by which it is recognised."""

    text: str
    blocks: tuple[Block, ...]
    digest: str = ""


@dataclass(frozen=True)
class Row:
    """An alert in a table: a text for each column, and the address that it links to, or none."""

    cells: tuple[str, ...]
    link: str = ""


@dataclass(frozen=True)
class Section:
    """The alerts of a class.

    Attributes:
        kind: the class.
        count: how many alerts there are, with those that the rows leave out.
        headings: a heading for each column.
        rows: the alerts that are shown, the first cell naming the object.
    """

    kind: str
    count: int
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def escape(text: str) -> str:
    """Text that Slack shows as it is: no mention, link or channel in it takes effect."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Text as inline code; a backtick in it becomes an apostrophe."""
    return f"`{escape(printable(text).replace('`', chr(39)))}`"


def cell_text(value: Any) -> str:
    """A value as the text of a cell; ``-`` for null and for what is no number."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def link_to(template: str, name: str) -> str:
    """The address of an object: the template with ``{object}`` filled in; none for odd names."""
    if not template or not name or name == "-" or len(name) > _LONGEST_LINKED:
        return ""
    return template.replace("{object}", quote(name.encode("utf-8", "replace"), safe=""))


def compose(sections: Sequence[Section], footer: str = "", digest: str = "") -> Message:
    """A message with a table for each class.

    Args:
        sections: the classes; those for which there is no room are counted in a last line.
        footer: a line at the end, plain text.
        digest: the number by which the message is recognised.
    """
    blocks: list[Block] = []
    together = 0
    shown = 0
    room = MOST_BLOCKS - 2
    for section in sections:
        texts = _packed(_lines(section))
        length = sum(len(each) for each in texts)
        if blocks and (len(blocks) + len(texts) > room or together + length > _MOST_TOGETHER):
            break
        blocks += [_section(each) for each in texts[:room]]
        together += length
        shown += 1
    rest = sections[shown:]
    if rest:
        alerts = sum(each.count for each in rest)
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


def plain(message: Message) -> str:
    """A message as text, as ``--dry-run`` shows it."""
    if not message.blocks:
        return message.text
    texts = [
        each["text"]["text"] if "text" in each else each["elements"][0]["text"]
        for each in message.blocks
    ]
    return "\n".join(texts)


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _lines(section: Section) -> list[str]:
    """The lines of a class, none longer than ``MOST_BLOCK_TEXT``, all of ``_MOST_TOGETHER``."""
    table = [_cut(section.headings), *(_cut(row.cells) for row in section.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    padded = [
        code("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for row in table
    ]
    title = f"{code(printable(section.kind, 80))}: {counted(section.count, 'alert')}"
    lines = [title, padded[0]]
    length = sum(len(each) for each in lines)
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
    return [printable(each, _LONGEST_CELL) for each in cells]


def _packed(lines: Sequence[str]) -> list[str]:
    """The lines in as few texts as may be, each of ``MOST_BLOCK_TEXT`` characters at most."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= MOST_BLOCK_TEXT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _notification(sections: Sequence[Section]) -> str:
    texts = []
    for each in sections[:_NAMED_IN_TEXT]:
        objects = [row.cells[0] for row in each.rows[:_NAMED_IN_TEXT]]
        named = f": {', '.join(objects)}" if objects else ""
        more = ", …" if each.count > len(objects) else ""
        kind = printable(each.kind, 80)
        texts.append(f"{kind}: {counted(each.count, 'alert')}{named}{more}")
    text = printable("; ".join(texts), 800)
    return escape(text + ("; …" if len(sections) > _NAMED_IN_TEXT else ""))
