"""The alarms: what Prometheus' own tool makes of them, and that fink's judgement is the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fink_cli.distribution.service.status import Session, Status, StreamStatus
from fink_cli.metrics.alarm_history import AlarmHistory
from fink_cli.metrics.alarms import RULES, rules_file
from fink_cli.metrics.exporter import metrics_of
from fink_cli.metrics.figures import Figures, GroupFigures, TopicFigures
from tests.support.environment import ROOT, find_program

FILE = ROOT / "conf" / "prometheus" / "alerts.yml"
UP, DOWN = Figures(up=True, brokers=3), Figures(up=False, error="No Kafka broker answers.")
TOPIC = TopicFigures("t", 10, 5.0)
At = Callable[[int], Figures]


def iso(minute: float) -> str:
    """The time of a minute of the scenarios, which promtool begins in 1970."""
    return datetime.fromtimestamp(60 * minute, UTC).isoformat()


def published(
    state: str = "running", read: int = 0, undecided: int = 0, last: float = 0, oldest: float = -1
) -> Figures:
    """The figures of a distribution."""
    status = Status(
        state,
        name="ztf",
        read=read,
        skipped=undecided,
        session=Session(read=read, skipped=undecided),
        started_at=iso(0),
        last_batch_at=iso(last),
        oldest_waiting_at=None if oldest < 0 else iso(oldest),
        streams=[StreamStatus("s", "t", 5, undecided, None)],
    )
    return replace(UP, distributions=[status])


def with_topic(**changes: int) -> Figures:
    return replace(UP, topics=[replace(TOPIC, **changes)])


def losing(seconds: float | None) -> Figures:
    return replace(UP, groups=[GroupFigures("g", "t", 5, seconds)])


# Of each alarm: when the scenario is judged (minutes), the scenario, and whether it is on.
SCENARIOS: list[tuple[str, int, At, bool]] = [
    ("FinkClusterDown", 5, lambda at: UP if at < 3 else DOWN, True),
    ("FinkClusterDown", 3, lambda at: UP if at < 3 else DOWN, False),
    ("FinkClusterDown", 9, lambda at: DOWN if at in (3, 4) else UP, False),
    ("FinkBrokerDown", 5, lambda at: replace(UP, brokers_away=[2] if at > 2 else []), True),
    ("FinkBrokerDown", 5, lambda at: replace(UP, brokers_away=[2] if at < 2 else []), False),
    ("FinkPartitionWithoutLeader", 3, lambda _: with_topic(leaderless=1), True),
    ("FinkPartitionWithoutLeader", 3, lambda _: with_topic(), False),
    ("FinkPartitionUnderReplicated", 8, lambda _: with_topic(under_replicated=1), True),
    ("FinkPartitionUnderReplicated", 3, lambda _: with_topic(under_replicated=1), False),
    (
        "FinkDistributionNotPublishing",
        1,
        lambda at: published("died" if at else "running"),
        True,
    ),
    ("FinkDistributionNotPublishing", 1, lambda _: published("damaged"), True),
    ("FinkDistributionNotPublishing", 5, lambda _: published("stopped"), False),
    ("FinkFilesWait", 20, lambda _: published(oldest=0), True),
    ("FinkFilesWait", 20, lambda _: published(oldest=10), False),
    ("FinkFilesWait", 20, lambda _: published("stopped", oldest=0), False),
    ("FinkFilesWait", 20, lambda _: published("stuck", oldest=0), True),
    ("FinkFilterRaises", 15, lambda at: published(read=100 * at, undecided=2 * at), True),
    ("FinkFilterRaises", 15, lambda at: published(read=100 * at, undecided=min(at, 4)), False),
    ("FinkNothingArrives", 250, lambda _: published(last=100), True),
    ("FinkNothingArrives", 250, lambda at: published(last=at - 1), False),
    ("FinkNothingArrives", 100, lambda _: published(), False),  # it is day
    ("FinkNothingArrives", 250, lambda _: published("stopped"), False),
    ("FinkGroupAboutToLoseAlerts", 1, lambda _: losing(7200), True),
    ("FinkGroupAboutToLoseAlerts", 1, lambda _: losing(86400), False),
    ("FinkGroupAboutToLoseAlerts", 1, lambda _: losing(None), False),
    ("FinkDiskFull", 1, lambda _: replace(UP, free_bytes=4 * 10**9), True),
    ("FinkDiskFull", 1, lambda _: replace(UP, free_bytes=6 * 10**9), False),
    ("FinkCertificateEnds", 1, lambda _: replace(UP, certificate_ends=20 * 86400), True),
    ("FinkCertificateEnds", 1, lambda _: replace(UP, certificate_ends=30 * 86400), False),
]
NAMES = [f"{name}-{'on' if on else 'off'}" for name, _, _, on in SCENARIOS]


@pytest.mark.parametrize(("name", "minute", "at", "on"), SCENARIOS, ids=NAMES)
def test_prometheus_and_fink_judge_alike(
    tmp_path: Path, name: str, minute: int, at: At, on: bool
) -> None:
    history = AlarmHistory()
    judged = [history.judge(at(each), 60.0 * each) for each in range(minute + 1)]
    assert (name in {alarm.alarm for alarm in judged[-1]}) is on
    assert fires(tmp_path, name, minute, series_of(at, minute)) is on


def test_every_alarm_is_tried_both_ways() -> None:
    assert {(name, on) for name, _, _, on in SCENARIOS} == {
        (rule.name, on) for rule in RULES for on in (True, False)
    }


def test_the_file_is_that_of_the_table(tmp_path: Path) -> None:
    assert FILE.read_text() == rules_file()
    assert fires(tmp_path, "FinkMetricsMissing", 3, {"unrelated": ["1"] * 4})
    assert not fires(tmp_path, "FinkMetricsMissing", 3, {"fink_up": ["1"] * 4})


def test_an_alarm_goes_on_across_a_restart_and_an_outage() -> None:
    history = AlarmHistory()
    [broken] = history.judge(replace(UP, brokers_away=[2]), 0, at_once=True)
    history = AlarmHistory(json.loads(json.dumps(history.state())))
    assert broken in history.judge(DOWN, 300)
    [still] = history.judge(replace(UP, brokers_away=[2]), 600)
    assert still == broken
    assert history.judge(UP, 660) == []


def test_a_filter_that_raised_is_told_of_for_ten_minutes() -> None:
    history = AlarmHistory()
    raised = published(read=100, undecided=50)
    for minute in range(11):
        assert [each.alarm for each in history.judge(raised, 60.0 * minute)], minute
    assert history.judge(raised, 60.0 * 11) == []


def series_of(at: At, minutes: int) -> dict[str, list[str]]:
    """The metrics of a scenario, as promtool takes them: a value a minute, ``_`` for none."""
    series: dict[str, list[str]] = {}
    for minute in range(minutes + 1):
        for family in metrics_of(at(minute)):
            for sample in family.samples:
                labels = ",".join(f'{name}="{text}"' for name, text in sample.labels.items())
                values = series.setdefault(f"{sample.name}{{{labels}}}", ["_"] * (minutes + 1))
                values[minute] = f"{sample.value:.0f}"
    return series


def fires(folder: Path, alarm: str, minute: int, series: dict[str, list[str]]) -> bool:
    """Whether an alarm is on at a minute after midnight (UTC), by what the series hold."""
    test = {
        "rule_files": [str(FILE)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    # As if a series that ends were scraped no more.
                    {"series": name, "values": " ".join(values).replace("_", "stale")}
                    for name, values in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{minute}m", "alertname": alarm, "exp_alerts": []}
                ],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [find_program("promtool"), "test", "rules", file],
        check=False,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 or f"alertname: {alarm}" in said, said
    return done.returncode != 0
