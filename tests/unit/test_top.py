"""The board of `fink top`: what its keys do, and how it looks (tests/screens/top-*.svg)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from fink_cli.distribution.progress.dead_letters import DeadLetter
from fink_cli.distribution.service.status import Status, StreamStatus
from fink_cli.errors import OperationFailedError
from fink_cli.metrics.alarm_history import AlarmHistory
from fink_cli.metrics.board.app import Board
from fink_cli.metrics.board.cells import bytes_text, span_text, sparkline
from fink_cli.metrics.board.rows_screen import RowsScreen
from fink_cli.metrics.board.tables import GroupTable, StreamTable
from fink_cli.metrics.figures import Figures, GroupFigures, TopicFigures
from fink_cli.metrics.overview import Rates
from tests.support.drawn import check_screen

NIGHT = datetime(2026, 11, 28, 3, 14, 5, tzinfo=UTC).timestamp()
LOOKS, SECONDS = 40, 5
Script = Callable[[Board, Pilot[bool]], Awaitable[None]]


def iso(ago: float) -> str:
    return datetime.fromtimestamp(NIGHT - ago, UTC).isoformat(timespec="seconds")


def topic(number: int, name: str, rate: float, bytes_: int, age: float) -> TopicFigures:
    """A topic after a number of looks, whose rate goes up and down."""
    end = sum(rate * (1 + math.sin(look / 5)) * SECONDS for look in range(number))
    return TopicFigures(name, round(end), NIGHT - age, bytes=bytes_)


def calm(number: int = LOOKS) -> Figures:
    """The figures of a good night."""
    names = (("fink_early_sn", 3.2, 81_000_000), ("fink_rrlyr", 41.0, 1_930_000_000))
    names += (("fink_sso", 130.0, 12_400_000_000), ("fink_kilonova", 0.0, 24_000))
    streams = [StreamStatus(name, name, 5, 0, None) for name, _, _ in names]
    status = Status(
        "running",
        name="ztf",
        since=iso(8000),
        read=812_345,
        published={name: 5 for name, _, _ in names},
        skipped=3,
        rate=1041.5,
        last_batch_at=iso(4),
        streams=streams,
    )
    return Figures(
        up=True,
        brokers=3,
        topics=[
            topic(number, name, rate, size, 2 if rate else 90_000) for name, rate, size in names
        ]
        + [TopicFigures("fink_distributions", 900, NIGHT - 4, bytes=410_000)],
        groups=[
            GroupFigures("mia-nightly", "fink_sso", 120, None),
            GroupFigures("tom-classifier", "fink_rrlyr", 48_120, 48 * 3600),
            GroupFigures("hop-x7", "fink_early_sn", 0, None),
        ],
        distributions=[status],
        free_bytes=58_400_000_000,
        certificate_ends=NIGHT + 63.2 * 86400,
    )


def stormy(number: int = LOOKS) -> Figures:
    """The figures of a bad one."""
    figures = calm(number)
    [status] = figures.distributions
    early, rrlyr, sso, *others = figures.topics
    mia, tom, hop = figures.groups
    died = replace(
        status,
        state="died",
        since=iso(300),
        error=f"The driver died: it last reported {iso(300)}. The end of its log may say why: …",
    )
    stuck = replace(
        status, state="stuck", name="rubin", waiting_files=12, skipped=4120, read=9000, rate=12.0
    )
    return replace(
        figures,
        brokers=2,
        brokers_away=[3],
        topics=[
            replace(early, leaderless=1),
            replace(rrlyr, under_replicated=2),
            replace(sso, under_replicated=4),
            *others,
        ],
        groups=[mia, replace(tom, seconds_left=2 * 3600), replace(hop, lag=9, seconds_left=57_600)],
        distributions=[died, stuck],
        free_bytes=3_900_000_000,
        certificate_ends=NIGHT + 12.2 * 86400,
    )


LETTERS = [
    DeadLetter("fink_rrlyr", "2300104755015015", "not decided", "CAST_OVERFLOW", "n/a.parquet", 7),
    DeadLetter("fink_rrlyr", "2300104755015016", "too large", "\x1b[31m[b]big", "n/a.parquet", 8),
]


def board(
    script: Script,
    figures: Callable[[int], Figures] = calm,
    size: tuple[int, int] = (80, 24),
    letters: Callable[[str, str | None], Sequence[Any]] = lambda *_: LETTERS,
) -> Board:
    """Run the board on figures that were collected for a while, and let the script press keys."""

    async def run() -> Board:
        app = Board("127.0.0.1:9093", lambda: figures(0), 3600, letters, lambda group: [])
        async with app.run_test(size=size) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause()
            app._rates, app._history = Rates(120), AlarmHistory()
            for number in range(LOOKS):
                app.show(figures(number), NIGHT - (LOOKS - 1 - number) * SECONDS)
            await pilot.pause()
            await script(app, pilot)
            await pilot.pause()
        return app

    return asyncio.run(run())


def picture(app: Board) -> str:
    return app.export_screenshot(title="fink top")


def text_of(app: Board, name: str) -> str:
    return str(app.screen.query_one(name, Static).render())


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("night", [calm, stormy])
def test_how_it_looks(night: Callable[[int], Figures], width: int, theme: str) -> None:
    async def script(app: Board, pilot: Pilot[bool]) -> None:
        if theme == "light":
            await pilot.press("t")
            await pilot.pause()
        check_screen(f"top-{night.__name__}-{width}-{theme}.svg", picture(app))

    board(script, night, (width, 24 if width == 80 else 40))


def test_keys_open_dead_letters_and_partitions() -> None:
    asked: list[tuple[str, str | None]] = []

    def letters(distribution: str, stream: str | None) -> Sequence[Any]:
        asked.append((distribution, stream))
        return LETTERS

    async def script(app: Board, pilot: Pilot[bool]) -> None:
        await pilot.press("down", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(app.screen, RowsScreen)
        assert "2300104755015015" in text_of(app, "#rows")
        assert "\x1b" not in picture(app)
        check_screen("top-letters-80.svg", picture(app))
        await pilot.press("escape", "tab", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "Partitions of tom-classifier" in text_of(app, "#title")
        await pilot.press("escape")
        assert len(app.screen_stack) == 1

    board(script, letters=letters)
    assert asked == [("ztf", "fink_kilonova")]


def test_what_can_not_be_read_is_said() -> None:
    def letters(distribution: str, stream: str | None) -> Sequence[Any]:
        raise OperationFailedError("User 'w' lacks READ on it.", "An operator can grant it: …")

    async def script(app: Board, pilot: Pilot[bool]) -> None:
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "lacks READ" in text_of(app, "#rows")

    board(script, letters=letters)


def test_the_cursor_stays_on_its_row_and_names_have_no_effect() -> None:
    hostile = GroupFigures("[red]\x1b[2J\u202e", "fink_sso", 5, 60.0)

    async def script(app: Board, pilot: Pilot[bool]) -> None:
        table = app.query_one(GroupTable)
        await pilot.press("tab", "down")
        before = table.current
        figures = calm()
        app.show(replace(figures, groups=[hostile, *figures.groups]), NIGHT + 5)
        assert table.current == before
        assert table.cursor_row == 2
        seen = picture(app)
        assert "\x1b" not in seen
        assert "\u202e" not in seen
        app.show(Figures(up=False, error="No Kafka broker answers."), NIGHT + 600)
        assert "No Kafka broker answers" in text_of(app, "#alarms")
        assert app.query_one(StreamTable).row_count == 0

    board(script)


@pytest.mark.parametrize(("key", "interrupted"), [("q", False), ("ctrl+c", True)])
def test_it_is_left(key: str, interrupted: bool) -> None:
    async def script(_app: Board, pilot: Pilot[bool]) -> None:
        await pilot.press(key)

    assert board(script).return_value is interrupted


def test_cells() -> None:
    assert sparkline([0, 1, 2, 4], 6).plain == "  ▁▂▄█"
    assert sparkline([], 3).plain == ""
    assert sparkline([0.0], 3).plain == "▁▁▁"
    assert [bytes_text(each) for each in (None, 999, 1500, 250_000_000)] == [
        "-",
        "999 B",
        "1.5 kB",
        "250 MB",
    ]
    assert [span_text(each) for each in (5, 90, 7200, 200_000)] == ["5 s", "2 min", "2 h", "2 d"]
