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

_RECORDS = {"record", "error"}
# So many fields at most are put into one regular expression, and records of so many bytes of it.
_LONGEST = 128
_MOST_BYTES = 1 << 18
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


def logical_type(node: Any) -> str | None:
    """What fastavro makes of a type, such as ``int-date``; none where it leaves it as it is."""
    if isinstance(node, str) or "logicalType" not in node:
        return None
    name = f"{node['type']}-{node['logicalType']}"
    return name if name in LOGICAL_READERS else None


class Passing:
    """What passes over values of the types of a schema.

    Args:
        names: the types that the schema gives names to.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._exact = _Patterns(names, EXACT)
        self._likely = _Patterns(names, {**EXACT, "string": SHORT_TEXT})

    def fields(self, fields: Sequence[Field], of: Callable[[Field], Part]) -> Part:
        """What passes over fields of a record that follow each other.

        Args:
            fields: the fields, of a parsed schema.
            of: what passes over one field.
        """

        def likely(lot: Sequence[Field], patterns: Sequence[bytes]) -> Part:
            return parts.soon_matching(patterns, parts.in_turn(_in_lots(lot, self._exact, of)))

        return parts.in_turn(_in_lots(fields, self._likely, of, likely))


class _Patterns:
    """Regular expressions for values of types."""

    def __init__(self, names: Mapping[str, Any], known: Mapping[str, bytes]) -> None:
        self._names = names
        self._known = known
        self._named: dict[str, bytes | None] = {}

    def of(self, node: Any) -> bytes | None:
        """A regular expression for the values of a type; none where there is none."""
        node = self._names.get(node, node) if isinstance(node, str) else node
        if isinstance(node, list):
            found = [self.of(each) for each in node[:_MOST_BRANCHES]]
            ways = [b"\\x%02x" % (2 * n) + each for n, each in enumerate(found) if each is not None]
            return b"(?:" + b"|".join(ways) + b")" if len(ways) == len(node) else None
        if logical_type(node) is not None:
            return None
        kind = node if isinstance(node, str) else node["type"]
        if kind in _RECORDS:
            if node["name"] not in self._named:
                self._named[node["name"]] = self._of_record(node["fields"])
            return self._named[node["name"]]
        if kind == "fixed":
            return b".{%d}" % node["size"] if node["size"] < LARGE else None
        return self._known.get(kind)

    def _of_record(self, fields: Sequence[Field]) -> bytes | None:
        if not 0 < len(fields) <= _LONGEST:
            return None
        found = [self.of(each["type"]) for each in fields]
        known = [each for each in found if each is not None]
        whole = b"".join(known)
        return whole if len(known) == len(found) and len(whole) <= _MOST_BYTES else None


def _in_lots(
    fields: Sequence[Field],
    patterns: _Patterns,
    of: Callable[[Field], Part],
    matching: Callable[[Sequence[Field], Sequence[bytes]], Part] = lambda _, patterns: (
        parts.matching(patterns)
    ),
) -> list[Part]:
    """What passes over fields: those that have patterns with these, and others one by one."""
    found: list[Part] = []
    known = [(each, patterns.of(each["type"])) for each in fields]
    for has_none, some in groupby(known, lambda each: each[1] is None):
        for lot in lots_of(list(some)):
            own = [field for field, _ in lot]
            if has_none:
                found += map(of, own)
            else:
                found.append(matching(own, [pattern or b"" for _, pattern in lot]))
    return found


def lots_of(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Fields that follow each other, in lots that are not too long for a regular expression."""
    return [items[first : first + _LONGEST] for first in range(0, len(items), _LONGEST)]
