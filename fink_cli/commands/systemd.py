"""``fink systemd``: fink as a service of the system."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.metrics import LISTEN, Listen
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.paths import fink_home, full_path
from fink_cli.systemd.units import KAFKA, SYSTEM_HOME, Service, unit

app = typer.Typer(no_args_is_help=True, help="fink as a service of the system: units of systemd.")

# What a service is given of the environment; a password never is.
_VARIABLES = (
    "FINK_CONFIG",
    "FINK_PROFILE",
    "FINK_KAFKA_PORT",
    "JAVA_HOME",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
)
_SECRETS = ("FINK_PASSWORD",)

Install = Annotated[
    bool, typer.Option("--install", help="Write the unit to where systemd looks for it.")
]
System = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="Run it as a service of the system, or of your own.",
        show_default="the system's for root",
    ),
]
RunAs = Annotated[
    str | None,
    typer.Option(
        metavar="USER",
        help="Who runs a service of the system.",
        show_default="who called sudo",
    ),
]


@dataclass(frozen=True)
class _Target:
    """Where a unit goes.

    Attributes:
        folder: the folder in which systemd looks for it.
        run_as: the user of a service of the system; ``None`` for one of a user's own.
    """

    folder: Path
    run_as: str | None


@app.command()
def kafka(install: Install = False, system: System = None, run_as: RunAs = None) -> None:
    """Print the unit of the local Kafka cluster. It is set up first: fink kafka start."""
    service = Service(
        KAFKA,
        "Kafka of fink",
        [_program(), "kafka", "start", "--foreground"],
        # The first start fetches Kafka.
        start_seconds=600,
        stop_seconds=60,
    )
    _give(service, _target(system, run_as), install)


@app.command()
def distribute(
    config: Annotated[Path, typer.Option(help="The distribution file.", dir_okay=False)],
    install: Install = False,
    system: System = None,
    run_as: RunAs = None,
) -> None:
    """Print the unit of a distribution. It starts after Kafka, where that is a service here."""
    from fink_cli.distribution.streams import read_distribution

    file = full_path(str(config), "--config")
    read_distribution(file)
    service = Service(
        f"fink-distribute-{_unit_part(file.stem)}",
        f"Distribution of {file.name} by fink",
        [_program(), "distribute", "run", "--config", str(file)],
        start_seconds=600,
        # A batch is finished first.
        stop_seconds=180,
        after=[f"{KAFKA}.service"],
    )
    _give(service, _target(system, run_as), install)


@app.command()
def metrics(
    listen: Listen = LISTEN,
    install: Install = False,
    system: System = None,
    run_as: RunAs = None,
) -> None:
    """Print the unit of the metrics for Prometheus."""
    service = Service(
        "fink-metrics",
        "Metrics of fink for Prometheus",
        [_program(), "metrics", "--listen", listen],
        start_seconds=90,
        stop_seconds=20,
        after=[f"{KAFKA}.service"],
    )
    _give(service, _target(system, run_as), install)


def _target(system: bool | None, run_as: str | None) -> _Target:
    """Return where a unit goes, and who runs it.

    Raises:
        UsageError: it is not known who runs it, or root would.
    """
    if system is None:
        system = run_as is not None or os.geteuid() == 0
    if not system:
        if run_as is not None:
            raise UsageError(
                "A service of your own runs as you.", "Leave out --run-as, or say --system"
            )
        config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return _Target(full_path(config, "XDG_CONFIG_HOME") / "systemd" / "user", None)
    user = run_as or os.environ.get("SUDO_USER") or getpass.getuser()
    if user == "root":
        raise UsageError(
            "It is not said who runs the service: root should not.",
            "Name a user: --run-as USER. To make one: sudo useradd --system fink",
        )
    return _Target(Path("/etc/systemd/system"), user)


def _give(service: Service, target: _Target, install: bool) -> None:
    """Print a unit, or write it to where systemd looks for it."""
    for name in _SECRETS:
        if os.environ.get(name):
            console.warn(
                f"{name} is set, and stands in no unit: others could read it there. The service "
                "logs in with the profile: fink config set password"
            )
    environment = {name: text for name in _VARIABLES if (text := os.environ.get(name))}
    home = fink_home() if os.environ.get("FINK_HOME") or target.run_as is None else None
    if os.environ.get("FINK_HOME"):
        environment["FINK_HOME"] = str(home)
    elif target.run_as:
        environment["FINK_HOME"] = SYSTEM_HOME
        environment.setdefault("FINK_CONFIG", f"{SYSTEM_HOME}/config.toml")
        environment["XDG_CACHE_HOME"] = "/var/cache/fink"
    text = unit(service, environment, target.run_as, home)
    if not install:
        render.print_text(text.rstrip("\n"))
        return
    file = target.folder / f"{service.name}.service"
    try:
        target.folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    except OSError as error:
        raise OperationFailedError(
            f"{file} can't be written: {error.strerror}.",
            "Call it with sudo, or install a service of your own: --user",
        ) from error
    console.note(f"Written: {file}")
    manager = "sudo systemctl" if target.run_as else "systemctl --user"
    more = [] if target.run_as else ["loginctl enable-linger    # so that it runs without a login"]
    console.advice(
        "To start it now, and with the machine:",
        [f"{manager} daemon-reload", f"{manager} enable --now {service.name}", *more],
    )


def _program() -> str:
    """Return the path of this program.

    Raises:
        OperationFailedError: it is not found.
    """
    beside = Path(sys.executable).with_name("fink")
    program = str(beside) if beside.exists() else shutil.which("fink")
    if program is None:
        raise OperationFailedError(
            "The program fink is not found beside its Python, nor in PATH.",
            "Install it: pipx install fink-cli",
        )
    return str(Path(program).absolute())


def _unit_part(name: str) -> str:
    """Return a name in the letters that the name of a unit may have."""
    return "".join(
        each if each.isascii() and (each.isalnum() or each in "_.-") else "-" for each in name
    )
