"""The columns of alerts: what Parquet files hold, what Spark reads it as, and what all files share.

Files with the same columns differ in how a library writes them: a time in nanoseconds, a column of
nulls without a type. What counts is what Spark makes of it, never the words of the footer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    """A column, or a part of one, that holds no others.

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
    """Any number of items."""

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
        path: where it is: ``a.b`` is a field of a struct, ``a[]`` the items of an array,
            ``a{}`` the values of a map, ``a{key}`` its keys.
        type: its type, as Arrow writes it.
        reason: why, and what to do.
    """

    path: str
    type: str
    reason: str


_STRUCT = TypeAdapter(Struct)


def dump_columns(columns: Struct) -> str:
    """The columns as JSON, for :func:`load_columns`."""
    return _STRUCT.dump_json(columns).decode()


def load_columns(text: str) -> Struct:
    """The columns of a text that :func:`dump_columns` gave."""
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
        for place, group in enumerate(groups):
            both = _merged(group, columns)
            if isinstance(both, Struct):
                groups[place] = both
                break
        else:
            groups.append(columns)

    def number_of_files(group: Struct) -> int:
        return sum(count[key] for key, each in distinct.items() if not difference(each, group))

    return max(groups, key=number_of_files, default=None)


def refined_columns(expected: Struct, found: Struct) -> Struct:
    """Return the expected columns with a type for those of which only nulls were seen so far.

    Args:
        expected: the columns that are published.
        found: those of a file of which :func:`difference` tells none.
    """
    refined = _refined(expected, found)
    return refined if isinstance(refined, Struct) else expected


def difference(found: Struct, expected: Struct) -> str:
    """Tell why a file can't be published beside others; empty when it can.

    Args:
        found: the columns of the file.
        expected: the columns that are published.
    """
    parts: dict[str, list[str]] = {"lacks": [], "has more": [], "has another type": []}
    for what, path in _differences(found, expected, ""):
        parts[what].append(path)
    return "; ".join(
        f"{what} {', '.join(paths[:_MOST_NAMED])}"
        + (f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else "")
        for what, paths in parts.items()
        if paths
    )


def refused_columns(kind: Kind, path: str) -> Iterator[RefusedColumn]:
    """Tell what of a column can't be published, at any depth.

    Args:
        kind: the column.
        path: its dotted path; empty for a whole alert.
    """
    for place, scalar in scalars(kind, path):
        if scalar.refused:
            yield RefusedColumn(place, scalar.arrow, scalar.refused)


def scalars(kind: Kind, path: str = "") -> Iterator[tuple[str, Scalar]]:
    """Each scalar at any depth, with its path; see :class:`RefusedColumn`."""
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
    """The dotted path of each scalar that Spark can read; arrays and maps are not entered."""
    for name, kind in columns.fields.items():
        path = joined(above, name)
        if isinstance(kind, Struct):
            yield from scalar_paths(kind, path)
        elif isinstance(kind, Scalar) and not kind.refused:
            yield path


def is_stored_otherwise(found: Kind) -> bool:
    """Whether what Spark reads of a column, at any depth, is not yet what is published."""
    return any(each.form == NANOSECONDS or each.type == VOID for _, each in scalars(found))


def is_integer(kind: Kind) -> bool:
    """Whether a column holds integers of up to 64 bits."""
    return isinstance(kind, Scalar) and kind.type in _WIDER[0]


def read_type(found: Kind, expected: Kind) -> Any:
    """Return the type to read a column of a file with, as Spark's JSON.

    Args:
        found: the column, as the file has it.
        expected: the column, as it is published: it gives the fields of structs their order.

    Returns:
        ``None`` where Spark can't read it at all.
    """
    if isinstance(found, Scalar):
        return _scalar_type(found, "long" if found.form == NANOSECONDS else found.type)
    if isinstance(found, Struct) and isinstance(expected, Struct):
        types = {
            name: read_type(found.fields[name], below)
            for name, below in expected.fields.items()
            if name in found.fields
        }
        return _struct_type(types)
    if isinstance(found, Array) and isinstance(expected, Array):
        return _array_type(read_type(found.items, expected.items))
    if isinstance(found, Map) and isinstance(expected, Map):
        keys = _scalar_type(found.keys, found.keys.type)
        return _map_type(keys, read_type(found.values, expected.values))
    return None


def published_type(kind: Kind) -> Any:
    """Return the type of a column as filters see it and as it is published, as Spark's JSON.

    Returns:
        ``None`` where Spark can't read it at all.
    """
    if isinstance(kind, Scalar):
        return _scalar_type(kind, kind.type)
    if isinstance(kind, Struct):
        return _struct_type({name: published_type(each) for name, each in kind.fields.items()})
    if isinstance(kind, Array):
        return _array_type(published_type(kind.items))
    keys = _scalar_type(kind.keys, kind.keys.type)
    return _map_type(keys if keys in (None, "binary") else "string", published_type(kind.values))


def _scalar_type(scalar: Scalar, name: str) -> str | None:
    if scalar.refused:
        return None
    return "integer" if name == VOID else name


def _struct_type(types: Mapping[str, Any]) -> dict[str, Any] | None:
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in types.items()
        if kind is not None
    ]
    return {"type": "struct", "fields": fields} if fields else None


def _array_type(items: Any) -> dict[str, Any] | None:
    return None if items is None else {"type": "array", "elementType": items, "containsNull": True}


def _map_type(keys: Any, values: Any) -> dict[str, Any] | None:
    if keys is None or values is None:
        return None
    return {"type": "map", "keyType": keys, "valueType": values, "valueContainsNull": True}


def _merged(one: Kind, other: Kind) -> Kind | None:
    """What two files share; none when they don't go together."""
    if _is_void(one) or _is_void(other):
        return other if _is_void(one) else one
    merged: Kind | None = None
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        if _fits(one, other):
            merged = one if one.form == INT96 else other
        elif _fits(other, one):
            merged = one
    elif isinstance(one, Struct) and isinstance(other, Struct):
        pairs = {name: (each, other.fields.get(name)) for name, each in one.fields.items()}
        both = {name: rest and _merged(each, rest) for name, (each, rest) in pairs.items()}
        sound = {name: each for name, each in both.items() if each is not None}
        merged = Struct(sound) if len(sound) == len(both) == len(other.fields) else None
    elif isinstance(one, Array) and isinstance(other, Array):
        items = _merged(one.items, other.items)
        merged = items and Array(items)
    elif isinstance(one, Map) and isinstance(other, Map) and one.keys == other.keys:
        values = _merged(one.values, other.values)
        merged = values and Map(one.keys, values)
    return merged


def _refined(expected: Kind, found: Kind) -> Kind:
    if _is_void(expected):
        return found
    if isinstance(expected, Struct) and isinstance(found, Struct):
        pairs = {name: (each, found.fields[name]) for name, each in expected.fields.items()}
        return Struct({name: _refined(*pair) for name, pair in pairs.items()})
    if isinstance(expected, Array) and isinstance(found, Array):
        return Array(_refined(expected.items, found.items))
    if isinstance(expected, Map) and isinstance(found, Map):
        return Map(expected.keys, _refined(expected.values, found.values))
    return expected


def _differences(found: Kind, expected: Kind, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(found, Struct) and isinstance(expected, Struct):
        for name in sorted(expected.fields.keys() | found.fields.keys()):
            place = joined(path, name)
            if name not in found.fields:
                yield "lacks", place
            elif name not in expected.fields:
                yield "has more", place
            else:
                yield from _differences(found.fields[name], expected.fields[name], place)
    elif isinstance(found, Array) and isinstance(expected, Array):
        yield from _differences(found.items, expected.items, f"{path}[]")
    elif isinstance(found, Map) and isinstance(expected, Map):
        yield from _differences(found.keys, expected.keys, f"{path}{{key}}")
        yield from _differences(found.values, expected.values, f"{path}{{}}")
    elif not (_is_void(found) or _is_void(expected) or _fits(found, expected)):
        yield "has another type", f"{path} ({_named(found)}, not {_named(expected)})"


def _fits(found: Kind, expected: Kind) -> bool:
    """Whether what a file holds can be published as a type without a change of its values."""
    if not isinstance(found, Scalar) or not isinstance(expected, Scalar):
        return False
    if found.refused or expected.refused:
        return found == expected
    # INT96 does not say whether it has a zone, so it goes with timestamps of both kinds.
    if INT96 in (found.form, expected.form) and {found.type, expected.type} <= _TIMES:
        return True
    return found.type == expected.type or any(
        found.type in kinds and expected.type in kinds[kinds.index(found.type) :]
        for kinds in _WIDER
    )


def _is_void(kind: Kind) -> bool:
    return isinstance(kind, Scalar) and kind.type == VOID


def _named(kind: Kind) -> str:
    if isinstance(kind, Scalar):
        return kind.arrow or kind.type
    return {Struct: "struct", Array: "list", Map: "map"}[type(kind)]


def joined(path: str, name: str) -> str:
    """The dotted path of a field of what has a path, which is empty for a whole alert."""
    return f"{path}.{name}" if path else name
