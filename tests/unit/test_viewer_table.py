"""The viewer's table: what fits, what is shown, and hostile text."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from fink_cli.alerts.columns import Column, viewer_columns
from fink_cli.avro.schema import read_schema
from fink_cli.consumer.loop import Counts, Pace, ReadProgress
from fink_cli.consumer.message import Skipped
from fink_cli.consumer.view.cells import cell, time_text, value_text
from fink_cli.consumer.view.table import (
    MOST_COLUMNS,
    Heading,
    Row,
    fitting,
    header_line,
    key_of,
    live_view,
    row_line,
    table,
    topic_heading,
    topics_text,
    widened,
)
from tests.support.drawn import HOSTILE_TEXTS

WIDTHS = (60, 80, 120, 160)
CANDIDATE = {
    "type": "record",
    "name": "candidate",
    "fields": [
        {"name": name, "type": ["null", kind]}
        for name, kind in (
            ("jd", "double"),
            ("fid", "int"),
            ("ra", "double"),
            ("dec", "double"),
            ("magpsf", "float"),
        )
    ],
}
SCHEMA = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "alert",
            "fields": [
                {"name": "objectId", "type": "string"},
                {"name": "candidate", "type": CANDIDATE},
                {"name": "cdsxmatch", "type": ["null", "string"]},
            ],
        }
    )
)
ALERT: dict[str, Any] = {
    "objectId": "ZTF18abadigg",
    "candidate": {
        "jd": 2459540.6045949,
        "fid": 1,
        "ra": 320.3837812,
        "dec": -13.5583249,
        "magpsf": 16.0349,
    },
    "cdsxmatch": "CataclyV*_Candidate",
}
EMPTY = {
    "objectId": "ZTF18empty",
    "candidate": dict.fromkeys(ALERT["candidate"]),
    "cdsxmatch": None,
}


def rows_of(*alerts: dict[str, Any]) -> tuple[tuple[Heading, ...], list[Row]]:
    columns = viewer_columns(SCHEMA)
    rows = [{key_of(each): cell(alert, each) for each in columns} for alert in alerts]
    headings: tuple[Heading, ...] = ()
    for row in rows:
        headings = widened(headings, columns, row)
    return headings, rows


def printed(shown: RenderableType, width: int, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(
        file=out,
        width=width,
        height=24,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        highlight=False,
        markup=False,
    ).print(shown)
    return out.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_row_is_a_line_at_every_width(width: int) -> None:
    headings, rows = rows_of(ALERT, EMPTY)
    lines = printed(table(headings, rows, width), width).splitlines()
    assert len(lines) == 4
    assert all(cell_len(line) <= width for line in lines)
    assert "ZTF18abadigg" in lines[2]
    assert "2021-11-22T02:30:37" in lines[2]
    assert "16.03  g" in lines[2]


def test_the_least_important_columns_go_first() -> None:
    headings, rows = rows_of(ALERT)
    titles = {
        width: [each.title for each in fitting(headings, rows, width)]
        for width in (160, 80, 79, 60, 50, 40, 20, 3)
    }
    everything = ["object", "time (UTC)", "ra", "dec", "mag", "band", "class"]
    assert titles[160] == titles[80] == everything
    assert titles[79] == titles[60] == ["object", "time (UTC)", "mag", "band", "class"]
    assert titles[50] == ["object", "time (UTC)", "class"]
    assert titles[40] == ["object", "time (UTC)"]
    assert titles[20] == titles[3] == ["object"]


def test_at_160_nothing_is_cut() -> None:
    headings, rows = rows_of(ALERT)
    text = printed(table(headings, rows, 160), 160)
    for expected in ("320.38378", "-13.55832", "16.03", "CataclyV*_Candidate"):
        assert expected in text


def test_what_is_missing_is_a_dash() -> None:
    headings, rows = rows_of(EMPTY)
    assert (
        printed(table(headings, rows, 80), 80).splitlines()[2].split() == ["ZTF18empty"] + ["-"] * 6
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_hostile_text_changes_nothing(text: str, width: int) -> None:
    alert = ALERT | {"objectId": text, "cdsxmatch": text}
    headings, rows = rows_of(alert, ALERT)
    state = ReadProgress((text,), Counts(2, 2, 0), 1.0, 0, True)
    skipped = [Skipped(text, 0, 1, text)]
    view = printed(live_view(headings, rows, state, skipped, width=width, height=24), width)
    assert len(view.splitlines()) == 8
    assert all(cell_len(line) <= width for line in view.splitlines())
    lines = [header_line(headings), row_line(headings, rows[0])]
    for shown in (view.replace("\n", ""), *lines):
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
        assert not any(char in shown for char in "\u202e\u2066\ud800")
    if text.startswith("[red]"):
        assert "[red]" in view


def test_hostile_names_of_columns() -> None:
    columns = [Column(text, text) for text in HOSTILE_TEXTS]
    headings = widened((), columns, {})
    assert "\x1b" not in header_line(headings)
    assert "\x1b" not in printed(table(headings, [{}], 160), 160)


def test_columns_are_bounded() -> None:
    headings: tuple[Heading, ...] = ()
    for at in range(1000):
        headings = widened(headings, [Column(f"c{at}", f"c{at}")], {})
    assert len(headings) == MOST_COLUMNS


def test_lines_keep_their_columns() -> None:
    longer = ALERT | {"objectId": "a_much_longer_name_than_the_first"}
    headings, rows = rows_of(ALERT)
    _, more = rows_of(longer, EMPTY)
    starts = header_line(headings).index("time (UTC)")
    lines = [row_line(headings, row) for row in [*rows, *more]]
    assert lines[0][starts:].startswith("2021-11-22T02:30:37  320.38378  -13.55832  16.03  g")
    assert lines[0].endswith("CataclyV*_Candidate")
    assert lines[1].startswith("a_much_long…  2021")
    assert lines[2][starts] == "-"


def test_alerts_of_two_shapes_share_a_table() -> None:
    headings, rows = rows_of(ALERT)
    other = [
        Column("diaSource.psfFlux", "flux (nJy)", "magnitude"),
        Column("o", "object", "object"),
    ]
    both = widened(headings, other, {})
    assert [each.title for each in both] == [each.title for each in headings] + ["flux (nJy)"]
    assert row_line(both, rows[0]).split()[-1] == "-"


def test_the_live_view_keeps_to_the_terminal() -> None:
    headings, rows = rows_of(*[ALERT] * 100)
    state = ReadProgress(("fink_sso",), Counts(102, 100, 2), 49.44, 12345, True)
    skipped = [Skipped("fink_sso", 0, at, "it is cut") for at in range(3)]
    lines = printed(live_view(headings, rows, state, skipped, width=80, height=24), 80).splitlines()
    assert len(lines) <= 24
    assert lines[0].split() == [
        "fink_sso",
        "100",
        "shown",
        "49.4/s",
        "lag",
        "12,345",
        "2",
        "skipped",
    ]
    assert lines[-1] == "Skipped fink_sso partition 0 offset 2: it is cut."
    tiny = printed(live_view(headings, rows, state, skipped, width=20, height=3), 20).splitlines()
    assert all(cell_len(line) <= 20 for line in tiny)


def test_the_live_view_before_the_first_alert() -> None:
    state = ReadProgress(("fink_sso",), Counts(), 0.0, 0, False)
    text = printed(live_view((), [], state, [], width=80, height=24), 80)
    assert "Waiting for alerts" in text
    assert "no connection" in text


def test_colours_only_on_a_terminal() -> None:
    headings, rows = rows_of(ALERT)
    assert "\x1b[" in printed(table(headings, rows, 80), 80, terminal=True)
    assert "\x1b[" not in printed(table(headings, rows, 80), 80)


def test_names_of_many_topics() -> None:
    assert topics_text(["a", "b", "c"]) == "a, b, c"
    assert topics_text(["a", "b", "c", "d"]) == "a, b and 2 more"
    assert topic_heading(["fink_sso", "a"]).width == 8


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2440587.5, "jd", "1970-01-01T00:00:00"),
        (2459540.6045949, "jd", "2021-11-22T02:30:37"),
        (40587, "mjd", "1970-01-01T00:00:00"),
        (60676.000428240743, "mjd-tai", "2025-01-01T00:00:00"),
        (math.nan, "jd", "-"),
        (math.inf, "mjd", "-"),
        (1e300, "jd", "-"),
        (-999.0, "jd", "-"),
        (None, "jd", "-"),
        ("text", "jd", "text"),
        (datetime(2021, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))), "", "2021-01-01T01:00:00"),
        (datetime(2021, 1, 1, 0, 0, 0, 9, tzinfo=UTC), "", "2021-01-01T00:00:00"),
        (12.5, "", "12.5"),
    ],
)
def test_times(value: Any, unit: str, expected: str) -> None:
    assert time_text(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (math.nan, "-"),
        (1.23456789, "1.234568"),
        (123456789012345678, "123456789012345678"),
        (True, "True"),
        (b"abc", "3 bytes"),
        ([1, 2], "2 items"),
        ({"a": 1}, "1 field"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_values(value: Any, expected: str) -> None:
    assert value_text(value) == expected


@pytest.mark.parametrize("value", ["text", None, True, math.nan, 2**63, [1], {"a": 1}])
def test_a_column_whose_values_are_not_what_the_schema_said(value: Any) -> None:
    column = Column("x", "ra", "ra")
    assert len(cell({"x": value}, column)) <= 60
    assert len(cell({"x": value}, Column("x", "time", "time", unit="jd"))) <= 60


def test_the_pace_is_of_late() -> None:
    pace = Pace()
    assert pace.rate(0.0, 0) == 0.0
    assert pace.rate(2.0, 100) == 50.0
    assert pace.rate(100.0, 100) == 0.0
