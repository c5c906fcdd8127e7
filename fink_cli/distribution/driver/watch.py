"""Watch over a run in threads of their own, whatever its batch waits for."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from fink_cli.distribution.driver.run import Run
from fink_cli.distribution.service.states import Trouble, now
from fink_cli.errors import FinkError, LoginRefusedError
from fink_cli.kafka.client import connect_admin

_POLL_SECONDS = 0.2
# A driver that says nothing for a minute counts as stuck.
_REPORT_SECONDS = 5.0
# With the half minute that brokers may be away, it is told within a minute.
_LOGIN_SECONDS = 8.0


class Watch:
    """Reports that the run is alive, how far its batch is, and whether the brokers answer.

    Attributes:
        refused: the error of a login that was refused, which ends the run; ``None`` before.
    """

    def __init__(self, run: Run) -> None:
        """Begin to watch a run."""
        self.refused: LoginRefusedError | None = None
        self._run = run
        self._end = threading.Event()
        for watch in (self._report, self._log_in):
            threading.Thread(target=watch, daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._end.set()

    def _report(self) -> None:
        report = self._run.report
        reported = time.monotonic()
        while not self._end.wait(_POLL_SECONDS):
            # A Spark that fails fails the batch as well; a disk that is full may have room again.
            with suppress(FinkError, OSError):
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    report.update()
                if report.status.files_in_hand is not None:
                    self._run.update_batch()

    def _log_in(self) -> None:
        """Log in anew from time to time: a connection that stands tells of no new password."""
        while not self._end.wait(_LOGIN_SECONDS):
            trouble, since = None, now()
            try:
                connect_admin(self._run.job.connection)
            except LoginRefusedError as error:
                self.refused = error
                self._run.stop.set()
                return
            except FinkError as error:
                trouble = Trouble(since, error.message)
            with suppress(OSError):
                self._run.report.set_away(trouble)
