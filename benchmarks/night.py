"""What the benchmarks of the distribution stand on: a cluster, and many real alerts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_cli.cluster.process import free_ports

ALERTS_A_FILE = 1000


@contextmanager
def cluster() -> Iterator[Path]:
    """A cluster of one broker, away from the user's own; its home."""
    with tempfile.TemporaryDirectory(prefix="fink-bench-") as folder:
        home = Path(folder)
        os.environ |= {
            "FINK_HOME": str(home),
            "FINK_CONFIG": str(home / "config.toml"),
            "FINK_KAFKA_PORT": os.environ.get("FINK_KAFKA_PORT") or str(free_ports(1)[0]),
        }
        fink("kafka", "start")
        try:
            yield home
        finally:
            fink("kafka", "destroy", "--yes")


def fink(*words: str) -> str:
    """What a command prints.

    Raises:
        CalledProcessError: it failed.
    """
    program = Path(sys.executable).with_name("fink")
    return subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def real_alerts() -> pa.Table:
    """The alerts of shared/data/science (FINK_TEST_DATA names another shared/data)."""
    beside = Path(__file__).parent.parent / ".." / "shared" / "data"
    return pq.read_table(Path(os.environ.get("FINK_TEST_DATA") or beside) / "science")


def multiplied(alerts: pa.Table, first: int, count: int) -> pa.Table:
    """The alerts again and again, each with an objectId and a candid of its own.

    Args:
        alerts: the alerts.
        first: the number of the first one; alerts of other numbers have other ids.
        count: how many.
    """
    copies = -(-count // len(alerts))
    found = pa.concat_tables([alerts] * copies).slice(0, count)
    numbers = pa.array(range(first, first + count), pa.int64())
    names = pc.binary_join_element_wise("ZTF", pc.cast(numbers, pa.string()), "")
    for name, values in {"objectId": names, "candid": numbers}.items():
        place = found.schema.get_field_index(name)
        found = found.set_column(place, found.schema.field(name), values)
    return found


def write_alerts(folder: Path, count: int) -> Sequence[Path]:
    """Write many alerts to a folder, about a thousand a file; the files."""
    alerts = real_alerts()
    folder.mkdir()
    files = []
    for first in range(0, count, ALERTS_A_FILE):
        file = folder / f"part-{first:07d}.parquet"
        made = multiplied(alerts, first, min(ALERTS_A_FILE, count - first))
        # The types of the original's files, which Spark wrote.
        pq.write_table(made, file, use_deprecated_int96_timestamps=True)
        files.append(file)
    return files
