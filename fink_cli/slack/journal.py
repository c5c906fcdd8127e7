"""The journal: on disk, the digests that Slack has accepted and the group has not committed.

A group commits one offset for all channels. Between two commits, and while a channel refuses its
digests, other channels are further. The journal says how far, so that a restart posts nothing
twice. It is written before a digest is posted, and after Slack has accepted it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fink_cli.errors import OperationFailedError
from fink_cli.private import private_folder, write_private


class Journal:
    """The journal of a group on a topic. Open one with :func:`open_journal`."""

    topic_id = ""

    def __init__(self, folder: Path, cluster_id: str, group: str) -> None:
        self._folder, self._cluster_id, self._group = folder, cluster_id, group
        self._lock: FileLock | None = None
        self._posted: dict[str, dict[int, int]] = {}
        self._sending: dict[str, str] = {}

    def begin(self, topic_id: str) -> None:
        """Open the journal of a topic, and close the one before.

        Args:
            topic_id: Kafka's id of the topic, which changes if it is created again.

        Raises:
            OperationFailedError: another process has it open, or the file is damaged.
        """
        key = f"{self._cluster_id} {topic_id} {self._group}"
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        file = private_folder(self._folder) / f"{name}.json"
        lock = FileLock(file.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise OperationFailedError(
                f"Another fink slack alerts is running for the group '{self._group}'.",
                "Stop that one, or use another group: --group NAME",
            ) from error
        self.close()
        self._lock, self._file, self.topic_id = lock, file, topic_id
        entries = _parsed(file.read_text(encoding="utf-8") if file.exists() else "{}", file)
        self._posted = {
            channel: {int(number): int(offset) for number, offset in offsets.items()}
            for channel, offsets in entries.get("posted", {}).items()
        }
        self._sending = dict(entries.get("sending", {}))

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.release()

    def posted_before(self, channel: str, partition: int) -> int:
        """Return the offset before which a channel has all alerts of a partition."""
        return self._posted.get(channel, {}).get(partition, 0)

    def unanswered(self, channel: str) -> str | None:
        """Return the id of the digest that was posted to a channel without an answer."""
        return self._sending.get(channel)

    def sending(self, channel: str, digest: str) -> None:
        """Record that a digest is about to be posted."""
        self._sending[channel] = digest
        self._write()

    def refused(self, channel: str) -> None:
        """Record that Slack refused the digest."""
        self._sending.pop(channel, None)
        self._write()

    def accepted(self, channel: str, ends: Mapping[int, int]) -> None:
        """Record that Slack accepted the digest, which ends at these offsets."""
        self._sending.pop(channel, None)
        self._posted.setdefault(channel, {}).update(ends)
        self._write()

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Remove the entries before these offsets: the group has committed them."""
        remaining = {
            channel: {
                partition: offset
                for partition, offset in posted.items()
                if offset > offsets.get(partition, 0)
            }
            for channel, posted in self._posted.items()
        }
        self._posted = {channel: posted for channel, posted in remaining.items() if posted}
        self._write()

    def forget(self, write: bool = True) -> None:
        """Remove all entries, as ``--from`` wants it; without ``write`` the file stays as it is."""
        self._posted, self._sending = {}, {}
        if write:
            self._write()

    def _write(self) -> None:
        write_private(self._file, json.dumps({"posted": self._posted, "sending": self._sending}))


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        entries: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise OperationFailedError(
            f"{file} is damaged; it says what Slack has of the topic.",
            "Move it away: what has not been committed is then posted again.",
        ) from error
    return entries


@contextmanager
def open_journal(folder: Path, cluster_id: str, topic_id: str, group: str) -> Iterator[Journal]:
    """Open the journal of a group on a topic; one process at a time.

    Args:
        topic_id: Kafka's id of the topic, which changes if it is created again.

    Raises:
        OperationFailedError: another process has it open, or the file is damaged.
    """
    journal = Journal(folder, cluster_id, group)
    try:
        journal.begin(topic_id)
        yield journal
    finally:
        journal.close()
