"""``fink kafka``: the local cluster."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.cluster import DEFAULT_PORT
from fink_cli.commands import kafka_group, kafka_topic
from fink_cli.commands.logs import show_log
from fink_cli.commands.options import DryRun, Follow, Lines, Output, Yes
from fink_cli.errors import FinkError, OperationFailedError
from fink_cli.paths import config_file, fink_home, full_path
from fink_cli.profiles import LOCAL, is_local_profile_taken, write_local_profile
from fink_cli.render import Format

if TYPE_CHECKING:
    from fink_cli.cluster.local import Started

# How often a certificate is looked at that somebody may have renewed.
_RENEW_SECONDS = 10.0
# A broker that dies again so soon has a reason that another start does not mend.
_SAFE_SECONDS = 60.0

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
            "--tls/--no-tls",
            help="Speak TLS with clients.",
            show_default="with other machines only",
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS[:PORT]",
            help="Let clients on other machines connect to this address; PORT is that of the "
            "first broker, else 100 above --port. 'off' ends it.",
            show_default="this machine's own only",
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="What these clients connect to, where it is another host or first port.",
            show_default="as --listen",
        ),
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Your certificate for HOST, with its chain (PEM).",
            show_default="by an authority of the cluster's own",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="FILE", help="The certificate's private key (PEM).")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, show the log, stop on Ctrl-C.")
    ] = False,
    form: Output = Format.TABLE,
) -> None:
    """Start Kafka on this machine, with logins and access rules on.

    What no option says stays as it was. Brokers that run already go on: after one has died, it
    alone is started again, and a certificate that was renewed is taken up.
    """
    from fink_cli.cluster import local
    from fink_cli.cluster.start_options import StartOptions

    home = fink_home()
    options = StartOptions(
        brokers=brokers,
        port=port,
        tls=tls,
        listen=listen,
        advertise=advertise,
        certificate=certificate and str(full_path(certificate, "--certificate")),
        key=key and str(full_path(key, "--key")),
    )
    # Before the cluster starts, since it fails where the file of the profiles is wrong.
    taken = is_local_profile_taken()
    started = None
    try:
        with console.fetching("Kafka") as report, console.spinner("Starting Kafka"):
            started = local.start(home, options, report)
        said = _yours(home) if taken else _written(home)
        render.emit(started, form)
        console.note(said)
        _warn_of_plain_text(started)
        if foreground:
            _stay(home)
    finally:
        # Whatever comes after the start: also before the log is shown.
        if foreground and started is not None and started.state == "started":
            render.emit(local.stop(home), Format.TABLE)


def _warn_of_plain_text(started: Started) -> None:
    plain = [row.advertised for row in started.public if row.protocol == "SASL_PLAINTEXT"]
    if plain:
        console.warn(
            f"Without TLS nothing is encrypted between {', '.join(plain)} and its clients: not the "
            "alerts, nor the names of users, topics and groups. Passwords are not sent, but others "
            "on the network can try to guess them from a login, and take over a connection. With "
            "TLS: fink kafka stop, then fink kafka start --listen ADDRESS"
        )


def _stay(home: Path) -> None:
    """Show the log until the user interrupts, or the cluster is stopped by another command.

    Meanwhile a broker that died is started again, and a certificate that is renewed is taken up.

    Raises:
        FinkError: a broker that died can't be started, or died again within a minute.
    """
    from fink_cli.cluster import local
    from fink_cli.systemd.notify import notify

    notify("The cluster runs.")
    restarted: dict[int, float] = {}
    renewed_at, failure = time.monotonic(), ""

    def goes_on() -> bool:
        nonlocal renewed_at, failure
        for broker in local.restart_dead(home):
            if time.monotonic() < restarted.get(broker, -_SAFE_SECONDS) + _SAFE_SECONDS:
                raise OperationFailedError(
                    f"Broker {broker} died twice within {_SAFE_SECONDS:.0f} s.",
                    f"See why: fink kafka logs --broker {broker}",
                )
            restarted[broker] = time.monotonic()
            console.warn(f"Broker {broker} died, and was started again.")
            notify(f"The cluster runs. Broker {broker} died and was started again.")
        if time.monotonic() > renewed_at + _RENEW_SECONDS:
            failure = _renew(home, failure)
            renewed_at = time.monotonic()
        return not local.is_stopped(home)

    _follow(lines=0, goes_on=goes_on)
    console.note("The cluster was stopped by another command.")


def _renew(home: Path, failure: str) -> str:
    """Take up a certificate that was renewed.

    Args:
        home: the ``FINK_HOME``.
        failure: why that failed the last time; it is not said again.

    Returns:
        Why it failed; empty where it did not.
    """
    from fink_cli.cluster import local

    try:
        if local.renew_certificate(home):
            console.note("The renewed certificate is shown to new connections.")
    except (FinkError, OSError) as error:
        if str(error) != failure:
            console.warn(f"The certificate is not renewed: {error}")
        return str(error)
    return ""


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
    from fink_cli.cluster import status as cluster_status

    cluster = cluster_status.status(fink_home())
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


def _follow(
    lines: int,
    broker: int = 1,
    forever: bool = True,
    goes_on: Callable[[], bool] = lambda: True,
) -> None:
    from fink_cli.cluster.record import broker_log

    log = broker_log(fink_home(), broker)
    if not log.exists():
        raise OperationFailedError(
            f"There is no log of broker {broker} in {fink_home()}.",
            "Start the cluster: fink kafka start",
        )
    show_log(log, lines, forever, goes_on)


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
