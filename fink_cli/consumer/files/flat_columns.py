"""The columns of a flat table of alerts: a row an alert, with single values or chosen fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fink_cli.alerts.fields import Path
from fink_cli.avro.projection import Steps
from fink_cli.avro.schema import Schema, leaf_paths
from fink_cli.avro.types import ArrayType, UnionType

LIGHT_CURVES = "light_curves"
Fields = Sequence[Path] | None
_NOT_FLAT = {"bytes", "fixed"}


def flat_paths(schema: Schema, fields: Fields) -> list[Path]:
    """Return the fields that become columns: those that were chosen, or all single values."""
    if fields is not None:
        return list(fields)
    return [
        Path(text, tuple(text.split(".")))
        for text, kind in leaf_paths(schema).items()
        if kind not in _NOT_FLAT
    ]


def needed_for_flat(schema: Schema, fields: Fields) -> Iterable[Steps] | None:
    """Return what is needed of alerts of a schema for their rows and light curves."""
    if schema.inferred:
        return None
    steps: list[Steps] = [path.steps for path in flat_paths(schema, fields)]
    if fields is None:
        steps += [[field.name] for field in schema.root.fields if _is_array(field.type)]
    return steps


def _is_array(node: object) -> bool:
    branches = node.branches if isinstance(node, UnionType) else (node,)
    return any(isinstance(branch, ArrayType) for branch in branches)
