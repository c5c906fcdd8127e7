"""The science database: a folder of Parquet files, flat or partitioned by night."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.errors import OperationFailedError, UsageError

Shape = dict[str, str]
"""The columns of a file, and the type of each as Arrow writes it."""


@dataclass(frozen=True)
class BadFile:
    """A file that can't be published as it is, and why."""

    file: str
    reason: str


def parquet_files(source: Path) -> list[Path]:
    """The Parquet files under a folder, at any depth.

    Names that begin with ``.`` or ``_`` are left out: they are files that are being written.
    """
    return sorted(
        file
        for file in source.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in file.relative_to(source).parts)
    )


def require_source(source: Path) -> list[Path]:
    """The files of the science database.

    Raises:
        UsageError: there is no such folder.
        OperationFailedError: it holds no Parquet file.
    """
    if not source.is_dir():
        raise UsageError(
            f"There is no folder {source}.",
            "Name the folder of the science database: --source DIR, or set FINK_SOURCE",
        )
    files = parquet_files(source)
    if not files:
        raise OperationFailedError(
            f"There is no Parquet file in {source}.",
            "Its files must end in .parquet, in the folder itself or in folders like night=….",
        )
    return files


def shape_of(file: Path) -> tuple[Shape, int]:
    """The columns of a file and their types, which their order does not change; and its rows.

    Raises:
        OSError: the file can't be read.
        pyarrow.ArrowException: it is not Parquet, or was cut.
        ValueError: what stands in it is no text.
    """
    # Whether a column may be null is no difference: Spark writes it one way, pandas another.
    footer = pq.read_metadata(file)
    columns = footer.schema.to_arrow_schema()
    leaves = (footer.schema.column(number) for number in range(footer.num_columns))
    # Arrow shows both of Parquet's forms of a timestamp as one; Spark can't read one as the other.
    old_times = {each.path.split(".")[0] for each in leaves if each.physical_type == "INT96"}
    shape = {each.name: str(each.type).replace(" not null", "") for each in columns}
    for name in old_times & shape.keys():
        shape[name] += " (INT96)"
    return shape, footer.num_rows


def sort_out(files: list[Path], expected: Shape | None) -> tuple[dict[Path, int], list[BadFile]]:
    """Tell the files that can be published from those that can't.

    Args:
        files: the files to look at; only their footers are read.
        expected: the columns that they must have; none takes those of the first good file.

    Returns:
        The good files with the number of their alerts, and the bad ones with the reason.
    """
    good: dict[Path, int] = {}
    bad: list[BadFile] = []
    with ThreadPoolExecutor(max_workers=8) as pool:
        shapes = list(pool.map(_shape_or_reason, files))
    for file, found in zip(files, shapes, strict=True):
        if isinstance(found, str):
            bad.append(BadFile(str(file), found))
            continue
        shape, rows = found
        expected = expected or shape
        if shape == expected:
            good[file] = rows
        else:
            bad.append(BadFile(str(file), f"of another schema: {_difference(shape, expected)}"))
    return good, bad


def _shape_or_reason(file: Path) -> tuple[Shape, int] | str:
    try:
        return shape_of(file)
    except OSError as error:
        return error.strerror or "can't be read"
    except (pa.ArrowException, ValueError):
        return "not a whole Parquet file"


def _difference(found: Shape, expected: Shape) -> str:
    lacks = sorted(expected.keys() - found.keys())
    more = sorted(found.keys() - expected.keys())
    other = sorted(name for name in found.keys() & expected.keys() if found[name] != expected[name])
    parts = [("lacks", lacks), ("has more", more), ("has another type", other)]
    return "; ".join(f"{what} {', '.join(names[:5])}" for what, names in parts if names)
