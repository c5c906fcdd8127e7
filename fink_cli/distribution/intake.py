"""Which files are published: the good ones of a micro-batch, and bad ones once they are good.

A micro-batch that was interrupted is handed the same files again, and takes the same of them,
whatever has become of the others. A file that was refused is looked at again when it changed, at
each start, and once a minute, since what kept it from being read may have been no fault of its own.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fink_cli.distribution.columns import Struct
from fink_cli.distribution.delivery import Sent
from fink_cli.distribution.science import BadFile, sort_out
from fink_cli.distribution.state import Folder
from fink_cli.private import write_private

_LOOK_SECONDS = 60.0

Stamp = tuple[int, int, int]
"""A file's size in bytes, and when its content and its owner, mode or place changed, in ns."""


@dataclass(frozen=True)
class Refused:
    """A file that was refused.

    Attributes:
        batch: the number of the micro-batch that it belonged to.
        reason: why.
        stamp: how it was then; none when it was gone.
        within: whether what is in it was the reason, and not only its footer was looked at.
    """

    batch: int
    reason: str
    stamp: Stamp | None
    within: bool


class Intake:
    """The files of a distribution that are taken, and those that are refused.

    Attributes:
        columns: those that every file must have, as soon as they are known.
    """

    def __init__(
        self,
        folder: Folder,
        tell: Callable[[list[BadFile]], None],
        unreadable: Callable[[Sequence[Path]], list[BadFile]],
    ) -> None:
        """Begin, with nothing looked at.

        Args:
            folder: the folder of the distribution.
            tell: is told of the refused files that are there.
            unreadable: reads files whole, and names those that can't be.
        """
        self.columns: Struct | None = None
        self._folder = folder
        self._tell = tell
        self._unreadable = unreadable
        self._lock = threading.Lock()
        self._started = False
        self._look_at = 0.0

    def take(self, files: list[Path], number: int) -> dict[Path, int]:
        """The files of a micro-batch that are published, with the number of their alerts."""
        with self._lock:
            before, taken = self._read_taken()
            if before != number:
                self._forget_partly(taken)  # that micro-batch is done
                found = sort_out(files, self.columns)
                taken, bad, self.columns = found.good, found.bad, found.columns
                self._write_taken(number, taken)
            else:
                # The driver may have died before it refused the others. One that is good by now
                # comes again by a note, as if the driver had lived.
                known = self._read_refused()
                rest = [each for each in files if each not in taken and str(each) not in known]
                self.columns = sort_out(list(taken), self.columns).columns
                again = sort_out(rest, self.columns)
                bad = again.bad
                for file in again.good:
                    self._readmit(str(file), number)
            refused = self._read_refused()
            for file in taken:
                refused.pop(str(file), None)
            self._refuse(refused, number, bad, within=False)
            return taken

    def set_aside(
        self, number: int, bad: Sequence[BadFile], within: bool, sent: Collection[Sent]
    ) -> dict[Path, int]:
        """Refuse files that were taken, because they can't be read after all.

        Args:
            number: of the micro-batch.
            bad: the files.
            within: whether what is in them is the reason.
            sent: what stands on the topics of the micro-batch, their alerts among it.

        Returns:
            The files that are left, with the number of their alerts.
        """
        with self._lock:
            partly = self._read_partly()
            for each in bad:
                known = {Sent(*row) for row in partly.get(each.file, [])}
                partly[each.file] = sorted({*known, *sent})
            write_private(self._folder.partly, json.dumps(partly))
            _, taken = self._read_taken()
            gone = {each.file for each in bad}
            taken = {file: rows for file, rows in taken.items() if str(file) not in gone}
            self._write_taken(number, taken)
            self._refuse(self._read_refused(), number, bad, within)
            return taken

    def unfinished(self) -> int | None:
        """The number of a micro-batch that was interrupted, which the next run completes."""
        number, _ = self._read_taken()
        done = self._folder.checkpoint / "commits" / str(number)
        return None if number is None or done.exists() else number

    def sent_of(self, files: Collection[Path]) -> set[Sent]:
        """What was published of files before they were refused; it may hold more than theirs."""
        with self._lock:
            partly = self._read_partly()
        return {Sent(*row) for file in files for row in partly.get(str(file), [])}

    def look_again(self) -> None:
        """Let refused files that are good now come again."""
        with self._lock:
            due = time.monotonic() >= self._look_at
            refused = self._read_refused()
            kept = {
                file: found
                for file, each in refused.items()
                if (found := self._looked_at(file, each, due)) is not None
            }
            if due:
                self._look_at = time.monotonic() + _LOOK_SECONDS
            if kept != refused or not self._started:
                self._keep(kept)
            self._started = True

    def _looked_at(self, file: str, refused: Refused, due: bool) -> Refused | None:
        """How a refused file is now; none when it comes again."""
        stamped = stamp(Path(file))
        changed = stamped != refused.stamp
        # Reading it whole is for a start, or a change: its bytes stay what they are.
        if stamped is None or not (changed or (due and not (refused.within and self._started))):
            return Refused(refused.batch, refused.reason, stamped, refused.within)
        bad = sort_out([Path(file)], self.columns).bad
        within = not bad and refused.within
        bad = bad or (self._unreadable([Path(file)]) if within else [])
        if bad:
            return Refused(refused.batch, bad[0].reason, stamped, within)
        self._readmit(file, refused.batch)
        return None

    def _readmit(self, file: str, number: int) -> None:
        """Note that a refused file is good: the stream reads the notes beside the source.

        The note's name says which refusal is over: it is noted once, however often it is found.
        """
        name = hashlib.sha256(f"{file}\n{number}".encode()).hexdigest()[:32]
        note = self._folder.readmitted / f"{name}.txt"
        if not note.exists():
            write_private(note, f"{file}\n")

    def _refuse(
        self, refused: dict[str, Refused], number: int, bad: Sequence[BadFile], within: bool
    ) -> None:
        more = {
            each.file: Refused(number, each.reason, stamp(Path(each.file)), within) for each in bad
        }
        self._keep({**refused, **more})

    def _keep(self, refused: dict[str, Refused]) -> None:
        rows = {file: asdict(each) for file, each in sorted(refused.items())}
        write_private(self._folder.bad_files, json.dumps(rows, indent=2))
        # One that is gone may be so by intent, or come back with the disk that it is on.
        there = [(file, each) for file, each in sorted(refused.items()) if each.stamp is not None]
        self._tell([BadFile(file, each.reason) for file, each in there])

    def _read_refused(self) -> dict[str, Refused]:
        if not self._folder.bad_files.exists():
            return {}
        rows = json.loads(self._folder.bad_files.read_text(encoding="utf-8"))
        for row in rows.values():
            row["stamp"] = tuple(row["stamp"]) if row["stamp"] else None
        return {file: Refused(**row) for file, row in rows.items()}

    def _read_taken(self) -> tuple[int | None, dict[Path, int]]:
        if not self._folder.taken.exists():
            return None, {}
        found = json.loads(self._folder.taken.read_text(encoding="utf-8"))
        return found["batch"], {Path(file): rows for file, rows in found["files"].items()}

    def _write_taken(self, number: int, files: dict[Path, int]) -> None:
        named = {str(file): rows for file, rows in files.items()}
        write_private(self._folder.taken, json.dumps({"batch": number, "files": named}))

    def _read_partly(self) -> dict[str, list[Sent]]:
        if not self._folder.partly.exists():
            return {}
        found: dict[str, list[Sent]] = json.loads(self._folder.partly.read_text(encoding="utf-8"))
        return found

    def _forget_partly(self, files: Collection[Path]) -> None:
        partly = self._read_partly()
        kept = {file: rows for file, rows in partly.items() if Path(file) not in files}
        if kept != partly:
            write_private(self._folder.partly, json.dumps(kept))


def stamp(file: Path) -> Stamp | None:
    """How a file is, as far as the system says; none when it is gone."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return 0, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
