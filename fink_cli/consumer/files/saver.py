"""Save alerts to files of a folder, each alert once.

A file holds alerts of one partition and one schema, and its name says which:
``TOPIC-PARTITION-FIRST-LAST-MILLISECONDS-TOPICID-SCHEMA-SELECTION-RANDOM.FORMAT``. It holds all
selected alerts between the two offsets. So alerts that are read again are recognised by the names
of the files: after a group was killed before it committed, or if a topic is saved twice. A topic
that was created again, whose offsets start again, has another id. If alerts between the two offsets
could not be saved, a hidden file ``.NAME.left_out`` lists them as JSON: pairs of offset and reason.
The light curves of a flat table are in a file of the same name in the folder ``light_curves``,
which is written first.
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
from fink_cli.avro.schema import Schema
from fink_cli.consumer.files.flat_columns import LIGHT_CURVES, Fields
from fink_cli.consumer.files.formats import Package, Unfit, UnwritableError, package
from fink_cli.consumer.files.part_file import PartFile, open_part, remove_abandoned
from fink_cli.consumer.files.saved_ranges import FileKey, SavedRanges
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.consumer.sinks import FlushWhen
from fink_cli.errors import OperationFailedError

# When to write a file: after so many seconds, alerts or bytes of messages.
FLUSH_WHEN = FlushWhen(seconds=60.0, alerts=5000, size=256 * 1024 * 1024)
# After so many bytes alerts are packed for the file. A decoded alert takes several times the memory
# of its message.
PACKED_BYTES = 24 * 1024 * 1024
DECODED = 8

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LEFT_OUT = ".left_out"
_ALL = "0" * 8
# The name of a file may have 255 bytes.
_LONGEST_TOPIC = 80
_NAMED_FILES = 20


@dataclass
class _PendingFile:
    """The alerts of a file to write.

    Attributes:
        count: the number of alerts, without those left out.
        left_out: offset and reason of the alerts that the format can't hold.
        unpacked: the alerts that are not packed yet.
        weight: the memory that these take, in bytes.
        part: the hidden file that the others are in; ``None`` while there are none.
        package: what packs them into it.
    """

    first: ReadAlert
    last: int
    count: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)
    unpacked: list[ReadAlert] = field(default_factory=list)
    weight: int = 0
    part: PartFile | None = None
    package: Package | None = None

    def add(self, alert: ReadAlert) -> None:
        """Take an alert."""
        self.last = alert.offset
        self.count += 1
        self.unpacked.append(alert)
        self.weight += alert.size * (DECODED if alert.is_whole else 1)

    def pack(
        self, form: FileFormat, folder: Path, fields: Fields
    ) -> tuple[PartFile, Package, list[Unfit]]:
        """Pack the alerts that are not packed yet.

        Returns:
            The hidden file, its package, and the alerts that the format can't hold.

        Raises:
            OSError, UnwritableError: the file can't be written.
        """
        self.part = self.part or PartFile(folder, plain_name(self.first.topic))
        self.package = self.package or package(form, self.first.schema, self.part.path, fields)
        unfit = self.package.add(self.unpacked) if self.unpacked else []
        self.unpacked, self.weight = [], 0
        return self.part, self.package, unfit

    def drop(self) -> None:
        """Remove the hidden file."""
        if self.part is not None:
            self.part.drop()


class Saver:
    """Collect alerts, and write them to files.

    Args:
        selection: which alerts are selected, as a text; empty for all.
        fields: the fields that are written, a column each; ``None`` for all.
        refuse: takes each message whose alert the format can't hold. If it raises, nothing is
            saved of the file.

    Attributes:
        saved: the number of alerts in the files that it wrote.
        again: the number of alerts that were in files before.
        names: the names of the last of them.
        abandoned: the number of unfinished files of killed processes that it removed.
        otherwise: topics of which the folder has files with another selection.
    """

    def __init__(
        self,
        folder: Path,
        form: FileFormat,
        selection: str,
        topic_id: Callable[[str], str],
        refuse: Callable[[Skipped], None],
        *,
        fields: Fields = None,
    ) -> None:
        self.folder = folder
        self.saved = self.again = self.files = 0
        self.names: deque[str] = deque(maxlen=_NAMED_FILES)
        self.otherwise: set[str] = set()
        self.abandoned = remove_abandoned(folder) + remove_abandoned(folder / LIGHT_CURVES)
        self._form = form
        self._fields = fields
        self._selection = _tag(selection, 8) if selection else _ALL
        self._topic_id = topic_id
        self._refuse = refuse
        self._pending: dict[FileKey, _PendingFile] = {}
        self._failure: BaseException | None = None
        self.discard()

    def add(self, alert: ReadAlert) -> None:
        """Take an alert, unless a file holds it already."""
        key = self._key(alert)
        if key.topic in self._before.otherwise:
            self.otherwise.add(alert.topic)
        reason = self._before.left_out.get(key, {}).get(alert.offset)
        if reason is not None:
            self._refuse(alert.skipped(reason))
            return
        if self._is_saved(alert, key):
            self.again += 1
            return
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _PendingFile(alert, alert.offset)
        pending.add(alert)
        if pending.weight >= PACKED_BYTES:
            with self._dropped_on_failure(key):
                with self._explained():
                    _, _, unfit = pending.pack(self._form, self.folder, self._fields)
                self._leave_out(pending, unfit)

    def flush(self) -> None:
        """Write all pending files to disk, under their names.

        After a failure each flush fails until :meth:`discard`: some alerts are in no file.

        Raises:
            OperationFailedError: a file can't be written.
        """
        if self._failure is not None:
            raise self._failure
        while self._pending:
            key, pending = next(iter(self._pending.items()))
            with self._dropped_on_failure(key):
                self._write(pending)
            del self._pending[key]
            self.saved += pending.count

    def _write(self, pending: _PendingFile) -> None:
        with self._explained():
            part, content, unfit = pending.pack(self._form, self.folder, self._fields)
            content.finish()
        # Refused alerts are kept elsewhere before the file gets its name.
        self._leave_out(pending, unfit)
        if not pending.count:
            part.drop()
            return
        name = self._file_name(pending)
        with self._explained():
            if pending.left_out:
                with open_part(self.folder / f".{name}{_LEFT_OUT}") as listed:
                    listed.write_text(json.dumps(pending.left_out))
            content.write_beside(self.folder, name)
            part.keep(self.folder / name)
        self.names.append(name)
        self.files += 1

    @contextmanager
    def _dropped_on_failure(self, key: FileKey) -> Iterator[None]:
        """Drop a pending file that can't be written.

        Its package was interrupted somewhere, and would be taken for finished the next time.
        """
        try:
            yield
        except BaseException as error:
            self._failure = error
            self._pending.pop(key).drop()
            raise

    def discard(self) -> bool:
        """Start again from the committed offsets: pending alerts will be read again.

        Returns:
            Whether there were pending alerts.
        """
        had_pending = bool(self._pending) or self._failure is not None
        self.drop()
        self._failure = None
        ending = self._form.value
        names = [file.name for file in self.folder.glob(f"*.{ending}")]
        left_out = {
            file.name.removeprefix(".").removesuffix(_LEFT_OUT): dict(json.loads(file.read_text()))
            for file in self.folder.glob(f".*.{ending}{_LEFT_OUT}")
        }
        self._before = SavedRanges(names, self._selection, left_out)
        return had_pending

    def drop(self) -> None:
        """Drop all pending alerts; they are in no file."""
        for pending in self._pending.values():
            pending.drop()
        self._pending.clear()

    def _leave_out(self, pending: _PendingFile, unfit: Iterable[Unfit]) -> None:
        for alert, reason in unfit:
            pending.count -= 1
            pending.left_out.append((cast("ReadAlert", alert).offset, reason))
            self._refuse(cast("ReadAlert", alert).skipped(reason))

    def _is_saved(self, alert: ReadAlert, key: FileKey) -> bool:
        saved = self._before.range_of(key, alert.offset)
        if saved is None:
            return False
        if alert.offset == saved.first and _milliseconds(alert.timestamp) != saved.milliseconds:
            # Another message has the offset now: the brokers lost the earlier one.
            self._before.forget(key, saved)
            return False
        return True

    def _key(self, alert: ReadAlert) -> FileKey:
        topic = _tag(self._topic_id(alert.topic), 8)
        return FileKey(topic, alert.partition, _schema_tag(alert.schema))

    def _file_name(self, pending: _PendingFile) -> str:
        first = pending.first
        key = self._key(first)
        return (
            f"{plain_name(first.topic)}-{first.partition}-{first.offset}-{pending.last}-"
            f"{_milliseconds(first.timestamp)}-{key.topic}-{key.schema}-{self._selection}-"
            f"{uuid.uuid4().hex[:12]}.{self._form.value}"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnwritableError) as error:
            why = (isinstance(error, OSError) and error.strerror) or error
            raise OperationFailedError(
                f"Alerts can't be saved to {self.folder}: {why}.",
                "Make room, name another folder with --save, or another --format.",
            ) from error


@lru_cache(maxsize=64)
def _schema_tag(schema: Schema) -> str:
    """Return the tag of a schema, the same in every process; inferred schemas share one."""
    # Long enough that nobody can make two schemas with one tag, and so one file.
    return "0" * 16 if schema.inferred else sha256(schema.text.encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def _tag(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]


@lru_cache(maxsize=64)
def plain_name(topic: str) -> str:
    """Return the name of a topic as a part of a file's name."""
    return _UNSAFE.sub("_", topic)[:_LONGEST_TOPIC]


def _milliseconds(moment: datetime | None) -> int:
    return 0 if moment is None else max(round(moment.timestamp() * 1000), 0)
