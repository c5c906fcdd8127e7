"""Which alerts of a stream stand on its topic, by the headers of the messages."""

from __future__ import annotations

from confluent_kafka import Producer

from fink_cli.distribution.progress.published_ids import published_ids
from fink_cli.distribution.streams import Stream
from tests.support.cluster import TestCluster


def test_those_of_a_former_name_count_and_those_of_another_stream_do_not(
    cluster: TestCluster, topic: str
) -> None:
    producer = Producer(cluster.connection.librdkafka())
    for number, stream in enumerate(("now", "before", "other")):
        headers = [("alert-id", str(number).encode()), ("stream", stream.encode())]
        producer.produce(topic, b"x", headers=headers)
    assert producer.flush(30) == 0
    [own], [other] = (Stream(topic=topic, name=name).routes() for name in ("now", "other"))
    assert published_ids(cluster.connection, [own], [own, other]) == {own: {"0", "1"}}
