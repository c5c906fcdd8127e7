"""Regular expressions that pass over values of Avro types: the ``re`` module does it in C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from fastavro.read import LOGICAL_READERS

from fink_cli.alerts import parts
from fink_cli.alerts.parts import Part

LARGE = 1 << 16
"""Fixed types of so many bytes are too large for a regular expression."""

# So many fields at most are put into one regular expression.
_LONGEST = 64
# The number of a branch, a byte that is twice as large, has one byte.
_MOST_BRANCHES = 64
_MOST_LETTERS = 128
_VARINT = b"[\\x80-\\xff]{0,8}[\\x00-\\x7f]"
# Of at most 32 bits.
_SHORT_VARINT = b"(?:[\\x80-\\xff]{0,3}[\\x00-\\x7f]|[\\x80-\\xff]{4}[\\x00-\\x0f])"
Field = Mapping[str, Any]
EXACT: Mapping[str, bytes] = {
    "null": b"",
    "boolean": b"[\\x00\\x01]",
    "int": _SHORT_VARINT,
    "long": _VARINT,
    "float": b".{4}",
    "double": b".{8}",
}
"""The types of which any value will do."""


def _of_length(letters: int) -> bytes:
    """A text of so many ASCII letters, after its length."""
    length = 2 * letters
    size = b"\\x%02x" % length if length < 128 else b"\\x%02x\\x01" % (length & 127 | 128)
    return size + b"[\\x00-\\x7f]{%d}" % letters


SHORT_TEXT = b"(?:" + b"|".join(map(_of_length, range(_MOST_LETTERS))) + b")"
"""Most texts of an alert; others are no less right."""


def pattern_of(
    node: Any, names: Mapping[str, Any], known: Mapping[str, bytes] = EXACT
) -> bytes | None:
    """A regular expression for the values of a type; none where there is none.

    Args:
        node: the type, of a parsed schema.
        names: the types that the schema gives names to.
        known: the expressions of simple types.
    """
    node = names.get(node, node) if isinstance(node, str) else node
    if isinstance(node, list):
        found = [pattern_of(each, names, known) for each in node[:_MOST_BRANCHES]]
        ways = [b"\\x%02x" % (2 * n) + each for n, each in enumerate(found) if each is not None]
        return b"(?:" + b"|".join(ways) + b")" if len(ways) == len(node) else None
    if logical_type(node) is not None:
        return None
    kind = node if isinstance(node, str) else node["type"]
    if kind == "fixed":
        return b".{%d}" % node["size"] if node["size"] < LARGE else None
    return known.get(kind)


def logical_type(node: Any) -> str | None:
    """What fastavro makes of a type, such as ``int-date``; none where it leaves it as it is."""
    if isinstance(node, str) or "logicalType" not in node:
        return None
    name = f"{node['type']}-{node['logicalType']}"
    return name if name in LOGICAL_READERS else None


def passing(
    fields: Sequence[Field], names: Mapping[str, Any], of: Callable[[Field], Part]
) -> list[Part]:
    """What passes over fields of a record that follow each other.

    Args:
        fields: the fields, of a parsed schema.
        names: the types that the schema gives names to.
        of: what passes over one field.
    """

    def exactly(lot: Sequence[Field]) -> Part:
        return parts.in_turn(_in_runs(lot, names, EXACT, of, lambda _: parts.odd))

    return _in_runs(fields, names, {**EXACT, "string": SHORT_TEXT}, of, exactly)


def _in_runs(
    fields: Sequence[Field],
    names: Mapping[str, Any],
    known: Mapping[str, bytes],
    of: Callable[[Field], Part],
    rest: Callable[[Sequence[Field]], Part],
) -> list[Part]:
    """Pass over fields: those that have a pattern at once, and if they do not match as the rest."""
    found: list[Part] = []
    patterns = [(each, pattern_of(each["type"], names, known)) for each in fields]
    for has_none, some in groupby(patterns, lambda each: each[1] is None):
        for lot in lots_of(list(some)):
            own = [field for field, _ in lot]
            if has_none:
                found += map(of, own)
            else:
                found.append(parts.matching([pattern or b"" for _, pattern in lot], rest(own)))
    return found


def lots_of(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Fields that follow each other, in lots that are not too long for a regular expression."""
    return [items[first : first + _LONGEST] for first in range(0, len(items), _LONGEST)]
