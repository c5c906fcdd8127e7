"""``fink auth``: users and their passwords, on the local cluster or any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fink_cli import output
from fink_cli.admin import onboarding, users
from fink_cli.admin.client_files import (
    ClientFile,
    ClientFormat,
    client_file,
    file_name,
    write_certificate,
)
from fink_cli.cluster.own import own_users_of
from fink_cli.commands.options import DryRun, Output, Profile, Servers, Yes, bare_user
from fink_cli.commands.own_users import explain_own_users
from fink_cli.commands.passwords import (
    FromStdin,
    Generate,
    Given,
    NewPassword,
    Out,
    check_destination,
    kept,
    new_password,
    require_client_file,
)
from fink_cli.config import resolve_connection
from fink_cli.connection import Connection
from fink_cli.errors import OperationFailedError, did_you_mean
from fink_cli.kafka.client import connect_admin
from fink_cli.output import Format
from fink_cli.private import write_private
from fink_cli.text import fink_command

app = typer.Typer(no_args_is_help=True, help="Users and their passwords.")

User = Annotated[str, typer.Option("--user", "-u", help="The user.", callback=bare_user)]
ClientForm = Annotated[ClientFormat, typer.Option("--format", help="Whose file it is.")]


def _changed(
    user: str, outcome: str, mechanisms: list[str], password: NewPassword | None, out: Path | None
) -> users.UserChange:
    made = password is not None and password.generated
    return users.UserChange(
        user=user,
        outcome=outcome,
        mechanism=", ".join(mechanisms),
        iterations=users.ITERATIONS,
        password=password.text if password is not None and made and out is None else None,
        file=None if out is None else str(out),
    )


@app.command()
def add(
    user: User,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    out: Out = None,
    password: Given = None,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Add a user. It may do nothing until rules allow it something.

    The password is asked for, unless an option or FINK_NEW_PASSWORD gives it.
    """
    users.require_login_name(user)
    check_destination(generate, out)
    connection = resolve_connection(profile, servers)
    onboarding.require_ordinary(user, own_users_of(connection))
    users.require_absent(users.list_users(connection), user)
    if dry_run:
        output.emit(_changed(user, "would add", [users.SHA_512], None, None), form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    with kept(f"{chosen.text}\n", out):
        users.set_password(connection, user, chosen.text)
    output.emit(_changed(user, "added", [users.SHA_512], chosen, out), form)


@app.command("list")
def list_(form: Output = Format.TABLE, profile: Profile = None, servers: Servers = None) -> None:
    """List the users that log in with SCRAM, a row for each mechanism."""
    connection = resolve_connection(profile, servers)
    found = users.list_users(connection)
    output.emit(found, form, empty="No users. Add one: fink auth add -u USER")
    explain_own_users(own_users_of(connection), {row.user for row in found})
    strong = {row.user for row in found if row.mechanism == users.SHA_512}
    for name in sorted({row.user for row in found if row.mechanism == users.SHA_256}):
        several = name in strong
        which = "SCRAM-SHA-512 and SCRAM-SHA-256 passwords" if several else "SCRAM-SHA-256 only"
        rotate_it = fink_command("auth", "rotate", "-u", name)
        output.note(f"{name} has {which}: {rotate_it} replaces each.", whole=True)


@app.command()
def rotate(
    user: User,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the client's file anew, as for onboard."),
    ] = None,
    client: Annotated[
        ClientFormat | None,
        typer.Option("--format", help="Whose file it is.", show_default="as FILE is, or fink"),
    ] = None,
    password: Given = None,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Give a user another password, for every mechanism that it has one for.

    A client that is connected stays so until it connects again.
    """
    there = None if out is None else require_client_file(out, user)
    if generate and out is None:
        output.refuse_open_stdout()
    connection = resolve_connection(profile, servers)
    onboarding.require_ordinary(user, own_users_of(connection))
    mechanisms = users.rotated_mechanisms(users.list_users(connection), user)
    if dry_run:
        output.emit(_changed(user, "would rotate", mechanisms, None, None), form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    login = onboarding.login_of(connection, user, chosen.text)
    file = client_file(login, client or there or ClientFormat.FINK, out) if out else ClientFile("")
    with kept(file.text, out):
        users.set_password(connection, user, chosen.text, mechanisms)
    output.emit(_changed(user, "rotated", mechanisms, chosen, out), form)
    if out is not None:
        _tell_of(out, user, write_certificate(file, out))
    if user == connection.username:
        output.warn("That is the user you log in as: put the new password into your profile.")


@app.command()
def delete(
    user: User,
    keep_acls: Annotated[
        bool, typer.Option("--keep-acls", help="Leave the access rules that name the user.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Delete a user, and the access rules that name it."""
    connection = resolve_connection(profile, servers)
    found = onboarding.read_user_access(connection, user)
    if not found.mechanisms:
        left = f"; {len(found.rules)} rule(s) name it" if found.rules else ""
        raise OperationFailedError(
            f"There is no user '{user}'{left}.",
            f"Remove its rules: {fink_command('auth', 'offboard', '-u', user)}"
            if found.rules
            else _who_there_is(connection, user),
        )
    _remove(connection, replace(found, rules=[]) if keep_acls else found, yes, dry_run, form)


@app.command()
def offboard(
    user: User,
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Remove a user and every rule that names it, whichever of them there is."""
    connection = resolve_connection(profile, servers)
    found = onboarding.read_user_access(connection, user)
    if not (found.mechanisms or found.rules):
        raise OperationFailedError(
            f"There is no user '{user}', and no rule names it.", _who_there_is(connection, user)
        )
    _remove(connection, found, yes, dry_run, form)


def _who_there_is(connection: Connection, user: str) -> str:
    names = {row.user for row in users.list_users(connection)}
    return did_you_mean(user, names, "fink auth list", "See who there is: fink auth list")


def _remove(
    connection: Connection, found: onboarding.UserAccess, yes: bool, dry_run: bool, form: Format
) -> None:
    onboarding.require_dispensable(connection, found.user, own_users_of(connection))
    if not dry_run:
        output.confirm("Delete?", found.lines(), yes)
        onboarding.remove_access(connection, found)
    outcome = "would delete" if dry_run else "deleted"
    mechanisms = ", ".join(found.mechanisms)
    output.emit(users.UserChange(found.user, outcome, mechanisms, rules=len(found.rules)), form)


@app.command()
def export(
    user: User,
    client: ClientForm = ClientFormat.FINK,
    from_stdin: FromStdin = False,
    out: Out = None,
    password: Given = None,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Write the file that a client logs in with, after trying the login.

    Kafka can't tell a password: it is asked for, unless an option or FINK_NEW_PASSWORD gives it,
    or it is the user that you log in as.
    """
    if out is None:
        output.refuse_open_stdout()
    else:
        onboarding.require_new_file(out)
    connection = resolve_connection(profile, servers)
    if user != connection.username or password is not None or from_stdin:
        users.require_login_name(user)
        chosen = new_password(user, password, from_stdin, generate=None)
        login = onboarding.login_of(connection, user, chosen.text)
    else:
        login = connection.with_authority_inside()
    file = client_file(login, client, out)
    connect_admin(login)
    if out is None:
        output.print_line(file.text.rstrip("\n"))
        return
    write_private(out, file.text)
    _tell_of(out, user, write_certificate(file, out))
    if client is ClientFormat.LIBRDKAFKA:
        # Its issue 4895; Debian 12 has 2.0.2.
        output.note("To log in to Kafka 4, kcat and others need librdkafka 2.6.1 or later.")


def _tell_of(file: Path, user: str, certificate: Path | None) -> None:
    output.step(f"{file} holds the login of '{user}', password included")
    if certificate is not None:
        output.note(
            f"{certificate} belongs to it: send both, and start the client in the folder where "
            "they are.",
            whole=True,
        )


@app.command()
def onboard(
    user: User,
    consume: Annotated[
        list[str] | None,
        typer.Option("--consume", metavar="TOPIC", help="Read it; may be repeated; 'fink_*'."),
    ] = None,
    produce: Annotated[
        list[str] | None,
        typer.Option("--produce", metavar="TOPIC", help="Write it; may be repeated; 'fink_*'."),
    ] = None,
    client: ClientForm = ClientFormat.FINK,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The client's file.", show_default="USER-…"),
    ] = None,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    password: Given = None,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Add a user with its rules and its client's file, and prove that they work; or nothing.

    Who reads may use the consumer groups whose names begin with the user's and '-'.
    """
    users.require_login_name(user)
    connection = resolve_connection(profile, servers)
    onboarding.require_ordinary(user, own_users_of(connection))
    file = out or Path(file_name(user, client))
    newcomer = onboarding.NewUser(user, consume or [], produce or [], client, file)
    if dry_run:
        output.emit(onboarding.onboard(connection, newcomer, "", dry_run=True), form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    done = onboarding.onboard(connection, newcomer, chosen.text)
    output.emit(done, form)
    _tell_of(done.file, user, done.certificate)
