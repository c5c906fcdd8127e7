"""The owner of a distribution: the driver that reads, takes over and writes its progress."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer

from fink_cli.admin.publishers import DEAD_LETTERS, DISTRIBUTIONS
from fink_cli.connection import Connection
from fink_cli.distribution.progress.dead_letters import (
    DeadLetter,
    dead_letter_record,
    read_dead_letters,
)
from fink_cli.distribution.progress.records import (
    Driver,
    Progress,
    Record,
    SourceFile,
    driver_record,
)
from fink_cli.distribution.progress.topics import (
    commit,
    fence_slots,
    open_consumer,
    open_producer,
    partition_of,
    produce_record,
    read_partition,
    read_records,
    transactional_id,
)
from fink_cli.distribution.publisher.failures import failure_of
from fink_cli.distribution.publisher.work import FENCED, UNREACHABLE
from fink_cli.errors import FinkError, LoginRefusedError, UnreachableError, UsageError
from fink_cli.kafka.client import ErrorWatch, connect_admin, explained, kafka_errors, settings_for

_COMMIT_SECONDS = 30.0
# A first batch of a core or two opens no more: then no second record of the driver is needed.
_FIRST_SLOTS = 4
_ANSWER_SECONDS = 30.0
# A start reads so many records of transactions, some 500 bytes each, beside those of the files.
_MOST_TO_SUM_UP = 2000


class FencedError(UsageError):
    """Another driver publishes the same distribution.

    It is one of configuration: whoever starts a driver again that failed must leave this one.
    """


class Owner:
    """Reads and writes the records of a distribution.

    Attributes:
        progress: what it has published, as far as it was read.
        offset: the next offset of its records to read.
        id: the id of this driver.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        """Begin, with nothing read and nothing taken over."""
        self.progress = Progress(name)
        self.offset = 0
        self.id = uuid.uuid4().hex
        self._connection = connection
        self._name = name
        self._settings = settings_for(connection, ErrorWatch())
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._driver: Driver | None = None

    def read(self) -> None:
        """Read what was written to the distribution's records since the last time.

        Raises:
            FencedError: another driver took over.
            FinkError: the brokers do not answer, or refuse.
        """
        with progress_errors(self._connection, "READ", DISTRIBUTIONS):
            if self._consumer is None:
                self._consumer = open_consumer(self._settings)
            records, self.offset = read_records(self._consumer, self._name, self.offset)
        self.progress.apply(records)
        owner = self.progress.driver
        if self._driver is not None and owner is not None and owner.id != self.id:
            raise FencedError(
                f"Another driver took over the distribution '{self._name}': process {owner.pid} on "
                f"{owner.host}, at {owner.since}.",
                "One driver publishes it at a time: stop one of the two, "
                "or give this one a name of its own: --name NAME",
            )

    def open(self) -> None:
        """Fence the driver that publishes now, if there is one, and read all that it has written.

        Raises:
            FinkError: the brokers do not answer, or refuse.
        """
        with self._transactions():
            self._producer = open_producer(self._settings, transactional_id(self._name, None))
        self.read()

    def take_over(
        self,
        *,
        source: str,
        streams: Mapping[str, str],
        topic_ids: Mapping[str, str],
        behind: Mapping[str, str],
        records: Sequence[Record] = (),
        letters: Sequence[Record] = (),
    ) -> None:
        """Make this driver the one that publishes, after :meth:`open`.

        Args:
            source: the folder of the science database.
            streams: the digests of the streams.
            topic_ids: Kafka's ids of the topics.
            behind: since when each stream lacks what was published before.
            records: what else is written, in the same transaction.
            letters: the records of dead letters that are written in it.

        Raises:
            FinkError: the brokers do not answer, or refuse.
        """
        before = self.progress.driver
        driver = Driver(
            id=self.id,
            term=1,
            host=socket.gethostname(),
            pid=os.getpid(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            slots=max(before.slots if before else 0, _FIRST_SLOTS),
            source=source,
            streams=dict(streams),
            topic_ids={**(before.topic_ids if before else {}), **topic_ids},
            columns=before.columns if before else None,
            behind=dict(behind),
        )
        self._begin_term(driver, records, letters, before.slots if before else 0)

    @property
    def has_taken_over(self) -> bool:
        """Whether this driver is the one that publishes."""
        return self._driver is not None

    @property
    def driver(self) -> Driver:
        """This driver, once it has taken over."""
        if self._driver is None:
            raise RuntimeError("The distribution was not taken over.")
        return self._driver

    def change(self, **changes: object) -> None:
        """Write the driver's record anew, where something in it changes."""
        changed = replace(self.driver, **changes)  # type: ignore[arg-type]
        if changed != self._driver:
            self.write([driver_record(self._name, changed)])
            self._driver = changed

    def want_slots(self, slots: int) -> None:
        """Note that so many slots are used, before they are: who comes next fences them."""
        if slots > self.driver.slots:
            self.change(slots=slots)

    def sum_up(self) -> None:
        """Write a summary, where many transactions were recorded since the last one.

        No slot may be open: what it commits would not be in it.

        Raises:
            FinkError: the brokers do not answer, or another driver took over.
        """
        if len(self.progress.to_sum_up) > _MOST_TO_SUM_UP:
            self.write(self.progress.summary())
            self.read()

    def note_moved(self, moved: Mapping[str, SourceFile]) -> None:
        """Note that published files, and their dead letters, have another name within the source.

        No slot may be open, as for :meth:`sum_up`.

        Args:
            moved: each file as it is now, by its former name.

        Raises:
            FinkError: the brokers do not answer, or another driver took over.
        """
        if not moved:
            return
        for before, file in moved.items():
            self.progress.rename(before, file)
        letters: list[Record] = []
        if self.progress.dead.total():
            messages = read_all(self._connection, self._name, DEAD_LETTERS)
            for key, letter in read_dead_letters(self._name, messages).items():
                if letter.file in moved:
                    there = replace(letter, file=moved[letter.file].name)
                    letters += [Record(key, None), dead_letter_record(self._name, there)]
        self.write(self.progress.summary(), letters)
        self.read()

    def recover(self) -> None:
        """End what tasks that failed have left open, and read what they have published.

        Raises:
            FinkError: the brokers do not answer, or another driver took over.
        """
        self.read()
        driver = replace(self.driver, term=self.driver.term + 1)
        self._begin_term(driver, (), (), driver.slots)

    def _begin_term(
        self, driver: Driver, records: Sequence[Record], letters: Sequence[Record], slots: int
    ) -> None:
        """Take all slots from whoever has them, and read what they have published until then.

        The record of the term is committed before the slots are fenced: a task of an earlier term
        that opens its producer later finds the record, and one that opened it before is fenced. And
        who has read the record has read what was committed before: another leader of its partition
        may not tell at once how far that goes.
        """
        self.write([*records, driver_record(self._name, driver)], letters)
        self._driver = driver
        with self._transactions():
            fence_slots(self._settings, self._name, slots)
        self.read_until(lambda: self.progress.driver == driver)

    def read_until(self, seen: Callable[[], bool]) -> None:
        """Read until something that was committed is there.

        Raises:
            UnreachableError: it does not come.
            FinkError: as for :meth:`read`.
        """
        deadline = time.monotonic() + _ANSWER_SECONDS
        self.read()
        while not seen():
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"The topic '{DISTRIBUTIONS}' does not show what was committed to it.",
                    "See whether all brokers run: fink kafka status",
                )
            time.sleep(0.05)
            self.read()

    def write(self, records: Sequence[Record], letters: Sequence[Record] = ()) -> None:
        """Write records of this distribution in a transaction of the driver's own.

        Args:
            records: the records.
            letters: records of its dead letters.

        Raises:
            FencedError: another driver took over.
            FinkError: the brokers do not answer, or refuse.
        """
        try:
            self._write(records, letters)
        except (FencedError, LoginRefusedError):
            raise
        except FinkError:
            # A producer that failed writes no more. A new one fences whoever has its id: it is
            # opened where nobody else took over, and the progress is read before it writes.
            self._producer = None
            self.read()
            try:
                self._write(records, letters)
            except FinkError:
                self._producer = None
                raise

    def _write(self, records: Sequence[Record], letters: Sequence[Record]) -> None:
        with self._transactions():
            if self._producer is None:
                self._producer = open_producer(self._settings, transactional_id(self._name, None))
                self.read()
            self._producer.begin_transaction()
            for topic, written in ((DISTRIBUTIONS, records), (DEAD_LETTERS, letters)):
                for record in written:
                    produce_record(self._producer, topic, self._name, record.key, record.value)
            commit(self._producer, _COMMIT_SECONDS)

    @contextmanager
    def _transactions(self) -> Iterator[None]:
        name = transactional_id(self._name, None)
        attempt = self._connection.attempt("WRITE", "transactional id", name)
        try:
            yield
        except KafkaException as error:
            failure = failure_of(error.args[0])
            # Brokers that were away may answer late, and twice: a producer is fenced then although
            # no other driver came. Whether one did its record says, which is read at the next try.
            if failure.kind in (UNREACHABLE, FENCED):
                raise UnreachableError(
                    f"The brokers end no transaction at present: {failure.reason}.",
                    "See whether all of them run: fink kafka status",
                ) from error
            raise explained(error.args[0], attempt) from error


@contextmanager
def progress_errors(connection: Connection, operation: str, topic: str) -> Iterator[None]:
    """Turn Kafka's errors on one of the two topics into errors for the user."""
    with kafka_errors(connection.attempt(operation, "topic", topic)):
        try:
            yield
        except TimeoutError as error:
            raise UnreachableError(
                f"The end of the topic '{topic}' was not reached: {error}.",
                "See whether all brokers run: fink kafka status",
            ) from error


def read_all(connection: Connection, name: str, topic: str) -> list[tuple[str, str | None]]:
    """Read a distribution's partition of one of the two topics, without taking over.

    Returns:
        Key and value of each message; none where the topic is missing.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    client = connect_admin(connection)
    with progress_errors(connection, "DESCRIBE", topic):
        if topic not in client.list_topics(timeout=_ANSWER_SECONDS).topics:
            return []
    consumer = open_consumer(settings_for(connection, ErrorWatch()))
    try:
        with progress_errors(connection, "READ", topic):
            return read_partition(consumer, topic, partition_of(name), 0)[0]
    finally:
        consumer.close()


def dead_letters_of(connection: Connection, name: str, source: Path) -> list[DeadLetter]:
    """Read the dead letters of a distribution, each with its reason and the path of its file.

    Args:
        connection: the cluster, and a login that may read the two topics.
        name: the distribution.
        source: the folder of the science database.

    Raises:
        FinkError: the brokers do not answer, or refuse.
    """
    letters = read_dead_letters(name, read_all(connection, name, DEAD_LETTERS)).values()
    if not letters:
        return []
    owner = Owner(connection, name)
    owner.read()
    reasons = owner.progress.reasons
    return [
        replace(
            letter,
            reason=letter.reason or reasons.get(letter.stream, ""),
            file=str(source / letter.file),
        )
        for letter in letters
    ]
