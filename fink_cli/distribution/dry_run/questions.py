"""What is asked of Spark without publishing, and what it answers; both travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from fink_cli.connection import Connection
from fink_cli.distribution.job import Spark
from fink_cli.distribution.source.parquet_files import BadFile
from fink_cli.distribution.streams import Distribution


@dataclass(frozen=True)
class Tried:
    """What a stream made of a sample.

    Attributes:
        stream: what it is called.
        topic: a topic it goes to.
        passed: the alerts that go there.
        undecided: the alerts on which its filter raised.
        alert_bytes: the mean size of an alert's value, in bytes.
        reason: what the filter said of one that it did not decide.
    """

    stream: str
    topic: str
    passed: int
    undecided: int
    alert_bytes: int
    reason: str | None


@dataclass(frozen=True)
class Question:
    """What is to be found out.

    Attributes:
        source: the folder of the science database.
        distribution: the streams.
        code: the folder of Python filters.
        spark: how Spark is run.
        sample: on how many alerts the streams are tried; 0 only reads the columns.
    """

    source: str
    distribution: Distribution
    code: str | None
    spark: Spark
    sample: int


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        schemas: the Avro schema of each stream, as JSON text, by its title.
        sample: how many alerts the streams were tried on.
        night: how many alerts lie in the folder of the newest file.
        tried: what each stream made of the sample.
        bad_files: the files that can't be published, and why.
        rounded: the paths of columns with times of the sample that are rounded down to the
            microsecond.
        renamed: the path of each column that is published under another name, and its path there.
    """

    schemas: dict[str, str]
    sample: int
    night: int
    tried: list[Tried]
    bad_files: list[BadFile]
    rounded: list[str]
    renamed: dict[str, str]


@dataclass(frozen=True)
class Reading:
    """What is to be read back from a topic.

    Attributes:
        topic: the topic.
        connection: the cluster, and the login that reads.
        schema: the Avro schema of the alerts; none takes that of each message's key.
        spark: how Spark is run.
        once: end when all that is there is printed.
        exit_after: seconds after which it stops.
        rows: how many alerts of each micro-batch are printed.
        width: of the terminal, in characters.
    """

    topic: str
    connection: Connection
    schema: str | None
    spark: Spark
    once: bool
    exit_after: float | None
    rows: int
    width: int


_QUESTION = TypeAdapter(Question)
_FINDINGS = TypeAdapter(Findings)
_READING = TypeAdapter(Reading)


def dump_question(question: Question) -> str:
    """The question as a line."""
    return _QUESTION.dump_json(question, by_alias=True).decode()


def load_question(line: str) -> Question:
    """The question of a line."""
    return _QUESTION.validate_json(line)


def dump_findings(findings: Findings) -> str:
    """The findings as a line."""
    return _FINDINGS.dump_json(findings).decode()


def load_findings(line: str) -> Findings:
    """The findings of a line."""
    return _FINDINGS.validate_json(line)


def dump_reading(reading: Reading) -> str:
    """What is to be read, as a line. It holds the password: it goes over a pipe."""
    return _READING.dump_json(reading).decode()


def load_reading(line: str) -> Reading:
    """What is to be read, of a line."""
    return _READING.validate_json(line)
