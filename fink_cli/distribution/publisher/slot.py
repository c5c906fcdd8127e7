"""Publish the rows of one slot of a micro-batch, in transactions. It runs in Spark's workers.

A slot is one task of Spark's. It writes alerts, dead letters and the record of both through one
transactional producer, so that a reader of committed messages sees all of it or nothing. Whoever
opens a producer for the same slot later, be it a second attempt of the task or another driver,
fences the one before.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from confluent_kafka import KafkaError, KafkaException, Message

from fink_cli.admin.publishers import DEAD_LETTERS, DISTRIBUTIONS
from fink_cli.distribution.progress.dead_letters import (
    NO_TOPIC,
    NOT_ALLOWED,
    TOO_LARGE,
    UNDECIDED,
    DeadLetter,
    dead_letter_key,
    dead_letter_record,
)
from fink_cli.distribution.progress.records import (
    Published,
    Range,
    SourceFile,
    published_record,
    union,
)
from fink_cli.distribution.progress.topics import (
    Settings,
    commit,
    produce,
    produce_record,
)
from fink_cli.distribution.publisher.failures import SlotError, failure_of, kind_of
from fink_cli.distribution.publisher.message import choose_partition, headers_of, is_too_large
from fink_cli.distribution.publisher.producer import let_go, take_slot, worker_id
from fink_cli.distribution.publisher.work import (
    FENCED,
    FILE_CHANGED,
    OTHER,
    UNREACHABLE,
    Destination,
    Failure,
    Outcome,
    Work,
)

if TYPE_CHECKING:
    import pyarrow as pa

# A transaction that is open holds back the readers of its partitions, and Kafka ends it after a
# minute: it is committed by then, also where a filter takes long for the next alerts. A slot waits
# for each commit, 0.1 to 0.2 s: with 64 MB instead of 256 it did so three times in three seconds.
_PART_BYTES, _PART_SECONDS = 256 * 1024**2, 3.0
_COMMIT_SECONDS = 60.0
_ABORT_SECONDS = 10.0


@dataclass
class _Part:
    """What one transaction publishes."""

    began: float = 0.0
    bytes: int = 0
    rows: dict[str, list[Range]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    dead: Counter[str] = field(default_factory=Counter)


class SlotPublisher:
    """Publishes the rows of one slot."""

    def __init__(self, work: Work, slot: int, settings: Settings) -> None:
        """Take the slot.

        Raises:
            SlotError: another driver took over, or the brokers do not answer or refuse.
        """
        self._work = work
        self._slot = slot
        self._errors: list[tuple[KafkaError, Failure]] = []
        self._names: dict[str, SourceFile] = {}
        self._part = _Part()
        self.unexplained: dict[str, tuple[str, int]] = {}
        taken = take_slot(work, slot, settings)
        self._producer, self._done, self.parts = taken.producer, taken.done, taken.parts

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
                self._add(batch)
                # Where a filter took long for these alerts, it may for the next.
                if self._part.rows and (self._is_due() or waited > _PART_SECONDS):
                    self._commit()
                waited = time.monotonic()
            if self._part.rows:
                self._commit()
        except (SlotError, KafkaException) as error:
            failure = self._explain(error)
            self._abort(failure)
            raise SlotError(failure) from error

    def _is_due(self) -> bool:
        """Tell whether to commit the transaction: readers wait for it."""
        began = self._part.began
        age = time.monotonic() - began if began else 0.0
        return self._work.often or self._part.bytes > _PART_BYTES or age > _PART_SECONDS

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
            if self._part.bytes > _PART_BYTES:
                self._commit()  # between two alerts
            file, row = self._file(files[number]), rows[number]
            if _contains(self._done.get(file.name), row):
                continue
            self._note_row(file.name, row)
            if self._work.letters and not codes[number]:
                title = self._work.streams[0]
                self._take_away(DeadLetter(title, alert_ids[number], "", "", file.name, row))
            for code in codes[number]:
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
                target = self._work.destinations[code]
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

    def _note_row(self, name: str, row: int) -> None:
        ranges = self._part.rows[name]
        if ranges and ranges[-1][1] == row:
            ranges[-1] = (ranges[-1][0], row + 1)
        else:
            ranges.append((row, row + 1))

    def _send(
        self,
        target: Destination,
        value: bytes,
        letter: DeadLetter,
        object_id: str,
        published_at: bytes,
    ) -> None:
        """Send a message; or, where it can't be, its dead letter."""
        encoding = self._work.encodings[target.encoding]
        size = len(value) + len(encoding.schema)
        reason = self._refusal(target, letter, value, encoding.schema)
        if reason is not None:
            self._bury(replace(letter, kind=reason[0], reason=reason[1]))
            return
        self._begin()
        headers = headers_of(
            alert_id=letter.alert_id,
            object_id=object_id,
            published_at=published_at,
            fingerprint=encoding.fingerprint,
            stream=target.stream,
        )
        try:
            produce(
                self._producer,
                target.topic,
                value=value,
                key=encoding.schema,
                partition=choose_partition(object_id, target.partitions),
                headers=headers,
                on_delivery=partial(self._delivered, letter),
            )
        except KafkaException as error:
            # A producer that is kept may not know yet that a topic was given partitions.
            failure = failure_of(error.args[0])
            raise SlotError(replace(failure, topic=target.topic)) from error
        if self._work.letters:
            self._take_away(letter)
        self._part.bytes += size
        self._part.counts[target.title][target.topic] += 1

    def _refusal(
        self, target: Destination, letter: DeadLetter, value: bytes, key: bytes
    ) -> tuple[str, str] | None:
        """Say why a message is not sent: the kind and the reason of its dead letter."""
        if target.closed == NO_TOPIC:
            return NO_TOPIC, f"there is no topic {target.topic}"
        if target.closed == NOT_ALLOWED:
            return NOT_ALLOWED, f"the user may not write to the topic {target.topic}"
        refused = (letter.file, letter.row, letter.stream) in self._work.too_large
        if refused or is_too_large(target, value, key):
            return (
                TOO_LARGE,
                f"a message of {len(value) + len(key):,} bytes is more than the topic takes",
            )
        return None

    def _bury(self, letter: DeadLetter) -> None:
        self._begin()
        record = dead_letter_record(self._work.distribution, letter)
        self._note(DEAD_LETTERS, record.key, record.value)
        if not self._work.letters:
            self._part.dead[letter.stream] += 1

    def _take_away(self, letter: DeadLetter) -> None:
        self._begin()
        key = dead_letter_key(self._work.distribution, letter.stream, letter.file, letter.row)
        self._note(DEAD_LETTERS, key, None)
        self._part.dead[letter.stream] -= 1

    def _note(self, topic: str, key: str, value: str | None) -> None:
        """Write to one of the topics of the state."""
        report = partial(self._delivered, None)
        name = self._work.distribution
        produce_record(self._producer, topic, name, key, value, on_delivery=report)
        self._part.bytes += len(key) + len(value or "")

    def _delivered(
        self, letter: DeadLetter | None, error: KafkaError | None, message: Message
    ) -> None:
        """Note that a message was refused; ``letter`` names its alert, where it is one."""
        if error is None:
            return
        failure = Failure(OTHER, error.name(), error.str(), message.topic() or "")
        if letter is not None:
            failure = replace(failure, file=letter.file, row=letter.row, stream=letter.stream)
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
            part=self.parts,
            at=_now(),
            files=files,
            counts={title: dict(topics) for title, topics in part.counts.items()},
            dead={title: count for title, count in part.dead.items() if count},
            replay=self._work.replay,
        )
        record = published_record(self._work.distribution, published)
        self._note(DISTRIBUTIONS, record.key, record.value)
        commit(self._producer, _COMMIT_SECONDS)
        if self._errors:
            raise SlotError(self._errors[0][1])
        self.parts += 1
        self._part = _Part()

    def _file_named(self, name: str) -> SourceFile:
        return next(file for file in self._names.values() if file.name == name)

    def _require_same_files(self) -> None:
        """Refuse to commit rows of a file that was replaced since the driver read its footer."""
        for uri, file in self._names.items():
            if file.name not in self._part.rows:
                continue
            try:
                status = os.stat(unquote(urlsplit(uri).path))  # noqa: PTH116 - it may be gone
            except OSError:
                status = None
            if status is None or (status.st_size, status.st_mtime_ns) != (file.size, file.modified):
                raise SlotError(
                    Failure(
                        FILE_CHANGED, reason="it was replaced while it was read", file=file.name
                    )
                )

    def _explain(self, error: SlotError | KafkaException) -> Failure:
        """Find the cause: that of a message, where one failed, before that of the transaction."""
        self._producer.poll(0)
        is_own = isinstance(error, SlotError)
        failure = error.failure if isinstance(error, SlotError) else failure_of(error.args[0])
        if failure.kind == FENCED or (is_own and failure.kind != OTHER):
            return failure
        for kafka_error, of_message in self._errors:
            if (kind := kind_of(kafka_error)) != OTHER:
                return replace(of_message, kind=kind)
        return failure

    def _abort(self, failure: Failure) -> None:
        """Throw away what was not committed; the slot is taken anew next time.

        Where brokers are away it is left to whoever takes the slot next, with a new epoch: what is
        still on its way to them must not arrive behind the end of the transaction.
        """
        let_go(self._work.distribution, self._slot)
        try:
            if self._part.began and failure.kind not in (UNREACHABLE, FENCED):
                self._producer.abort_transaction(_ABORT_SECONDS)
        except KafkaException:
            return


def _contains(ranges: list[Range] | None, row: int) -> bool:
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
    parts = publisher.parts
    return Outcome(slot, worker_id(), parts=parts, unexplained=publisher.unexplained)
