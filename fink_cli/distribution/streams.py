"""The streams of a distribution, and the TOML file that declares them.

``conf/distribution.toml`` is an example with every setting explained.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from fink_cli.declared_files import described_mistake, described_place, read_toml
from fink_cli.errors import UsageError
from fink_cli.trusted import refuse_if_changeable

CLASS = "{class}"
_MOST_TITLES = 3
# Kafka takes no other character in the name of a topic.
_TOPIC = re.compile(r"[A-Za-z0-9._-]+|.*\{class\}.*")
_NOT_IN_A_TOPIC = re.compile(r"[^a-z0-9._-]+")
_DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_CLASS_COLUMN = 'the column that names the class: class = "cdsxmatch"'


class Stream(BaseModel):
    """Which alerts go to a topic, and what of each.

    Attributes:
        topic: the topic; ``{class}`` in it stands for the value of the column ``class``.
        name: the name of the stream; ``None`` takes the topic.
        filter: a Spark SQL expression, or the dotted path of a Python function; ``None`` takes
            every alert.
        arguments: the column of each argument of a Python function whose name does not tell it.
        columns: dotted paths of the columns to keep; ``None`` keeps all.
        drop: dotted paths of the columns to leave out.
        class_column: the column whose value ``{class}`` stands for.
        classes: the values of it that have a topic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    topic: Annotated[str, Field(min_length=1, max_length=249)]
    name: Annotated[str | None, Field(min_length=1)] = None
    filter: str | None = None
    arguments: dict[str, str] = {}
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    drop: list[str] = []
    class_column: Annotated[str | None, Field(alias="class")] = None
    classes: list[str] = []

    @model_validator(mode="after")
    def _agree(self) -> Stream:
        if self.columns and self.drop:
            raise ValueError("give the columns to keep or those to drop, not both")
        if self.arguments and not self.dotted_path:
            raise ValueError("arguments are for a filter that is the path of a Python function")
        bad = [each.topic for each in self.routes() if not _TOPIC.fullmatch(each.topic)]
        if bad:
            raise ValueError(
                f"'{bad[0]}' can't be a topic: its name has letters, digits, '.', '_' and '-'"
            )
        if (CLASS in self.topic) != bool(self.class_column and self.classes):
            raise ValueError(
                f"{CLASS} in the topic, and class and classes, are given together: {_CLASS_COLUMN},"
                ' and the values that have a topic: classes = ["RRLyrae", "EB*"]'
            )
        return self

    @property
    def title(self) -> str:
        """The name of the stream."""
        return self.name or self.topic

    @property
    def dotted_path(self) -> str | None:
        """The filter, where it is nothing but a dotted path.

        It is a Python function then, unless the alerts have a column of this path.
        """
        path = (self.filter or "").strip()
        return path if _DOTTED_PATH.fullmatch(path) else None

    def routes(self) -> list[Route]:
        """Return a route for each topic of the stream."""
        if not self.class_column:
            return [Route(self.title, self.title, self.topic)]
        return [
            Route(self.title, self.name or topic, topic, value)
            for value in self.classes
            for topic in [self.topic.replace(CLASS, topic_part(value))]
        ]


@dataclass(frozen=True)
class Route:
    """The route of a stream to one of its topics.

    Attributes:
        title: the name of the stream.
        stream: the header ``stream`` of the messages.
        topic: the topic.
        value: the value of the class column whose alerts take it; ``None`` takes all.
    """

    title: str
    stream: str
    topic: str
    value: str | None = None


def topic_part(value: str) -> str:
    """Make a class a part of a topic's name: lower case, without what Kafka does not take."""
    return _NOT_IN_A_TOPIC.sub("", value.lower())


class Distribution(BaseModel):
    """A distribution file.

    Attributes:
        name: the distribution's name on its cluster; ``None`` makes one.
        source: the folder of the science database, relative to that of the file.
        trigger: seconds between two searches for new files.
        stuck_after: seconds that files may wait with none published, and brokers be away, until the
            distribution is stuck.
        slow_filter: the share of a batch's time that a filter in Python may take until it is
            warned of.
        id: dotted path of the column that names an alert; ``None`` takes that of
            ``conf/columns.toml``.
        object: dotted path of the column that names its object.
        stream: the streams.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    source: str | None = None
    trigger: Annotated[float, Field(ge=0)] = 10.0
    stuck_after: Annotated[float, Field(ge=0)] = 600.0
    slow_filter: Annotated[float, Field(gt=0, le=1)] = 0.5
    id: str | None = None
    object: str | None = None
    stream: Annotated[list[Stream], Field(min_length=1)]

    @model_validator(mode="after")
    def _tell_apart(self) -> Distribution:
        titles = Counter(each.title for each in self.stream)
        twice = [title for title, count in titles.items() if count > 1]
        if twice:
            raise ValueError(
                f"two streams are called {twice[0]}: give one of them a name of its own"
            )
        routes = Counter((each.stream, each.topic) for each in self.routes())
        same = [topic for (_, topic), count in routes.items() if count > 1]
        if same:
            raise ValueError(f"two classes give the topic {same[0]}")
        return self

    def routes(self) -> list[Route]:
        """Return the routes of all streams."""
        return [route for each in self.stream for route in each.routes()]


def single(topic: str) -> Distribution:
    """Return a distribution of every alert to one topic.

    Raises:
        UsageError: no topic can have this name.
    """
    try:
        return Distribution(stream=[Stream(topic=topic)])
    except ValidationError as error:
        raise UsageError(
            f"'{topic}' can't be the name of a topic.",
            "A name has at most 249 letters, digits, '.', '_' and '-'; "
            f"{CLASS} stands in a file of streams: --config FILE",
        ) from error


def refused_streams(mistakes: Mapping[str, Sequence[str]]) -> UsageError:
    """Return an error with all mistakes, each with the titles of the streams that make it."""
    lines = []
    for mistake, titles in mistakes.items():
        more = f" and {len(titles) - _MOST_TITLES} more" if len(titles) > _MOST_TITLES else ""
        lines.append(f"Stream {', '.join(titles[:_MOST_TITLES]) + more}: {mistake}")
    return UsageError("\n".join(lines))


def read_distribution(file: Path) -> Distribution:
    """Read the distribution that a TOML file declares.

    Raises:
        UsageError: there is no such file, others can change it, or it is not as it should be; each
            mistake is named.
    """
    example = "An example with every setting: conf/distribution.toml of the project."
    document = read_toml(file, example)
    refuse_if_changeable(file)
    try:
        return Distribution.model_validate(document)
    except ValidationError as error:
        mistakes = "\n".join(_mistake(each, document) for each in error.errors())
        raise UsageError(f"{file} is not as it should be:\n{mistakes}", example) from error


def _mistake(error: ErrorDetails, document: dict[str, object]) -> str:
    path, streams = described_place(error), document.get("stream")
    within = len(path) > 1 and path[0] == "stream"
    mistake = described_mistake(error, _settings_of(Stream if within else Distribution))
    if within and isinstance(streams, list):
        number = int(error["loc"][1])
        stream = streams[number]
        topic = stream.get("topic", "") if isinstance(stream, dict) else ""
        title = f"stream {number + 1} {f'({topic})' if topic else ''}".strip()
        path = [title, *path[2:]]
    return f"  {': '.join([*path, mistake])}"


def _settings_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
