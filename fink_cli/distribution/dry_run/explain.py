"""Why an alert passes the filters or not: the value of each part, and of each argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from fink_cli.distribution.dry_run.check import Check, Planned
from fink_cli.distribution.dry_run.python_streams import argument_values, filter_columns
from fink_cli.distribution.dry_run.requests import RowRange, ValueRequest, Values
from fink_cli.distribution.dry_run.sample import Sample, SourceFiles, take_rows
from fink_cli.errors import OperationFailedError
from fink_cli.text import printable


@dataclass(frozen=True)
class Explanation:
    """What the filter of a stream makes of an alert.

    Attributes:
        stream: the stream's name.
        passes: whether the alert passes, and has a class with a topic; ``None`` if the filter did
            not decide.
        reason: why it was not decided.
        values: the value of each part of the expression, or of each argument of a function.
    """

    stream: str
    passes: bool | None
    reason: str | None
    values: dict[str, str]


def explain(check: Check, planned: Planned, name: str) -> list[Explanation]:
    """Explain what each filter makes of an alert.

    Args:
        check: tries the streams.
        planned: the streams.
        name: the id of the alert, or of its object, whose newest alert is taken.

    Raises:
        OperationFailedError: the source has no such alert.
    """
    file, row = find_alert(planned.source, name, [planned.alert_id, planned.object_id])
    sample = take_rows(planned.source, file, range(row, row + 1))
    decisions = check.decide(planned, sample)
    explanations = []
    for stream in planned.filters:
        decided = decisions[stream.title]
        if stream.function is not None:
            columns = filter_columns(stream.function, sample, range(1))
            values = argument_values(stream.function, columns)
        elif stream.stream.filter is not None:
            values = _parts(check, sample, stream.stream.filter)
        else:
            values = {}
        passes = decided.passed[0]
        if stream.stream.class_column is not None:
            kind = sample.array(stream.stream.class_column)[0].as_py()
            values[stream.stream.class_column] = printable(str(kind))
            passes = passes and str(kind) in stream.stream.classes
        explanations.append(Explanation(stream.title, passes, decided.reason, values))
    return explanations


def _parts(check: Check, sample: Sample, condition: str) -> dict[str, str]:
    """Return the value of each part of a SQL expression for the only alert of a sample."""
    from fink_cli.distribution.dry_run.sql_names import parts_of

    expressions = parts_of(condition)
    ((file, rows),) = sample.rows.items()
    request = ValueRequest(sample.columns, RowRange(str(file), rows.start, rows.stop), expressions)
    texts = check.spark_process().ask(request, Values).texts
    return {
        part: "null" if text is None else text
        for part, text in zip(expressions, texts, strict=True)
    }


def find_alert(source: SourceFiles, name: str, paths: Sequence[str | None]) -> tuple[Path, int]:
    """Return the file and row of an alert, from the newest file backwards.

    Args:
        source: the files.
        name: the id of the alert or of its object.
        paths: the columns of these ids; ``None`` where there is none.

    Raises:
        OperationFailedError: there is no such alert.
    """
    columns = [path for path in dict.fromkeys(paths) if path is not None]
    for path in columns:
        for file, alerts in source.good.items():
            ids = take_rows(source, file, range(alerts)).array(path) if alerts else None
            if ids is None:
                continue
            row = pc.index(ids.cast("string"), name).as_py()
            if row >= 0:
                return file, row
    named = " and ".join(columns) or "no column"
    raise OperationFailedError(
        f"No alert of {source.folder} has the id {name} (looked for in {named}).",
        'Take one from: fink distribute check, or name its column in the file: id = "candid"',
    )
