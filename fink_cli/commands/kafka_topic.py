"""``fink kafka topic``: topics, of the local cluster or any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.completion import completer
from fink_cli.commands.options import ChangeOptions, DryRun, ReportOptions
from fink_cli.errors import UsageError, explain_kafka

app = typer.Typer(no_args_is_help=True, help="Topics: create, list, describe, alter, delete.")

_COMPLETER = completer("topics")

NewNames = Annotated[list[str], typer.Argument(metavar="NAME…", help="The topics.")]
Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME…", help="The topics.", autocompletion=_COMPLETER),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The topic.", autocompletion=_COMPLETER)]
Config = Annotated[
    list[str] | None, typer.Option("--config", metavar="K=V", help="A setting; may be repeated.")
]


def _settings(pairs: list[str] | None) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs or []]
    for key, equals, _ in split:
        if not key or not equals:
            raise UsageError(
                f"--config '{key}' is not of the form K=V.",
                "For example: --config retention.ms=604800000",
            )
    return {key: value for key, _, value in split}


def _warn_of_compaction(names: list[str], settings: Mapping[str, str]) -> None:
    from fink_cli.admin.topic_settings import ONE_KEY, is_compacted, uncompacted

    if is_compacted(settings):
        console.warn(f"This is no topic for alerts: {ONE_KEY}.\n{uncompacted(names[0])}")


@app.command()
def create(
    names: NewNames,
    partitions: Annotated[
        int | None, typer.Option(help="How many partitions.", min=1, show_default="the broker's")
    ] = None,
    replication_factor: Annotated[
        int | None, typer.Option(help="How many copies.", min=1, show_default="the broker's")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    *,
    options: ReportOptions,
) -> None:
    """Create topics; one that exists is left as it is."""
    from fink_cli.admin.topics import create_topics

    connection, settings = options.connection(), _settings(config)
    changes = create_topics(
        connection,
        names,
        partitions=partitions,
        replication_factor=replication_factor,
        config=settings,
        dry_run=dry_run,
    )
    render.emit(changes, options.form)
    _warn_of_compaction(names, settings)


@app.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", help="Also Kafka's own topics (__…).")
    ] = False,
    *,
    options: ReportOptions,
) -> None:
    """List the topics that you can see."""
    from fink_cli.admin.topics import list_topics

    topics = list_topics(options.connection(), internal=everything)
    render.emit(topics, options.form, empty="No topics. Create one: fink kafka topic create NAME")


@app.command()
def describe(name: Name, options: ReportOptions) -> None:
    """Show a topic's partitions, offsets and settings."""
    from fink_cli.admin.topics import describe_topic

    connection = options.connection()
    details = describe_topic(connection, name)
    render.emit(details, options.form)
    for operation in details.lacks:
        attempt = connection.attempt(operation, "topic", name)
        lacking = explain_kafka("TOPIC_AUTHORIZATION_FAILED", "", attempt)
        console.warn(f"{lacking.message} What it would show is left out.")
        console.note(lacking.hint, unbroken=True)


@app.command()
def alter(
    name: Name,
    partitions: Annotated[
        int | None, typer.Option(help="How many partitions; more than now.", min=1)
    ] = None,
    config: Config = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="K", help="A setting to leave to the broker again."),
    ] = None,
    *,
    options: ChangeOptions,
) -> None:
    """Give a topic more partitions, or other settings."""
    from fink_cli.admin.topics import alter_topic

    connection = options.connection()
    if partitions is not None and not options.dry_run:
        warning = "an object's alerts may move to another partition, and out of their order there"
        console.confirm("Add partitions?", [f"{name}: {warning}"], options.yes)
    settings = _settings(config)
    change = alter_topic(
        connection,
        name,
        partitions=partitions,
        config=settings,
        unset=unset or [],
        dry_run=options.dry_run,
    )
    render.emit([change], options.form)
    _warn_of_compaction([name], settings)


@app.command()
def delete(names: Names, options: ChangeOptions) -> None:
    """Delete topics with all their alerts."""
    from fink_cli.admin import topics

    connection = options.connection()
    touched = topics.topics_to_delete(connection, names)
    if options.dry_run:
        render.emit([topics.TopicChange(name, "would delete", "") for name in names], options.form)
        return
    console.confirm("Delete?", touched, options.yes)
    render.emit(topics.delete_topics(connection, names), options.form)
