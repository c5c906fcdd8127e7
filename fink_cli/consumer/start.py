"""Where reading starts: parse ``--from``, and find the offset that it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Literal

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fink_cli.errors import UsageError
from fink_cli.kafka.client import ANSWER_SECONDS
from fink_cli.kafka.offsets import Partition, Span

_AGO = re.compile(r"-(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Start = Literal["earliest", "latest"] | int | datetime
"""The first message of each partition, its end, an offset, or the first message not older than a
time (aware)."""


def parse_start(text: str, now: datetime, option: str = "--from") -> Start:
    """Parse the value of ``--from``.

    Args:
        text: ``earliest``, ``latest``, an offset, a time in ISO 8601 (UTC if it has no zone), or a
            duration ago: ``-90s``, ``-30m``, ``-2h``, ``-1d``.
        option: the name of the option, for the error.

    Raises:
        UsageError: the text is none of these.
    """
    if text in {"earliest", "latest"}:
        return "earliest" if text == "earliest" else "latest"
    # A date without separators (20240131) is taken for an offset.
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        ago = _AGO.fullmatch(text)
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} '{text}' is not a place to start from.",
            "Use earliest, latest, an offset, a time (2024-03-01T12:00:00) or -30m, -2h, -1d.",
        ) from error
    return moment


def starting_offsets(
    consumer: Consumer, start: Start, spans: Mapping[Partition, Span], late: Set[Partition]
) -> dict[Partition, int]:
    """Return the offset of each partition that ``start`` stands for.

    The end and an offset apply to the partitions that existed at the beginning. Those that were
    created later are read from their start, or from the time that ``start`` is.

    Args:
        late: the partitions that were created later.

    Raises:
        KafkaException: the brokers do not answer.
    """
    if isinstance(start, datetime):
        return _offsets_since(consumer, start, spans)
    return {
        key: span.low if key in late else _offset_in(span, start) for key, span in spans.items()
    }


def _offset_in(span: Span, start: Literal["earliest", "latest"] | int) -> int:
    if isinstance(start, int):
        return min(start, span.high)
    return span.low if start == "earliest" else span.high


def _offsets_since(
    consumer: Consumer, moment: datetime, spans: Mapping[Partition, Span]
) -> dict[Partition, int]:
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    times = [TopicPartition(*key, milliseconds) for key in spans]
    offsets = {}
    for answer in consumer.offsets_for_times(times, timeout=ANSWER_SECONDS) if times else []:
        if answer.error is not None:
            raise KafkaException(answer.error)
        key = Partition(answer.topic, answer.partition)
        # A negative offset stands for the end: no message is that new.
        offsets[key] = answer.offset if answer.offset >= 0 else spans[key].high
    return offsets
