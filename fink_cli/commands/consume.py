"""``fink consume``: watch the alerts of a topic."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import orjson
import typer

from fink_cli import output
from fink_cli.alerts.codec import Decoder
from fink_cli.alerts.schema import BadSchemaError, Schema, read_schema
from fink_cli.alerts.select import parse_fields
from fink_cli.commands.consume_sinks import open_sink
from fink_cli.commands.options import Output, Profile, Servers
from fink_cli.config import resolve_connection
from fink_cli.consumer.poll import open_source
from fink_cli.consumer.read import Counts, follow
from fink_cli.consumer.start import parse_start
from fink_cli.errors import INTERRUPTED, OperationFailedError, UsageError
from fink_cli.output import Format

app = typer.Typer(add_completion=False, help="Watch the alerts of a topic in the terminal.")


@app.command()
def consume(
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            "-t",
            help="Topic to read, or a pattern such as 'fink_*'; may be repeated.",
            envvar="FINK_TOPIC",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            "-g",
            help="Consumer group: go on where it stopped, and commit what was shown. "
            "Without one nothing is committed.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Where to start: earliest, latest, an offset, a time in ISO 8601 (UTC), or how "
            "long ago (-30m, -2h, -1d). With a group it goes before what was committed.",
            show_default="where the group stopped, else earliest",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="End after that many alerts.", min=1)
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End at what is the end of the topic now.")
    ] = False,
    schema: Annotated[
        Path | None,
        typer.Option(help="Decode with this Avro schema, not the one in each message's key."),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(help="Show these fields only: objectId,candidate.jd,prv_candidates[0].jd"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 when a message could not be decoded.")
    ] = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Watch the alerts of topics, until Ctrl-C, --limit or --until-end."""
    topics = _names(topic or [])
    place = None if start is None else parse_start(start, datetime.now(UTC))
    paths = None if fields is None else parse_fields(fields)
    decoder = Decoder(None if schema is None else _read_schema_file(schema))
    counts = Counts()
    with (
        open_source(
            resolve_connection(profile, servers), topics, group, place, until_end
        ) as source,
        _interruptible() as interrupted,
    ):
        try:
            with open_sink(form, paths, source.topics) as sink:
                follow(source, decoder, sink, limit, interrupted, counts)
        finally:
            _summarise(counts, form)
    if interrupted():
        raise typer.Exit(INTERRUPTED)
    if strict and counts.skipped:
        raise OperationFailedError(
            f"{_count(counts.skipped, 'message')} could not be decoded.",
            "Leave out --strict to pass over such messages.",
        )


def _names(given: Sequence[str]) -> list[str]:
    """The topics; several may also stand in one value, as FINK_TOPIC can hold only one."""
    names = [name for each in given for name in each.replace(",", " ").split()]
    if not names:
        raise UsageError(
            "No topic is named.", "Name one: fink consume --topic NAME, or set FINK_TOPIC"
        )
    return list(dict.fromkeys(names))


def _read_schema_file(file: Path) -> Schema:
    try:
        return read_schema(file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"The schema file {file} can't be read: {error.strerror}.",
            "Write one: fink distribute schema > alerts.avsc",
        ) from error
    except BadSchemaError as error:
        raise UsageError(
            f"{file} is of no use: {error}.", "It must hold the Avro schema of an alert, as JSON."
        ) from error


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed.

    So the alert in hand is shown whole, and committed. Pressed again it interrupts at once.
    """
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _summarise(counts: Counts, form: Format) -> None:
    if form is Format.JSON:
        output.note(orjson.dumps(counts).decode())
        return
    skipped = f" {_count(counts.skipped, 'message')} skipped." if counts.skipped else ""
    output.note(f"{_count(counts.shown, 'alert')} shown.{skipped}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
