"""``fink consume show``: all of one alert of a topic."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console
from fink_cli.alerts.sky import Position
from fink_cli.commands.completion import completer
from fink_cli.commands.consume_options import Positions, SchemaPath, topic_names
from fink_cli.commands.options import ReportOptions, Topics
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.render import Format, print_json, print_yaml_document
from fink_cli.terminal import show as show_drawing
from fink_cli.text import counted

if TYPE_CHECKING:
    from fink_cli.consumer.message import ReadAlert


def show(
    named: Annotated[
        str | None,
        typer.Argument(
            metavar="OBJECT",
            help="Name of an object, of which the newest alert is shown, or id of an alert.",
            autocompletion=completer("alerts"),
        ),
    ] = None,
    *,
    topic: Topics = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="The same.", autocompletion=completer("alerts"))
    ] = None,
    schema: SchemaPath = None,
    position: Positions = Position.DEG,
    options: ReportOptions,
) -> None:
    """Show one alert: what and where it is, its scores, light curve and cutouts."""
    from fink_cli.commands.consume_decoder import decoder_of
    from fink_cli.consumer.find_alert import find_alert
    from fink_cli.consumer.topic_reader import open_topics

    wanted = named or id_
    if wanted is None or (named and id_ and named != id_):
        raise UsageError(
            "One object or alert is shown.", "Name it: fink consume show OBJECT --topic NAME"
        )
    topics = topic_names(topic or [])
    decoder = partial(decoder_of, schema)
    decoder(None)
    with open_topics(options.connection(), topics, None, "earliest", until_end=True) as source:
        names = source.topics
        with console.count_progress() as bar:
            task = bar.add_task(f"Looking in {', '.join(names)}", total=None)
            search = find_alert(
                source,
                wanted,
                decoder,
                lambda read, left: bar.update(task, completed=read, total=read + left),
            )
    if search.undecodable:
        console.warn(f"{counted(search.undecodable, 'message')} could not be decoded.")
    if search.alert is None:
        raise OperationFailedError(
            f"None of the {search.read:,} messages of {', '.join(names)} is alert or object "
            f"'{wanted}'.",
            f"See which there are: fink consume --topic {names[0]} --until-end",
        )
    _print(search.alert, options.form, position)
    if search.matches > 1:
        console.note(f"The newest of {search.matches:,} that fit.")


def _print(alert: ReadAlert, form: Format, position: Position) -> None:
    import orjson

    from fink_cli.avro.json_text import to_json_bytes
    from fink_cli.commands.consume_sinks import origin
    from fink_cli.consumer.view.alert_summary import describe
    from fink_cli.consumer.view.detail import DetailView

    if form is Format.TABLE:
        show_drawing(DetailView(describe(alert, position)))
        return
    line = to_json_bytes(origin(alert) | {"alert": alert.content})
    if form is Format.JSON:
        print_json(line)
    else:
        print_yaml_document(orjson.loads(line))
