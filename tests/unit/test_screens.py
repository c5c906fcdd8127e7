"""The table and the detail view, as they look at four widths, kept in tests/screens."""

from __future__ import annotations

import copy
import io
import math
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from fink_cli.alerts.sky import Position
from fink_cli.consumer.loop import Counts, ReadProgress
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.view.alert_summary import describe
from fink_cli.consumer.view.detail import DetailView
from fink_cli.consumer.view.rows import Rows
from fink_cli.consumer.view.table import header_line, live_view, row_line
from tests.support.drawn import HOSTILE_TEXTS, alert_of, check_screen, rubin, small, ztf

WIDTHS = (60, 80, 120, 200)


def drawn(shown: RenderableType, width: int, colours: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
        highlight=False,
        markup=False,
        legacy_windows=False,
    )
    console.print(shown, crop=False)
    return out.getvalue()


def without_links(text: str) -> list[str]:
    """The lines but for the addresses, which are whole on purpose."""
    return [line for line in text.splitlines() if "https://" not in line]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "content"), [("ztf", ztf()), ("rubin", rubin())])
def test_the_detail_view(name: str, content: dict[str, Any], width: int) -> None:
    text = drawn(DetailView(describe(alert_of(content))), width)
    assert all(cell_len(line.rstrip()) <= width for line in without_links(text))
    assert "\x1b" not in text
    check_screen(f"detail-{name}-{width}.txt", text)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_table(width: int) -> None:
    before: set[str] = set()

    def again(alert: ReadAlert) -> bool:
        came = str(alert.id) in before
        before.add(str(alert.id))
        return came

    rows = Rows(None, ["fink_sn"], Position.HMS, again)
    lines = [rows.row(small(each)) for each in (1, 2, 3, 2, 4)]
    state = ReadProgress(("fink_sn",), Counts(7, 5, 2), 12.25, 1234, True, 42.0)
    skipped = [Skipped("fink_sn", 0, 5, "the message ends too soon")]
    view = live_view(rows.headings, lines, state, skipped, width=width, height=24)
    text = drawn(view, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    check_screen(f"table-{width}.txt", text)


def test_narrow_stacks_and_wide_does_not() -> None:
    view = DetailView(describe(alert_of(ztf())))
    narrow, wide = (drawn(view, width).splitlines() for width in (60, 200))
    assert any(line.startswith("science") and "template" not in line for line in narrow)
    assert any("science" in line and "template" in line for line in wide)
    assert any("position" in line and "│" in line for line in wide)
    assert not any("position" in line and "│" in line for line in narrow)


def test_colours_and_links_only_on_a_terminal() -> None:
    view = DetailView(describe(alert_of(ztf())))
    colour, plain = drawn(view, 120, colours=True), drawn(view, 120)
    assert "\x1b]8;" in colour
    assert "https://fink-portal.org/ZTF21abcdefg" in colour
    assert "▀" in colour
    assert "\x1b" not in plain
    assert "Fink https://fink-portal.org/ZTF21abcdefg" in plain
    assert "▀" not in plain
    assert "█" in plain


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
@pytest.mark.parametrize("colours", [False, True])
def test_hostile_text_changes_nothing(text: str, colours: bool) -> None:
    content = ztf() | {"objectId": text, "cdsxmatch": text, "tns": text, text: text, "x": text}
    content["candidate"]["fid"] = text
    alert = alert_of(content, id=text)
    shown = drawn(DetailView(describe(alert)), 80, colours)
    if not colours:
        assert all(cell_len(line.rstrip()) <= 80 for line in without_links(shown))
        assert not any(
            ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in "".join(shown.split())
        )
    for forbidden in ("\x1b[2J", "\x1b]0;", "\x9b", "\x07", "\u202e", "\u2066", "\ud800"):
        assert forbidden not in shown
    if text.startswith("[red]"):
        assert "[red]" in shown


def test_ten_thousand_columns_are_bounded() -> None:
    content = {f"column_{at}": at for at in range(10_000)} | {"nested": {"a" * 5000: 1}}
    text = drawn(DetailView(describe(alert_of(content))), 80)
    assert len(text.splitlines()) < 60
    assert "and 9,940 more" in text


ODD: list[Any] = [
    None, True, -1, 2**70, 1e308, -1e308, 5e-324, math.nan, -math.inf, "", "x" * 300, "\x1b[2J",
    b"", b"\x1f\x8b", b"SIMPLE  =", [], {}, [None], [[1]], {"a": 1}, 2459540.5, Decimal("1.5"),
    datetime(1, 1, 1), datetime(9999, 12, 31, tzinfo=UTC), "漢字" * 20,
]  # fmt: skip


def mutate(chance: random.Random, value: Any) -> None:
    """Put odd values in the place of some."""
    if not value or not isinstance(value, dict | list):
        return
    for _ in range(chance.choice((1, 2, 6))):
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if chance.random() < 0.5 and isinstance(value[key], dict | list):
            mutate(chance, value[key])
        else:
            value[key] = chance.choice(ODD)


def test_mutated_alerts_are_drawn() -> None:
    chance = random.Random(11)
    originals = (ztf(), rubin())
    drawn(DetailView(describe(alert_of(ztf()))), 80)
    for at in range(400):
        content = copy.deepcopy(originals[at % 2])
        mutate(chance, content)
        began = time.process_time()
        text = drawn(DetailView(describe(alert_of(content))), chance.choice((20, 60, 120)))
        assert time.process_time() - began < 1
        assert "\x1b" not in text


def test_an_alert_of_nothing() -> None:
    text = drawn(DetailView(describe(alert_of({}))), 80)
    assert "fink_sn offset 12" in text
    assert "No light curve" in text


def test_fields_that_are_times_and_positions_by_name() -> None:
    from fink_cli.alerts.fields import parse_fields

    rows = Rows(
        parse_fields("objectId,candidate.jd,candidate.ra,cdsxmatch"), ["fink_sn"], Position.HMS
    )
    row = rows.row(small(1))
    assert header_line(rows.headings).split() == [
        "objectId",
        "candidate.jd",
        "candidate.ra",
        "cdsxmatch",
    ]
    assert row_line(rows.headings, row).split() == [
        "ZTF21aaaa001",
        "2021-11-22T01:00:00",
        "00:44:00.00",
        "QSO",
    ]


def test_a_topic_that_matches_later_is_told_apart() -> None:
    rows = Rows(None, ["fink_sn"])
    first = rows.row(small(1))
    alone = header_line(rows.headings).split()
    second = rows.row(replace(small(2), topic="fink_kn"))
    assert header_line(rows.headings).split() == ["topic", *alone]
    found = [row_line(rows.headings, each).split()[0] for each in (first, second)]
    assert found == ["fink_sn", "fink_kn"]
