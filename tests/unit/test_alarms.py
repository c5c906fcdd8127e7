"""The alarms for Prometheus that are shipped, tried by Prometheus' own tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.environment import ROOT, find_program

RULES = ROOT / "conf" / "prometheus" / "alerts.yml"
STATE = 'fink_distribution_state{distribution="ztf",state="died"}'
LEFT = 'fink_group_retention_seconds{group="g",topic="t"}'
READ = 'fink_distribution_alerts_read_total{distribution="ztf"}'
UNDECIDED = 'fink_distribution_undecided{distribution="ztf",stream="s"}'
FREE = "fink_disk_free_bytes"


@pytest.mark.parametrize(
    ("alarm", "minute", "series"),
    [
        ("FinkMetricsMissing", 3, {"unrelated": "1x300"}),
        ("FinkClusterDown", 5, {"fink_up": "1x2 0x10"}),
        ("FinkBrokerDown", 5, {"fink_brokers": "3x2 2x10"}),
        (
            "FinkPartitionWithoutLeader",
            3,
            {'fink_topic_partitions_without_leader{topic="t"}': "1x9"},
        ),
        (
            "FinkPartitionUnderReplicated",
            8,
            {'fink_topic_partitions_under_replicated{topic="t"}': "1x9"},
        ),
        ("FinkDistributionNotPublishing", 1, {STATE: "0 1x9"}),
        (
            "FinkFilesWait",
            20,
            {'fink_distribution_oldest_waiting_timestamp_seconds{distribution="ztf"}': "0x30"},
        ),
        ("FinkFilterRaises", 15, {READ: "0+100x30", UNDECIDED: "0+2x30"}),
        ("FinkNothingArrives", 250, {READ: "5x300"}),
        ("FinkGroupAboutToLoseAlerts", 1, {LEFT: "7200x9"}),
        ("FinkDiskFull", 1, {FREE: "4e9x9"}),
    ],
)
def test_each_alarm_begins_when_it_should(
    tmp_path: Path, alarm: str, minute: int, series: dict[str, str]
) -> None:
    assert fires(tmp_path, alarm, minute, series)


@pytest.mark.parametrize(
    ("alarm", "minute", "series"),
    [
        ("FinkClusterDown", 9, {"fink_up": "1x2 0x1 1x10"}),
        ("FinkDistributionNotPublishing", 5, {STATE: "1 0x9"}),
        ("FinkFilterRaises", 15, {READ: "0+100x30", UNDECIDED: "5x30"}),
        ("FinkNothingArrives", 100, {READ: "5x300"}),  # it is day
        ("FinkNothingArrives", 250, {READ: "0+1x300"}),
        ("FinkGroupAboutToLoseAlerts", 1, {LEFT: "86400x9"}),
    ],
)
def test_each_alarm_ends_when_it_should(
    tmp_path: Path, alarm: str, minute: int, series: dict[str, str]
) -> None:
    assert not fires(tmp_path, alarm, minute, series)


def fires(folder: Path, alarm: str, minute: int, series: dict[str, str]) -> bool:
    """Whether an alarm is on at a minute after midnight (UTC), by what the series hold."""
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in series.items()
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
