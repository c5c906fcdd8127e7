"""``fink acl``: who may do what, on the local cluster or any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_cli import console, render
from fink_cli.commands.auth_quota import java_tools
from fink_cli.commands.options import (
    ChangeOptions,
    DryRun,
    ReportOptions,
    User,
    group_option,
    topic_option,
    user_option,
)
from fink_cli.commands.own_users import explain_own_users
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.text import fink_command

if TYPE_CHECKING:
    from fink_cli.admin.acl.access_file import AccessFile
    from fink_cli.admin.acl.authorizer import Role
    from fink_cli.admin.acl.model import Operation, Rule
    from fink_cli.admin.quotas import JavaTools
    from fink_cli.connection import Connection

app = typer.Typer(no_args_is_help=True, help="Access rules: who may do what.")

_ANY = "*"

Topic = Annotated[str | None, topic_option("The topic.")]
Group = Annotated[str | None, group_option("The consumer group.", "--group", "-c")]
SuperUsers = Annotated[
    list[str] | None,
    typer.Option(
        "--super-user",
        help="A user of the brokers' super.users, which no client can ask for; may be repeated.",
        show_default="those of the local cluster",
    ),
]


@dataclass(frozen=True)
class RuleOptions:
    """The options that name rules, to add or to delete them."""

    user: Annotated[str, user_option("The user; '*' for everybody.")]
    topic: Topic = None
    group: Group = None
    producer: Annotated[
        bool, typer.Option("--producer", "-p", help="Write the topic: WRITE, DESCRIBE, CREATE.")
    ] = False
    host: Annotated[str, typer.Option("--host", "-H", help="An IP address; '*' for any.")] = _ANY
    operations: Annotated[
        list[str] | None,
        typer.Option(
            "--operation",
            metavar="OP",
            help="Operation, in place of READ and DESCRIBE; may be repeated, or OP,OP.",
        ),
    ] = None
    prefixed: Annotated[
        bool, typer.Option("--prefixed", help="The names given are the beginnings of names.")
    ] = False
    deny: Annotated[
        bool, typer.Option("--deny", help="Take the right; it goes before any rule.")
    ] = False
    cluster: Annotated[bool, typer.Option("--cluster", help="The cluster itself.")] = False
    transactional_id: Annotated[
        str | None, typer.Option("--transactional-id", help="A producer's transactional id.")
    ] = None

    def rules(self, host: str) -> list[Rule]:
        """Return the rules that the options name, for clients from a host."""
        from fink_cli.admin.acl.flags import Flags, rules_from

        operations = [
            _operation(word) for words in self.operations or [] for word in words.split(",")
        ]
        return rules_from(Flags(**vars(self) | {"operations": operations, "host": host}))


def _operation(word: str) -> Operation:
    from fink_cli.admin.acl.model import Operation

    known = [operation for operation in Operation if operation is not Operation.UNKNOWN]
    name = word.upper().replace("-", "_")
    if name not in known:
        raise UsageError(f"There is no operation '{word}'.", f"Use one of: {', '.join(known)}")
    return Operation(name)


def _super_users(connection: Connection, named: list[str] | None) -> frozenset[str]:
    from fink_cli.admin.acl.model import user_name
    from fink_cli.cluster.own import super_users_of

    return frozenset(map(user_name, named or ())) | super_users_of(connection)


def _question(word: str) -> Operation | Role:
    from fink_cli.admin.acl.authorizer import Role

    return Role[word.upper()] if word.upper() in Role.__members__ else _operation(word)


@app.command()
def add(rule: RuleOptions, dry_run: DryRun = False, *, options: ReportOptions) -> None:
    """Add rules. A topic alone is read; with -p it is written; -c lets read in a group."""
    from fink_cli.admin.acl.client import add_rules

    rules = rule.rules(rule.host)
    render.emit(add_rules(options.connection(), rules, dry_run), options.form)


@app.command()
def delete(rule: RuleOptions, options: ChangeOptions) -> None:
    """Delete the rules that `add` with the same flags adds, and no others."""
    from fink_cli.admin.acl import client as acls
    from fink_cli.admin.acl.model import kafka_host

    from_anywhere = rule.rules(_ANY)
    connection = options.connection()
    there = set(acls.read_rules(connection))
    # A host that another tool wrote so that it never matches is deleted as it stands.
    rules = [replace(each, host=rule.host) for each in from_anywhere]
    if there.isdisjoint(rules):
        rules = [replace(each, host=kafka_host(rule.host)) for each in from_anywhere]
    to_delete = [each for each in rules if each in there]
    if not to_delete:
        raise OperationFailedError(
            f"There is no such rule: {rules[0]}.",
            f"See those that there are: {fink_command('acl', 'list', '-u', rule.user)}",
        )
    if not options.dry_run:
        console.confirm("Delete?", [str(each) for each in to_delete], options.yes)
    render.emit(acls.delete_rules(connection, rules, options.dry_run), options.form)


@app.command("list")
def list_(
    user: Annotated[str | None, user_option("Of this user only.")] = None,
    topic: Annotated[str | None, topic_option("On this topic only.")] = None,
    group: Annotated[str | None, group_option("On this group only.", "--group", "-c")] = None,
    *,
    options: ReportOptions,
) -> None:
    """List the rules; those on a topic or group hold its prefixes and wildcards too."""
    from fink_cli.admin.acl import client as acls

    rules = acls.read_rules(options.connection())
    rules = acls.select(rules, user, topic, group)
    render.emit(rules, options.form, empty="No rules. Add one: fink acl add -u USER -t TOPIC")


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
    *,
    options: ReportOptions,
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
    connection = options.connection()
    rules = acls.read_rules(connection)
    supers = _super_users(connection, super_users)
    policy = Policy(rules, supers, open_without_rules)
    answered = check_access(policy, wanted, asked)
    render.emit(answered, options.form)
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
def audit(super_users: SuperUsers = None, *, options: ReportOptions) -> None:
    """Show who can do what, and what is odd: rules for nobody or nothing, wildcards, no rules."""
    from fink_cli.admin.acl.audit import read_audit
    from fink_cli.cluster.own import own_users_of

    connection = options.connection()
    supers, own = _super_users(connection, super_users), own_users_of(connection)
    report = read_audit(connection, supers, own)
    render.emit(report, options.form)
    explain_own_users(own, [access.user for access in report.access])


File = Annotated[Path, typer.Argument(metavar="FILE", help="The declared access, TOML.")]


def _quota_tools(declared: AccessFile) -> JavaTools | None:
    return java_tools() if any(user.limits() for user in declared.users.values()) else None


@app.command("plan")
def plan_(file: File, options: ReportOptions) -> None:
    """Show what `apply` would change, and change nothing."""
    from fink_cli.admin.acl.access_file import read_declaration
    from fink_cli.admin.acl.apply import read_plan

    declared = read_declaration(file)
    plan = read_plan(options.connection(), declared, _quota_tools(declared))
    render.emit(plan, options.form)
    if declared.cluster_id not in {None, plan.cluster_id}:
        console.warn(f"The file is for another cluster: {declared.cluster_id}.")
    if not plan.steps():
        console.note("Nothing to change.")


@app.command()
def apply(file: File, options: ChangeOptions) -> None:
    """Make the cluster's access what the file declares, after showing the change."""
    from fink_cli.admin.acl.access_file import read_declaration
    from fink_cli.admin.acl.apply import apply_plan, read_plan
    from fink_cli.admin.acl.plan import require_same_cluster
    from fink_cli.trusted import find_weakness

    declared = read_declaration(file)
    connection, tools = options.connection(), _quota_tools(declared)
    plan = read_plan(connection, declared, tools)
    require_same_cluster(declared, plan.cluster_id)
    weakness = find_weakness(file)
    if weakness:
        # Not refused, since what it changes is shown and asked.
        console.warn(f"{file} gives rights, and {weakness.reason}. {weakness.fix}")
    if plan.steps() and not options.dry_run:
        console.confirm("Apply?", plan.steps(), options.yes)
        apply_plan(connection, declared, plan, tools)
    render.emit(plan, options.form)
    if not plan.steps():
        console.note("Nothing to change.")
