"""``fink kafka``: the local cluster."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.cluster import DEFAULT_PORT
from fink_cli.commands import kafka_group, kafka_topic
from fink_cli.commands.logs import show_log
from fink_cli.commands.options import DryRun, Follow, Lines, Output, Yes
from fink_cli.errors import OperationFailedError
from fink_cli.paths import config_file, fink_home
from fink_cli.profiles import LOCAL, is_local_profile_taken, write_local_profile
from fink_cli.render import Format

app = typer.Typer(no_args_is_help=True, help="A Kafka cluster on this machine, and its topics.")
app.add_typer(kafka_topic.app, name="topic")
app.add_typer(kafka_group.app, name="group")


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
            show_default=str(DEFAULT_PORT),
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
    from fink_cli.cluster import local

    home = fink_home()
    # Before the cluster starts, since it fails where the file of the profiles is wrong.
    taken = is_local_profile_taken()
    started = None
    try:
        with console.fetching("Kafka") as report, console.spinner("Starting Kafka"):
            started = local.start(home, brokers, port, tls, report)
        said = _yours(home) if taken else _written(home)
        render.emit(started, form)
        console.note(said)
        if foreground:
            _follow(lines=0)
    finally:
        # Whatever comes after the start: also before the log is shown.
        if foreground and started is not None and started.state == "started":
            render.emit(local.stop(home), Format.TABLE)


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
    from fink_cli.cluster import local

    with console.spinner("Stopping Kafka"):
        stopped = local.stop(fink_home())
    render.emit(stopped, form)


@app.command()
def status(form: Output = Format.TABLE) -> None:
    """Show the local cluster. The exit code is 1 when a broker died or does not answer."""
    from fink_cli.cluster import local

    cluster = local.status(fink_home())
    render.emit(cluster, form)
    if cluster.state == "failed":
        down = next(broker.id for broker in cluster.brokers if broker.state != "running")
        raise OperationFailedError(
            "Not every broker of the cluster is up.",
            f"See why: fink kafka logs --broker {down}; then start it again: fink kafka start",
        )


@app.command()
def logs(
    follow: Follow = False,
    lines: Lines = 100,
    broker: Annotated[int, typer.Option(help="Which broker.", min=1)] = 1,
) -> None:
    """Show the log of a local broker."""
    _follow(lines, broker, forever=follow)


def _follow(lines: int, broker: int = 1, forever: bool = True) -> None:
    from fink_cli.cluster.record import broker_log

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
    from fink_cli.cluster import local
    from fink_cli.cluster.broker import find_running
    from fink_cli.cluster.record import cluster_folder

    home = fink_home()
    if not _is_there(home):
        console.note(f"There is no local cluster in {home}.")
        return
    touched = [
        f"{cluster_folder(home)}, with every topic, user and access rule in it",
        f"{len(find_running(home))} running broker(s)",
    ]
    if dry_run:
        console.note("Would remove:\n" + "\n".join(f"  {line}" for line in touched))
        return
    console.confirm("Remove the cluster?", touched, yes)
    with console.spinner("Removing the cluster"):
        local.destroy(home)
    console.note("Removed.")


def _is_there(home: Path) -> bool:
    from fink_cli.cluster.record import DamagedClusterError, read_cluster

    try:
        return read_cluster(home) is not None
    except DamagedClusterError as error:
        console.warn(error.message)
        return True
