"""Alerts into files of a folder, each alert once.

A file holds alerts of one partition and one schema, and its name says which:
``TOPIC-PARTITION-FIRST-LAST-MILLISECONDS-TOPICID-SCHEMA-SELECTION-RANDOM.FORMAT``: all that were
selected between the two offsets. So what comes again is known by the names of the files: to a group
that was killed before it committed, and to whoever saves a topic a second time. Kafka's id of the
topic tells one that was created again, whose offsets start again, from the one before. Where alerts
between the two offsets could not be saved, a hidden file beside it, ``.NAME.left_out``, says which
and why: as JSON, pairs of offset and reason.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import cast

from fink_cli.alerts.file_format import FileFormat
from fink_cli.alerts.formats import Package, Unfit, UnwritableError, package
from fink_cli.alerts.schema import Schema
from fink_cli.consumer.files.saved_ranges import FileKey, OffsetRange, SavedRanges, saved_before
from fink_cli.consumer.files.whole_file import PartFile, remove_abandoned, set_aside
from fink_cli.consumer.message import Alert, Skipped
from fink_cli.consumer.sinks import FlushWhen
from fink_cli.errors import OperationFailedError

# A file is written when there are so many alerts, bytes of messages, or seconds since the last.
FLUSH_WHEN = FlushWhen(seconds=60.0, alerts=5000, size=64 * 1024 * 1024)
# So many bytes are packed for the file at once. An alert that is decoded takes several times the
# memory that its message took.
PACKED_BYTES = 24 * 1024 * 1024
DECODED = 8

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_LEFT_OUT = ".left_out"
_ALL = "0" * 8
# Of a file's name, which may have 255 bytes.
_LONGEST_TOPIC = 80
_NAMED_FILES = 20


@dataclass
class _Waiting:
    """Alerts of a partition that wait for their file.

    Attributes:
        first: the first of them.
        last: the offset of the last.
        left_out: offset and reason of those that the format can't hold.
        count: how many there are.
        loose: those that are not packed yet.
        weight: the memory that these take, in bytes.
        aside: the file that the others are in, and ``packed`` what writes it; none as long as
            there are none.
    """

    first: Alert
    last: int
    count: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)
    loose: list[Alert] = field(default_factory=list)
    weight: int = 0
    aside: PartFile | None = None
    packed: Package | None = None

    def add(self, alert: Alert) -> None:
        """Take an alert."""
        self.last = alert.offset
        self.count += 1
        self.loose.append(alert)
        self.weight += alert.size * (DECODED if alert.outline is None else 1)

    def pack(self, form: FileFormat, folder: Path) -> tuple[PartFile, Package, list[Unfit]]:
        """Write those that are not to the file.

        Returns:
            The file, what writes it, and the alerts that it can't hold.

        Raises:
            OSError, UnwritableError: the file can't be written.
        """
        self.aside = self.aside or PartFile(folder, plain_name(self.first.topic))
        self.packed = self.packed or package(form, self.first.schema, self.aside.path)
        unfit = self.packed.add(self.loose) if self.loose else []
        self.loose, self.weight = [], 0
        return self.aside, self.packed, unfit


class Saver:
    """Collects alerts and writes them.

    Args:
        folder: where the files are; it exists.
        form: what they are written as.
        selection: which alerts are selected, as a text; empty for all of them.
        topic_id: gives Kafka's id of a topic.
        refuse: is given each message of which the format can't hold the alert. It may raise, and
            nothing is saved of the file then.

    Attributes:
        folder: where the files are.
        saved: how many alerts are in the files that it wrote.
        again: how many alerts it was given that were in files before.
        files: how many files it wrote; ``names`` are the last of them.
        abandoned: how many files it removed that killed processes had not finished.
        otherwise: topics of which the folder has alerts that were selected otherwise.
    """

    def __init__(
        self,
        folder: Path,
        form: FileFormat,
        selection: str,
        topic_id: Callable[[str], str],
        refuse: Callable[[Skipped], None],
    ) -> None:
        self.folder = folder
        self.saved = self.again = self.files = 0
        self.names: deque[str] = deque(maxlen=_NAMED_FILES)
        self.otherwise: set[str] = set()
        self.abandoned = remove_abandoned(folder)
        self._form = form
        self._selection = _tag(selection, 8) if selection else _ALL
        self._topic_id = topic_id
        self._refuse = refuse
        self._before = SavedRanges({})
        # The range of a file that the alerts of a place are in, read again.
        self._within: dict[FileKey, OffsetRange] = {}
        self._waiting: dict[FileKey, _Waiting] = {}
        self._failure: BaseException | None = None
        self.discard()

    def add(self, alert: Alert) -> None:
        """Take an alert, unless a file has it from before."""
        place = self._place(alert)
        if place.topic in self._before.otherwise:
            self.otherwise.add(alert.topic)
        reason = self._before.left_out.get(place, {}).get(alert.offset)
        if reason is not None:
            self._refuse(alert.skipped(reason))
            return
        if self._is_saved(alert, place):
            self.again += 1
            return
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = _Waiting(alert, alert.offset)
        waiting.add(alert)
        if waiting.weight >= PACKED_BYTES:
            with self._given_up_if_it_fails(place):
                with self._explained():
                    _, _, unfit = waiting.pack(self._form, self.folder)
                self._leave_out(waiting, unfit)

    def flush(self) -> None:
        """Write what waits, so that it is on the disk under its name.

        After one that failed, each fails until :meth:`discard`: some of what was added is nowhere.

        Raises:
            OperationFailedError: a file can't be written.
        """
        if self._failure is not None:
            raise self._failure
        while self._waiting:
            place, waiting = next(iter(self._waiting.items()))
            with self._given_up_if_it_fails(place):
                self._write(waiting)
            del self._waiting[place]
            self.saved += waiting.count

    def _write(self, waiting: _Waiting) -> None:
        with self._explained():
            aside, packed, unfit = waiting.pack(self._form, self.folder)
            unfit += packed.finish()
        # What is not in the file is kept before the file has its name.
        self._leave_out(waiting, unfit)
        if not waiting.count:
            aside.drop()
            return
        name = self._file_name(waiting)
        with self._explained():
            if waiting.left_out:
                with set_aside(self.folder / f".{name}{_LEFT_OUT}") as beside:
                    beside.write_text(json.dumps(waiting.left_out))
            aside.keep(self.folder / name)
        self.names.append(name)
        self.files += 1

    @contextmanager
    def _given_up_if_it_fails(self, place: FileKey) -> Iterator[None]:
        """Remove the file of a place when it can't be written.

        What writes it was broken off somewhere, and would take it for finished the next time.
        """
        try:
            yield
        except BaseException as error:
            self._failure = error
            self._drop(self._waiting.pop(place))
            raise

    def discard(self) -> bool:
        """Begin anew at what is committed: what waits comes again, to this process or another.

        Returns:
            Whether something waited.
        """
        waited = bool(self._waiting) or self._failure is not None
        self.drop()
        self._failure = None
        self._within.clear()
        ending = self._form.value
        names = [file.name for file in self.folder.glob(f"*.{ending}")]
        left_out = {
            file.name.removeprefix(".").removesuffix(_LEFT_OUT): dict(json.loads(file.read_text()))
            for file in self.folder.glob(f".*.{ending}{_LEFT_OUT}")
        }
        self._before = saved_before(names, self._selection, left_out)
        return waited

    def drop(self) -> None:
        """Let go of what waits; it is in no file."""
        for waiting in self._waiting.values():
            self._drop(waiting)
        self._waiting.clear()

    @staticmethod
    def _drop(waiting: _Waiting) -> None:
        if waiting.aside is not None:
            waiting.aside.drop()

    def _leave_out(self, waiting: _Waiting, unfit: Iterable[Unfit]) -> None:
        for alert, reason in unfit:
            waiting.count -= 1
            waiting.left_out.append((cast("Alert", alert).offset, reason))
            self._refuse(cast("Alert", alert).skipped(reason))

    def _is_saved(self, alert: Alert, place: FileKey) -> bool:
        within = self._within.get(place)
        if within is None or not within.first <= alert.offset <= within.last:
            within = self._before.range_of(place, alert.offset)
            if within is None:
                return False
            self._within[place] = within
        if alert.offset == within.first and (_milliseconds(alert.timestamp) != within.milliseconds):
            # Another message has the offset now: the brokers lost what they had.
            self._before.forget(place, within)
            del self._within[place]
            return False
        return True

    def _place(self, alert: Alert) -> FileKey:
        topic = _tag(self._topic_id(alert.topic), 8)
        return FileKey(topic, alert.partition, _schema_tag(alert.schema))

    def _file_name(self, waiting: _Waiting) -> str:
        first = waiting.first
        place = self._place(first)
        return (
            f"{plain_name(first.topic)}-{first.partition}-{first.offset}-{waiting.last}-"
            f"{_milliseconds(first.timestamp)}-{place.topic}-{place.schema}-{self._selection}-"
            f"{uuid.uuid4().hex[:12]}.{self._form.value}"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnwritableError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise OperationFailedError(
                f"Alerts can't be saved to {self.folder}: {why}.",
                "Make room, name another folder with --save, or another --format.",
            ) from error


@lru_cache(maxsize=64)
def _schema_tag(schema: Schema) -> str:
    """The same in every process; alerts that came without a schema share one."""
    # Long enough that nobody makes two schemas that share it, and so a file.
    return "0" * 16 if schema.inferred else sha256(schema.text.encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def _tag(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]


@lru_cache(maxsize=64)
def plain_name(topic: str) -> str:
    """The name of a topic as a part of a file's name."""
    return _ODD.sub("_", topic)[:_LONGEST_TOPIC]


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else max(round(moment.timestamp() * 1000), 0)
