"""The offsets that --from means in each partition."""

from __future__ import annotations

from collections.abc import Mapping, Set

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.consumer.start import AtOffset, Earliest, Latest, Since, Start
from fink_cli.kafka.client import ANSWER_SECONDS
from fink_cli.kafka.offsets import Partition, Span


def first_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span]
) -> dict[Partition, int]:
    """The offset of each partition that ``start`` means.

    Raises:
        KafkaException: the brokers do not say.
    """
    if isinstance(start, Earliest):
        return {each: span.low for each, span in spans.items()}
    if isinstance(start, Latest):
        return {each: span.high for each, span in spans.items()}
    if isinstance(start, AtOffset):
        return {each: min(start.offset, span.high) for each, span in spans.items()}
    milliseconds = max(int(start.moment.timestamp() * 1000), 0)
    asked = [TopicPartition(*each, milliseconds) for each in spans]
    found = {}
    for answer in consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS) if asked else []:
        if answer.error is not None:
            raise KafkaException(answer.error)
        partition = Partition(answer.topic, answer.partition)
        # A negative offset stands for the end: no message is that young.
        found[partition] = answer.offset if answer.offset >= 0 else spans[partition].high
    return found


def starting_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span], late: Set[Partition]
) -> dict[Partition, int]:
    """Where --from leads.

    What came later is read from its start, or from the time that it names: --from latest is about
    what there was.

    Args:
        consumer: asks the brokers.
        start: what --from says.
        spans: what the partitions hold.
        late: those of them that came later.

    Raises:
        KafkaException: the brokers do not say.
    """
    there = {each: span for each, span in spans.items() if each not in late}
    came = {each: span for each, span in spans.items() if each in late}
    later = start if isinstance(start, Since) else Earliest()
    return first_offsets(consumer, start, there) | first_offsets(consumer, later, came)
