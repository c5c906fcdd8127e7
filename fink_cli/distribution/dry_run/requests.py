"""What Spark is asked without publishing, and what it answers; all travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.columns.columns import Struct
from fink_cli.distribution.job import Spark
from fink_cli.distribution.streams import Distribution, Stream

T = TypeVar("T")
ERROR = "fink-error:"
"""Begins the line of an answer that holds an error."""


@dataclass(frozen=True)
class RowRange:
    """Consecutive rows of a Parquet file, from ``start`` until before ``stop``."""

    file: str
    start: int
    stop: int


@dataclass(frozen=True)
class SchemaRequest:
    """A request for the Avro schema of each stream; the answer is a :class:`Schemas`.

    Attributes:
        columns: the columns of the alerts.
        distribution: the streams.
        code: the folder of Python filters.
    """

    columns: Struct
    distribution: Distribution
    code: str | None


@dataclass(frozen=True)
class Schemas:
    """The Avro schema of each stream, as JSON text, by its title."""

    by_title: dict[str, str]


@dataclass(frozen=True)
class FilterRequest:
    """A request to try filters on alerts; the answer is a :class:`FilterAnswer`.

    Attributes:
        columns: the columns of the alerts.
        streams: the streams whose filters are tried, with neither classes nor columns to keep.
        code: the folder of Python filters.
        rows: the alerts.
    """

    columns: Struct
    streams: list[Stream]
    code: str | None
    rows: list[RowRange]


@dataclass(frozen=True)
class FilterAnswer:
    """What filters decided.

    Attributes:
        passed: for each stream, by its title, whether each alert passes, in the order of the
            request; ``None`` where its filter raised.
        reasons: for each stream whose filter raised, what it raised on the first such alert.
    """

    passed: dict[str, list[bool | None]]
    reasons: dict[str, str]


@dataclass(frozen=True)
class ValueRequest:
    """A request for the values of expressions on one alert; the answer is a :class:`Values`.

    Attributes:
        columns: the columns of the alerts.
        row: the alert.
        expressions: expressions of Spark SQL.
    """

    columns: Struct
    row: RowRange
    expressions: list[str]


@dataclass(frozen=True)
class Values:
    """The value of each expression as text; ``None`` for null, and what it raises in brackets."""

    texts: list[str | None]


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


Request = SchemaRequest | FilterRequest | ValueRequest
Answer = Schemas | FilterAnswer | Values
REQUESTS: dict[str, type[Request]] = {
    kind.__name__: kind for kind in (SchemaRequest, FilterRequest, ValueRequest)
}
"""The kinds of request, by the word that begins the line of one."""


def dump(value: Any) -> str:
    """Write a request or an answer as a line of JSON. It may hold a password: it goes by a pipe."""
    return TypeAdapter(type(value)).dump_json(value, by_alias=True).decode()


def load(kind: type[T], line: str) -> T:
    """Read what :func:`dump` wrote."""
    return TypeAdapter(kind).validate_json(line)
