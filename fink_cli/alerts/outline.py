"""Where the arrays and maps of an alert have their items, found without decoding the alert.

An outline is what it takes to read the columns of many alerts at once (:mod:`columnar`): where a
field lies behind an array depends on what the array holds. Finding it shows as well that a message
is an alert: what has an outline, fastavro decodes. On whatever is unusual, or is not Avro of its
schema, there is none, and fastavro has to say what the message is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastavro.read import LOGICAL_READERS

from fink_cli.alerts import parts
from fink_cli.alerts.parts import GIVE_UP, OddError, Part
from fink_cli.alerts.patterns import EXACT, LARGE, Passing, logical_type
from fink_cli.alerts.schema import Schema

Path = tuple[str | None, ...]
"""The names that lead to a type; the items of an array or a map have none."""


class Items(NamedTuple):
    """The items of an array or a map, wherever an alert has it.

    Attributes:
        starts: where each item begins.
        counts: how many there are, each time.
        ends: where what follows begins, each time.
    """

    starts: list[int]
    counts: list[int]
    ends: list[int]


Outline = Sequence[Items]
"""The items of each array and map of a schema, in the order of ``Outliner.paths``."""

# More fields take long to put together.
_MOST_FIELDS = 2000
_RECORDS = {"record", "error"}
_DATES = {
    "int-date",
    "long-timestamp-millis",
    "long-timestamp-micros",
    "long-local-timestamp-millis",
    "long-local-timestamp-micros",
}
# An outline of many small items would take more memory than the alert.
_MOST_ITEMS = 100_000


class NoOutlineError(ValueError):
    """A schema of which no alert has an outline."""


class Outliner:
    """Finds the outlines of alerts of a schema.

    Attributes:
        paths: the arrays and maps of the schema, in the order in which an outline has them.

    Raises:
        NoOutlineError: the schema is unusual: it has thousands of fields, fields of several types,
            or rare logical types.
    """

    def __init__(self, schema: Schema) -> None:
        made = _Outlines(schema.parsed["__named_schemas"])
        self._part = made.of(schema.parsed, ())
        self.paths: Sequence[Path] = made.paths

    def outline(self, value: bytes) -> Outline | None:
        """The outline of an alert; none where fastavro has to say what the bytes are."""
        found = [Items([], [], []) for _ in self.paths]
        try:
            return found if self._part(value, 0, found) == len(value) else None
        except GIVE_UP:
            return None


def outliner_of(schema: Schema) -> Outliner | None:
    """What finds the outlines of alerts of a schema; none where no alert has one."""
    try:
        return Outliner(schema)
    except NoOutlineError:
        return None


class _Outlines:
    """What passes over values, and notes where items are.

    Each use of a type has a part of its own, since it notes the items in a place of its own.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._passing = Passing(names)
        self._fields = 0
        self.paths: list[Path] = []

    def of(self, node: Any, path: Path) -> Part:
        """What passes over a type."""
        node = self._names.get(node, node) if isinstance(node, str) else node
        if isinstance(node, list):
            if len(node) - node.count("null") > 1:
                raise NoOutlineError("a field is of several types")
            return parts.union([self.of(each, path) for each in node])
        kind = node if isinstance(node, str) else node["type"]
        if kind in _RECORDS:
            return self._record(node, path)
        if kind in {"array", "map"}:
            return self._items(node, path)
        logical = logical_type(node)
        if logical is not None:
            return _date(logical, node)
        return _plain(kind, node)

    def _record(self, node: Mapping[str, Any], path: Path) -> Part:
        self._fields += len(node["fields"])
        if self._fields > _MOST_FIELDS:
            raise NoOutlineError("it has thousands of fields")
        if not node["fields"]:
            raise NoOutlineError("a record is empty")
        return self._passing.fields(
            node["fields"], lambda each: self.of(each["type"], (*path, each["name"]))
        )

    def _items(self, node: Mapping[str, Any], path: Path) -> Part:
        number = len(self.paths)
        self.paths.append(path)
        kinds = [node["items"]] if node["type"] == "array" else ["string", node["values"]]
        item = self._passing.fields(
            [{"type": kind} for kind in kinds], lambda each: self.of(each["type"], (*path, None))
        )
        noting = _noting(number, item)
        return noting if node["type"] == "array" else _each_key_once(number, noting)


def _noting(number: int, item: Part) -> Part:
    """Pass over many of a type, and note where each is."""

    def read(value: bytes, at: int, found: list[Any]) -> int:
        starts, counts, ends = found[number]
        before, end = len(starts), len(value)
        count, at = parts.long_at(value, at)
        while count:
            if count < 0:
                count = -count
                _, at = parts.long_at(value, at)
            if len(starts) + count > _MOST_ITEMS:
                raise OddError
            for _ in range(count):
                starts.append(at)
                at = item(value, at, found)
                if at > end:
                    raise OddError
            count, at = parts.long_at(value, at)
        counts.append(len(starts) - before)
        ends.append(at)
        return at

    return read


def _each_key_once(number: int, pairs: Part) -> Part:
    """Pass over a map; where a key stands twice, only the last one counts: that is unusual."""

    def read(value: bytes, at: int, found: list[Any]) -> int:
        starts = found[number].starts
        before = len(starts)
        at = pairs(value, at, found)
        keys: list[str] = []
        for start in starts[before:]:
            parts.read_string(value, start, keys)
        if len(set(keys)) < len(keys):
            raise OddError
        return at

    return read


def _text(value: bytes, at: int, _found: list[Any]) -> int:
    """Pass over a text, which must be UTF-8."""
    length, at = parts.length_at(value, at)
    end = at + length
    value[at:end].decode()
    return end


def _symbol(symbols: Sequence[str]) -> Part:
    """Pass over a symbol, which there must be."""

    def read(value: bytes, at: int, _found: list[Any]) -> int:
        number, at = parts.length_at(value, at)
        if number >= len(symbols):
            raise OddError
        return at

    return read


def _date(logical: str, node: dict[str, Any]) -> Part:
    """Pass over a date or a time, which must fit into Arrow's."""
    if logical not in _DATES:
        raise NoOutlineError("a logical type is rare")
    convert = LOGICAL_READERS[logical]

    def read(value: bytes, at: int, _found: list[Any]) -> int:
        number, at = parts.long_at(value, at)
        converted = convert(number, node, None)
        if isinstance(converted, int) and not -(2**63) <= converted < 2**63:
            raise OddError
        return at

    return read


def _plain(kind: str, node: Any) -> Part:
    """Pass over a type that holds no other."""
    if kind == "string":
        return _text
    if kind == "bytes":
        return parts.pass_bytes
    if kind == "enum":
        return _symbol(node["symbols"])
    if kind == "fixed" and node["size"] >= LARGE:
        return lambda _value, at, _found: at + int(node["size"])
    return parts.matching([EXACT[kind] if kind in EXACT else b".{%d}" % node["size"]])
