"""What ``fink distribute check`` prints: a line a stream, objects that pass, warnings."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fink_cli import console, render, terminal
from fink_cli.render import Format
from fink_cli.text import counted

if TYPE_CHECKING:
    from fink_cli.alerts.columns import Column
    from fink_cli.distribution.dry_run.check import SampleResult
    from fink_cli.distribution.dry_run.differences import Change
    from fink_cli.distribution.dry_run.estimates import Estimate

_MOST_NAMED = 5
# Stands in the name of a stream with a topic for each class.
_CLASS = "{class}"


@dataclass(frozen=True)
class _Row:
    """A line of the table: what a stream would publish to one of its topics."""

    stream: str
    passed: str
    undecided: int
    night: int
    gigabytes: str = field(metadata={"title": "night GB"})
    seconds: str = field(metadata={"title": "s per 1,000"})
    night_takes: str


def print_result(result: SampleResult, form: Format) -> None:
    """Print what the streams would publish."""
    if form is not Format.TABLE:
        render.emit(result.estimates, form)
    else:
        render.emit([_row(each) for each in result.estimates], form)
        _print_objects(result.estimates)
        console.note(
            f"passed: of a sample of {result.size:,} alerts. night: of {result.night:,} alerts. "
            "night GB: before compression, which makes less of it. s per 1,000: a filter in "
            "Python, on one core; SQL is not measured. night takes: that on this machine's cores."
        )
    told = {*result.undecided.values(), *result.doubts}
    _print_notes(result, told)


def print_round(result: SampleResult, changed: Sequence[Change] | None, form: Format) -> None:
    """Print a round of ``check --watch``.

    Args:
        result: what the streams would publish now.
        changed: what changed since the round before; ``None`` in the first one.
        form: in JSON, each round is a line.
    """
    from fink_cli.tables import as_data

    if form is Format.JSON:
        data = {"streams": as_data(result.estimates), "changes": as_data(changed or [])}
        render.print_json(json.dumps(data, ensure_ascii=False).encode())
    elif form is Format.YAML:
        data = {"streams": as_data(result.estimates), "changes": as_data(changed or [])}
        render.print_yaml_document(data)
    else:
        render.emit([_row(each) for each in result.estimates], form)
        if changed is None:
            _print_objects(result.estimates)
        for change in changed or []:
            render.print_text(_changed(change))
        if changed == []:
            render.print_text("The same objects pass as before.")
    _print_notes(result)
    render.flush()


def _row(estimate: Estimate) -> _Row:
    seconds, night = estimate.seconds_per_1000, estimate.night_seconds
    return _Row(
        stream=_name(estimate),
        passed=f"{estimate.passed:,} ({estimate.share:.3g} %)",
        undecided=estimate.undecided,
        night=estimate.night,
        gigabytes=f"{estimate.night_mb / 1000:.3g}",
        seconds="-" if seconds is None else f"{seconds:.2g}",
        night_takes="-" if night is None else _duration(night),
    )


def _name(estimate: Estimate) -> str:
    """Return the name of a stream, and the topic where that does not name it."""
    if estimate.stream == estimate.topic or _CLASS in estimate.stream:
        return estimate.topic
    return f"{estimate.stream} ({estimate.topic})"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _changed(change: Change) -> str:
    parts = [f"{change.stream}: {change.passed:,} alerts, before {change.before:,}"]
    for word, names in (("gained", change.gained), ("lost", change.lost)):
        if names:
            more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
            parts.append(f"{word} {', '.join(names[:_MOST_NAMED])}{more}")
    return "; ".join(parts)


def _print_notes(result: SampleResult, told: Collection[str] = ()) -> None:
    """Print warnings and notes.

    Args:
        result: what was tried.
        told: the warnings that were printed before, or stand in the error that follows.
    """
    by_stream = {estimate.stream: estimate.warnings for estimate in result.estimates}
    for stream, warnings in by_stream.items():
        for warning in warnings:
            if warning not in told:
                console.warn(f"Stream {stream}: {warning}")
    if result.renamed:
        names = ", ".join(f"{path} as {name}" for path, name in result.renamed.items())
        console.note(f"Published under a name that Avro takes: {names}.")
    if result.rounded:
        console.note(
            f"Nanoseconds, published down to the microsecond: {', '.join(result.rounded)}."
        )


def _print_objects(estimates: Sequence[Estimate]) -> None:
    """Print some of the alerts that pass, with the columns that `fink consume` shows."""
    from fink_cli.alerts.columns import Column, load_roles

    by_path = {each.path: each for some in load_roles().candidates.values() for each in some}
    for estimate in estimates:
        if estimate.objects:
            paths = estimate.objects[0]
            columns = [by_path.get(path, Column(path, path)) for path in paths]
            render.print_text(
                f"{_name(estimate)}, {counted(len(estimate.objects), 'object')} of those that pass:"
            )
            for line in _table(columns, estimate.objects):
                render.print_text(f"  {line}")
            render.print_text("\n")


def _table(columns: Sequence[Column], alerts: Sequence[Mapping[str, Any]]) -> list[str]:
    from fink_cli.consumer.view.cells import role_text
    from fink_cli.consumer.view.table import fitting, header_line, key_of, row_line, widened

    rows = [
        {key_of(column): role_text(alert[column.path], column) for column in columns}
        for alert in alerts
    ]
    headings = fitting(widened((), columns, rows[0]), rows, terminal.width() - 2)
    return [header_line(headings), *(row_line(headings, row) for row in rows)]
