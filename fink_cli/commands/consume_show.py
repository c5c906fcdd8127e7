"""``fink consume show``: one alert of a topic, whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from fink_cli import output
from fink_cli.alerts.codec import to_json_bytes
from fink_cli.alerts.sky import Position
from fink_cli.commands.consume_options import Positions, decoder_of, topic_names
from fink_cli.commands.consume_sinks import record
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import resolve_connection
from fink_cli.consumer.find_alert import SearchResult, find_alert
from fink_cli.consumer.message import Alert
from fink_cli.consumer.start import Earliest
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.consumer.view.alert_summary import describe
from fink_cli.consumer.view.detail import DetailView
from fink_cli.errors import OperationFailedError
from fink_cli.output import Format


def show(
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            "-t",
            help="Topic to look in, or a pattern such as 'fink_*'; may be repeated.",
            envvar="FINK_TOPIC",
        ),
    ] = None,
    *,
    wanted: Annotated[
        str,
        typer.Option(
            "--id", help="Id of the alert, or name of its object, of which the newest is shown."
        ),
    ],
    schema: Annotated[
        Path | None,
        typer.Option(
            help="Decode with this Avro schema, not the one in each message's key; or a folder "
            "with ID.avsc for each id of messages in Confluent's framing."
        ),
    ] = None,
    position: Positions = Position.DEG,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Show one alert: what and where it is, its scores, light curve and cutouts."""
    topics = topic_names(topic or [])
    decoder = partial(decoder_of, schema)
    decoder(None)
    with open_topics(
        resolve_connection(profile, servers), topics, None, Earliest(), until_end=True
    ) as source:
        names = source.topics
        with output.count_progress() as bar:
            task = bar.add_task(f"Looking in {', '.join(names)}", total=None)
            search = find_alert(
                source,
                wanted,
                decoder,
                lambda read, left: bar.update(task, completed=read, total=read + left),
            )
    if search.undecodable:
        plural = "" if search.undecodable == 1 else "s"
        output.warn(f"{search.undecodable:,} message{plural} could not be decoded.")
    if search.alert is None:
        raise OperationFailedError(
            f"None of the {search.read:,} messages of {', '.join(names)} is alert or object "
            f"'{wanted}'.",
            f"See which there are: fink consume --topic {names[0]} --until-end",
        )
    _print(search.alert, form, position)
    _say_more(search)


def _print(alert: Alert, form: Format, position: Position) -> None:
    if form is Format.JSON:
        output.print_json(to_json_bytes(record(alert, None)))
    elif form is Format.YAML:
        output.print_yaml_document(orjson.loads(to_json_bytes(record(alert, None))))
    else:
        output.print_renderable(DetailView(describe(alert, position)))


def _say_more(search: SearchResult) -> None:
    if search.matches > 1:
        output.note(f"The newest of {search.matches:,} that fit.")
