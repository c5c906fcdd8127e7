"""The columns of alerts: as Parquet files store them, as Spark reads them, as they are published.

Files with the same columns differ in how a library writes them: a time in nanoseconds, a column of
nulls without a type. What Spark reads counts, not the words of the footer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from pydantic import TypeAdapter

VOID = "void"
NANOSECONDS, INT96 = "nanoseconds", "INT96"
_TIMES = {"timestamp", "timestamp_ntz"}
_WIDER = [("byte", "short", "integer", "long"), ("float", "double")]
_MOST_NAMED = 5

Kind = Union["Scalar", "Struct", "Array", "Map"]


@dataclass(frozen=True)
class Scalar:
    """A column, or a part of one, without parts of its own.

    Attributes:
        type: what filters see and what is published, in the words of Spark's JSON; ``void`` where a
            file holds nulls only.
        arrow: the type as Arrow writes it, for messages.
        form: ``nanoseconds`` or ``INT96`` for a timestamp that is stored so; else empty.
        refused: why it can't be published; empty when it can.
    """

    type: str
    arrow: str = field(default="", compare=False)
    form: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Struct:
    """Named fields; the columns of a file are those of a struct."""

    fields: Mapping[str, Kind]


@dataclass(frozen=True)
class Array:
    """A list of items."""

    items: Kind


@dataclass(frozen=True)
class Map:
    """Values by key; the keys become text, for Avro has no others."""

    keys: Scalar
    values: Kind


@dataclass(frozen=True)
class RefusedColumn:
    """A column that can't be published.

    Attributes:
        path: its path: ``a.b`` is a field of a struct, ``a[]`` the items of an array,
            ``a{}`` the values of a map, ``a{key}`` its keys.
        type: its type, as Arrow writes it.
        reason: why, and what to do.
    """

    path: str
    type: str
    reason: str


_STRUCT = TypeAdapter(Struct)


def dump_columns(columns: Struct) -> str:
    """Write columns as JSON text."""
    return _STRUCT.dump_json(columns).decode()


def load_columns(text: str) -> Struct:
    """Read what :func:`dump_columns` wrote."""
    return _STRUCT.validate_json(text)


def agreed_columns(files: Sequence[Struct]) -> Struct | None:
    """Return the columns that most of some files share, or ``None`` without a file.

    No file decides alone: a column that holds only nulls takes the type that it has in others, a
    number the widest one of its kind.
    """
    count = Counter(map(id, files))
    distinct = {id(each): each for each in files}
    groups: list[Struct] = []
    for columns in distinct.values():
        for number, group in enumerate(groups):
            both = _combined(group, columns, _merged)
            if isinstance(both, Struct):
                groups[number] = both
                break
        else:
            groups.append(columns)

    def number_of_files(group: Struct) -> int:
        return sum(count[key] for key, each in distinct.items() if not difference(each, group))

    return max(groups, key=number_of_files, default=None)


def refined_columns(expected: Struct, columns: Struct) -> Struct:
    """Return the expected columns with a type for those of which only nulls were read so far.

    Args:
        expected: the columns that are published.
        columns: those of a file for which :func:`difference` returns nothing.
    """
    refined = _combined(expected, columns, lambda one, other: other if _is_void(one) else one)
    return refined if isinstance(refined, Struct) else expected


def difference(columns: Struct, expected: Struct) -> str:
    """Tell why a file can't be published beside others; empty when it can.

    Args:
        columns: the columns of the file.
        expected: the columns that are published.
    """
    parts: dict[str, list[str]] = {"lacks": [], "has more": [], "has another type": []}
    for kind, path in _differences(columns, expected, ""):
        parts[kind].append(path)
    return "; ".join(
        f"{what} {', '.join(paths[:_MOST_NAMED])}"
        + (f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else "")
        for what, paths in parts.items()
        if paths
    )


def refused_columns(kind: Kind, path: str) -> Iterator[RefusedColumn]:
    """Yield the parts of a column that can't be published, at any depth.

    Args:
        kind: the column.
        path: its dotted path; empty for the alert itself.
    """
    for below, scalar in scalars(kind, path):
        if scalar.refused:
            yield RefusedColumn(below, scalar.arrow, scalar.refused)


def scalars(kind: Kind, path: str = "") -> Iterator[tuple[str, Scalar]]:
    """Yield each scalar at any depth, with its path; see :class:`RefusedColumn`."""
    if isinstance(kind, Scalar):
        yield path, kind
    elif isinstance(kind, Struct):
        for name, below in kind.fields.items():
            yield from scalars(below, joined(path, name))
    elif isinstance(kind, Array):
        yield from scalars(kind.items, f"{path}[]")
    else:
        yield f"{path}{{key}}", kind.keys
        yield from scalars(kind.values, f"{path}{{}}")


def scalar_paths(columns: Struct, above: str = "") -> Iterator[str]:
    """Yield the dotted path of each scalar that Spark can read, outside of arrays and maps."""
    for name, kind in columns.fields.items():
        path = joined(above, name)
        if isinstance(kind, Struct):
            yield from scalar_paths(kind, path)
        elif isinstance(kind, Scalar) and not kind.refused:
            yield path


def needs_conversion(stored: Kind) -> bool:
    """Tell whether what Spark reads of a column, at any depth, is not yet what is published."""
    return any(each.form == NANOSECONDS or each.type == VOID for _, each in scalars(stored))


def is_integer(kind: Kind) -> bool:
    """Tell whether a column holds integers of up to 64 bits."""
    return isinstance(kind, Scalar) and kind.type in _WIDER[0]


def read_type(stored: Kind, expected: Kind) -> Any:
    """Return the type to read a column of a file with, as Spark's JSON.

    Args:
        stored: the column, as the file has it.
        expected: the column, as it is published: it gives the fields of structs their order.

    Returns:
        ``None`` where Spark can't read it at all.
    """
    ordered = _combined(expected, stored, lambda _, other: other)
    return published_type(stored if ordered is None else ordered, stored=True)


def published_type(kind: Kind, *, stored: bool = False) -> Any:
    """Return the type of a column as filters see it and as it is published, as Spark's JSON.

    Args:
        kind: the column.
        stored: return the type that Spark reads from the file instead: nanoseconds as a number,
            and the keys of maps as they are.

    Returns:
        ``None`` where Spark can't read it at all.
    """
    if isinstance(kind, Scalar):
        name = "long" if stored and kind.form == NANOSECONDS else kind.type
        return None if kind.refused else "integer" if name == VOID else name
    if isinstance(kind, Struct):
        types = {name: published_type(below, stored=stored) for name, below in kind.fields.items()}
        fields = [
            {"name": name, "type": type_, "nullable": True, "metadata": {}}
            for name, type_ in types.items()
            if type_ is not None
        ]
        return {"type": "struct", "fields": fields} if fields else None
    if isinstance(kind, Array):
        items = published_type(kind.items, stored=stored)
        return items and {"type": "array", "elementType": items, "containsNull": True}
    keys = published_type(kind.keys, stored=stored)
    values = published_type(kind.values, stored=stored)
    if keys is None or values is None:
        return None
    keys = keys if stored else "string"
    return {"type": "map", "keyType": keys, "valueType": values, "valueContainsNull": True}


def _combined(one: Kind, other: Kind, join: Callable[[Kind, Kind], Kind | None]) -> Kind | None:
    """Combine two columns part by part; ``None`` when a part can't be combined.

    Args:
        one: a column; it gives the fields of structs their order.
        other: the same column of another file.
        join: combines two scalars, or two parts of different kinds.
    """
    if isinstance(one, Struct) and isinstance(other, Struct):
        if one.fields.keys() != other.fields.keys():
            return None
        fields: dict[str, Kind] = {}
        for name, below in one.fields.items():
            field = _combined(below, other.fields[name], join)
            if field is None:
                return None
            fields[name] = field
        return Struct(fields)
    if isinstance(one, Array) and isinstance(other, Array):
        items = _combined(one.items, other.items, join)
        return items and Array(items)
    if isinstance(one, Map) and isinstance(other, Map):
        keys = _combined(one.keys, other.keys, join)
        values = _combined(one.values, other.values, join)
        return Map(keys, values) if isinstance(keys, Scalar) and values else None
    return join(one, other)


def _merged(one: Kind, other: Kind) -> Kind | None:
    """Return the type that two files share; ``None`` when they can't be published together."""
    if _is_void(one) or _is_void(other):
        return other if _is_void(one) else one
    if _fits(one, other):
        return one if isinstance(one, Scalar) and one.form == INT96 else other
    return one if _fits(other, one) else None


def _differences(stored: Kind, expected: Kind, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(stored, Struct) and isinstance(expected, Struct):
        for name in sorted(expected.fields.keys() | stored.fields.keys()):
            below = joined(path, name)
            if name not in stored.fields:
                yield "lacks", below
            elif name not in expected.fields:
                yield "has more", below
            else:
                yield from _differences(stored.fields[name], expected.fields[name], below)
    elif isinstance(stored, Array) and isinstance(expected, Array):
        yield from _differences(stored.items, expected.items, f"{path}[]")
    elif isinstance(stored, Map) and isinstance(expected, Map):
        yield from _differences(stored.keys, expected.keys, f"{path}{{key}}")
        yield from _differences(stored.values, expected.values, f"{path}{{}}")
    elif not (_is_void(stored) or _is_void(expected) or _fits(stored, expected)):
        yield "has another type", f"{path} ({_named(stored)}, not {_named(expected)})"


def _fits(stored: Kind, expected: Kind) -> bool:
    """Tell whether a stored column can be published as a type without a change of its values."""
    if not isinstance(stored, Scalar) or not isinstance(expected, Scalar):
        return False
    if stored.refused or expected.refused:
        return stored == expected
    # INT96 does not say whether it has a zone, so it goes with timestamps of both kinds.
    if INT96 in (stored.form, expected.form) and {stored.type, expected.type} <= _TIMES:
        return True
    return stored.type == expected.type or any(
        stored.type in kinds and expected.type in kinds[kinds.index(stored.type) :]
        for kinds in _WIDER
    )


def _is_void(kind: Kind) -> bool:
    return isinstance(kind, Scalar) and kind.type == VOID


def _named(kind: Kind) -> str:
    if isinstance(kind, Scalar):
        return kind.arrow or kind.type
    return {Struct: "struct", Array: "list", Map: "map"}[type(kind)]


def joined(path: str, name: str) -> str:
    """Return the dotted path of a field, from that of its struct; empty for the alert itself."""
    return f"{path}.{name}" if path else name
