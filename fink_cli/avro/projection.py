"""Which part of a schema some paths need, so that only that part of an alert is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fink_cli.avro.types import ArrayType, AvroType, MapType, RecordType, UnionType

Steps = Sequence[str | int]
Wanted = Mapping[RecordType, frozenset[str]]
"""The fields that are wanted of each record type."""


def types_at(root: AvroType, steps: Steps) -> list[AvroType]:
    """Return the types that an alert can have at the steps: of a union each."""
    nodes = _branches([root])
    for step in steps:
        nodes = _branches([below for node in nodes for below in _below(node, step)])
    return nodes


def wanted_fields(root: RecordType, paths: Iterable[Steps]) -> Wanted:
    """Return the fields of each record type that is needed for the values at some paths.

    What is wanted of a record type anywhere is read of it everywhere.
    """
    wanted: dict[RecordType, set[str]] = {}

    def add(node: AvroType, steps: Steps) -> None:
        for branch in _branches([node]):
            if isinstance(branch, RecordType):
                fields = wanted.setdefault(branch, set())
                for field in branch.fields:
                    if not steps or field.name == steps[0]:
                        fields.add(field.name)
                        add(field.type, steps[1:])
            elif isinstance(branch, ArrayType) and steps and isinstance(steps[0], str):
                add(branch.items, steps)  # a field of each item
            else:
                for inner in _below(branch, steps[0] if steps else None):
                    add(inner, steps[1:])

    for steps in paths:
        add(root, tuple(steps))
    return {node: frozenset(fields) for node, fields in wanted.items()}


def _branches(nodes: Iterable[AvroType]) -> list[AvroType]:
    """Return the types that a value may have: of a union each."""
    branches: dict[AvroType, None] = {}
    for node in nodes:
        branches |= dict.fromkeys(node.branches if isinstance(node, UnionType) else [node])
    return list(branches)


def _below(node: AvroType, step: str | int | None) -> list[AvroType]:
    """Return the types that a step leads to; without a step, those of all items."""
    match node:
        case RecordType():
            return [field.type for field in node.fields if field.name == step]
        case ArrayType() if not isinstance(step, str):
            return [node.items]
        case MapType() if not isinstance(step, int):
            return [node.values]
    return []
