"""``fink metrics``: what an operator watches, for Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer

from fink_cli import console
from fink_cli.commands.options import Profile, Servers
from fink_cli.connection import Address, addresses
from fink_cli.errors import (
    LoginRefusedError,
    OperationFailedError,
    UnreachableError,
    UsageError,
)
from fink_cli.paths import fink_home
from fink_cli.settings import resolve_connection

app = typer.Typer(help="What an operator watches, for Prometheus.")

LISTEN = "127.0.0.1:9308"
Listen = Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="Where Prometheus scrapes it.")]


@app.command()
def metrics(
    listen: Listen = LISTEN,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Serve the metrics of the cluster, and of the distributions begun here, to Prometheus.

    It logs in as a user who may describe topics and groups: fink auth onboard --watcher.
    """
    import threading

    from prometheus_client import CollectorRegistry, start_http_server

    from fink_cli.metrics.collect import collect_cluster
    from fink_cli.metrics.exporter import FinkCollector
    from fink_cli.metrics.figures import Figures
    from fink_cli.metrics.machine import collect
    from fink_cli.systemd.notify import notify

    address = _address(listen)
    connection, home = resolve_connection(profile, servers), fink_home()
    failure = ""

    def collected() -> Figures:
        nonlocal failure
        figures = collect(connection, home)
        if figures.error not in ("", failure):
            console.warn(figures.error)
        failure = figures.error
        return figures

    # Before it listens: a login that is refused, or a missing right, is no matter of waiting.
    try:
        collect_cluster(connection)
    except LoginRefusedError:
        raise
    except UnreachableError as error:
        console.warn(f"{error.message} It is asked again at each scrape.")
    registry = CollectorRegistry()
    registry.register(FinkCollector(collected))
    try:
        start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise OperationFailedError(
            f"Nothing can listen on {listen}: {error.strerror or error}.",
            "Name another address: --listen 127.0.0.1:9309",
        ) from error
    console.note(f"Prometheus can scrape http://{listen}/metrics. Ctrl-C ends it.")
    notify(f"Serves http://{listen}/metrics")
    threading.Event().wait()


def _address(listen: str) -> Address:
    """Return the address to listen on.

    Raises:
        UsageError: it is not one address with a port.
    """
    try:
        [address] = addresses(listen)
    except (UsageError, ValueError) as error:
        raise UsageError(
            f"'{listen}' is not of the form HOST:PORT.", f"As in: --listen {LISTEN}"
        ) from error
    return address
