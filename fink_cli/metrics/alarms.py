"""The alarms: what each is, said once for Prometheus and for fink itself.

``conf/prometheus/alerts.yml`` is written from this table (``make reference``), and
``tests/unit/test_alarms.py`` holds both forms of an alarm to the same figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fink_cli.distribution.service.states import ALIVE, BAD, RUNNING
from fink_cli.metrics.figures import Figures

Labels = Mapping[str, str]

_FILES_WAIT_SECONDS = 900
_QUIET_SECONDS = 3600
# UTC, from an hour after the first alert is due.
_NIGHT_HOURS = range(4, 12)
_LOSING_SECONDS = 6 * 3600
_LEAST_BYTES = 5_000_000_000
_CERTIFICATE_SECONDS = 21 * 86400
# A filter raises on more than this share of the alerts of ten minutes.
RAISED_SHARE = 0.01
RAISED_SECONDS = 600


@dataclass(frozen=True)
class AlertCounts:
    """What a distribution had done at a time: the alerts read, and its dead letters."""

    read: int
    undecided: int


@dataclass(frozen=True)
class Readings:
    """What alarms are judged from.

    Attributes:
        figures: the figures.
        at: the time, in seconds since 1970.
        before: the counts of distributions ten minutes ago, or as far back as is known.
    """

    figures: Figures
    at: float
    before: Mapping[str, AlertCounts]


@dataclass(frozen=True)
class AlarmRule:
    """An alarm.

    Attributes:
        name: its name.
        expression: the condition, in PromQL.
        holds_of: the same condition: returns what it holds of, by labels, of a readings.
        summary: what is said; ``{label}`` stands for a label.
        seconds: how long the condition has to hold before the alarm begins.
        of_cluster: whether it can be judged only while the cluster answers.
        comment: what is to be known of it in the file for Prometheus.
    """

    name: str
    expression: str
    holds_of: Callable[[Readings], Iterable[Labels]]
    summary: str
    seconds: int = 0
    of_cluster: bool = False
    comment: str = ""

    def text(self, labels: Labels) -> str:
        """Return what is said of it."""
        return self.summary.format_map(labels)


def _cluster_down(readings: Readings) -> Iterable[Labels]:
    return [] if readings.figures.up else [{}]


def _broker_down(readings: Readings) -> Iterable[Labels]:
    return [{}] if readings.figures.brokers_away else []


def _no_leader(readings: Readings) -> Iterable[Labels]:
    return ({"topic": each.topic} for each in readings.figures.topics if each.leaderless)


def _under_replicated(readings: Readings) -> Iterable[Labels]:
    return ({"topic": each.topic} for each in readings.figures.topics if each.under_replicated)


def _losing(readings: Readings) -> Iterable[Labels]:
    return (
        {"group": each.group, "topic": each.topic}
        for each in readings.figures.groups
        if each.seconds_left is not None and each.seconds_left < _LOSING_SECONDS
    )


def _not_publishing(readings: Readings) -> Iterable[Labels]:
    return (
        {"distribution": each.name, "state": each.state}
        for each in readings.figures.distributions
        if each.state in BAD
    )


def _files_wait(readings: Readings) -> Iterable[Labels]:
    return (
        {"distribution": each.name}
        for each in readings.figures.distributions
        if each.state in ALIVE
        and each.oldest_waiting_at
        and readings.at - _seconds(each.oldest_waiting_at) > _FILES_WAIT_SECONDS
    )


def _raises(readings: Readings) -> Iterable[Labels]:
    for status in readings.figures.distributions:
        before = readings.before.get(status.name)
        if before is not None:
            undecided = status.skipped - before.undecided
            if undecided > RAISED_SHARE * max(status.read - before.read, 0):
                yield {"distribution": status.name}


def _nothing_arrives(readings: Readings) -> Iterable[Labels]:
    if datetime.fromtimestamp(readings.at, UTC).hour not in _NIGHT_HOURS:
        return
    for status in readings.figures.distributions:
        last = status.last_batch_at or status.started_at
        if status.state == RUNNING and last and readings.at - _seconds(last) > _QUIET_SECONDS:
            yield {"distribution": status.name}


def _disk_full(readings: Readings) -> Iterable[Labels]:
    free = readings.figures.free_bytes
    return [{}] if free is not None and free < _LEAST_BYTES else []


def _certificate_ends(readings: Readings) -> Iterable[Labels]:
    ends = readings.figures.certificate_ends
    return [{}] if ends is not None and ends - readings.at < _CERTIFICATE_SECONDS else []


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


_READ, _UNDECIDED = "fink_distribution_alerts_read_total", "fink_distribution_undecided"
_LAST, _STATE = "fink_distribution_last_batch_timestamp_seconds", "fink_distribution_state"
RULES = (
    AlarmRule(
        "FinkClusterDown",
        "fink_up == 0",
        _cluster_down,
        "The cluster does not answer: fink kafka status",
        seconds=60,
    ),
    AlarmRule(
        "FinkBrokerDown",
        "fink_brokers_away > 0",
        _broker_down,
        "A broker is away: fink kafka status",
        seconds=60,
        of_cluster=True,
    ),
    AlarmRule(
        "FinkPartitionWithoutLeader",
        "fink_topic_partitions_without_leader > 0",
        _no_leader,
        "Topic {topic} can't be read or written in part: fink kafka topic describe {topic}",
        seconds=60,
        of_cluster=True,
    ),
    AlarmRule(
        "FinkPartitionUnderReplicated",
        "fink_topic_partitions_under_replicated > 0",
        _under_replicated,
        "Topic {topic} lacks replicas: fink kafka topic describe {topic}",
        seconds=300,
        of_cluster=True,
    ),
    AlarmRule(
        "FinkDistributionNotPublishing",
        f'{_STATE}{{state=~"{"|".join(BAD)}"}} == 1',
        _not_publishing,
        "Distribution {distribution} does not publish ({state}): fink distribute status",
    ),
    AlarmRule(
        "FinkFilesWait",
        f"time() - fink_distribution_oldest_waiting_timestamp_seconds > {_FILES_WAIT_SECONDS}"
        f' and on (distribution) {_STATE}{{state=~"{"|".join(ALIVE)}"}} == 1',
        _files_wait,
        "Files of {distribution} wait for 15 minutes and more: fink distribute status",
    ),
    AlarmRule(
        "FinkFilterRaises",
        f"sum by (distribution) (delta({_UNDECIDED}[10m]))"
        f" > {RAISED_SHARE} * sum by (distribution) (increase({_READ}[10m]))",
        _raises,
        "Alerts of {distribution} become dead letters: fink distribute status --skipped",
        comment="More than one alert of a hundred, over ten minutes.",
    ),
    AlarmRule(
        "FinkNothingArrives",
        f"time() - {_LAST} > {_QUIET_SECONDS}"
        f' and on (distribution) {_STATE}{{state="{RUNNING}"}} == 1'
        f" and on () (hour() >= {_NIGHT_HOURS.start} and hour() < {_NIGHT_HOURS.stop})",
        _nothing_arrives,
        "No alert came for an hour of the night to {distribution}: fink distribute logs",
        comment="The night's hours, UTC: those of your telescope.",
    ),
    AlarmRule(
        "FinkGroupAboutToLoseAlerts",
        f"fink_group_retention_seconds < {_LOSING_SECONDS}",
        _losing,
        "Kafka soon deletes alerts of {topic} that {group} has not read: "
        "fink kafka group describe {group}",
        of_cluster=True,
    ),
    AlarmRule(
        "FinkDiskFull",
        f"fink_disk_free_bytes < {_LEAST_BYTES}",
        _disk_full,
        "Less than 5 GB are free on the disk of FINK_HOME",
    ),
    AlarmRule(
        "FinkCertificateEnds",
        f"fink_certificate_expiry_timestamp_seconds - time() < {_CERTIFICATE_SECONDS}",
        _certificate_ends,
        "The certificate that readers are shown ends within 21 days: fink doctor",
        of_cluster=True,
    ),
)
# What only who scrapes can tell.
_MISSING = AlarmRule(
    "FinkMetricsMissing",
    "absent(fink_up)",
    lambda _: (),
    "Nothing serves fink's metrics: fink metrics",
    seconds=120,
)


def rules_file() -> str:
    """Return the file of the alarms for Prometheus."""
    lines = [
        "# Alarms on the metrics of `fink metrics`: `promtool check rules alerts.yml`.",
        "# Written from fink_cli/metrics/alarms.py: make reference",
        "groups:",
        "  - name: fink",
        "    rules:",
    ]
    for rule in (_MISSING, *RULES):
        summary = re.sub(r"{(\w+)}", r"{{ $labels.\1 }}", rule.summary)
        lines.append(f"      - alert: {rule.name}")
        if rule.comment:
            lines.append(f"        # {rule.comment}")
        lines += ["        expr: >-", f"          {rule.expression}"]
        if rule.seconds:
            lines.append(f"        for: {rule.seconds}s")
        lines += ["        annotations:", f'          summary: "{summary}"']
    return "\n".join(lines) + "\n"
