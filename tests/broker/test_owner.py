"""The records of a distribution on a real cluster, as another driver reads them."""

from __future__ import annotations

import pytest

from fink_cli.admin.state_topics import ensure_topics
from fink_cli.distribution.progress import owner as owner_module
from fink_cli.distribution.progress.owner import Owner, progress_errors
from fink_cli.distribution.progress.records import Published, SourceFile, published_record
from fink_cli.distribution.progress.topics import open_consumer, partition_of, read_partition
from tests.support.cluster import TestCluster


def test_a_summary_takes_the_place_of_the_records_before_it(
    cluster: TestCluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(cluster.connection)
    monkeypatch.setattr(owner_module, "_MOST_TO_SUM_UP", 50)
    first = Owner(cluster.connection, topic)
    first.open()
    first.take_over(source="/science", streams={}, topic_ids={}, behind={})
    for number in range(60):
        file = SourceFile(f"{number % 3}.parquet", 100, 1, "digest", 60)
        rows, counts = [(number, number + 1)], {"s": {"t": 1}}
        published = Published(first.id, f"b/{number}", 0, 0, "now", [(file, rows)], counts, {})
        first.write([published_record(topic, published)])
        first.read()
        first.sum_up()
    assert len(first.progress.to_sum_up) == 60 - 51
    second = Owner(cluster.connection, topic)
    second.read()
    assert second.progress.files == first.progress.files
    assert second.progress.counts == {("s", "t"): 60}
    assert (second.progress.read, second.progress.batches) == (60, 60)
    consumer = open_consumer(cluster.connection.librdkafka())
    with progress_errors(cluster.connection, "READ", "fink_distributions"):
        messages, _ = read_partition(consumer, "fink_distributions", partition_of(topic), 0)
    consumer.close()
    left = {key: value for key, value in messages if topic in key}
    # Kafka keeps the last record of each key: the driver's, three files, the totals and the rest.
    assert sum(value is not None for value in left.values()) == 1 + 3 + 1 + 9
