"""What the streams would publish of a sample, and what that makes in a night."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fink_cli.alerts.columns import table_columns
from fink_cli.distribution.columns.columns import Struct, joined, scalars
from fink_cli.distribution.columns.selection import ColumnTree
from fink_cli.distribution.dry_run.avro_size import Sizes, encoded_sizes
from fink_cli.distribution.dry_run.python_streams import Decisions
from fink_cli.distribution.dry_run.sample import Sample
from fink_cli.distribution.dry_run.stream_filters import StreamFilter

MOST_OBJECTS = 5


@dataclass(frozen=True)
class Estimate:
    """What a stream would publish to one of its topics.

    Attributes:
        stream: the stream's name.
        topic: the topic.
        passed: alerts of the sample that go to the topic.
        share: of the sample, in percent.
        undecided: alerts of the sample on which the filter raised.
        night: alerts of a night.
        night_mb: their size in MB of 10⁶ bytes, before compression and without the schema, which
            compression takes away.
        sample: alerts of the sample.
        seconds_per_1000: how long the filter takes for 1,000 alerts, on one core; ``None`` if that
            is not measured, as of SQL.
        night_seconds: how long it then takes for a night, on the cores of this machine.
        objects: some alerts that pass, by the paths of the columns that a table shows.
        warnings: what its author should know.
    """

    stream: str
    topic: str
    passed: int
    share: float
    undecided: int
    night: int
    night_mb: float
    sample: int
    seconds_per_1000: float | None
    night_seconds: float | None
    objects: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Estimates:
    """Estimates of streams on one sample, whose columns and sizes are computed once."""

    def __init__(self, sample: Sample, night: int | None) -> None:
        """Begin.

        Args:
            sample: the sample.
            night: the number of alerts of a night; ``None`` takes that of the newest folder.
        """
        self.sample = sample
        self.night = sample.night if night is None else night
        self.columns = table_columns(_leaf_kinds(sample.columns))
        self._sizes: dict[str, Sizes] = {}

    def of_stream(
        self, planned: StreamFilter, decisions: Decisions, warnings: Sequence[str]
    ) -> list[Estimate]:
        """Return an estimate for each topic of a stream."""
        size = self.sample.size
        passed = np.array([value is True for value in decisions.passed], dtype=bool)
        undecided = sum(value is None for value in decisions.passed)
        seconds = None if decisions.seconds is None else 1000 * decisions.seconds / size
        whole_night = None if seconds is None else seconds * self.night / 1000 / _cores()
        estimates = []
        for route in planned.stream.routes():
            taken = passed & self._of_class(planned, route.value)
            alerts = int(taken.sum())
            share = alerts / size
            count = round(share * self.night)
            mean = self._sizes_of(planned.chosen)[taken].mean() if alerts else 0.0
            estimates.append(
                Estimate(
                    stream=route.title,
                    topic=route.topic,
                    passed=alerts,
                    share=round(100 * share, 2),
                    undecided=undecided,
                    night=count,
                    night_mb=round(count * float(mean) / 1e6, 1),
                    sample=size,
                    seconds_per_1000=None if seconds is None else round(seconds, 3),
                    night_seconds=None if whole_night is None else round(whole_night, 1),
                    objects=self._alerts(np.flatnonzero(taken).tolist()),
                    warnings=list(warnings),
                )
            )
        return estimates

    def _of_class(self, planned: StreamFilter, value: str | None) -> Any:
        if planned.stream.class_column is None:
            return True
        classes = self.sample.array(planned.stream.class_column).cast(pa.string())
        return np.array(pc.fill_null(pc.equal(classes, value), False))

    def _alerts(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return the first alerts of some objects, by the paths of the columns of a table."""
        first: dict[Any, int] = {}
        names = self.sample.array(self.columns[0].path)
        for index in indices:
            first.setdefault(names[index].as_py(), index)
            if len(first) == MOST_OBJECTS:
                break
        rows = pa.array(list(first.values()), pa.int64())
        values = {each.path: self.sample.array(each.path).take(rows) for each in self.columns}
        return [
            {path: _finite(array[row].as_py()) for path, array in values.items()}
            for row in range(len(rows))
        ]

    def _sizes_of(self, chosen: ColumnTree) -> Sizes:
        key = json.dumps(chosen)
        if key not in self._sizes:
            self._sizes[key] = published_sizes(self.sample, chosen)
        return self._sizes[key]


def published_sizes(sample: Sample, chosen: ColumnTree, above: str = "") -> Sizes:
    """Return the size of each alert of a sample in Avro, with a selection of columns."""
    sizes = np.zeros(sample.size, dtype=np.int64)
    for name, below in chosen.items():
        path = joined(above, name)
        if below is None:
            sizes += encoded_sizes(sample.array(path))
        else:
            whole = np.array(sample.array(path).is_valid())
            sizes += 1 + np.where(whole, published_sizes(sample, below, path), 0)
    return sizes


def _leaf_kinds(columns: Struct) -> Mapping[str, str]:
    """Return the type of each scalar that is not within an array or a map, by its path."""
    return {
        path: kind.type for path, kind in scalars(columns) if _is_plain(path) and not kind.refused
    }


def _is_plain(path: str) -> bool:
    return "[]" not in path and "{" not in path


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
