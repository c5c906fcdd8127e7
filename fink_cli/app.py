"""The root of the command line. Groups load when they are called, so that help is quick."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Sequence
from copy import copy
from errno import EBADF
from importlib import import_module
from typing import Annotated, Any

# Before the imports, which make many objects that stay: to go through them less often saves a
# tenth of each start.
gc.set_threshold(50_000)

import typer
import typer.core

from fink_cli.commands.parameters import convert_plainly, spread_options
from fink_cli.errors import DONE, FAILED, INTERRUPTED, FinkError, FinkWarning
from fink_cli.interrupts import take_requests_as_interrupts
from fink_cli.standard_streams import flush_stdout, is_abandoned, open_streams

GROUPS: dict[str, tuple[str, str]] = {
    "kafka": ("fink_cli.commands.kafka", "A Kafka cluster on this machine, and its topics."),
    "auth": ("fink_cli.commands.auth", "Users and their passwords."),
    "acl": ("fink_cli.commands.acl", "Access rules: who may do what."),
    "distribute": ("fink_cli.commands.distribute", "Publish the science database to topics."),
    "consume": ("fink_cli.commands.consume", "Watch the alerts of a topic in the terminal."),
    "topics": ("fink_cli.commands.topics", "The topics that you may read, with their rates."),
    "login": ("fink_cli.commands.login", "Log in with the file that the operator gave you."),
    "slack": ("fink_cli.commands.slack", "Report alerts on Slack."),
    "simulate": ("fink_cli.commands.simulate", "Make alerts to try things with."),
    "demo": ("fink_cli.commands.demo", "See it all work, from nothing, on this machine."),
    "config": ("fink_cli.commands.config", "Profiles: how to reach a cluster, and as whom."),
    "metrics": ("fink_cli.commands.metrics", "What an operator watches, for Prometheus."),
    "top": ("fink_cli.commands.top", "What an operator watches, live in the terminal."),
    "systemd": ("fink_cli.commands.systemd", "fink as a service of the system."),
    "doctor": ("fink_cli.commands.doctor", "Look for what is wrong, and say what to type."),
    "start": ("fink_cli.compat.fink_start", "The services of the original, by their old names."),
}
# Typer offers these in every group; they belong to the program.
_COMPLETION = {"install_completion", "show_completion"}
_COMPLETION_OPTIONS = {"--install-completion", "--show-completion"}


def load_group(name: str, words: Sequence[str] = ()) -> Any:
    """Return the command, or the group of commands, that a name stands for.

    Args:
        words: the words after it; where they name a command of the group, it alone is made.
    """
    group = import_module(GROUPS[name][0]).app
    chosen = _with_one_command(group, words)
    spread_options(chosen)
    command: Any = (
        typer.main.get_command(group) if chosen is group else typer.main.get_group(chosen)
    )
    command.name = name
    command.params = [param for param in command.params if param.name not in _COMPLETION]
    return command


def _with_one_command(group: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return a group with no other command than the one named: each takes Typer 2 ms to make."""
    commands = [
        info for info in group.registered_commands if words and _command_name(info) == words[0]
    ]
    groups = [info for info in group.registered_groups if words and info.name == words[0]]
    if not commands and not groups:
        return group
    chosen = copy(group)
    chosen.registered_commands = commands
    chosen.registered_groups = [copy(info) for info in groups]
    for info in chosen.registered_groups:
        if info.typer_instance is not None:
            info.typer_instance = _with_one_command(info.typer_instance, words[1:])
    return chosen


def _command_name(info: typer.models.CommandInfo) -> str:
    callback: Any = info.callback
    return info.name or typer.main.get_command_name(callback.__name__)


class LazyGroup(typer.core.TyperGroup):
    """Loads a group's module when the group is called, not when it is listed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the stand-in by the real command, then resolve as usual."""
        if args and args[0] in GROUPS:
            self.commands[args[0]] = load_group(args[0], args[1:])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Turn errors meant for the user into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except FinkError as error:
            _report(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            # The reader of our output went away (head, less): it has what it wanted.
            if is_abandoned():
                raise typer.Exit(DONE) from None
            _report(_unexpected(error))
            raise typer.Exit(FAILED) from error
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            if _debugging() or _is_usage_error(error):
                raise
            _report(_unexpected(error))
            raise typer.Exit(1) from error


def _is_usage_error(error: Exception) -> bool:
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _unexpected(error: Exception) -> FinkError:
    if isinstance(error, OSError) and error.errno == EBADF:
        return FinkError("Standard output is closed.", "Send it somewhere: fink … > FILE")
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return FinkError(f"{error.strerror}{where}.", "More is shown with: fink --debug …")
    return FinkError(
        f"fink met an error that it does not know: {type(error).__name__}: {error}",
        "Please report it with what is shown by: fink --debug …",
    )


def _report(error: FinkError) -> None:
    if _debugging():
        import traceback

        traceback.print_exception(error)
    from fink_cli import console

    console.fail(error)


def _debugging() -> bool:
    return os.environ.get("FINK_DEBUG") == "1"


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, (_module, _help) in GROUPS.items():
    app.add_typer(typer.Typer(), name=_name, help=_help)


def _show_version(wanted: bool) -> None:
    if wanted:
        from fink_cli import __version__

        typer.echo(f"fink {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version)
    ] = False,
) -> None:
    """Redistribute astronomical alerts over Kafka, from end to end."""
    if debug:
        os.environ["FINK_DEBUG"] = "1"


_show_other_warning = warnings.showwarning


def _show_warning(
    message: Warning | str, category: type[Warning], *place: Any, **more: Any
) -> None:
    if not issubclass(category, FinkWarning):
        _show_other_warning(message, category, *place, **more)
        return
    from fink_cli import console

    console.warn(str(message))


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; a request to end (SIGTERM, SIGHUP) stops as cleanly as Ctrl-C does.

    Args:
        words: the arguments; ``None`` takes those of the process.
    """
    open_streams()
    warnings.showwarning = _show_warning
    take_requests_as_interrupts()
    convert_plainly()
    if os.environ.get("_FINK_COMPLETE") or not _COMPLETION_OPTIONS.isdisjoint(sys.argv):
        from fink_cli.commands.completion import prepare_completion

        prepare_completion()
    try:
        app(words, prog_name="fink")
    except SystemExit as end:
        # Rich and Click end with 1 where nobody reads what they print: the reader has what it
        # wanted, as with `head`.
        is_unread = isinstance(end.__context__, BrokenPipeError)
        raise SystemExit(DONE if is_unread else _flushed(end.code)) from None


def _flushed(code: str | int | None) -> str | int | None:
    """Return the exit code, once the output is written: a file system may be full."""
    error = flush_stdout()
    if error is None or code:
        return code
    _report(_unexpected(error))
    return FAILED
