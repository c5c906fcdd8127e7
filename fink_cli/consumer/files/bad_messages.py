"""Messages that could not be decoded, kept for whoever wants to know why."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import orjson

from fink_cli.consumer.files.whole_file import set_aside
from fink_cli.consumer.message import Skipped
from fink_cli.errors import OperationFailedError

_ODD = re.compile(r"[^A-Za-z0-9._-]")


def keep_bad(folder: Path, skipped: Skipped) -> None:
    """Write ``TOPIC-PARTITION-OFFSET.bin``, the value as it came, and ``….json``.

    The JSON file has the reason, the place and the key (base64), and is written last.

    Raises:
        OperationFailedError: they can't be written.
    """
    name = f"{_ODD.sub('_', skipped.topic)}-{skipped.partition}-{skipped.offset}"
    about = {
        "topic": skipped.topic,
        "partition": skipped.partition,
        "offset": skipped.offset,
        "timestamp": skipped.timestamp,
        "reason": skipped.reason,
        "key": None if skipped.key is None else b64encode(skipped.key).decode("ascii"),
        "bytes": None if skipped.value is None else len(skipped.value),
    }
    try:
        for ending, content in (
            ("bin", skipped.value or b""),
            ("json", orjson.dumps(about, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)),
        ):
            with set_aside(folder / f"{name}.{ending}") as aside:
                aside.write_bytes(content)
    except OSError as error:
        raise OperationFailedError(
            f"The message {name} can't be kept in {folder}: {error.strerror}.",
            "Make room, or name another folder with --bad.",
        ) from error
