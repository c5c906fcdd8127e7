"""The state of a distribution, judged from what its driver reported, its process and the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fink_cli.distribution.service.states import Signs, Trouble, judge

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


FINE = Signs(alive_at=ago(5), stuck_after=600)
AWAY = "No Kafka broker answers at 127.0.0.1:9092."
RETRY = Trouble(ago(7), "It is tried again: Spark failed: disk full")


@pytest.mark.parametrize("state", ["stopped", "done", "failed"])
def test_one_that_ended_by_itself_stays_what_it_is(state: str) -> None:
    for alive in (False, True):
        assert judge(state, replace(FINE, retry=RETRY), alive, NOW) == (state, None)


@pytest.mark.parametrize("state", ["starting", "running"])
def test_one_whose_process_is_gone_died_when_it_last_reported(state: str) -> None:
    judged, trouble = judge(state, FINE, False, NOW)
    assert judged == "died"
    assert trouble == Trouble(ago(5), f"The driver died: it last reported {ago(5)}.")


@pytest.mark.parametrize(
    ("signs", "since", "why"),
    [
        (replace(FINE, retry=RETRY), 7, "disk full"),
        (replace(FINE, away=Trouble(ago(30), AWAY)), 30, AWAY),
        (replace(FINE, away=Trouble(ago(30), AWAY), retry=RETRY), 30, AWAY),
        (replace(FINE, away=Trouble(ago(3), AWAY), stuck_after=2), 3, AWAY),
        (replace(FINE, waiting_since=ago(600)), 600, "longer than 600 s (--stuck-after)"),
        (replace(FINE, waiting_since=ago(2), stuck_after=1.5), 2, "longer than 1.5 s"),
        (replace(FINE, alive_at=ago(60)), 60, "has not reported since"),
    ],
)
def test_one_that_publishes_nothing_is_stuck(signs: Signs, since: float, why: str) -> None:
    state, trouble = judge("running", signs, True, NOW)
    assert state == "stuck"
    assert trouble is not None
    assert trouble.since == ago(since)
    assert why in trouble.reason


@pytest.mark.parametrize(
    "signs",
    [
        FINE,
        replace(FINE, away=Trouble(ago(29), AWAY)),
        replace(FINE, waiting_since=ago(599)),
        replace(FINE, alive_at=ago(59)),
    ],
)
def test_one_in_whose_way_nothing_stands_for_long_runs(signs: Signs) -> None:
    assert judge("running", signs, True, NOW) == ("running", None)


def test_one_that_starts_is_not_stuck_yet() -> None:
    signs = replace(FINE, retry=RETRY, waiting_since=ago(9999))
    assert judge("starting", signs, True, NOW) == ("starting", None)
