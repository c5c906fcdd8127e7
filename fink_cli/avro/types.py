"""The types of an Avro schema as a tree, and the visitor that all walks over it are.

A named type that is used twice is one node: the tree is a graph without cycles, whose depth
:func:`fink_cli.avro.schema.read_schema` bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

MAX_DEPTH = 64


@dataclass(frozen=True, eq=False)
class ScalarType:
    """A type that holds no other.

    Attributes:
        kind: ``null``, ``boolean``, ``int``, ``long``, ``float``, ``double``, ``bytes``,
            ``string``, ``fixed`` or ``enum``.
        logical: its logical type; empty for none.
        size: the bytes of a ``fixed``.
        symbols: those of an ``enum``.
        precision: of a ``decimal``, with ``scale``.
    """

    kind: str
    logical: str = ""
    size: int = 0
    symbols: tuple[str, ...] = ()
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, eq=False)
class ArrayType:
    """Items of one type."""

    items: AvroType


@dataclass(frozen=True, eq=False)
class MapType:
    """Values of one type, by texts."""

    values: AvroType


@dataclass(frozen=True, eq=False)
class UnionType:
    """A value of one of several types."""

    branches: tuple[AvroType, ...]


@dataclass(frozen=True, eq=False)
class Field:
    """A field of a record."""

    name: str
    type: AvroType


@dataclass(frozen=True, eq=False)
class RecordType:
    """Fields in the order in which they are encoded; no two have one name."""

    fields: tuple[Field, ...]


AvroType = ScalarType | ArrayType | MapType | UnionType | RecordType
T = TypeVar("T")


class Visitor(Generic[T]):
    """Makes a result of each type of a schema, from the results of the types in it.

    Attributes:
        path: the names of the fields that lead to the type that is visited.
    """

    def __init__(self) -> None:
        self.path: list[str] = []
        self._results: dict[AvroType, T] = {}

    def visit(self, node: AvroType) -> T:
        """Return the result of a type; one that is used twice is visited once."""
        result = self.known(node)
        if result is None:
            result = self._results[node] = self._visit(node)
        return result

    def _visit(self, node: AvroType) -> T:
        match node:
            case ScalarType():
                return self.scalar(node)
            case ArrayType():
                return self.array(node, self.visit(node.items))
            case MapType():
                return self.map(node, self.visit(node.values))
            case UnionType():
                return self.union(node, [self.visit(branch) for branch in node.branches])
            case RecordType():
                fields = self.fields(node)
                return self.record(node, {field.name: self._field(field) for field in fields})

    def _field(self, field: Field) -> T:
        self.path.append(field.name)
        try:
            return self.visit(field.type)
        finally:
            self.path.pop()

    def known(self, node: AvroType) -> T | None:
        """Return the result of a type that was visited before."""
        return self._results.get(node)

    def fields(self, node: RecordType) -> Sequence[Field]:
        """Return the fields of a record that are visited."""
        return node.fields

    def scalar(self, node: ScalarType) -> T:
        """Return the result of a type that holds no other."""
        raise NotImplementedError

    def array(self, node: ArrayType, items: T) -> T:
        """Return the result of an array."""
        raise NotImplementedError

    def map(self, node: MapType, values: T) -> T:
        """Return the result of a map."""
        raise NotImplementedError

    def union(self, node: UnionType, branches: list[T]) -> T:
        """Return the result of a union."""
        raise NotImplementedError

    def record(self, node: RecordType, fields: dict[str, T]) -> T:
        """Return the result of a record, given those of its fields by name."""
        raise NotImplementedError
