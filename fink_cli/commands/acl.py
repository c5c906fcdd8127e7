"""``fink acl``: who may do what, on the local cluster or any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.options import (
    DryRun,
    Output,
    Profile,
    Servers,
    User,
    Yes,
    group_option,
    topic_option,
    user_option,
)
from fink_cli.commands.own_users import explain_own_users
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.render import Format
from fink_cli.settings import resolve_connection
from fink_cli.text import fink_command

if TYPE_CHECKING:
    from fink_cli.admin.acl.authorizer import Role
    from fink_cli.admin.acl.model import Operation
    from fink_cli.connection import Connection

app = typer.Typer(no_args_is_help=True, help="Access rules: who may do what.")

_ANY = "*"

RuleUser = Annotated[str, user_option("The user; '*' for everybody.")]
Topic = Annotated[str | None, topic_option("The topic.")]
Group = Annotated[str | None, group_option("The consumer group.", "--group", "-c")]
Cluster = Annotated[bool, typer.Option("--cluster", help="The cluster itself.")]
TransactionalId = Annotated[
    str | None, typer.Option("--transactional-id", help="A producer's transactional id.")
]
Producer = Annotated[
    bool, typer.Option("--producer", "-p", help="Write the topic: WRITE, DESCRIBE, CREATE.")
]
Operations = Annotated[
    list[str] | None,
    typer.Option(
        "--operation",
        metavar="OP",
        help="Operation, in place of READ and DESCRIBE; may be repeated, or OP,OP.",
    ),
]
Host = Annotated[str, typer.Option("--host", "-H", help="An IP address; '*' for any.")]
Prefixed = Annotated[
    bool, typer.Option("--prefixed", help="The names given are the beginnings of names.")
]
Deny = Annotated[bool, typer.Option("--deny", help="Take the right; it goes before any rule.")]
SuperUsers = Annotated[
    list[str] | None,
    typer.Option(
        "--super-user",
        help="A user of the brokers' super.users, which no client can ask for; may be repeated.",
        show_default="those of the local cluster",
    ),
]


def _operation(word: str) -> Operation:
    from fink_cli.admin.acl.model import Operation

    known = [operation for operation in Operation if operation is not Operation.UNKNOWN]
    name = word.upper().replace("-", "_")
    if name not in known:
        raise UsageError(f"There is no operation '{word}'.", f"Use one of: {', '.join(known)}")
    return Operation(name)


def _operations(given: list[str] | None) -> list[Operation]:
    return [_operation(word) for words in given or [] for word in words.split(",")]


def _super_users(connection: Connection, named: list[str] | None) -> frozenset[str]:
    from fink_cli.admin.acl.model import user_name
    from fink_cli.cluster.own import super_users_of

    return frozenset(map(user_name, named or ())) | super_users_of(connection)


def _question(word: str) -> Operation | Role:
    from fink_cli.admin.acl.authorizer import Role

    return Role[word.upper()] if word.upper() in Role.__members__ else _operation(word)


@app.command()
def add(
    user: RuleUser,
    topic: Topic = None,
    group: Group = None,
    producer: Producer = False,
    host: Host = _ANY,
    operation: Operations = None,
    prefixed: Prefixed = False,
    deny: Deny = False,
    cluster: Cluster = False,
    transactional_id: TransactionalId = None,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Add rules. A topic alone is read; with -p it is written; -c lets read in a group."""
    from fink_cli.admin.acl import client as acls
    from fink_cli.admin.acl.flags import Flags, rules_from

    chosen = _operations(operation)
    rules = rules_from(
        Flags(
            user=user,
            topic=topic,
            group=group,
            cluster=cluster,
            transactional_id=transactional_id,
            producer=producer,
            operations=chosen,
            host=host,
            prefixed=prefixed,
            deny=deny,
        )
    )
    render.emit(acls.add_rules(resolve_connection(profile, servers), rules, dry_run), form)


@app.command()
def delete(
    user: RuleUser,
    topic: Topic = None,
    group: Group = None,
    producer: Producer = False,
    host: Host = _ANY,
    operation: Operations = None,
    prefixed: Prefixed = False,
    deny: Deny = False,
    cluster: Cluster = False,
    transactional_id: TransactionalId = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Delete the rules that `add` with the same flags adds, and no others."""
    from fink_cli.admin.acl import client as acls
    from fink_cli.admin.acl.flags import Flags, rules_from
    from fink_cli.admin.acl.model import kafka_host

    chosen = _operations(operation)
    from_anywhere = rules_from(
        Flags(
            user=user,
            topic=topic,
            group=group,
            cluster=cluster,
            transactional_id=transactional_id,
            producer=producer,
            operations=chosen,
            prefixed=prefixed,
            deny=deny,
        )
    )
    connection = resolve_connection(profile, servers)
    there = set(acls.read_rules(connection))
    # A host that another tool wrote in a way that never matches is deleted as it stands.
    rules = [replace(rule, host=host) for rule in from_anywhere]
    if there.isdisjoint(rules):
        rules = [replace(rule, host=kafka_host(host)) for rule in from_anywhere]
    to_delete = [rule for rule in rules if rule in there]
    if not to_delete:
        raise OperationFailedError(
            f"There is no such rule: {rules[0]}.",
            f"See those that there are: {fink_command('acl', 'list', '-u', user)}",
        )
    if not dry_run:
        console.confirm("Delete?", [str(rule) for rule in to_delete], yes)
    render.emit(acls.delete_rules(connection, rules, dry_run), form)


@app.command("list")
def list_(
    user: Annotated[str | None, user_option("Of this user only.")] = None,
    topic: Annotated[str | None, topic_option("On this topic only.")] = None,
    group: Annotated[str | None, group_option("On this group only.", "--group", "-c")] = None,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """List the rules; those on a topic or group hold its prefixes and wildcards too."""
    from fink_cli.admin.acl import client as acls

    rules = acls.read_rules(resolve_connection(profile, servers))
    rules = acls.select(rules, user, topic, group)
    render.emit(rules, form, empty="No rules. Add one: fink acl add -u USER -t TOPIC")


@app.command()
def check(
    user: User,
    operation: Annotated[
        str,
        typer.Option(
            "--operation",
            metavar="OP",
            help="What the user wants to do: READ, …; produce, consume; publish (fink distribute).",
        ),
    ],
    topic: Topic = None,
    group: Group = None,
    host: Annotated[
        str,
        typer.Option("--host", "-H", help="The IP address it comes from; '*': one no rule names."),
    ] = _ANY,
    super_users: SuperUsers = None,
    open_without_rules: Annotated[
        bool,
        typer.Option(
            "--open-without-rules", help="The brokers allow.everyone.if.no.acl.found is true."
        ),
    ] = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Say whether a user may do something, and which rule decides. The exit code is 1 for no."""
    from fink_cli.admin.acl import client as acls
    from fink_cli.admin.acl.authorizer import (
        Policy,
        access_requests,
        check_access,
        hosts_that_differ,
    )
    from fink_cli.admin.acl.model import kafka_host

    wanted = _question(operation)
    asked = access_requests(user, wanted, topic, group, kafka_host(host))
    connection = resolve_connection(profile, servers)
    rules = acls.read_rules(connection)
    supers = _super_users(connection, super_users)
    policy = Policy(rules, supers, open_without_rules)
    answered = check_access(policy, wanted, asked)
    render.emit(answered, form)
    others = hosts_that_differ(policy, wanted, asked) if host == _ANY else []
    if others:
        opposite = "no" if answered.allowed else "yes"
        console.note(f"From {', '.join(others)} the answer is {opposite}: ask with -H.")
    if not answered.allowed:
        raise OperationFailedError(
            f"User '{user}' may not {wanted} {answered.resource}: {answered.decided_by}.",
            f"An operator can change that: {answered.grant}",
        )


@app.command()
def audit(
    super_users: SuperUsers = None,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Show who can do what, and what is odd: rules for nobody or nothing, wildcards, no rules."""
    from fink_cli.admin.acl.audit import read_audit
    from fink_cli.cluster.own import own_users_of

    connection = resolve_connection(profile, servers)
    supers, own = _super_users(connection, super_users), own_users_of(connection)
    report = read_audit(connection, supers, own)
    render.emit(report, form)
    explain_own_users(own, [access.user for access in report.access])


File = Annotated[Path, typer.Argument(metavar="FILE", help="The declared access, TOML.")]


@app.command("plan")
def plan_(
    file: File, form: Output = Format.TABLE, profile: Profile = None, servers: Servers = None
) -> None:
    """Show what `apply` would change, and change nothing."""
    from fink_cli.admin.acl.access_file import read_declaration
    from fink_cli.admin.acl.apply import read_plan

    declared = read_declaration(file)
    plan = read_plan(resolve_connection(profile, servers), declared)
    render.emit(plan, form)
    if declared.cluster_id not in {None, plan.cluster_id}:
        console.warn(f"The file is for another cluster: {declared.cluster_id}.")
    if not plan.changes:
        console.note("Nothing to change.")


@app.command()
def apply(
    file: File,
    yes: Yes = False,
    dry_run: DryRun = False,
    form: Output = Format.TABLE,
    profile: Profile = None,
    servers: Servers = None,
) -> None:
    """Make the cluster's access what the file declares, after showing the change."""
    from fink_cli.admin.acl.access_file import read_declaration
    from fink_cli.admin.acl.apply import apply_plan, read_plan
    from fink_cli.admin.acl.plan import require_same_cluster
    from fink_cli.trusted import find_weakness

    declared = read_declaration(file)
    connection = resolve_connection(profile, servers)
    plan = read_plan(connection, declared)
    require_same_cluster(declared, plan.cluster_id)
    weakness = find_weakness(file)
    if weakness:
        # Not refused, since what it changes is shown and asked.
        console.warn(f"{file} gives rights, and {weakness.reason}. {weakness.fix}")
    if plan.changes and not dry_run:
        console.confirm("Apply?", [str(change) for change in plan.changes], yes)
        apply_plan(connection, declared, plan)
    render.emit(plan, form)
    if not plan.changes:
        console.note("Nothing to change.")
