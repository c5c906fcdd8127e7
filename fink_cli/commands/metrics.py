"""``fink metrics``: what an operator watches, for Prometheus."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from fink_cli import console
from fink_cli.commands.options import Profile, Servers
from fink_cli.errors import (
    FinkError,
    LoginRefusedError,
    OperationFailedError,
    UnreachableError,
    UsageError,
)
from fink_cli.paths import fink_home
from fink_cli.settings import resolve_connection

app = typer.Typer(help="What an operator watches, for Prometheus.")

_ADDRESS = re.compile(r"(?:\[([^]]+)]|([^:]+)):(\d{1,5})")


@app.command()
def metrics(
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS:PORT", help="Where Prometheus scrapes it.")
    ] = "127.0.0.1:9308",
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Serve the metrics of the cluster, and of the distributions begun here, to Prometheus.

    It logs in as a user who may describe topics and groups: fink auth onboard --watcher.
    """
    import threading

    from prometheus_client import CollectorRegistry, start_http_server

    from fink_cli.metrics.collect import Figures, collect_cluster, with_machine
    from fink_cli.metrics.exporter import FinkCollector
    from fink_cli.systemd.notify import notify

    address, port = _parsed(listen)
    connection, home = resolve_connection(profile, servers), fink_home()
    failure = ""

    def collect() -> Figures:
        nonlocal failure
        try:
            figures, failure = collect_cluster(connection), ""
        except FinkError as error:
            if error.message != failure:
                console.warn(f"{error.message} {error.hint}")
            figures, failure = Figures(up=False), error.message
        return with_machine(figures, home)

    # Before it listens: a login that is refused, or a missing right, is no matter of waiting.
    try:
        collect_cluster(connection)
    except LoginRefusedError:
        raise
    except UnreachableError as error:
        console.warn(f"{error.message} It is asked again at each scrape.")
    registry = CollectorRegistry()
    registry.register(FinkCollector(collect))
    try:
        start_http_server(port, address, registry)
    except OSError as error:
        raise OperationFailedError(
            f"Nothing can listen on {listen}: {error.strerror or error}.",
            "Name another address: --listen 127.0.0.1:9309",
        ) from error
    console.note(f"Prometheus can scrape http://{listen}/metrics. Ctrl-C ends it.")
    notify(f"Serves http://{listen}/metrics")
    threading.Event().wait()


def _parsed(text: str) -> tuple[str, int]:
    """Take an address and a port apart.

    Raises:
        UsageError: it is not an address and a port.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise UsageError(
            f"'{text}' is not of the form ADDRESS:PORT.", "As in: --listen 127.0.0.1:9308"
        )
    return match[1] or match[2], int(match[3])
