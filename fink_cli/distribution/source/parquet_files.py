"""The science database: a folder of Parquet files, flat or partitioned by night."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.distribution.columns.columns import (
    Struct,
    agreed_columns,
    difference,
    refined_columns,
)
from fink_cli.distribution.columns.parquet_types import columns_of
from fink_cli.errors import OperationFailedError, UsageError

_ENDING = ".parquet"
_BEING_WRITTEN = (".", "_")


@dataclass(frozen=True)
class BadFile:
    """A file that can't be published as it is, and why."""

    file: str
    reason: str


def parquet_files(source: Path) -> list[Path]:
    """List the Parquet files under a folder, at any depth.

    Names that begin with ``.`` or ``_`` are left out: they are files that are being written.

    Raises:
        UsageError: a link in it leads round in a circle, or two lead to the same files.
    """
    return sorted(file for _, files in folders_with_files(source) for file in files)


def folders_with_files(source: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield every folder under the source, and itself, with the Parquet files in it.

    Raises:
        UsageError: as for :func:`parquet_files`.
    """
    root = source.resolve()

    @cache
    def leads_back(path: Path) -> bool:
        return path.is_symlink() and _leads_into(path, root)

    for folder, files in _walked(source, {}, leads_back):
        yield folder, [file for file in files if not leads_back(file)]


def _walked(
    folder: Path, seen: dict[Path, Path], leave_out: Callable[[Path], bool]
) -> Iterator[tuple[Path, list[Path]]]:
    """Yield the folders under a folder, and under those that its links name, with their files.

    Args:
        folder: the folder.
        seen: the links that were followed so far, by their targets.
        leave_out: returns whether a link is not followed.
    """
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders[:] = [each for each in folders if not each.startswith(_BEING_WRITTEN)]
        yield here, [here / each for each in files if _is_finished(each)]
        for link in (here / each for each in folders if (here / each).is_symlink()):
            _refuse_circle(link)
            if not leave_out(link):
                _refuse_second(link, seen)
                seen[link.resolve()] = link
                yield from _walked(link, seen, leave_out)


def _refuse_circle(link: Path) -> None:
    real = link.parent.resolve()
    if link.resolve() in (real, *real.parents):
        raise UsageError(
            f"{link} is a link to a folder that it is in itself.",
            "Spark would follow it without end: remove the link.",
        )


def _refuse_second(link: Path, seen: Mapping[Path, Path]) -> None:
    real = link.resolve()
    for other, name in seen.items():
        if real.is_relative_to(other) or other.is_relative_to(real):
            raise UsageError(
                f"{link} and {name} are links to the same files.",
                "Each alert would be published twice: remove one of the links.",
            )


def _is_finished(name: str) -> bool:
    return name.endswith(_ENDING) and not name.startswith(_BEING_WRITTEN)


def _leads_into(link: Path, root: Path) -> bool:
    """Tell whether a link names a file or a folder that the walk of a folder meets anyway."""
    # As it is called first, for that may be a link out of the source.
    target = link.parent.resolve() / link.readlink()
    for named in map(Path, (os.path.normpath(target), os.path.realpath(target))):
        if not named.is_relative_to(root) or not named.exists():
            continue
        hidden = any(part.startswith(_BEING_WRITTEN) for part in named.relative_to(root).parts)
        if not hidden and (named.is_dir() or _is_finished(named.name)):
            return True
    return False


def require_folder(source: Path) -> None:
    """Refuse a science database that is not there.

    Raises:
        UsageError: there is no such folder.
    """
    if not source.is_dir():
        raise UsageError(
            f"There is no folder {source}.",
            "Name the folder of the science database: --source DIR, or set FINK_SOURCE",
        )


def require_files(source: Path) -> None:
    """Refuse a science database without a file.

    Raises:
        OperationFailedError: it holds no Parquet file.
    """
    if not parquet_files(source):
        raise OperationFailedError(
            f"There is no Parquet file in {source}.",
            "Its files must end in .parquet, in the folder itself or in folders like night=….",
        )


@dataclass(frozen=True)
class Footer:
    """The footer of a Parquet file.

    Attributes:
        columns: the columns of the file.
        rows: the number of its alerts.
    """

    columns: Struct
    rows: int


def read_footer(file: Path) -> Footer:
    """Read the columns of a file, and the number of its alerts.

    Raises:
        OSError: the file can't be read.
        pyarrow.ArrowException: it is not Parquet, or was cut.
        ValueError: its names are no text.
    """
    footer = pq.read_metadata(file)
    return Footer(columns_of(footer), footer.num_rows)


@dataclass(frozen=True)
class CheckedFiles:
    """The files that can be published together, and those that can't.

    Attributes:
        good: the good files, with the number of their alerts.
        bad: the others, and why.
        columns: those that the good files share; ``None`` while no file is good.
    """

    good: dict[Path, int]
    bad: list[BadFile]
    columns: Struct | None


def check_files(files: Sequence[Path], expected: Struct | None) -> CheckedFiles:
    """Sort files into those that can be published and those that can't.

    Args:
        files: the files; only their footers are read.
        expected: the columns that they must have; ``None`` takes those that most of them share.
    """
    footers = _footers(files)
    sound = {file: each for file, each in footers.items() if isinstance(each, Footer)}
    columns = expected or agreed_columns([each.columns for each in sound.values()])
    good: dict[Path, int] = {}
    bad: list[BadFile] = []
    for file, footer in footers.items():
        if isinstance(footer, str) or columns is None:
            bad.append(BadFile(str(file), str(footer)))
        elif reason := difference(footer.columns, columns):
            bad.append(BadFile(str(file), f"of another schema: {reason}"))
        else:
            columns = refined_columns(columns, footer.columns)
            good[file] = footer.rows
    return CheckedFiles(good, bad, columns)


def columns_of_files(files: Sequence[Path]) -> dict[Path, Struct]:
    """Return the columns of files; those that can't be read are left out."""
    footers = _footers(files)
    return {file: each.columns for file, each in footers.items() if isinstance(each, Footer)}


def _footers(files: Sequence[Path]) -> dict[Path, Footer | str]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(files, pool.map(_footer_or_reason, files), strict=True))


def _footer_or_reason(file: Path) -> Footer | str:
    try:
        status = file.stat()
        return _kept_footer(file, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        return error.strerror or "can't be read"
    except (pa.ArrowException, ValueError):
        return "not a whole Parquet file"


@lru_cache(maxsize=1024)
def _kept_footer(file: Path, *_stamp: int) -> Footer:
    return read_footer(file)
