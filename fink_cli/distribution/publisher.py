"""Publish the rows of one slot of a micro-batch, in transactions. It runs in Spark's workers.

A slot is one task of Spark's. It writes alerts, dead letters and the record of both through one
transactional producer, so that a reader of committed messages sees all of it or nothing. Whoever
opens a producer for the same slot later, be it a second attempt of the task or another driver,
fences the one before.
"""

from __future__ import annotations

import json
import os
import time
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from fink_cli.admin.publishers import DEAD_LETTERS, DISTRIBUTIONS
from fink_cli.distribution.progress import (
    DRIVER,
    NO_TOPIC,
    NOT_ALLOWED,
    PUBLISHED,
    TOO_LARGE,
    UNDECIDED,
    DeadLetter,
    Published,
    Range,
    SourceFile,
    dead_letter_key,
    dead_letter_record,
    own_records,
    published_record,
    read_driver,
    read_published,
    union,
)
from fink_cli.distribution.progress_topics import (
    Settings,
    open_consumer,
    open_producer,
    produce_record,
    read_records,
    transactional_id,
)

if TYPE_CHECKING:
    import pyarrow as pa

FENCED, FILE_CHANGED, CLOSED, REFUSED, UNREACHABLE, OTHER = (
    "fenced",
    "file changed",
    "closed",
    "refused",
    "unreachable",
    "other",
)

# A transaction that is open holds back the readers of its partitions, and Kafka ends it after a
# minute: it is committed by then, also where a filter takes long for the next alerts.
_PART_BYTES, _PART_SECONDS = 64 * 1024**2, 3.0
_QUEUE_SECONDS = 60.0
_COMMIT_SECONDS = 60.0
_ABORT_SECONDS = 10.0
# What a message has beside key and value: headers, and the frame of a batch.
_AROUND_BYTES = 1024
_MOST_BATCH_BYTES = 1_000_000
_LEVEL = 1

_FENCING = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.PRODUCER_FENCED,
}
_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_AWAY = {
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.CONCURRENT_TRANSACTIONS,
}


@dataclass(frozen=True)
class Target:
    """Where a stream's alerts go.

    Attributes:
        title: what the stream is called.
        stream: the header ``stream`` of its messages.
        topic: the topic.
        partitions: how many it has.
        encoding: the number of the selection of columns that it publishes.
        largest: how many bytes a batch of messages may have; ``None`` where the login may not know.
        closed: why nothing can be sent to it, as the kind of a dead letter; ``None`` where it can.
    """

    title: str
    stream: str
    topic: str
    partitions: int
    encoding: int
    largest: int | None
    closed: str | None = None


@dataclass(frozen=True)
class Encoding:
    """A selection of columns: its Avro schema, which is the key of each message, and a digest."""

    schema: bytes
    fingerprint: bytes


@dataclass(frozen=True)
class Work:
    """What all slots of a micro-batch have in common. It travels to the workers, without secrets.

    Attributes:
        distribution: the distribution.
        driver: the id of the driver.
        batch: the micro-batch.
        offset: up to where the driver has read the distribution's records.
        targets: where alerts go; a row's codes are their numbers.
        streams: the titles of the streams; the code of one that was not decided is ``-1 - number``.
        encodings: the selections of columns.
        files: the files of the batch, by their path.
        holders: the worker that holds the producer of each slot, as far as the driver knows.
        too_large: messages that a broker refused before, as file, row and stream.
        batch_bytes: how many bytes of messages are sent to a partition together.
        done: rows of the files that were published before.
        replay: the rows are dead letters of the only stream, which are taken away.
    """

    distribution: str
    driver: str
    batch: str
    offset: int
    targets: list[Target]
    streams: list[str]
    encodings: list[Encoding]
    files: dict[str, SourceFile]
    holders: dict[int, str]
    too_large: frozenset[tuple[str, int, str]]
    batch_bytes: int
    done: dict[str, list[Range]] = field(default_factory=dict)
    replay: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a slot was not published to its end.

    Attributes:
        kind: one of those above, or ``too large``.
        name: Kafka's name of the error; empty where it was none.
        reason: what was said.
        topic: the topic that it is about.
        file: the file, within the source.
        row: the row in it.
        stream: the stream.
    """

    kind: str
    name: str = ""
    reason: str = ""
    topic: str = ""
    file: str = ""
    row: int = -1
    stream: str = ""


@dataclass
class Outcome:
    """What came of a slot.

    Attributes:
        slot: the slot.
        worker: the worker that holds its producer now; empty where none does.
        failure: why it was not published to its end; ``None`` where it was.
        unexplained: of each stream whose SQL raised, a path and a row where it did.
    """

    slot: int
    worker: str
    failure: Failure | None = None
    unexplained: dict[str, tuple[str, int]] = field(default_factory=dict)


class SlotError(Exception):
    """A slot can't be published to its end."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass
class _Part:
    """What one transaction publishes."""

    began: float = 0.0
    bytes: int = 0
    rows: dict[str, list[Range]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    dead: Counter[str] = field(default_factory=Counter)


# The producer of each slot that this worker holds: to open one takes a login and more.
_held: dict[str, Producer] = {}
_worker: tuple[int, str] = (0, "")


def worker_id() -> str:
    """Name this worker: Spark forks them, so that a name of the module's would be that of all."""
    global _worker  # noqa: PLW0603 - it is the process that is named
    if _worker[0] != os.getpid():
        _worker = (os.getpid(), uuid.uuid4().hex)
        _held.clear()
    return _worker[1]


class SlotPublisher:
    """Publishes the rows of one slot."""

    def __init__(self, work: Work, slot: int, settings: Settings) -> None:
        """Take the slot.

        Raises:
            SlotError: another driver took over, or the brokers do not answer or refuse.
        """
        self._work = work
        self._slot = slot
        self._settings = settings
        self._errors: list[tuple[KafkaError, Failure]] = []
        self._names: dict[str, SourceFile] = {}
        self._part = _Part()
        self._parts = 0
        self._done: dict[str, list[Range]] = defaultdict(list)
        for name, ranges in work.done.items():
            self._done[name] += ranges
        self.unexplained: dict[str, tuple[str, int]] = {}
        self._producer = self._take_slot()

    def _take_slot(self) -> Producer:
        transactional = transactional_id(self._work.distribution, self._slot)
        if self._work.holders.get(self._slot) == worker_id() and transactional in _held:
            return _held[transactional]
        _held.pop(transactional, None)
        try:
            producer = open_producer(
                self._settings,
                transactional,
                **{
                    "compression.type": "zstd",
                    "compression.level": _LEVEL,
                    "linger.ms": 50,
                    "batch.size": self._work.batch_bytes,
                    "message.max.bytes": 1_000_000_000,
                    "queue.buffering.max.kbytes": 128 * 1024,
                    "delivery.report.only.error": True,
                },
            )
            self._require_own(open_consumer(self._settings))
        except KafkaException as error:
            raise SlotError(_failure(error.args[0])) from error
        except TimeoutError as error:
            raise SlotError(Failure(UNREACHABLE, reason=str(error))) from error
        _held[transactional] = producer
        return producer

    def _require_own(self, consumer: Consumer) -> None:
        """Look whether the driver still owns the distribution, and what an attempt before did.

        The producer was opened before: another driver that takes over from now on fences it, and
        one that did before has left its record.
        """
        try:
            records, _ = read_records(consumer, self._work.distribution, self._work.offset)
        finally:
            consumer.close()
        for kind, record in own_records(self._work.distribution, records):
            if kind == DRIVER and read_driver(record.value).id != self._work.driver:
                raise SlotError(Failure(FENCED, reason="another driver took over"))
            if kind == PUBLISHED:
                self._take_in(read_published(record.value))

    def _take_in(self, published: Published) -> None:
        """Count what an attempt before published of this slot, which is not done again."""
        if (published.batch, published.slot) == (self._work.batch, self._slot):
            self._parts += 1
        for file, ranges in published.files:
            self._done[file.name] += ranges

    def publish(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Publish rows.

        Args:
            batches: with the columns ``file``, ``row``, ``alert_id``, ``object_id``, ``codes``,
                ``errors`` and ``value0``, ``value1``, … (a value for each encoding).

        Raises:
            SlotError: what is committed by then stands; the rest was aborted.
        """
        try:
            waited = time.monotonic()
            for batch in batches:
                waited = time.monotonic() - waited
                if self._part.rows and waited > _PART_SECONDS:
                    self._commit()  # the next alerts may take as long
                self._add(batch)
                if self._part.bytes > _PART_BYTES or self._age() > _PART_SECONDS:
                    self._commit()
                waited = time.monotonic()
            if self._part.rows:
                self._commit()
        except (SlotError, KafkaException) as error:
            failure = self._explain(error)
            self._abort()
            raise SlotError(failure) from error

    def _age(self) -> float:
        return time.monotonic() - self._part.began if self._part.began else 0.0

    def _begin(self) -> None:
        if not self._part.began:
            self._producer.begin_transaction()
            self._part.began = time.monotonic()

    def _add(self, batch: pa.RecordBatch) -> None:
        """Send the messages of some rows."""
        files, rows, alert_ids, object_ids, codes, errors = (
            batch.column(name).to_pylist()
            for name in ("file", "row", "alert_id", "object_id", "codes", "errors")
        )
        values = [batch.column(f"value{each}") for each in range(len(self._work.encodings))]
        at = _now()
        published_at = at.encode()
        for number in range(batch.num_rows):
            file, row = self._file(files[number]), rows[number]
            if _holds(self._done.get(file.name), row):
                continue
            self._saw(file.name, row)
            ways = codes[number]
            if self._work.replay and not ways:
                title = self._work.streams[0]
                self._take_away(DeadLetter(title, alert_ids[number], "", "", file.name, row))
            for code in ways:
                if code < 0:
                    title = self._work.streams[-1 - code]
                    reason = dict(errors[number] or ()).get(title)
                    if reason is None:
                        self.unexplained.setdefault(title, (files[number], row))
                    self._bury(
                        DeadLetter(
                            title, alert_ids[number], UNDECIDED, reason or "", file.name, row
                        )
                    )
                    continue
                target = self._work.targets[code]
                self._send(
                    target,
                    values[target.encoding][number].as_py(),
                    DeadLetter(target.title, alert_ids[number], "", "", file.name, row),
                    object_ids[number],
                    published_at,
                )
        self._producer.poll(0)

    def _file(self, uri: str) -> SourceFile:
        file = self._names.get(uri)
        if file is None:
            file = self._names[uri] = self._work.files[unquote(urlsplit(uri).path)]
        return file

    def _saw(self, name: str, row: int) -> None:
        ranges = self._part.rows[name]
        if ranges and ranges[-1][1] == row:
            ranges[-1] = (ranges[-1][0], row + 1)
        else:
            ranges.append((row, row + 1))

    def _send(
        self, target: Target, value: bytes, letter: DeadLetter, object_id: str, published_at: bytes
    ) -> None:
        """Send a message; or, where it can't be, its dead letter."""
        encoding = self._work.encodings[target.encoding]
        size = len(value) + len(encoding.schema)
        reason = self._refusal(target, letter, value, encoding.schema)
        if reason is not None:
            kind, words = reason
            self._bury(
                DeadLetter(letter.stream, letter.alert_id, kind, words, letter.file, letter.row)
            )
            return
        self._begin()
        # CRC-32 as librdkafka's `consistent` partitioner has it: any client can compute it.
        partition = zlib.crc32(object_id.encode()) % target.partitions
        headers: list[tuple[str, str | bytes | None]] = [
            ("alert-id", letter.alert_id.encode()),
            ("object-id", object_id.encode()),
            ("published-at", published_at),
            ("schema-fingerprint", encoding.fingerprint),
            ("stream", target.stream.encode()),
        ]
        told = partial(self._delivered, letter)
        deadline = time.monotonic() + _QUEUE_SECONDS
        while True:
            try:
                self._producer.produce(
                    target.topic,
                    value=value,
                    key=encoding.schema,
                    partition=partition,
                    headers=headers,
                    on_delivery=told,
                )
                break
            except BufferError:
                if time.monotonic() > deadline:
                    raise SlotError(
                        Failure(UNREACHABLE, reason="no broker takes messages")
                    ) from None
                self._producer.poll(0.05)
        if self._work.replay:
            self._take_away(letter)
        self._part.bytes += size
        self._part.counts[target.title][target.topic] += 1

    def _refusal(
        self, target: Target, letter: DeadLetter, value: bytes, key: bytes
    ) -> tuple[str, str] | None:
        """Say why a message is not sent: the kind and the reason of its dead letter."""
        if target.closed == NO_TOPIC:
            return NO_TOPIC, f"there is no topic {target.topic}"
        if target.closed == NOT_ALLOWED:
            return NOT_ALLOWED, f"the user may not write to the topic {target.topic}"
        known = (letter.file, letter.row, letter.stream) in self._work.too_large
        if known or _is_too_large(target, value, key):
            return (
                TOO_LARGE,
                f"a message of {len(value) + len(key):,} bytes is more than the topic takes",
            )
        return None

    def _bury(self, letter: DeadLetter) -> None:
        self._begin()
        record = dead_letter_record(self._work.distribution, letter)
        produce_record(
            self._producer, DEAD_LETTERS, self._work.distribution, record.key, record.value
        )
        if not self._work.replay:
            self._part.dead[letter.stream] += 1

    def _take_away(self, letter: DeadLetter) -> None:
        self._begin()
        key = dead_letter_key(self._work.distribution, letter.stream, letter.file, letter.row)
        produce_record(self._producer, DEAD_LETTERS, self._work.distribution, key, None)
        self._part.dead[letter.stream] -= 1

    def _delivered(self, letter: DeadLetter, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failure = Failure(
                OTHER,
                error.name(),
                error.str(),
                message.topic() or "",
                letter.file,
                letter.row,
                letter.stream,
            )
            self._errors.append((error, failure))

    def _commit(self) -> None:
        """Commit what was sent, with the record of it."""
        self._begin()
        part = self._part
        files = [(self._file_named(name), union(ranges)) for name, ranges in part.rows.items()]
        self._require_same_files()
        published = Published(
            driver=self._work.driver,
            batch=self._work.batch,
            slot=self._slot,
            part=self._parts,
            at=_now(),
            files=files,
            counts={title: dict(topics) for title, topics in part.counts.items()},
            dead={title: count for title, count in part.dead.items() if count},
            replay=self._work.replay,
        )
        record = published_record(self._work.distribution, published)
        produce_record(
            self._producer, DISTRIBUTIONS, self._work.distribution, record.key, record.value
        )
        deadline = time.monotonic() + _COMMIT_SECONDS
        while True:
            try:
                self._producer.commit_transaction(5.0)
                break
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise
        if self._errors:
            raise SlotError(self._errors[0][1])
        self._parts += 1
        self._part = _Part()

    def _file_named(self, name: str) -> SourceFile:
        return next(file for file in self._names.values() if file.name == name)

    def _require_same_files(self) -> None:
        """Refuse to commit rows of a file that was replaced since the driver looked at it."""
        for uri, file in self._names.items():
            if file.name not in self._part.rows:
                continue
            try:
                found = os.stat(unquote(urlsplit(uri).path))  # noqa: PTH116 - it may be gone
            except OSError:
                found = None
            if found is None or (found.st_size, found.st_mtime_ns) != (file.size, file.modified):
                raise SlotError(
                    Failure(
                        FILE_CHANGED, reason="it was replaced while it was read", file=file.name
                    )
                )

    def _explain(self, error: SlotError | KafkaException) -> Failure:
        """Find the cause: that of a message, where one failed, before that of the transaction."""
        self._producer.poll(0)
        if isinstance(error, SlotError):
            return error.failure
        cause: KafkaError = error.args[0]
        if cause.code() in _FENCING:
            return Failure(FENCED, cause.name(), cause.str())
        for told, failure in self._errors:
            kind = _kind(told)
            if kind != OTHER:
                return Failure(**{**asdict(failure), "kind": kind})
        return _failure(cause)

    def _abort(self) -> None:
        """Throw away what was not committed; the slot is taken anew next time."""
        _held.pop(transactional_id(self._work.distribution, self._slot), None)
        try:
            if self._part.began:
                self._producer.purge()
                self._producer.abort_transaction(_ABORT_SECONDS)
        except KafkaException:
            # It is fenced or no broker answers: who takes the slot next aborts it.
            return


def _kind(error: KafkaError) -> str:
    code = error.code()
    if code in _FENCING:
        return FENCED
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return TOO_LARGE
    if code in _NO_TOPIC or code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return CLOSED
    if code in _AWAY:
        return UNREACHABLE
    if code in _REFUSED:
        return REFUSED
    return OTHER


_REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def _failure(error: KafkaError) -> Failure:
    return Failure(_kind(error), error.name(), error.str())


def _is_too_large(target: Target, value: bytes, key: bytes) -> bool:
    """Tell whether a message by itself, compressed as it is sent, is more than its topic takes."""
    size = len(value) + len(key) + _AROUND_BYTES
    if target.largest is None or size <= target.largest:
        return False
    import cramjam

    packed = len(cramjam.zstd.compress(key + value, level=_LEVEL))
    return min(packed, size) + _AROUND_BYTES > target.largest


def _holds(ranges: list[Range] | None, row: int) -> bool:
    return ranges is not None and any(first <= row < after for first, after in ranges)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def publish_slot(
    work: Work, slot: int, settings: Settings, batches: Iterable[pa.RecordBatch]
) -> Outcome:
    """Publish the rows of a slot, and tell what came of it; see :class:`SlotPublisher`."""
    try:
        publisher = SlotPublisher(work, slot, settings)
        publisher.publish(batches)
    except SlotError as error:
        return Outcome(slot, "", error.failure)
    return Outcome(slot, worker_id(), unexplained=publisher.unexplained)


def dump_outcome(outcome: Outcome) -> str:
    """Write an outcome as JSON text."""
    return json.dumps(asdict(outcome))


def load_outcome(text: str) -> Outcome:
    """Read what :func:`dump_outcome` wrote."""
    content = json.loads(text)
    failure = content["failure"]
    unexplained = {title: (uri, row) for title, (uri, row) in content["unexplained"].items()}
    return Outcome(
        content["slot"], content["worker"], Failure(**failure) if failure else None, unexplained
    )


def batch_bytes(targets: Mapping[str, int | None]) -> int:
    """Choose how many bytes of messages are sent to a partition together.

    A batch that holds more than one message is never more than its topic takes: so it is one
    message that a broker finds too large, and its own delivery report says so.

    Args:
        targets: how many bytes a batch may have, by topic; ``None`` where the login may not know.
    """
    unknown = 256 * 1024
    limits = [unknown if limit is None else limit * 9 // 10 for limit in targets.values()]
    return max(1024, min([_MOST_BATCH_BYTES, *limits]))
