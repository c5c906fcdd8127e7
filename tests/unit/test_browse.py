"""The browser: what its keys do, and how it looks (tests/screens/*.svg)."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import tracemalloc
import webbrowser
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import fastavro
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from fink_cli.avro.schema import read_schema
from fink_cli.consumer.loop import Counts, ReadProgress
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.view.browse.alert_list import AlertList, sort_key
from fink_cli.consumer.view.browse.alert_pane import AlertPane
from fink_cli.consumer.view.browse.app import Browser, FilterLine
from fink_cli.consumer.view.browse.detail_screen import DetailScreen
from fink_cli.consumer.view.browse.feed import (
    MOST_KEPT,
    MOST_WAITING,
    Feed,
    ListedAlert,
    NewestAlerts,
)
from tests.support.drawn import alert_of, check_screen, small, ztf
from tests.support.waiting import wait_for

SIZE = (80, 24)
Script = Callable[[Browser, Pilot[bool]], Awaitable[None]]


def browse(
    alerts: list[ReadAlert], folder: Path, script: Script, size: tuple[int, int] = SIZE
) -> Browser:
    """Run the browser on alerts that have come, and let the script press keys."""

    async def run() -> Browser:
        feed = Feed()
        for alert in alerts:
            feed.add(alert)
        feed.report(
            ReadProgress(("fink_sn",), Counts(len(alerts) + 1, len(alerts), 1), 12.5, 3, True, 42.0)
        )
        before: set[str | None] = set()

        def again(alert: ReadAlert) -> bool:
            came = alert.id is not None and alert.id in before
            before.add(alert.id)
            return came

        app = Browser(feed, Future(), ("fink_sn",), folder, again=again)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.query_one(FilterLine).cursor_blink = False
            app.tick()
            await pilot.pause()
            await script(app, pilot)
            await pilot.pause()
        return app

    return asyncio.run(run())


def shown(app: Browser) -> list[str]:
    """The objects in the list."""
    table = app.screen_stack[0].query_one(DataTable)
    at = list(table.columns).index("object object")
    return [str(table.get_row_at(row)[at]) for row in range(table.row_count)]


def message(app: Browser) -> str:
    return str(app.screen_stack[0].query_one("#message", Static).render())


def picture(app: Browser) -> str:
    return app.export_screenshot(title="fink consume --browse")


async def settled(app: Browser, pilot: Pilot[bool]) -> None:
    """Wait until the alert that is wanted is drawn by its thread."""
    await app.workers.wait_for_complete()
    await pilot.pause()


async def typed(pilot: Pilot[bool], text: str, key: str = "slash") -> None:
    await pilot.press(key)
    pilot.app.query_one(FilterLine).value = text
    await pilot.press("enter")
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 16), (120, 30), (160, 40), (200, 50)])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_list(tmp_path: Path, size: tuple[int, int], theme: str) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        if theme == "light":
            await pilot.press("t")
        await pilot.press("up")
        await settled(app, pilot)
        check_screen(f"browse-list-{size[0]}-{theme}.svg", picture(app))

    alerts = [*(small(each) for each in (1, 2, 3, 2, 4)), alert_of(ztf()), small(5)]
    browse(alerts, tmp_path, script, size)


def test_the_newest_is_followed_until_the_cursor_moves(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        table = app.query_one(DataTable)
        assert table.cursor_row == 2
        app._feed.add(small(3))
        app.tick()
        assert table.cursor_row == 3
        await pilot.press("up", "up")
        app._feed.add(small(4))
        app.tick()
        assert table.cursor_row == 1
        assert shown(app) == [f"ZTF21aaaa{each:03d}" for each in range(5)]

    browse([small(each) for each in range(3)], tmp_path, script)


def test_filter(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await typed(pilot, "cdsxmatch == 'QSO'")
        assert shown(app) == ["ZTF21aaaa001", "ZTF21aaaa004", "ZTF21aaaa007"]
        app._feed.add(small(10))
        app._feed.add(small(11))
        app.tick()
        assert shown(app)[3:] == ["ZTF21aaaa010"]
        await pilot.press("slash")
        assert app.query_one(FilterLine).value == "cdsxmatch == 'QSO'"
        await pilot.press("escape")
        assert len(shown(app)) == 4
        await typed(pilot, "")
        assert len(shown(app)) == 11

    browse([small(each) for each in range(9)], tmp_path, script)


def test_a_field_that_only_some_alerts_have(tmp_path: Path) -> None:
    fields = [{"name": "objectId", "type": "string"}, {"name": "m", "type": "double"}]
    schema = read_schema(json.dumps({"type": "record", "name": "o", "fields": fields}))
    other = replace(alert_of({"objectId": "other", "m": 3.0}), schema=schema)

    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await typed(pilot, "m > 1")
        assert message(app) == ""
        assert len(shown(app)) == 1
        await typed(pilot, "n > 1")
        assert "no such field" in message(app)

    browse([small(1), other], tmp_path, script)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("candidate.rbx > 0.9", "candidate.rb"),
        ("cdsxmatch ==", "an operand is missing"),
        ("__import__('os')", "the function __import__"),
    ],
)
def test_a_mistake_is_shown_in_place(tmp_path: Path, text: str, said: str) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await typed(pilot, text)
        assert said in message(app)
        assert app.query_one(FilterLine).display
        assert app.query_one(FilterLine).has_focus
        assert len(shown(app)) == 9
        if "rbx" in text:
            check_screen("browse-filter-80.svg", picture(app))
        await pilot.press("escape")
        assert message(app) == ""
        assert app.query_one(DataTable).has_focus

    browse([small(each) for each in range(9)], tmp_path, script)


def test_detail_and_back(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, DetailScreen)
        await settled(app, pilot)
        check_screen("browse-detail-80.svg", picture(app))
        await pilot.press("slash")
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("left")
        await settled(app, pilot)
        assert "ZTF21aaaa001" in picture(app)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1
        assert app.query_one(DataTable).cursor_row == 0

    browse([small(1), alert_of(ztf())], tmp_path, script)


def test_the_alert_beside_the_list_is_that_under_the_cursor(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("up", "up", "down")
        await settled(app, pilot)
        pane = app.query_one(AlertPane)
        assert pane.display
        assert "ZTF21aaaa008 " in picture(app).replace("&#160;", " ").split("MJD")[0]
        await pilot.press("tab", "end")
        await pilot.pause()
        assert "this is the end" in picture(app).replace("&#160;", " ")
        await pilot.resize_terminal(119, 24)
        await pilot.pause()
        assert not pane.display

    browse([*(small(each) for each in range(10))], tmp_path, script, (120, 24))


def test_an_open_alert_says_that_it_scrolls(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("enter")
        await settled(app, pilot)
        seen = picture(app).replace("&#160;", " ")
        assert "more lines" in seen
        assert "this alert" in seen
        assert "difference" in seen
        await pilot.press("end")
        await pilot.pause()
        assert "this is the end" in picture(app).replace("&#160;", " ")

    browse([alert_of(ztf())], tmp_path, script)


def test_the_keys(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        check_screen("browse-keys-80.svg", picture(app))
        await pilot.press("s")
        await pilot.pause()
        assert len(app.screen_stack) == 1

    browse([small(1)], tmp_path, script)
    assert list(tmp_path.iterdir()) == []


def test_sort(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        table = app.query_one(AlertList)
        table.sort_by("magnitude mag")
        app._draw()
        # Magnitudes of 17, 18, 19, 20 and 16.
        assert [name[-1] for name in shown(app)] == ["5", "1", "2", "3", "4"]
        app._feed.add(small(6))
        app.tick()
        assert [name[-1] for name in shown(app)] == ["5", "1", "6", "2", "3", "4"]
        await pilot.press("O")
        assert [name[-1] for name in shown(app)] == ["4", "3", "2", "1", "6", "5"]
        while table.order:
            await pilot.press("o")
        assert [name[-1] for name in shown(app)] == ["1", "2", "3", "4", "5", "6"]

    browse([small(each) for each in range(1, 6)], tmp_path, script)


def test_numbers_are_sorted_as_numbers() -> None:
    texts = ["b", "10.5", "-1.5", "+01:30:00", "-01:30:00.5", "9", "2021-11-22T00:00:00", "a"]
    ordered = ["-01:30:00.5", "-1.5", "+01:30:00", "9", "10.5", "2021-11-22T00:00:00", "a", "b"]
    assert sorted(texts, key=sort_key) == ordered


def test_go_to_an_object(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        table = app.query_one(AlertList)
        for text, row in (("a002", 2), ("A00", 3), ("1000", 0)):
            await typed(pilot, text, "g")
            assert table.cursor_row == row
        await typed(pilot, "aaa", "g")
        await pilot.press("n")
        assert table.cursor_row == 2
        await typed(pilot, "ZTF99", "g")
        assert "No alert in the list is of an object" in message(app)

    browse([small(each) for each in range(6)], tmp_path, script)


def test_all_alerts_of_an_object(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("a")
        assert shown(app) == ["ZTF21aaaa002"] * 2
        assert "2 of 4 alerts" in str(app.query_one("#kept", Static).render())
        app._feed.add(small(2))
        app._feed.add(small(7))
        app.tick()
        assert shown(app) == ["ZTF21aaaa002"] * 3
        await pilot.press("a")
        assert len(shown(app)) == 6

    browse([small(each) for each in (1, 2, 3, 2)], tmp_path, script)


def test_a_filter_that_hides_all_says_so(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await typed(pilot, "candidate.rb > 2")
        assert "0 of 3 alerts" in str(app.query_one("#kept", Static).render())

    browse([small(each) for each in range(3)], tmp_path, script, (120, 24))


def test_copy_and_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    program.chmod(0o755)
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.BackgroundBrowser(str(program)))

    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("c")
        assert app.clipboard == "ZTF21abcdefg"
        await pilot.press("C")
        assert app.clipboard == "1786104593715015000"
        assert "Copied 1786104593715015000" in message(app)
        await pilot.press("l")
        await pilot.pause()
        check_screen("browse-links-80.svg", picture(app))
        await pilot.press("enter")
        await pilot.pause()
        assert message(app) == "Opened https://fink-portal.org/ZTF21abcdefg"
        monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
        await pilot.press("l", "enter")
        await pilot.pause()
        assert message(app) == "https://fink-portal.org/ZTF21abcdefg"

    browse([alert_of(ztf())], tmp_path, script)
    wait_for((tmp_path / "opened").exists)


def test_save_never_overwrites(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("s")
        await pilot.pause()
        assert "Saved to" in message(app)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("s")

    browse([small(1), small(2)], tmp_path, script)
    files = sorted(each.name for each in tmp_path.iterdir())
    assert files == ["ZTF21aaaa002-1002-2.avro", "ZTF21aaaa002-1002.avro"]
    with (tmp_path / files[0]).open("rb") as file:
        assert [each["candid"] for each in fastavro.reader(file)] == [1002]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("s")
        await pilot.pause()
        assert "can't be saved" in message(app)

    browse([small(1)], tmp_path / "gone", script)


def test_keys_on_an_empty_list(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press("enter", "s", "up", "down", "pageup")
        assert len(app.screen_stack) == 1

    browse([], tmp_path, script)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("key", "interrupted"), [("q", False), ("ctrl+c", True)])
def test_leaving(tmp_path: Path, key: str, interrupted: bool) -> None:
    async def script(_app: Browser, pilot: Pilot[bool]) -> None:
        await pilot.press(key)

    assert browse([small(1)], tmp_path, script).return_value is interrupted


def test_alerts_that_come_while_it_is_left(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        await app.screen.remove_children()
        app._feed.add(small(2))
        app.tick()
        await pilot.pause()

    browse([small(1)], tmp_path, script)


def test_hostile_alerts(tmp_path: Path) -> None:
    text = "\x1b[2J[red]x[/red] [@click=app.quit]y[/]\u202e"
    content = ztf() | {"objectId": text, "cdsxmatch": text}

    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        app._feed.add(Skipped(text, 0, 1, text))
        app.tick()
        assert "[red]" in shown(app)[0]
        await pilot.press("enter")
        await settled(app, pilot)
        seen = picture(app)
        assert "\x1b" not in seen
        assert "\u202e" not in seen

    browse([alert_of(content)], tmp_path, script)


def test_a_reader_that_fails_ends_it(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        app._reading.set_exception(OSError("lost"))
        app.tick()
        await pilot.pause()

    assert browse([small(1)], tmp_path, script).return_value is False


def test_what_is_kept_is_bounded() -> None:
    kept = NewestAlerts(count=3, size=100)
    for number in range(10):
        kept.add(ListedAlert(number, small(number, size=10), {}))
    assert [each.number for each in kept] == [7, 8, 9]
    kept.add(ListedAlert(10, small(10, size=95), {}))
    assert [each.number for each in kept] == [10]
    kept.add(ListedAlert(11, small(11, size=1000), {}))
    assert [each.number for each in kept] == [11]


def test_what_is_kept_counts_as_what_it_takes_in_memory() -> None:
    feed = Feed()
    many = small(1)
    feed.add(replace(many, content={**many.content, "many": [{"a": True} for _ in range(5000)]}))
    tracemalloc.start()
    again = [{"a": True} for _ in range(5000)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(again) == 5000
    (alert,) = feed.take()
    assert 0.8 * taken < alert.size < 1.5 * taken


def test_the_reader_waits_for_room() -> None:
    feed = Feed()
    done = threading.Event()

    def read() -> None:
        for number in range(MOST_WAITING + 1):
            feed.add(small(number))
        done.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert not done.wait(0.5)
    assert len(feed.take()) == MOST_WAITING
    assert done.wait(5)
    feed.close()
    thread.join(5)


def test_many_alerts_do_not_slow_it_down(tmp_path: Path) -> None:
    async def script(app: Browser, pilot: Pilot[bool]) -> None:
        began = time.process_time()
        for start in range(0, 3000, MOST_WAITING):
            for number in range(start, start + MOST_WAITING):
                app._feed.add(small(number % 900))
            app.tick()
            await pilot.pause()
        assert time.process_time() - began < 20
        table = app.query_one(DataTable)
        assert table.row_count == MOST_KEPT
        assert table.cursor_row == MOST_KEPT - 1

    browse([], tmp_path, script)
