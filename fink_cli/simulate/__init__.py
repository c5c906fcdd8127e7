"""Simulated alerts, shaped like ZTF alerts with the broker's columns, for demos and tests."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.avro.arrow import arrow_schema
from fink_cli.avro.schema import read_schema
from fink_cli.paths import shipped
from fink_cli.simulate.rows import alert_rows
from fink_cli.simulate.sky import Row, sky_objects


def simulate_alerts(count: int, seed: int = 0) -> pa.Table:
    """Make alerts in order of time, the same for the same ``count`` and ``seed``.

    The objects are asteroids, RR Lyrae stars, eclipsing binaries and supernovae in turn; from
    about 25 alerts on every kind is among them. Times are Julian dates (UTC), positions degrees,
    and brightnesses magnitudes. An alert takes about 60 KB of memory.

    Raises:
        ValueError: ``count`` or ``seed`` is negative.
    """
    if count < 0:
        raise ValueError(f"the number of alerts is {count}, below zero")
    rng = np.random.Generator(np.random.PCG64(seed))
    rows: list[Row] = []
    objects = sky_objects(rng)
    while len(rows) < count:
        rows += alert_rows(rng, next(objects))
    rows = sorted(rows[:count], key=lambda row: row["timestamp"])
    schema = read_schema(shipped("schemas/ztf-science.avsc").read_bytes())
    return pa.Table.from_pylist(rows, schema=arrow_schema(schema))


def write_science(alerts: pa.Table, folder: Path, files: int = 4) -> list[Path]:
    """Write alerts to Parquet files, in order over so many files, or fewer for fewer alerts.

    A file is written under a hidden name and then renamed, so that a reader finds it complete or
    not at all. Its name holds the first alert's ``candid``: batches do not overwrite each other.

    Args:
        folder: where the files go; it is made where it is missing.
        files: how many files, at most.

    Returns:
        The files.

    Raises:
        ValueError: ``files`` is below one.
        OSError: the folder can't be written.
    """
    if files < 1:
        raise ValueError(f"the number of files is {files}, below one")
    folder.mkdir(parents=True, exist_ok=True)
    count = alerts.num_rows
    parts = min(files, count)
    bounds = [count * part // parts for part in range(parts + 1)] if parts else []
    return [
        _write_part(alerts.slice(start, end - start), folder, number)
        for number, (start, end) in enumerate(pairwise(bounds))
    ]


def _write_part(alerts: pa.Table, folder: Path, number: int) -> Path:
    first = alerts.column("candid")[0].as_py()
    path = folder / f"part-{number:05d}-{first}.snappy.parquet"
    aside = folder / f".{path.name}.tmp"
    try:
        pq.write_table(alerts, aside, compression="snappy")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
