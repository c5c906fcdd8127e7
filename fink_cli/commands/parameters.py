"""Parameters that Typer need not convert: for each of them it would load pydantic, in 70 ms."""

from __future__ import annotations

from enum import Enum
from inspect import isclass
from typing import Any

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
