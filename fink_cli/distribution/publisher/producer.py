"""The transactional producer of a slot: taken from whoever had it, and kept for the next batch."""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Producer

from fink_cli.distribution.progress.records import (
    DRIVER,
    PUBLISHED,
    Range,
    own_records,
    read_driver,
    read_published,
)
from fink_cli.distribution.progress.topics import (
    Settings,
    open_consumer,
    open_producer,
    read_records,
    transactional_id,
)
from fink_cli.distribution.publisher.failures import SlotError, failure_of
from fink_cli.distribution.publisher.work import FENCED, LEVEL, UNREACHABLE, Failure, Work

# The producer of each slot that this worker holds: to open one takes a login and more.
_held: dict[str, Producer] = {}
# A consumer, which is kept as well.
_readers: list[Consumer] = []
_worker: tuple[int, str] = (0, "")


def worker_id() -> str:
    """Name this worker: Spark forks them, so that a name of the module's would be that of all."""
    global _worker  # noqa: PLW0603 - it is the process that is named
    if _worker[0] != os.getpid():
        _worker = (os.getpid(), uuid.uuid4().hex)
        _held.clear()
        _readers.clear()
    return _worker[1]


@dataclass
class TakenSlot:
    """A slot that is this worker's.

    Attributes:
        producer: its producer.
        done: the rows of each file that were published before.
        parts: how many transactions an attempt before committed of this slot and batch.
    """

    producer: Producer
    done: dict[str, list[Range]]
    parts: int = 0


def take_slot(work: Work, slot: int, settings: Settings) -> TakenSlot:
    """Open the producer of a slot, or take the one that this worker holds.

    Raises:
        SlotError: another driver took over, or the brokers do not answer or refuse.
    """
    done: dict[str, list[Range]] = defaultdict(list)
    for name, ranges in work.done.items():
        done[name] += ranges
    transactional = transactional_id(work.distribution, slot)
    _let_go_of_others(work)
    if slot >= work.slots:
        # Executors may have come since the driver asked how many there would be.
        raise SlotError(Failure(FENCED, reason=f"slot {slot} of {work.slots} was not noted"))
    if work.holders.get(slot) == worker_id() and transactional in _held:
        return TakenSlot(_held[transactional], done)
    _held.pop(transactional, None)
    try:
        producer = open_producer(
            settings,
            transactional,
            **{
                "compression.type": "zstd",
                "compression.level": LEVEL,
                # Long enough for some messages of each topic; a commit waits for none.
                "linger.ms": 200,
                "batch.size": work.batch_bytes,
                "message.max.bytes": 1_000_000_000,
                # What waits to be sent when a transaction is to be committed: a slow link must
                # manage it within a minute.
                "queue.buffering.max.kbytes": 32 * 1024,
                "delivery.report.only.error": True,
            },
        )
        taken = TakenSlot(producer, done)
        _require_own(work, slot, settings, taken)
    except KafkaException as error:
        raise SlotError(failure_of(error.args[0])) from error
    except TimeoutError as error:
        raise SlotError(Failure(UNREACHABLE, reason=str(error))) from error
    _held[transactional] = producer
    return taken


def _require_own(work: Work, slot: int, settings: Settings, taken: TakenSlot) -> None:
    """Look whether the driver still owns the distribution, and what an attempt before did.

    The producer was opened before: another driver that takes over from now on fences it, and one
    that did before has left its record.
    """
    if not _readers:
        _readers.append(open_consumer(settings))
    try:
        records, _ = read_records(_readers[0], work.distribution, work.offset)
    except (KafkaException, TimeoutError):
        _readers.clear()
        raise
    for kind, record in own_records(work.distribution, records):
        if record.value is None:
            continue
        if kind == DRIVER:
            driver = read_driver(record.value)
            if driver.id != work.driver:
                raise SlotError(Failure(FENCED, reason="another driver took over"))
            if driver.term > work.term:
                raise SlotError(Failure(FENCED, reason="the driver gave the batch up"))
        if kind == PUBLISHED:
            published = read_published(record.value)
            taken.parts += (published.batch, published.slot) == (work.batch, slot)
            for file, ranges in published.files:
                taken.done[file.name] += ranges


def _let_go_of_others(work: Work) -> None:
    """Close the producers of slots that other workers hold by now: they are fenced."""
    own = {
        transactional_id(work.distribution, slot)
        for slot, worker in work.holders.items()
        if worker == worker_id()
    }
    for transactional in _held.keys() - own:
        del _held[transactional]


def let_go(distribution: str, slot: int) -> None:
    """Forget the producer of a slot, whose transaction was not committed."""
    _held.pop(transactional_id(distribution, slot), None)
