"""The progress of a distribution, read from its records on the cluster. It asks no cluster.

The topic ``fink_distributions`` is compacted. It holds six kinds of records:

- ``driver``: which driver owns the distribution, and what it publishes. The last one counts: a
  driver that finds another one's after its own has been fenced.
- ``published``: which rows of which files one transaction published, and how many messages went to
  each topic. It is written in that transaction.
- ``again``: one file, or all, counts as not published from here on.
- ``reason``: why the SQL of a stream raised: its dead letters don't say.
- ``file`` and ``totals``: a summary of all records before, which takes those of the kinds
  ``published`` and ``again`` away: what is read at a start grows with the number of files, not with
  that of transactions.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

DRIVER, PUBLISHED, AGAIN, REASON = "driver", "published", "again", "reason"
FILE, TOTALS = "file", "totals"

Range = tuple[int, int]
"""Rows of a file: the number of the first, and that after the last."""


@dataclass(frozen=True)
class SourceFile:
    """A Parquet file of the source, as it was when its footer was read.

    Attributes:
        name: its path within the source.
        size: in bytes.
        modified: when its content changed, in ns since 1970.
        footer: a digest of its footer, which names every column chunk and its statistics.
        rows: the number of its alerts.
    """

    name: str
    size: int
    modified: int
    footer: str
    rows: int

    def same_content(self, other: SourceFile) -> bool:
        """Tell whether the file has the same content; a copy has another time."""
        return (self.size, self.footer) == (other.size, other.footer)


@dataclass(frozen=True)
class Driver:
    """The driver that publishes a distribution.

    Attributes:
        id: an id that no other driver has.
        term: counts how often it took its slots back: what a slot of an earlier term publishes is
            unknown to a later one.
        host: its machine.
        pid: its process there.
        since: when it took over, ISO 8601.
        slots: the largest number of slots that it has used; each has a transactional producer.
        source: the folder of the science database.
        streams: the filter, columns and topic of each stream, by its title.
        topic_ids: Kafka's id of each topic.
        columns: the columns that the files share, as JSON text; ``None`` before the first file.
        behind: since when each stream lacks what was published before it was added, or before its
            filter changed; ISO 8601, by its title.
        ended: when it ended by itself; ``None`` while it runs, or if it was killed.
    """

    id: str
    term: int
    host: str
    pid: int
    since: str
    slots: int
    source: str
    streams: dict[str, str]
    topic_ids: dict[str, str]
    columns: str | None
    behind: dict[str, str] = field(default_factory=dict)
    ended: str | None = None


@dataclass(frozen=True)
class Published:
    """What one transaction published.

    Attributes:
        driver: the id of the driver.
        batch: the micro-batch.
        slot: the slot of the batch.
        part: the number of the transaction within the slot.
        at: when, ISO 8601.
        files: the files with the rows that were read of each.
        counts: the messages by stream and topic.
        dead: the dead letters by stream; negative where they were taken away.
        replay: whether the rows had been read before, and are not counted again.
    """

    driver: str
    batch: str
    slot: int
    part: int
    at: str
    files: list[tuple[SourceFile, list[Range]]]
    counts: dict[str, dict[str, int]]
    dead: dict[str, int]
    replay: bool = False

    @property
    def read(self) -> int:
        """The number of alerts that were read for the first time."""
        ranges = [] if self.replay else [each for _, ranges in self.files for each in ranges]
        return sum(after - first for first, after in ranges)


@dataclass(frozen=True)
class Record:
    """A record of the topic: its key, and its value as JSON text, or ``None`` to take it away."""

    key: str
    value: str | None


def driver_record(name: str, driver: Driver) -> Record:
    """Make the record by which a driver takes over a distribution."""
    return Record(_key(name, DRIVER), json.dumps(asdict(driver)))


def published_record(name: str, published: Published) -> Record:
    """Make the record of a transaction."""
    transaction = f"{published.batch}/{published.slot}/{published.part}"
    return Record(_key(name, PUBLISHED, transaction), json.dumps(asdict(published)))


def again_record(name: str, file: str | None, dead: Mapping[str, int] | None = None) -> Record:
    """Make the record after which a file, or every file if ``None``, is not published.

    Args:
        name: the distribution.
        file: the file, within the source.
        dead: the number of its dead letters that are taken away, by stream.
    """
    content = {"file": file, "dead": dict(dead or {})}
    # A key of its own: compaction must not take away one of two that took letters away.
    return Record(_key(name, AGAIN, uuid.uuid4().hex), json.dumps(content))


def reason_record(name: str, stream: str, reason: str) -> Record:
    """Make the record that says why the SQL of a stream raised."""
    return Record(_key(name, REASON, stream), json.dumps({"stream": stream, "reason": reason}))


def _key(name: str, kind: str, what: str = "") -> str:
    return json.dumps({"distribution": name, "kind": kind, "what": what})


def read_driver(value: str) -> Driver:
    """Read the value of a ``driver`` record."""
    return Driver(**read_fields(Driver, json.loads(value)))


def read_published(value: str) -> Published:
    """Read the value of a ``published`` record."""
    content = json.loads(value)
    files = [
        (_read_file(file), [(first, after) for first, after in ranges])
        for file, ranges in content["files"]
    ]
    return Published(**read_fields(Published, {**content, "files": files}))


def read_fields(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a class, without those that a later version of fink may have added."""
    return {each.name: content[each.name] for each in fields(kind) if each.name in content}


def _read_file(content: Mapping[str, Any]) -> SourceFile:
    return SourceFile(**read_fields(SourceFile, content))


def record_name(record: Record) -> tuple[str, str]:
    """Return the distribution that a record belongs to, and its kind.

    Both are empty for what fink did not write: every publisher may write to the topic.
    """
    try:
        key = json.loads(record.key)
        return str(key["distribution"]), str(key["kind"])
    except (ValueError, KeyError, TypeError):
        return "", ""


def own_records(name: str, records: Iterable[Record]) -> Iterable[tuple[str, Record]]:
    """Yield the records of one distribution, each with its kind."""
    for record in records:
        distribution, kind = record_name(record)
        if distribution == name:
            yield kind, record


@dataclass
class PublishedFile:
    """A file of which rows were published: how it was then, and the rows."""

    file: SourceFile
    done: list[Range]

    @property
    def complete(self) -> bool:
        """Whether all its rows were published."""
        return not missing(self.done, self.file.rows)


@dataclass
class Progress:
    """What a distribution has published since it was first begun.

    Attributes:
        name: the distribution.
        files: what was published of each file, by its name.
        driver: the last driver; ``None`` before the first.
        read: the number of alerts that were read.
        counts: the number of published messages, by stream and topic.
        dead: the number of dead letters, by stream.
        batches: the number of micro-batches.
        last_batch_at: when the last one was published, ISO 8601.
        last_published_at: when each stream published last, ISO 8601.
        reasons: why the SQL of a stream raised, by stream.
        replayed: the rows that each driver has replayed, by driver and file.
        parts: the number of transactions that each slot of the last batch has committed, by batch
            and slot.
        to_sum_up: the keys of the records that no summary has taken away yet.
    """

    name: str
    files: dict[str, PublishedFile] = field(default_factory=dict)
    driver: Driver | None = None
    read: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    last_batch_at: str | None = None
    last_published_at: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    replayed: dict[tuple[str, str], list[Range]] = field(default_factory=dict)
    parts: Counter[tuple[str, int]] = field(default_factory=Counter)
    to_sum_up: list[str] = field(default_factory=list)
    _changed: set[str] = field(default_factory=set)
    _last_batch: str | None = None

    def apply(self, records: Iterable[Record]) -> None:
        """Take in records, in their order on the topic; those of others are skipped."""
        for kind, record in own_records(self.name, records):
            if kind in (PUBLISHED, AGAIN) and record.value is not None:
                self.to_sum_up.append(record.key)
            if kind == FILE:
                self._set_file(json.loads(record.key)["what"], record.value)
            elif record.value is None:
                continue
            elif kind == DRIVER:
                self.driver = read_driver(record.value)
            elif kind == PUBLISHED:
                self._add(read_published(record.value))
            elif kind == AGAIN:
                content = json.loads(record.value)
                self._forget(content["file"])
                self.dead.subtract(content["dead"])
            elif kind == REASON:
                content = json.loads(record.value)
                self.reasons[content["stream"]] = content["reason"]
            elif kind == TOTALS:
                self._set_totals(json.loads(record.value))

    def is_complete(self, name: str) -> bool:
        """Tell whether all rows of a file were published."""
        published = self.files.get(name)
        return published is not None and published.complete

    def by_topic(self) -> Counter[str]:
        """Count the messages of each topic."""
        published: Counter[str] = Counter()
        for (_, topic), count in self.counts.items():
            published[topic] += count
        return published

    def summary(self) -> list[Record]:
        """Make the records that hold all of this, and delete those that held it so far.

        Nothing else may be published between the records that were taken in and these.
        """
        # These first: compaction may reach a part of what is written here, and takes away what
        # stands alone without a value.
        records = [Record(key, None) for key in self.to_sum_up]
        for name in sorted(self._changed):
            file = self.files.get(name)
            content = {"file": asdict(file.file), "done": file.done} if file else None
            records.append(
                Record(_key(self.name, FILE, name), json.dumps(content) if content else None)
            )
        totals = {
            "read": self.read,
            "counts": [[*stream_topic, count] for stream_topic, count in self.counts.items()],
            "dead": self.dead,
            "batches": self.batches,
            "last_batch_at": self.last_batch_at,
            "last_published_at": self.last_published_at,
            "last_batch": self._last_batch,
        }
        return [*records, Record(_key(self.name, TOTALS), json.dumps(totals))]

    def rename(self, before: str, file: SourceFile) -> None:
        """Give a published file another name within the source; the next summary says so."""
        self._changed |= {before, file.name}
        self.files[file.name] = replace(self.files.pop(before), file=file)

    def _set_file(self, name: str, value: str | None) -> None:
        if value is None:
            self.files.pop(name, None)
        else:
            content = json.loads(value)
            done = [(first, after) for first, after in content["done"]]
            self.files[name] = PublishedFile(_read_file(content["file"]), done)

    def _set_totals(self, totals: Mapping[str, Any]) -> None:
        self.read, self.batches = totals["read"], totals["batches"]
        self.counts = Counter({(stream, topic): count for stream, topic, count in totals["counts"]})
        self.dead = Counter(totals["dead"])
        self.last_batch_at = totals["last_batch_at"]
        self.last_published_at = totals["last_published_at"]
        self._last_batch = totals["last_batch"]
        self.to_sum_up.clear()
        self._changed.clear()

    def _add(self, published: Published) -> None:
        self.read += published.read
        self.dead.update(published.dead)
        for stream, topics in published.counts.items():
            for topic, count in topics.items():
                self.counts[stream, topic] += count
            self.last_published_at[stream] = published.at
        if published.batch != self._last_batch:
            self.batches += 1
            self.parts.clear()
        self.parts[published.batch, published.slot] += 1
        self._last_batch = published.batch
        self.last_batch_at = published.at
        for file, ranges in published.files:
            if published.replay:
                key = published.driver, file.name
                self.replayed[key] = union([*self.replayed.get(key, []), *ranges])
                continue
            self._changed.add(file.name)
            before = self.files.get(file.name)
            done = before.done if before else []
            self.files[file.name] = PublishedFile(file, union([*done, *ranges]))

    def _forget(self, file: str | None) -> None:
        self._changed.update(self.files if file is None else [file])
        if file is None:  # the topic was created anew: what stood on it is gone
            self.files.clear()
            self.counts.clear()
            self.dead.clear()
            self.read = self.batches = 0
        else:
            self.files.pop(file, None)


def union(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that touch or overlap; the result is in order."""
    joined: list[Range] = []
    for first, after in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(after, joined[-1][1]))
        else:
            joined.append((first, after))
    return joined


def missing(done: Sequence[Range], rows: int) -> list[Range]:
    """List the ranges of a file's rows that are in none of some ranges."""
    gaps: list[Range] = []
    position = 0
    for first, after in union(done):
        if first > position:
            gaps.append((position, first))
        position = max(position, after)
    if position < rows:
        gaps.append((position, rows))
    return gaps
