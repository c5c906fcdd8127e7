"""What the author of a filter should know of what it decided on a sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
from pyarrow import types as kinds

from fink_cli.distribution.dry_run.python_streams import Decisions, Raised
from fink_cli.distribution.dry_run.sample import Sample
from fink_cli.distribution.dry_run.stream_filters import StreamFilter
from fink_cli.text import counted, printable

# Reading, encoding and publishing 1,000 alerts takes 0.1 to 0.3 s of a core.
_SLOW_SECONDS = 1.0
# pandas says so of a Series where `and`, `or`, `not` and `if` want true or false.
_AMBIGUOUS = " is ambiguous"
_ON_COLUMNS = "use & and | on columns, ~ for not, and brackets around each comparison"


def warnings_of(
    planned: StreamFilter, decisions: Decisions, sample: Sample, alert_id: str | None
) -> list[str]:
    """Return what the author of a stream's filter should know, a sentence each.

    Args:
        planned: the stream.
        decisions: what its filter decided.
        sample: the alerts.
        alert_id: the dotted path of the column that names an alert.
    """
    if planned.stream.filter is None:
        return []
    return [
        *planned.doubts,
        *_raised(decisions, sample, alert_id),
        *_answers(decisions, sample.size),
        *_slow(decisions, sample.size),
        *_null_columns(planned, sample),
    ]


def _raised(decisions: Decisions, sample: Sample, alert_id: str | None) -> Iterator[str]:
    undecided = sum(value is None for value in decisions.passed)
    if undecided:
        first = decisions.passed.index(None)
        name = name_of_alert(sample, first, alert_id)
        reason = decisions.reason or "no reason given"
        if (said := reason.split(_AMBIGUOUS)[0]) != reason:
            reason = f"{said}{_AMBIGUOUS}: {_ON_COLUMNS}"
        more = _where_raised(decisions.raised) if decisions.raised else ""
        yield f"It failed on {counted(undecided, 'alert')}, first on {name}: {reason}{more}."


def _where_raised(raised: Raised) -> str:
    place = f", at {Path(raised.file).name} line {raised.line}" if raised.file else ""
    values = ", ".join(f"{name} = {value}" for name, value in raised.arguments.items())
    return f"{place}, with {values}"


def name_of_alert(sample: Sample, index: int, alert_id: str | None) -> str:
    """Return the id of an alert, or its file and row where no column names it."""
    name = None if alert_id is None else sample.array(alert_id)[index].as_py()
    if name is not None:
        return f"alert {printable(str(name), 60)}"
    file, row = sample.position(index)
    return f"row {row} of {file.name}"


def _answers(decisions: Decisions, size: int) -> Iterator[str]:
    if decisions.nulls == size:
        yield (
            f"It gives null or NaN for all {counted(size, 'alert')}, which count as false: see "
            "whether a column that it uses is null, or a comparison is missing."
        )
        return
    decided = [value for value in decisions.passed if value is not None]
    if decided and not any(decided):
        yield f"Nothing passes: 0 of {counted(size, 'alert')}. Try more of them: --sample N"
    elif len(decided) == size and all(decided):
        yield f"All {counted(size, 'alert')} pass: the filter takes nothing away."


def _slow(decisions: Decisions, size: int) -> Iterator[str]:
    if decisions.seconds is None:
        return
    seconds = 1000 * decisions.seconds / size
    if seconds > _SLOW_SECONDS:
        yield (
            f"It is slow: {seconds:,.1f} s for 1,000 alerts, more than reading and publishing "
            "them. Use operations on columns in place of loops and .apply."
        )


def _null_columns(planned: StreamFilter, sample: Sample) -> Iterator[str]:
    for path in planned.used:
        values = sample.array(path)
        null = values.null_count
        if kinds.is_floating(values.type):
            null = pc.sum(values.is_null(nan_is_null=True)).as_py()
        if null == sample.size:
            yield f"The column {printable(path)} is null in all {counted(null, 'alert')}."
