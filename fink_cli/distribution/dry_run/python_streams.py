"""Python filters tried on a sample in this process, on what Spark's workers would give them."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fink_cli.distribution.dry_run.sample import Sample
from fink_cli.distribution.python_filters.decide import decide, describe_error
from fink_cli.distribution.python_filters.of_stream import PythonFilter
from fink_cli.text import printable

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256
"""The number of alerts that Spark gives a Python filter at a time, at most."""

_MOST_VALUE_CHARACTERS = 60
# Where the error of a filter is looked for: not in the libraries that it calls.
_LIBRARIES = ("site-packages", "dist-packages", "<frozen")


@dataclass(frozen=True)
class Raised:
    """What a filter raised on an alert.

    Attributes:
        error: the type and text of the error.
        file: the file of the filter that was executed; empty if there is none.
        line: the line in it.
        index: the alert, by its position in the sample.
        arguments: the value of each argument.
    """

    error: str
    file: str
    line: int
    index: int
    arguments: dict[str, str]


@dataclass(frozen=True)
class Decisions:
    """What the filter of a stream decided on a sample.

    Attributes:
        passed: whether each alert passes; ``None`` where it was not decided.
        reason: why it was not decided on the first such alert; ``None`` if all were decided.
        nulls: the number of alerts for which the answer was null or NaN.
        seconds: how long it took; ``None`` if it was not measured, as of SQL.
        raised: what it raised on the first alert, in Python.
    """

    passed: list[bool | None]
    reason: str | None = None
    nulls: int = 0
    seconds: float | None = None
    raised: Raised | None = None


def decide_python(filter_: PythonFilter, sample: Sample) -> Decisions:
    """Decide with a Python filter which alerts of a sample pass.

    What it prints goes to stderr, since stdout holds the result.
    """
    import pandas as pd

    answers = []
    seconds = 0.0
    with redirect_stdout(sys.stderr):
        for start in range(0, sample.size, BATCH):
            columns = filter_columns(filter_, sample, range(start, min(start + BATCH, sample.size)))
            began = time.perf_counter()
            answers.append(decide(filter_.function, columns))
            seconds += time.perf_counter() - began
    answer = pd.concat(answers, ignore_index=True)
    passed: list[bool | None] = answer.passed.tolist()
    undecided = [index for index, value in enumerate(passed) if value is None]
    first = undecided[0] if undecided else None
    return Decisions(
        passed=passed,
        reason=None if first is None else str(answer.error[first]),
        nulls=int(answer.null.sum()),
        seconds=seconds,
        raised=None if first is None else _raised(filter_, sample, first),
    )


def filter_columns(
    filter_: PythonFilter, sample: Sample, rows: range
) -> list[pd.Series | pd.DataFrame]:
    """Return the columns of a filter for consecutive alerts, as Spark's workers have them."""
    from fink_cli.distribution.spark.pandas_columns import pandas_column

    return [
        pandas_column(pa.chunked_array([sample.array(path).slice(rows.start, len(rows))]))
        for path in filter_.columns
    ]


def _raised(filter_: PythonFilter, sample: Sample, index: int) -> Raised | None:
    """Call a filter again on an alert that it did not decide; ``None`` if it does not raise."""
    columns = filter_columns(filter_, sample, range(index, index + 1))
    try:
        with redirect_stdout(sys.stderr):
            filter_.function(*columns)
    except Exception as error:
        # The filter is not ours: it may raise anything.
        file, line = _own_line(traceback.extract_tb(error.__traceback__))
        arguments = argument_values(filter_, columns)
        return Raised(describe_error(error), file, line, index, arguments)
    return None


def _own_line(frames: Sequence[traceback.FrameSummary]) -> tuple[str, int]:
    """Return the file and line that an error passed last, outside of fink and of libraries."""
    fink = str(Path(__file__).parents[2])
    own = [
        each
        for each in frames
        if not each.filename.startswith(fink) and not any(x in each.filename for x in _LIBRARIES)
    ]
    # An installed filter is in a library itself: then the last line outside of fink counts.
    own = own or [each for each in frames if not each.filename.startswith(fink)][:1]
    return (own[-1].filename, own[-1].lineno or 0) if own else ("", 0)


def argument_values(
    filter_: PythonFilter, columns: Sequence[pd.Series | pd.DataFrame]
) -> dict[str, str]:
    """Return the value of each argument for the only alert of some columns, as a short text."""
    return {
        name: printable(_value_text(column), _MOST_VALUE_CHARACTERS)
        for name, column in zip(filter_.arguments, columns, strict=True)
    }


def _value_text(column: pd.Series | pd.DataFrame) -> str:
    if column.ndim == 2:
        values = {name: column[name].tolist()[0] for name in column.columns}
        return ", ".join(f"{name} = {value}" for name, value in values.items())
    value = column.tolist()[0]
    if isinstance(value, float):
        return f"{value:.7g}"
    return f"{len(value)} items" if hasattr(value, "shape") else str(value)
