"""``fink login``: a client file becomes a profile, once it was tried."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.options import Output, Yes
from fink_cli.errors import LoginRefusedError, UnreachableError, UsageError
from fink_cli.paths import config_file
from fink_cli.profiles import put_profile, read_config, same_profile
from fink_cli.render import Format

if TYPE_CHECKING:
    from fink_cli.admin.readable_topics import ReadableTopic
    from fink_cli.connection import Connection

app = typer.Typer(help="Log in with the file that the operator gave you.")


@dataclass(frozen=True)
class LoginResult:
    """What was done.

    Attributes:
        profile: the name of the profile.
        file: the file of the profiles, which holds it now.
        default: whether commands use it when none is named.
        topics: the topics that it may read.
    """

    profile: str
    user: str
    brokers: str
    file: Path
    default: bool
    topics: list[ReadableTopic]


@app.command()
def login(
    file: Annotated[
        Path, typer.Argument(help="A client file: of fink, librdkafka, Java, fink-client or hop.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the profile.",
            show_default="that in the file, or the user's",
        ),
    ] = None,
    yes: Yes = False,
    form: Output = Format.TABLE,
) -> None:
    """Try the login in a client file, keep it as a profile, and list the topics that it may read.

    The password and the authority's certificate go into the file of the profiles. The profile
    becomes the default if there is none. Nothing is written if the login does not work.
    """
    from fink_cli.admin.client_file_reader import read_client_file

    if file.resolve() == config_file().resolve():
        raise UsageError(
            f"{file} is the file of the profiles itself (FINK_CONFIG): there is nothing to do.",
            "See the topics: fink topics",
        )
    client = read_client_file(file)
    profile = name or client.name
    document = read_config(config_file())
    settings = client.connection.as_profile()
    if not same_profile(document, profile, settings):
        console.confirm(
            f"Replace the profile '{profile}'?",
            [f"the profile '{profile}' in {config_file()}"],
            yes,
        )
    topics = _tried(client.connection, file)
    is_default = put_profile(profile, settings)
    render.emit(
        LoginResult(
            profile=profile,
            user=client.connection.username or "anonymous",
            brokers=client.connection.bootstrap_servers,
            file=config_file(),
            default=is_default,
            topics=topics,
        ),
        form,
    )
    if not topics:
        console.note("It may read no topic yet: ask the operator, who can see why.")
    if not is_default:
        console.note(f"Another profile is the default; make it this one: fink config use {profile}")


def _tried(connection: Connection, file: Path) -> list[ReadableTopic]:
    from fink_cli.admin.readable_topics import readable_topics

    try:
        with console.spinner(f"Logging in to {connection.bootstrap_servers}"):
            return readable_topics(connection)
    except LoginRefusedError as error:
        raise LoginRefusedError(
            f"The login in {file} was refused, and nothing is written: {error.message}",
            "Ask the operator for a new client file: fink auth rotate --out FILE makes one.",
        ) from error
    except UnreachableError as error:
        raise UnreachableError(
            f"The cluster in {file} can't be reached, and nothing is written: {error.message}",
            "Check that this machine reaches it (network, VPN), then: fink login FILE",
        ) from error
