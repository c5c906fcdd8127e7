"""Duplicates, the age of the newest alert, and which end it stands at."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fink_cli.consumer.duplicates import RecentIds
from fink_cli.consumer.loop import Counts, ReadProgress
from fink_cli.consumer.view.table import Heading, age_text, live_view


def test_what_came_within_the_window_is_not_new() -> None:
    recent = RecentIds(window=3)
    assert [recent.is_new(each) for each in "aabca"] == [True, False, True, True, False]
    assert recent.is_new("d")  # pushes a out
    assert [recent.is_new(each) for each in "dcba"] == [False, False, False, True]
    assert recent.is_new(None)
    assert recent.is_new(None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (1e9, "11,574 d"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_the_newest_at_the_top() -> None:
    headings = [Heading("n", "n", "", 3)]
    rows = [{"n": str(number)} for number in range(10)]
    progress = ReadProgress(("t",), Counts(10, 10, 0), 1.0, 0, True, 12.3)

    def drawn(newest_first: bool) -> list[str]:
        console = Console(file=io.StringIO(), width=60)
        console.print(
            live_view(headings, rows, progress, [], width=60, height=8, newest_first=newest_first)
        )
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return [line.strip() for line in text.splitlines()]

    assert drawn(False)[-4:] == ["6", "7", "8", "9"]
    assert drawn(True)[-4:] == ["9", "8", "7", "6"]
    assert drawn(True)[0] == "t   10 shown   1.0/s   lag 0   newest 12 s old"
