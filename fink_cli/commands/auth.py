"""``fink auth``: users and their passwords, on the local cluster or any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.admin.client_files import ClientFormat
from fink_cli.commands.auth_quota import has_quota, quota, remove_quota, with_quotas
from fink_cli.commands.options import (
    ChangeOptions,
    ClusterOptions,
    DryRun,
    NewUser,
    ReportOptions,
    User,
    topic_option,
)
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
    refuse_open_stdout,
    require_client_file,
)
from fink_cli.errors import OperationFailedError, did_you_mean
from fink_cli.private import write_private
from fink_cli.text import fink_command

if TYPE_CHECKING:
    from fink_cli.admin.onboarding import UserAccess
    from fink_cli.admin.users import UserChange
    from fink_cli.connection import Connection

app = typer.Typer(no_args_is_help=True, help="Users and their passwords.")

ClientForm = Annotated[ClientFormat, typer.Option("--format", help="Whose file it is.")]


def _changed(
    user: str, outcome: str, mechanisms: list[str], password: NewPassword | None, out: Path | None
) -> UserChange:
    from fink_cli.admin import users

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
    user: NewUser,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    out: Out = None,
    password: Given = None,
    dry_run: DryRun = False,
    *,
    options: ReportOptions,
) -> None:
    """Add a user. It may do nothing until rules allow it something.

    The password is asked for, unless an option or FINK_NEW_PASSWORD gives it.
    """
    from fink_cli.admin import onboarding, users
    from fink_cli.cluster.own import own_users_of

    users.require_login_name(user)
    check_destination(generate, out)
    connection = options.connection()
    onboarding.require_ordinary(user, own_users_of(connection))
    users.require_absent(users.list_users(connection), user)
    if dry_run:
        render.emit(_changed(user, "would add", [users.SHA_512], None, None), options.form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    with kept(f"{chosen.text}\n", out):
        users.set_password(connection, user, chosen.text)
    render.emit(_changed(user, "added", [users.SHA_512], chosen, out), options.form)


@app.command("list")
def list_(
    quotas: Annotated[
        bool, typer.Option("--quotas", help="With their quotas, which takes Java, and a second.")
    ] = False,
    *,
    options: ReportOptions,
) -> None:
    """List the users that log in with SCRAM, a row for each mechanism."""
    from fink_cli.admin import users
    from fink_cli.cluster.own import own_users_of

    connection = options.connection()
    listed = users.list_users(connection)
    rows = with_quotas(listed, connection) if quotas else list(listed)
    render.emit(rows, options.form, empty="No users. Add one: fink auth add -u USER")
    explain_own_users(own_users_of(connection), {row.user for row in rows})
    strong = {row.user for row in rows if row.mechanism == users.SHA_512}
    for name in sorted({row.user for row in rows if row.mechanism == users.SHA_256}):
        several = name in strong
        which = "SCRAM-SHA-512 and SCRAM-SHA-256 passwords" if several else "SCRAM-SHA-256 only"
        rotate_it = fink_command("auth", "rotate", "-u", name)
        console.note(f"{name} has {which}: {rotate_it} replaces each.", unbroken=True)


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
    *,
    options: ReportOptions,
) -> None:
    """Give a user another password, for every mechanism that it has one for.

    A client that is connected stays so until it connects again.
    """
    from fink_cli.admin import onboarding, users
    from fink_cli.admin.client_files import ClientFile, client_file, write_certificate
    from fink_cli.cluster.own import advertised_connection, own_users_of

    there = None if out is None else require_client_file(out, user)
    if generate and out is None:
        refuse_open_stdout()
    connection = options.connection()
    onboarding.require_ordinary(user, own_users_of(connection))
    mechanisms = users.rotated_mechanisms(users.list_users(connection), user)
    if dry_run:
        render.emit(_changed(user, "would rotate", mechanisms, None, None), options.form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    login = onboarding.login_of(advertised_connection(connection), user, chosen.text)
    file = client_file(login, client or there or ClientFormat.FINK, out) if out else ClientFile("")
    with kept(file.text, out):
        users.set_password(connection, user, chosen.text, mechanisms)
    render.emit(_changed(user, "rotated", mechanisms, chosen, out), options.form)
    if out is not None:
        _tell_of(out, user, write_certificate(file, out))
    if user == connection.username:
        console.warn("That is the user you log in as: put the new password into your profile.")


@app.command()
def delete(
    user: User,
    keep_acls: Annotated[
        bool, typer.Option("--keep-acls", help="Leave the access rules that name the user.")
    ] = False,
    *,
    options: ChangeOptions,
) -> None:
    """Delete a user, the access rules that name it, and its quota."""
    from fink_cli.admin.onboarding import read_user_access

    connection = options.connection()
    access = read_user_access(connection, user)
    if not access.mechanisms:
        left = f"; {len(access.rules)} rule(s) name it" if access.rules else ""
        raise OperationFailedError(
            f"There is no user '{user}'{left}.",
            f"Remove its rules: {fink_command('auth', 'offboard', '-u', user)}"
            if access.rules
            else _who_there_is(connection, user),
        )
    _remove(connection, replace(access, rules=[]) if keep_acls else access, options)


@app.command()
def offboard(user: User, options: ChangeOptions) -> None:
    """Remove a user, every rule that names it, and its quota, whichever of them there is."""
    from fink_cli.admin.onboarding import read_user_access

    connection = options.connection()
    access = read_user_access(connection, user)
    if not (access.mechanisms or access.rules):
        raise OperationFailedError(
            f"There is no user '{user}', and no rule names it.", _who_there_is(connection, user)
        )
    _remove(connection, access, options)


def _who_there_is(connection: Connection, user: str) -> str:
    from fink_cli.admin.users import list_users

    names = {row.user for row in list_users(connection)}
    return did_you_mean(user, names, "fink auth list", "See who there is: fink auth list")


def _remove(connection: Connection, access: UserAccess, options: ChangeOptions) -> None:
    from fink_cli.admin import onboarding, users
    from fink_cli.cluster.own import own_users_of

    onboarding.require_dispensable(connection, access.user, own_users_of(connection))
    limited = has_quota(connection, access.user)
    if not options.dry_run:
        quota_line = [f"the quota of '{access.user}'"] if limited else []
        console.confirm("Delete?", [*access.lines(), *quota_line], options.yes)
        onboarding.remove_access(connection, access)
        if limited:
            remove_quota(connection, access.user)
    change = users.UserChange(
        access.user,
        "would delete" if options.dry_run else "deleted",
        ", ".join(access.mechanisms),
        rules=len(access.rules),
        quota=limited,
    )
    render.emit(change, options.form)


@app.command()
def export(
    user: User,
    client: ClientForm = ClientFormat.FINK,
    from_stdin: FromStdin = False,
    out: Out = None,
    password: Given = None,
    *,
    options: ClusterOptions,
) -> None:
    """Write the file that a client logs in with, after trying the login.

    Kafka can't tell a password: it is asked for, unless an option or FINK_NEW_PASSWORD gives it,
    or it is the user that you log in as.
    """
    from fink_cli.admin import onboarding, users
    from fink_cli.admin.client_files import client_file, write_certificate
    from fink_cli.cluster.own import advertised_connection
    from fink_cli.kafka.client import connect_admin

    if out is None:
        refuse_open_stdout()
    else:
        onboarding.require_new_file(out)
    connection = options.connection()
    if user != connection.username or password is not None or from_stdin:
        users.require_login_name(user)
        chosen = new_password(user, password, from_stdin, generate=None)
        login = onboarding.login_of(connection, user, chosen.text)
    else:
        login = connection
    file = client_file(advertised_connection(login).with_authority_inside(), client, out)
    connect_admin(login)
    if out is None:
        render.print_line(file.text.rstrip("\n"))
        return
    write_private(out, file.text)
    _tell_of(out, user, write_certificate(file, out))
    if client is ClientFormat.LIBRDKAFKA:
        # Its issue 4895; Debian 12 has 2.0.2.
        console.note("To log in to Kafka 4, kcat and others need librdkafka 2.6.1 or later.")


def _tell_of(file: Path, user: str, certificate: Path | None) -> None:
    console.step(f"{file} holds the login of '{user}', password included")
    if certificate is not None:
        console.note(
            f"{certificate} belongs to it: send both, and start the client in the folder where "
            "they are.",
            unbroken=True,
        )


@app.command()
def onboard(
    user: NewUser,
    consume: Annotated[
        list[str] | None,
        topic_option("Read it; may be repeated; 'fink_*'.", "--consume", metavar="TOPIC"),
    ] = None,
    produce: Annotated[
        list[str] | None,
        topic_option("Write it; may be repeated; 'fink_*'.", "--produce", metavar="TOPIC"),
    ] = None,
    watcher: Annotated[
        bool, typer.Option("--watcher", help="Describe all topics and groups: fink metrics.")
    ] = False,
    client: ClientForm = ClientFormat.FINK,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The client's file.", show_default="USER-…"),
    ] = None,
    from_stdin: FromStdin = False,
    generate: Generate = False,
    password: Given = None,
    dry_run: DryRun = False,
    *,
    options: ReportOptions,
) -> None:
    """Add a user with its rules and its client's file, and prove that they work; or nothing.

    Who reads may use the consumer groups whose names begin with the user's and '-'.
    """
    from fink_cli.admin import onboarding, users
    from fink_cli.admin.client_files import file_name
    from fink_cli.cluster.own import advertised_connection, own_users_of

    users.require_login_name(user)
    connection = options.connection()
    onboarding.require_ordinary(user, own_users_of(connection))
    file = out or Path(file_name(user, client))
    newcomer = onboarding.NewUser(
        user, consume or [], produce or [], watch=watcher, form=client, file=file
    )
    advertised = advertised_connection(connection)
    if dry_run:
        done = onboarding.onboard(connection, advertised, newcomer, "", dry_run=True)
        render.emit(done, options.form)
        return
    chosen = new_password(user, password, from_stdin, generate)
    done = onboarding.onboard(connection, advertised, newcomer, chosen.text)
    render.emit(done, options.form)
    _tell_of(done.file, user, done.certificate)


app.command()(quota)
