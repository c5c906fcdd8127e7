"""The standard streams of the process: closed, not in UTF-8, or with nobody who reads them.

These are ordinary: ``fink … | head``, ``fink … 2>&-``, a locale of C.
"""

from __future__ import annotations

import io
import os
import select
import sys

# What is read of a stream that is closed is empty; what is written to stdout fails, as the data
# would be lost; there is nobody to tell that stderr is.
_CLOSED = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


def open_streams() -> None:
    """Give the process all three streams.

    A file or a socket that is opened later would take the number of one that is closed, and get
    what is written to it.
    """
    for number, mode in _CLOSED:
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, mode), number)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that a terminal's encoding lacks is no reason to end.
        sys.stdout.reconfigure(errors="replace")


def use_utf8() -> None:
    """Write to stdout in UTF-8 from now on, whatever the locale: JSON is.

    Text and bytes may be written in turn then.
    """
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        return
    is_utf8 = stream.encoding.lower() in {"utf-8", "utf8"}
    # With PYTHONUNBUFFERED it writes through from the start.
    if not (is_utf8 and stream.write_through):
        stream.reconfigure(encoding="utf-8", errors=stream.errors, write_through=True)


def is_abandoned() -> bool:
    """Return whether nobody reads stdout any more; what is written to it then goes nowhere."""
    gone = has_no_reader(1)
    if gone:
        silence(1)
    if has_no_reader(2):
        silence(2)
    return gone


def silence(number: int) -> None:
    """Let go nowhere what is written to a stream from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def has_no_reader(number: int) -> bool:
    """Return whether a stream is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def flush_stdout() -> OSError | None:
    """Send out what is left.

    Returns:
        Why it can't be written; ``None`` where it is, or where nobody reads it any more.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        is_unread = isinstance(error, BrokenPipeError) and is_abandoned()
        # What the buffer holds goes nowhere, and not into an error at the end of the process.
        silence(1)
        return None if is_unread else error
    return None
