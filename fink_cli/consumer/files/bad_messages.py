"""Keep messages that could not be decoded, for a later look at why."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import orjson

from fink_cli.consumer.files.part_file import open_part
from fink_cli.consumer.message import Skipped
from fink_cli.errors import OperationFailedError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def keep_bad(folder: Path, skipped: Skipped) -> None:
    """Write a message's value to ``TOPIC-PARTITION-OFFSET.bin``, and a description to ``….json``.

    The JSON file has topic, partition, offset, reason and key (base64), and is written last.

    Raises:
        OperationFailedError: the files can't be written.
    """
    name = f"{_UNSAFE.sub('_', skipped.topic)}-{skipped.partition}-{skipped.offset}"
    description = {
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
            (
                "json",
                orjson.dumps(description, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE),
            ),
        ):
            with open_part(folder / f"{name}.{ending}") as part:
                part.write_bytes(content)
    except OSError as error:
        raise OperationFailedError(
            f"The message {name} can't be kept in {folder}: {error.strerror}.",
            "Make room, or name another folder with --bad.",
        ) from error
