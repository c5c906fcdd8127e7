"""The options that the commands of ``fink distribute`` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fink_cli.commands.options import topic_option
from fink_cli.errors import UsageError

if TYPE_CHECKING:
    from fink_cli.distribution.prepare import Options

ExitAfter = Annotated[
    float | None, typer.Option(help="Stop after so many seconds.", min=0, show_default=False)
]
Master = Annotated[
    str, typer.Option(help="Spark's master: local[N], spark://HOST:PORT, yarn, k8s://URL.")
]


@dataclass(frozen=True)
class SourceOptions:
    """The options that say what is published."""

    config: Annotated[
        Path | None,
        typer.Option(
            help="File of streams (TOML).", envvar="FINK_DISTRIBUTION", show_default=False
        ),
    ] = None
    source: Annotated[
        Path | None,
        typer.Option(
            help="Folder of Parquet alerts, flat or by night.",
            envvar="FINK_SOURCE",
            show_default=False,
        ),
    ] = None
    topic: Annotated[
        str | None,
        topic_option(
            "Topic to publish every alert to, without a file of streams.",
            "--topic",
            envvar="FINK_TOPIC",
            show_default=False,
        ),
    ] = None

    def chosen(self, context: typer.Context, **more: Any) -> Options:
        """Return these options and others as those of a distribution.

        Raises:
            UsageError: a topic is named beside a file of streams.
        """
        from fink_cli.distribution.prepare import Options

        topic = without_topic(context, self.config, self.topic)
        return Options(**vars(self) | {"topic": topic} | more)


@dataclass(frozen=True)
class NamedOptions(SourceOptions):
    """The options that say which distribution is meant."""

    name: Annotated[
        str | None,
        typer.Option(
            help="Who the distribution is on its cluster; else the file's name, or one that is "
            "made.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class RunOptions(NamedOptions):
    """The options that say how a distribution publishes."""

    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there is published.")
    ] = False
    trigger: Annotated[
        float | None,
        typer.Option(help="Seconds between two looks for new files.  [default: 10]", min=0),
    ] = None
    exit_after: ExitAfter = None
    schema: Annotated[
        Path | None,
        typer.Option(help="Write the Avro schema of what is published here.", show_default=False),
    ] = None
    stuck_after: Annotated[
        float | None,
        typer.Option(
            help="Seconds that files may wait, with none published, until `status` says that it is "
            "stuck. Brokers may be away as long, but 30 s at most.  [default: 600]",
            min=0,
        ),
    ] = None
    on_failure: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this with the shell when the distribution has failed, or its process died: "
            "the status is on its standard input, as JSON. Not when it is stopped, done or stuck.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class IgnoredOptions:
    """Options of ``run`` that say nothing about which distribution is meant.

    ``stop``, `status` and `logs` take them, so that a script can name a distribution alike in each.
    """

    schema: Annotated[Path | None, typer.Option("--schema", hidden=True)] = None
    once: Annotated[bool, typer.Option("--once", hidden=True)] = False
    trigger: Annotated[float | None, typer.Option("--trigger", hidden=True)] = None
    exit_after: Annotated[float | None, typer.Option("--exit-after", hidden=True)] = None
    master: Annotated[str | None, typer.Option("--master", hidden=True)] = None


@dataclass(frozen=True)
class SparkOptions:
    """The options that say where Spark runs, and how."""

    master: Master = "local[*]"
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(
            "--spark-conf", metavar="NAME=VALUE", help="A setting of Spark.", show_default=False
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these options by the names that those of a distribution have.

        Raises:
            UsageError: one is no setting of Spark.
        """
        return {"master": self.master, "settings": spark_settings(self.spark_conf)}


def without_topic(context: typer.Context, config: Path | None, topic: str | None) -> str | None:
    """Return the topic, which a file of streams takes the place of.

    Raises:
        UsageError: both are given on the command line.
    """
    if config is None or topic is None:
        return topic
    source = context.get_parameter_source("topic")
    if source is not None and source.name == "COMMANDLINE":
        raise UsageError(
            "--config and --topic are given together.",
            "The file names the topics: leave --topic away.",
        )
    return None


def spark_settings(given: list[str] | None) -> dict[str, str]:
    """Return the settings of Spark that were given as ``NAME=VALUE``.

    Raises:
        UsageError: one is not.
    """
    settings = {}
    for setting in given or []:
        name, sign, value = setting.partition("=")
        if not sign or not name.startswith("spark."):
            raise UsageError(
                f"--spark-conf {setting} is not a setting of Spark.",
                "Write it as in: --spark-conf spark.executor.memory=4g",
            )
        settings[name] = value
    return settings
