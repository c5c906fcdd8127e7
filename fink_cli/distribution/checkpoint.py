"""What Spark's checkpoint says of a micro-batch, and that it outlasts a power cut.

Spark lists a micro-batch's files once more when it hands it on, and leaves out without a word those
that are not there at that moment. Its own record names all of them. The format is that of Spark's
``FileStreamSourceLog`` and ``OffsetSeqLog``: a line with the version, then a line of JSON each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fink_cli.private import make_durable

_NONE = "-"
# After the version and what Spark knows of the batch comes a line for each source.
_FIRST_SOURCE = 2


def files_of(checkpoint: Path, number: int) -> list[Path]:
    """The files of the first source that belong to a micro-batch, also those that are gone.

    Args:
        checkpoint: the folder of the checkpoint.
        number: of the micro-batch.
    """
    before, now = _ends(checkpoint, number - 1)[:1], _ends(checkpoint, number)[:1]
    entries = range((before or [-1])[0] + 1, now[0] + 1)
    found = [row for entry in entries for row in _rows(checkpoint / "sources" / "0", entry)]
    return [Path(unquote(urlsplit(row["path"]).path)) for row in found]


def _ends(checkpoint: Path, number: int) -> list[int]:
    """The last entry of each source's record that micro-batches until this one hold."""
    if number < 0:
        return []
    lines = (checkpoint / "offsets" / str(number)).read_text(encoding="utf-8").splitlines()
    return [
        -1 if said == _NONE else int(json.loads(said)["logOffset"])
        for said in lines[_FIRST_SOURCE:]
    ]


def _rows(record: Path, entry: int) -> list[dict[str, Any]]:
    lines = _file_of(record, entry).read_text(encoding="utf-8").splitlines()[1:]
    return [row for row in map(json.loads, lines) if row["batchId"] == entry]


def _file_of(record: Path, entry: int) -> Path:
    """Where an entry stands; now and then Spark writes it with all that were before."""
    whole = record / f"{entry}.compact"
    return whole if whole.exists() else record / str(entry)


def keep(checkpoint: Path, number: int) -> None:
    """Have the disk hold that a micro-batch begins, and that the one before it is done.

    Args:
        checkpoint: the folder of the checkpoint.
        number: of the micro-batch.
    """
    made = [checkpoint / "metadata", checkpoint / "offsets" / str(number)]
    made += [checkpoint / "commits" / str(number - 1)]
    made += [
        _file_of(checkpoint / "sources" / str(source), entry)
        for source, entry in enumerate(_ends(checkpoint, number))
    ]
    with_sums = [each for file in made for each in (file, file.with_name(f".{file.name}.crc"))]
    there = [file for file in with_sums if file.exists()]
    for path in [*there, *{file.parent for file in there}]:
        make_durable(path)


def mend(checkpoint: Path) -> None:
    """Remove the empty files that a power cut may leave, and that Spark would end at.

    Nothing was published of a micro-batch whose beginning is lost so, for that is kept first; one
    whose end is lost is run again, and what it published is read back.
    """
    for file in [*checkpoint.glob("metadata"), *checkpoint.rglob("[0-9]*")]:
        if file.is_file() and file.stat().st_size == 0:
            file.unlink()
            file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
