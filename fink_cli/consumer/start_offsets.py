"""Find the offset of each partition that ``--from`` stands for."""

from __future__ import annotations

from collections.abc import Mapping, Set

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.consumer.start import AtOffset, Earliest, Latest, Since, Start
from fink_cli.kafka.client import ANSWER_SECONDS
from fink_cli.kafka.offsets import Partition, Span


def first_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span]
) -> dict[Partition, int]:
    """Return the offset of each partition that ``start`` stands for.

    Raises:
        KafkaException: the brokers do not answer.
    """
    if isinstance(start, Earliest):
        return {key: span.low for key, span in spans.items()}
    if isinstance(start, Latest):
        return {key: span.high for key, span in spans.items()}
    if isinstance(start, AtOffset):
        return {key: min(start.offset, span.high) for key, span in spans.items()}
    milliseconds = max(int(start.moment.timestamp() * 1000), 0)
    times = [TopicPartition(*key, milliseconds) for key in spans]
    offsets = {}
    for answer in consumer.offsets_for_times(times, timeout=ANSWER_SECONDS) if times else []:
        if answer.error is not None:
            raise KafkaException(answer.error)
        key = Partition(answer.topic, answer.partition)
        # A negative offset stands for the end: no message is that new.
        offsets[key] = answer.offset if answer.offset >= 0 else spans[key].high
    return offsets


def starting_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span], late: Set[Partition]
) -> dict[Partition, int]:
    """Return the offset of each partition that ``--from`` stands for.

    ``--from latest`` and an offset apply to the partitions that existed at the beginning. Those
    that were created later are read from their start, or from the time that ``--from`` names.

    Args:
        consumer: asks the brokers.
        start: the parsed ``--from``.
        spans: the offsets that the partitions hold.
        late: the partitions that were created later.

    Raises:
        KafkaException: the brokers do not answer.
    """
    early_spans = {key: span for key, span in spans.items() if key not in late}
    late_spans = {key: span for key, span in spans.items() if key in late}
    late_start = start if isinstance(start, Since) else Earliest()
    return first_offsets(consumer, start, early_spans) | first_offsets(
        consumer, late_start, late_spans
    )
