"""How Typer takes a command's parameters: a dataclass as its options, and plain values as they are.

Options that several commands share are the fields of a dataclass. A command names it as the type of
a parameter; each field is an option, and the command gets an object that holds them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import wraps
from inspect import Parameter, isclass
from typing import Any, get_type_hints

import typer
from typer._coercion import RuntimeParam, build_runtime_param
from typer.core import _TyperParameter


class PlainParam(RuntimeParam):
    """Takes a text, a choice, a list of texts or a default as it is; Typer converts all else."""

    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: Any) -> Any:
        kind = self.annotation
        if self.parameter_info.parser is None:
            if type(value) is kind:
                return value
            if kind == list[str] and all(isinstance(item, str) for item in value):
                return list(value)
            if isclass(kind) and issubclass(kind, Enum) and value in [item.value for item in kind]:
                return kind(value)
        return build_runtime_param(param.type_descriptor)._coerce_value(value, param, ctx)


def _plain_param(param: _TyperParameter) -> RuntimeParam:
    descriptor = param.type_descriptor
    return PlainParam(descriptor.parameter_info, descriptor.annotation)


def convert_plainly() -> None:
    """Have Typer convert only what is not yet what the command takes."""
    setattr(_TyperParameter, "get_runtime_param", _plain_param)  # noqa: B010 (mypy)


def spread_options(group: typer.Typer) -> None:
    """Let the commands of a group, and those of its groups, take options in dataclasses."""
    for command in (*group.registered_commands, group.registered_callback):
        if command is not None and command.callback is not None:
            command.callback = _spread(command.callback)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            spread_options(inner.typer_instance)


def _spread(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with the fields of its dataclasses as its parameters."""
    own = inspect.signature(command, eval_str=True).parameters
    kinds: dict[str, Any] = {
        name: each.annotation for name, each in own.items() if is_dataclass(each.annotation)
    }
    if not kinds:
        return command
    options: list[Parameter] = []
    for name, parameter in own.items():
        if name in kinds:
            options += _options_of(kinds[name])
        else:
            options.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))

    @wraps(command)
    def called(**given: Any) -> Any:
        for name, kind in kinds.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        return command(**given)

    called.__annotations__ = {option.name: option.annotation for option in options}
    setattr(called, "__signature__", inspect.Signature(options))  # noqa: B010 (mypy)
    return called


def _options_of(kind: Any) -> Iterator[Parameter]:
    """Yield the fields of a dataclass as parameters."""
    types = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name]
        )
