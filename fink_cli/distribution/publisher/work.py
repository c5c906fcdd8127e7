"""The work of a slot, and its outcome: both travel between driver and workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from fink_cli.distribution.progress.records import Range, SourceFile

FENCED, FILE_CHANGED, CLOSED, REFUSED, UNREACHABLE, OTHER = (
    "fenced",
    "file changed",
    "closed",
    "refused",
    "unreachable",
    "other",
)

LEVEL = 1
"""How much effort zstd makes: most of an alert is compressed already."""

_MOST_BATCH_BYTES = 1_000_000


@dataclass(frozen=True)
class Destination:
    """A topic of a stream, as the slots publish to it.

    Attributes:
        title: the name of the stream.
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
class MessageSchema:
    """The Avro schema of a selection of columns, which is the key of a message, and its digest."""

    schema: bytes
    fingerprint: bytes


@dataclass(frozen=True)
class Work:
    """The work that all slots of a micro-batch share. It travels to the workers, without secrets.

    Attributes:
        distribution: the distribution.
        driver: the id of the driver.
        term: its term.
        slots: how many slots the driver has noted.
        batch: the micro-batch.
        offset: up to where the driver has read the distribution's records.
        destinations: the topics of the streams; a row's codes are their numbers.
        streams: the titles of the streams; the code of one that was not decided is ``-1 - number``.
        encodings: the selections of columns.
        files: the files of the batch, by their path.
        holders: the worker that holds the producer of each slot, as far as the driver knows.
        too_large: messages that a broker refused before, as file, row and stream.
        batch_bytes: how many bytes of messages are sent to a partition together.
        done: rows of the files that were published before.
        replay: the rows were read before, and are published to the only stream of the work.
        letters: they are dead letters of the stream, which are taken away.
        often: commit after each batch of rows that a filter has decided: it takes long.
    """

    distribution: str
    driver: str
    term: int
    slots: int
    batch: str
    offset: int
    destinations: list[Destination]
    streams: list[str]
    encodings: list[MessageSchema]
    files: dict[str, SourceFile]
    holders: dict[int, str]
    too_large: frozenset[tuple[str, int, str]]
    batch_bytes: int
    done: dict[str, list[Range]] = field(default_factory=dict)
    replay: bool = False
    letters: bool = False
    often: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a slot was not published to its end.

    Attributes:
        kind: one of those above, or ``too large``.
        name: Kafka's name of the error; empty where it was none.
        reason: the text of the error.
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
    """The outcome of a slot.

    Attributes:
        slot: the slot.
        worker: the worker that holds its producer now; empty where none does.
        failure: why it was not published to its end; ``None`` where it was.
        parts: how many transactions of it are committed.
        unexplained: of each stream whose SQL raised, a path and a row where it did.
    """

    slot: int
    worker: str
    failure: Failure | None = None
    parts: int = 0
    unexplained: dict[str, tuple[str, int]] = field(default_factory=dict)


def dump_outcome(outcome: Outcome) -> str:
    """Write an outcome as JSON text."""
    return json.dumps(asdict(outcome))


def load_outcome(text: str) -> Outcome:
    """Read what :func:`dump_outcome` wrote."""
    content = json.loads(text)
    failure, unexplained = content.pop("failure"), content.pop("unexplained")
    return Outcome(
        **content,
        failure=Failure(**failure) if failure else None,
        unexplained={title: (uri, row) for title, (uri, row) in unexplained.items()},
    )


def batch_bytes(limits: Mapping[str, int | None]) -> int:
    """Choose how many bytes of messages are sent to a partition together.

    A batch that holds more than one message is never more than its topic takes: so it is one
    message that a broker finds too large, and its own delivery report says so.

    Args:
        limits: the bytes that a batch may have, by topic; ``None`` where the login may not know.
    """
    unknown = 256 * 1024
    sizes = [unknown if limit is None else limit * 9 // 10 for limit in limits.values()]
    return max(1024, min([_MOST_BATCH_BYTES, *sizes]))
