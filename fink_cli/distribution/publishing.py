"""One micro-batch, published exactly once: what is sent, what is left out, what is skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fink_cli.distribution.delivery import (
    Mark,
    Sent,
    end_offsets,
    published_since,
    read_mark,
    require_same,
    still_there,
    wait_until_still,
    write_mark,
)
from fink_cli.distribution.ledger import Skipped
from fink_cli.distribution.spark.attempts import first_attempts
from fink_cli.distribution.spark.kafka import (
    BUFFER_BYTES,
    Limits,
    TooLarge,
    finish_sending,
    publish,
    publish_each,
    refused_as_too_large,
)
from fink_cli.distribution.spark.messages import Plan, encoded, encoded_as, only, without
from fink_cli.distribution.spark.schemas import read_alerts
from fink_cli.distribution.spark.session import FAILURES, Session
from fink_cli.distribution.spark.skipped import find_skipped
from fink_cli.distribution.spec import Job
from fink_cli.errors import OperationFailedError

_MOST_BATCH_BYTES, _LEAST_BATCH_BYTES, _UNKNOWN_BATCH_BYTES = 512 * 1024, 16 * 1024, 256 * 1024
_EACH_BY_ITSELF = 0
# All messages at once; where a broker finds one too large, those above a size by themselves, since
# Kafka does not say which it was. A topic may take less than by default: then smaller ones as well.
_SIZES = (None, 1_000_000, 64_000, 0)


class IncompleteError(OperationFailedError):
    """Fewer messages stand on a topic than were sent."""


@dataclass(frozen=True)
class Batch:
    """A micro-batch.

    Attributes:
        name: tells it from all others; its messages carry it.
        mark: the file that notes where the topics ended before it.
        files: the Parquet files.
        alert_ids: publish only these alerts; none publishes all.
        sent: what another micro-batch published of these files.
    """

    name: str
    mark: Path
    files: Sequence[Path]
    alert_ids: Collection[str] | None = None
    sent: Collection[Sent] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a micro-batch.

    Attributes:
        published: how many of its alerts stand on each topic.
        skipped: those that a stream should have had, or might have, and has not.
        forgotten: topics that no longer hold all that an interrupted attempt may have published.
    """

    published: Counter[str]
    skipped: list[Skipped]
    forgotten: Collection[str]


def publish_batch(spark: Session, job: Job, plan: Plan, batch: Batch) -> Outcome:
    """Publish a micro-batch; one that was begun before is completed.

    Raises:
        FinkError: the brokers do not answer, or refuse.
        PySparkException: Spark failed; the batch can be published again.
    """
    for size in _SIZES[:-1]:
        try:
            return _publish(spark, job, plan, batch, size)
        except IncompleteError:
            continue
        except FAILURES as error:
            if not refused_as_too_large(error):
                raise
    return _publish(spark, job, plan, batch, _SIZES[-1])


def _publish(spark: Session, job: Job, plan: Plan, batch: Batch, size: int | None) -> Outcome:
    """Publish; the messages above a size in bytes, if there is one, each by itself."""
    sent, closed, forgotten = _begin(spark, job, plan, batch)
    alerts = read_alerts(spark, batch.files, plan.alerts)
    rows = only(encoded(alerts, plan), batch.alert_ids)
    rows = first_attempts(without(rows, plan, {*sent, *batch.sent}))
    together = _batch_bytes(job) if size is None else _EACH_BY_ITSELF
    done = publish(rows, plan, batch.name, job.connection, Limits(together, size, closed))
    counts, too_large = done.counts, list[TooLarge]()
    if done.large:
        large = first_attempts(encoded_as(alerts, plan, done.large))
        taken, too_large = publish_each(large, plan, batch.name, job.connection)
        counts += taken
    published = _by_topic(plan, sent, counts)
    _require_all_there(job, plan, batch, published)
    left = never_sent(plan, done.left, {*sent, *batch.sent})
    skipped = find_skipped(spark, plan, batch.files, left, too_large)
    _require_all_found({*left, *((each.alert_id, each.code) for each in too_large)}, skipped)
    return Outcome(published, skipped, forgotten)


def never_sent(
    plan: Plan, left: Collection[tuple[str, int]], sent: Collection[Sent]
) -> list[tuple[str, int]]:
    """The rows that were left out, but those that an interrupted attempt decided and sent."""
    titles = {(each.stream, each.topic): each.title for each in plan.decider.routes}
    known = {(each.alert_id, titles.get((each.stream, each.topic))) for each in sent}
    return [
        (alert_id, code)
        for alert_id, code in left
        if (alert_id, plan.decider.stream_of(code).title) not in known
    ]


def _require_all_found(left: Collection[tuple[str, int]], skipped: Collection[Skipped]) -> None:
    """Refuse to go on without an alert that is neither on a topic nor in the ledger.

    Raises:
        OperationFailedError: an alert that was left out is not in the files any more.
    """
    lost = {alert_id for alert_id, _ in left} - {each.alert_id for each in skipped}
    if lost:
        raise OperationFailedError(
            f"A file was written anew while its alerts were published: {len(lost)} are not there "
            "any more.",
            "Run it again: what it published is not sent again.",
        )


def _batch_bytes(job: Job) -> int:
    """How large a batch of messages to a partition may be, in bytes.

    Never more than a topic takes: Kafka's producer would split the batch into parts of this size
    again and again, until its thread dies, and the messages are lost without an error.
    """
    limits = [
        _UNKNOWN_BATCH_BYTES if each.largest is None else each.largest * 9 // 10
        for each in job.targets.values()
    ]
    # A batch takes its whole size of the buffer from its first message on. If those of all
    # partitions did not fit, the producer would wait for each to be sent.
    partitions = sum(each.partitions for each in job.targets.values())
    share = max(BUFFER_BYTES // (2 * partitions), _LEAST_BATCH_BYTES)
    return min([_MOST_BATCH_BYTES, share, *limits])


def _require_all_there(job: Job, plan: Plan, batch: Batch, published: Counter[str]) -> None:
    """Compare what was published with how far the topics have grown.

    It holds whatever a producer may lose without an error.

    Raises:
        IncompleteError: a topic has grown by less.
    """
    mark = read_mark(batch.mark)
    before = mark.ends if mark is not None else {}
    now = end_offsets(job.connection, plan.partitions)
    for topic, count in published.items():
        grown = sum(now.get(topic, {}).values()) - sum(before.get(topic, {}).values())
        if grown < count:
            raise IncompleteError(
                f"Only {grown} of {count} alerts stand on the topic '{topic}'.",
                "Run it again: what is there is not sent again.",
            )


def _begin(
    spark: Session, job: Job, plan: Plan, batch: Batch
) -> tuple[set[Sent], set[int], set[str]]:
    """Note where the topics end; or, where the batch was begun before, what it published.

    Returns:
        What was sent before; the codes of the routes whose topic is missing; and the topics that no
        longer hold all that may have been sent.
    """
    mark = read_mark(batch.mark)
    again = mark is not None and mark.batch == batch.name
    if again:
        _finish(spark, job, plan)
    now = end_offsets(job.connection, plan.partitions)
    if job.topic_id is not None:
        require_same(job.connection, next(iter(job.targets)), job.topic_id)
    sent: set[Sent] = set()
    forgotten: set[str] = set()
    if mark is not None and again:
        kept = still_there(job.connection, mark, plan.partitions)
        forgotten = {topic for topic, ends in mark.ends.items() if kept.ends[topic] != ends}
        sent = published_since(job.connection, kept)
        # A topic may have more partitions than it had.
        ends = {
            topic: {**now.get(topic, {}), **kept.ends.get(topic, {})}
            for topic in {*now, *kept.ends}
        }
        write_mark(batch.mark, Mark(batch.name, ends))
    else:
        write_mark(batch.mark, Mark(batch.name, now))
    routes = enumerate(plan.decider.routes)
    return sent, {code for code, each in routes if each.topic not in now}, forgotten


def _finish(spark: Session, job: Job, plan: Plan) -> None:
    """Wait: what a failed attempt still has to send must not arrive after it was looked for."""
    finish_sending(spark)
    if not job.spark.master.startswith("local"):
        wait_until_still(job.connection, plan.partitions)


def already_sent(spark: Session, job: Job, plan: Plan, batch: Batch) -> set[Sent]:
    """What stands on the topics of a micro-batch that failed.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    mark = read_mark(batch.mark)
    if mark is None or mark.batch != batch.name:
        return set()
    _finish(spark, job, plan)
    return published_since(job.connection, still_there(job.connection, mark, plan.partitions))


def _by_topic(plan: Plan, sent: Collection[Sent], counts: Counter[int]) -> Counter[str]:
    found = Counter(each.topic for each in sent)
    for code, count in counts.items():
        found[plan.decider.routes[code].topic] += count
    return found
