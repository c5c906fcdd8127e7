"""``fink kafka``: the local cluster."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from fink_cli import jars, output
from fink_cli.cluster import local
from fink_cli.cluster.broker import broker_log, find_running
from fink_cli.cluster.record import DamagedClusterError, cluster_folder, read_cluster
from fink_cli.commands import kafka_group, kafka_topic
from fink_cli.commands.logs import show_log
from fink_cli.commands.options import DryRun, Output, Yes
from fink_cli.errors import OperationFailedError
from fink_cli.output import Format
from fink_cli.paths import config_file, fink_home
from fink_cli.profiles import LOCAL, local_profile_taken, write_local_profile

app = typer.Typer(no_args_is_help=True, help="A Kafka cluster on this machine, and its topics.")
app.add_typer(kafka_topic.app, name="topic")
app.add_typer(kafka_group.app, name="group")


@contextmanager
def fetching(what: str) -> Iterator[jars.Report]:
    """Show the progress of jars that are fetched; nothing when there are none."""
    with output.download_progress() as bar:
        tasks: dict[str, TaskID] = {}

        def report(name: str, count: int, total: int) -> None:
            if not tasks:
                tasks[what] = bar.add_task(f"Fetching {what}", total=total)
            bar.update(tasks[what], advance=count, description=f"Fetching {what} ({name})")

        yield report


@app.command()
def start(
    brokers: Annotated[
        int | None, typer.Option(help="How many brokers.", min=1, max=9, show_default="1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the first broker; the others follow it.",
            envvar="FINK_KAFKA_PORT",
            min=1024,
            max=65535,
            show_default=str(local.DEFAULT_PORT),
        ),
    ] = None,
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--no-tls", help="Speak TLS, with an authority of its own.", show_default="no"
        ),
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, show the log, stop on Ctrl-C.")
    ] = False,
    form: Output = Format.TABLE,
) -> None:
    """Start Kafka on this machine, with logins and access rules on.

    Brokers that run already go on: after one has died, it alone is started again.
    """
    home = fink_home()
    # Before the cluster starts, since it fails where the file of the profiles is wrong.
    taken = local_profile_taken()
    started = None
    try:
        with fetching("Kafka") as report, output.spinner("Starting Kafka"):
            started = local.start(home, brokers, port, tls, report)
        said = _yours(home) if taken else _written(home)
        output.emit(started, form)
        output.note(said)
        if foreground:
            _follow(lines=0)
    finally:
        # Whatever comes after the start: also before the log is shown.
        if foreground and started is not None and started.state == "started":
            output.emit(local.stop(home), Format.TABLE)


def _written(home: Path) -> str:
    return f"The profile '{LOCAL}' in {write_local_profile(home)} logs in as its administrator."


def _yours(home: Path) -> str:
    return (
        f"The profile '{LOCAL}' in {config_file()} is one of your own, which stays as it is. "
        f"To log in to this cluster make another: "
        f"{shlex.join(['fink', 'config', 'set', 'home', str(home), '--profile', 'here'])}"
    )


@app.command()
def stop(form: Output = Format.TABLE) -> None:
    """Stop the local cluster; its data stays."""
    with output.spinner("Stopping Kafka"):
        stopped = local.stop(fink_home())
    output.emit(stopped, form)


@app.command()
def status(form: Output = Format.TABLE) -> None:
    """Show the local cluster. The exit code is 1 when a broker died or does not answer."""
    found = local.status(fink_home())
    output.emit(found, form)
    if found.state == "failed":
        down = next(each.id for each in found.brokers if each.state != "running")
        raise OperationFailedError(
            "Not every broker of the cluster is up.",
            f"See why: fink kafka logs --broker {down}; then start it again: fink kafka start",
        )


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines.", min=0)] = 100,
    broker: Annotated[int, typer.Option(help="Which broker.", min=1)] = 1,
) -> None:
    """Show the log of a local broker."""
    _follow(lines, broker, forever=follow)


def _follow(lines: int, broker: int = 1, forever: bool = True) -> None:
    log = broker_log(fink_home(), broker)
    if not log.exists():
        raise OperationFailedError(
            f"There is no log of broker {broker} in {fink_home()}.",
            "Start the cluster: fink kafka start",
        )
    show_log(log, lines, forever)


@app.command()
def destroy(yes: Yes = False, dry_run: DryRun = False) -> None:
    """Stop the local cluster and remove it, with all its topics and users."""
    home = fink_home()
    if not _is_there(home):
        output.note(f"There is no local cluster in {home}.")
        return
    touched = [
        f"{cluster_folder(home)}, with every topic, user and access rule in it",
        f"{len(find_running(home))} running broker(s)",
    ]
    if dry_run:
        output.note("Would remove:\n" + "\n".join(f"  {each}" for each in touched))
        return
    output.confirm("Remove the cluster?", touched, yes)
    with output.spinner("Removing the cluster"):
        local.destroy(home)
    output.note("Removed.")


def _is_there(home: Path) -> bool:
    try:
        return read_cluster(home) is not None
    except DamagedClusterError as error:
        output.warn(error.message)
        return True
