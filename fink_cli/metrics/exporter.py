"""Show what was collected to Prometheus.

Names follow https://prometheus.io/docs/practices/naming: base units, and ``_total`` for what only
grows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fink_cli.distribution.service.states import ALIVE, BAD, DONE, STOPPED
from fink_cli.distribution.service.status import Status
from fink_cli.metrics.figures import Figures

# Two servers that scrape at the same time ask the cluster once.
_KEPT_SECONDS = 5.0
_STATES = sorted({*ALIVE, *BAD, DONE, STOPPED})


class FinkCollector(Collector):
    """Collects when Prometheus scrapes."""

    def __init__(self, collect: Callable[[], Figures]) -> None:
        """Take the function that collects."""
        self._collect = collect
        self._lock = threading.Lock()
        self._figures: Figures | None = None
        self._at = 0.0

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now."""
        with self._lock:
            if self._figures is None or time.monotonic() > self._at + _KEPT_SECONDS:
                self._figures = self._collect()
                self._at = time.monotonic()
        yield from metrics_of(self._figures)

    def describe(self) -> Iterable[Metric]:
        """Yield nothing: the cluster is not asked before the first scrape."""
        return ()


def metrics_of(figures: Figures) -> Iterable[Metric]:
    """Yield the metrics of collected figures."""
    yield _gauge("fink_up", "Whether the cluster answered.", float(figures.up))
    yield _gauge("fink_scrape_seconds", "How long the cluster took to answer.", figures.seconds)
    if figures.free_bytes is not None:
        text = "The room on the disk of FINK_HOME."
        yield _gauge("fink_disk_free_bytes", text, figures.free_bytes)
    if figures.certificate_ends is not None:
        text = "Until when the certificate holds that readers are shown."
        yield _gauge("fink_certificate_expiry_timestamp_seconds", text, figures.certificate_ends)
    if figures.up:
        yield _gauge("fink_brokers", "Brokers that run.", figures.brokers)
        text = "Brokers that hold replicas, and do not run."
        yield _gauge("fink_brokers_away", text, len(figures.brokers_away))
        yield from _topics(figures)
        yield from _groups(figures)
    yield from _distributions(figures.distributions)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _topics(figures: Figures) -> Iterable[Metric]:
    label = ["topic"]
    end = CounterMetricFamily(
        "fink_topic_offsets", "Offsets that were given to messages.", None, label
    )
    newest = GaugeMetricFamily(
        "fink_topic_newest_message_timestamp_seconds",
        "The time of the newest message.",
        None,
        label,
    )
    leaderless = GaugeMetricFamily(
        "fink_topic_partitions_without_leader", "Partitions that nobody can use.", None, label
    )
    few = GaugeMetricFamily(
        "fink_topic_partitions_under_replicated", "Partitions that lack a replica.", None, label
    )
    size = GaugeMetricFamily(
        "fink_topic_bytes", "What it takes on the disks of this machine's brokers.", None, label
    )
    for topic in figures.topics:
        for family, value in ((end, topic.end), (newest, topic.newest_at), (size, topic.bytes)):
            if value is not None:
                family.add_metric([topic.topic], value)
        leaderless.add_metric([topic.topic], topic.leaderless)
        few.add_metric([topic.topic], topic.under_replicated)
    return end, newest, size, leaderless, few


def _groups(figures: Figures) -> Iterable[Metric]:
    labels = ["group", "topic"]
    lag = GaugeMetricFamily("fink_group_lag", "Messages not read yet, at most.", None, labels)
    left = GaugeMetricFamily(
        "fink_group_retention_seconds",
        "The time until Kafka deletes the first message not read yet, at most.",
        None,
        labels,
    )
    for group in figures.groups:
        lag.add_metric([group.group, group.topic], group.lag)
        if group.seconds_left is not None:
            left.add_metric([group.group, group.topic], group.seconds_left)
    return lag, left


def _distributions(distributions: Iterable[Status]) -> Iterable[Metric]:
    name, stream = ["distribution"], ["distribution", "stream"]
    state = GaugeMetricFamily(
        "fink_distribution_state", "1 for the state that it is in.", None, [*name, "state"]
    )
    read = CounterMetricFamily("fink_distribution_alerts_read", "Alerts read.", None, name)
    published = CounterMetricFamily(
        "fink_distribution_published", "Messages published.", None, [*stream, "topic"]
    )
    undecided = GaugeMetricFamily(
        "fink_distribution_undecided", "Dead letters of a stream.", None, stream
    )
    seconds = GaugeMetricFamily(
        "fink_distribution_filter_seconds_per_1000_alerts",
        "How long a filter in Python takes for 1,000 alerts.",
        None,
        stream,
    )
    bad = GaugeMetricFamily("fink_distribution_bad_files", "Files not readable.", None, name)
    waiting = GaugeMetricFamily("fink_distribution_waiting_files", "Files to publish.", None, name)
    last = GaugeMetricFamily(
        "fink_distribution_last_batch_timestamp_seconds",
        "When it published last, or was started before it published anything.",
        None,
        name,
    )
    oldest = GaugeMetricFamily(
        "fink_distribution_oldest_waiting_timestamp_seconds",
        "When the oldest file to publish was written.",
        None,
        name,
    )
    for status in distributions:
        label = [status.name]
        for each in _STATES:
            state.add_metric([*label, each], float(status.state == each))
        read.add_metric(label, status.read)
        bad.add_metric(label, len(status.bad_files))
        waiting.add_metric(label, status.waiting_files)
        published_at = status.last_batch_at or status.started_at
        for times, at in ((last, published_at), (oldest, status.oldest_waiting_at)):
            if at is not None:
                times.add_metric(label, datetime.fromisoformat(at).timestamp())
        for part in status.streams:
            published.add_metric([*label, part.stream, part.topic], part.published)
        for title, count in {part.stream: part.undecided for part in status.streams}.items():
            undecided.add_metric([*label, title], count)
        for title, took in {part.stream: part.seconds_per_1000 for part in status.streams}.items():
            if took is not None:
                seconds.add_metric([*label, title], took)
    return state, read, published, undecided, seconds, bad, waiting, last, oldest
