"""What Spark is asked without publishing, and what it answers; all travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.job import Spark
from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.streams import Distribution

T = TypeVar("T")
ERROR = "fink-error:"
"""Begins the line of an answer that holds an error."""


@dataclass(frozen=True)
class SampleRequest:
    """A request to try streams on a sample of alerts.

    Attributes:
        source: the folder of the science database.
        distribution: the streams.
        code: the folder of Python filters.
        spark: how Spark is run.
        sample: the number of alerts to try the streams on; 0 only reads the columns.
    """

    source: str
    distribution: Distribution
    code: str | None
    spark: Spark
    sample: int


@dataclass(frozen=True)
class StreamSample:
    """What a stream published of a sample, to one of its topics.

    Attributes:
        stream: the stream's name.
        topic: the topic.
        passed: the number of alerts that go to the topic.
        undecided: the number of alerts on which the filter raised.
        alert_bytes: the mean size of an alert's value, in bytes.
        reason: what the filter raised on one of them.
    """

    stream: str
    topic: str
    passed: int
    undecided: int
    alert_bytes: int
    reason: str | None


@dataclass(frozen=True)
class SampleResult:
    """The answer to a :class:`SampleRequest`.

    Attributes:
        schemas: the Avro schema of each stream, as JSON text, by its title.
        sample: the number of alerts that the streams were tried on.
        night: the number of alerts in the folder of the newest file.
        streams: what each stream published of the sample.
        bad_files: the files that can't be published, and why.
        rounded: the paths of columns with times of the sample that are rounded down to the
            microsecond.
        renamed: the path of each column that is published under another name, and its path there.
    """

    schemas: dict[str, str]
    sample: int
    night: int
    streams: list[StreamSample]
    bad_files: list[BadFile]
    rounded: list[str]
    renamed: dict[str, str]


@dataclass(frozen=True)
class ReadRequest:
    """A request to read a topic back.

    Attributes:
        topic: the topic.
        connection: the cluster, and the login that reads.
        schema: the Avro schema of the alerts; ``None`` takes that of each message's key.
        spark: how Spark is run.
        once: end when all that is there is printed.
        exit_after: seconds after which it stops.
        rows: the number of alerts to print of each micro-batch.
        width: the width of the terminal, in characters.
    """

    topic: str
    connection: Connection
    schema: str | None
    spark: Spark
    once: bool
    exit_after: float | None
    rows: int
    width: int


def dump(value: Any) -> str:
    """Write a request or a result as a line of JSON. It may hold a password: it goes by a pipe."""
    return TypeAdapter(type(value)).dump_json(value, by_alias=True).decode()


def load(kind: type[T], line: str) -> T:
    """Read what :func:`dump` wrote."""
    return TypeAdapter(kind).validate_json(line)
