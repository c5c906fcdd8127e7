"""How much a message may become: a byte of Avro can be a record of Python objects of 200 bytes.

What a message decodes into is weighed before it is decoded: every kind of value has a weight, and
a weight of 1 stands for some 40 bytes of memory. Few messages have to be gone through for that:
of most, their length and their schema tell that they are light enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from fink_cli.alerts.binary import UndecodableError
from fink_cli.alerts.parts import OddError, length_at, long_at
from fink_cli.alerts.schema import RECORDS, Schema

MOST_BYTES = 64 * 1024 * 1024
MOST_WEIGHT = 1_000_000

_RECORD, _MANY, _TEXT, _LOGICAL = 6, 2, 2, 3
_ALERT = 20
_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_LEAST_SIZES = {**_SIZES, "int": 1, "long": 1, "enum": 1}
# Weights a byte that are tried for a schema: a message whose length is right for one is light.
_RATES = (2, 4, 8)
_SCHEMAS = 64

# Goes over a value; the weight of what it holds in arrays, maps and unions is taken from the rest.
_Step = Callable[[bytes, int, "_Rest"], int]


def refuse_long(value: bytes) -> None:
    """Refuse a message that is longer than an alert may be.

    Raises:
        UndecodableError: it is.
    """
    if len(value) > MOST_BYTES:
        raise UndecodableError(f"it is longer than {MOST_BYTES:,} bytes")


def refuse_heavy(value: bytes, schema: Schema) -> None:
    """Refuse an alert that would take too much memory.

    Raises:
        UndecodableError: it would. Whether the bytes are an alert at all is not said.
    """
    scale = _scale(schema)
    if not scale.is_light(1, len(value)):
        scale.weigh([(1, value)])


def refuse_heavy_blocks(blocks: Iterable[tuple[int, bytes]], schema: Schema) -> None:
    """Refuse the alerts of a container, given their number and bytes in each block.

    Raises:
        UndecodableError: together they would take too much memory.
    """
    scale, known = _scale(schema), list(blocks)
    count, size = sum(each for each, _ in known), sum(len(data) for _, data in known)
    if not scale.is_light(count, size):
        scale.weigh(known)


def refuse_heavy_json(value: bytes) -> None:
    """Refuse JSON that would take too much memory; signs within its texts count too.

    Raises:
        UndecodableError: it would.
    """
    kinds = ((b",", 1), (b":", 1), (b"[", _MANY), (b"{", _RECORD))
    _Rest().take(sum(weight * value.count(sign) for sign, weight in kinds))


class _Rest:
    """The weight that is left."""

    def __init__(self) -> None:
        self._left = MOST_WEIGHT

    def take(self, weight: int) -> None:
        """Take some of it."""
        self._left -= weight
        if self._left < 0:
            raise UndecodableError("it would take more memory than an alert may")


class _Scale:
    """Weighs alerts of a schema."""

    def __init__(self, schema: Schema) -> None:
        names = schema.parsed["__named_schemas"]
        excesses = ((rate, _Excess(names, rate).of(schema.parsed)) for rate in _RATES)
        self._light = next(((rate, each) for rate, each in excesses if each is not None), None)
        self._own, self._step = _Steps(names).of(schema.parsed)

    def is_light(self, count: int, size: int) -> bool:
        """Whether no alerts of that number and size together can be too heavy."""
        if self._light is None or count < 0:
            return False
        rate, excess = self._light
        return rate * size + count * (_ALERT + max(excess, 0)) <= MOST_WEIGHT

    def weigh(self, blocks: Iterable[tuple[int, bytes]]) -> None:
        """Go through alerts, and refuse those that are too heavy."""
        rest = _Rest()
        try:
            for count, data in blocks:
                rest.take(max(count, 0) * (_ALERT + self._own))
                at = 0
                for _ in range(count):
                    at = self._step(data, at, rest)
        # Cut or malformed there: decoding ends there too, and says how.
        except (OddError, IndexError):
            return


_scale = lru_cache(maxsize=_SCHEMAS)(_Scale)


class _Excess:
    """By how much a value of a type may weigh more than ``rate`` for each of its bytes.

    None where that has no bound: where items of an array weigh more.
    """

    def __init__(self, names: Mapping[str, Any], rate: int) -> None:
        self._names, self._rate = names, rate
        self._known: dict[str, int | None] = {}

    def of(self, node: Any) -> int | None:
        """The excess of a type."""
        if isinstance(node, list):
            return _sum([-self._rate, _most([self.of(each) for each in node])])
        name = node if isinstance(node, str) else node.get("name")
        if name in self._names:
            if name not in self._known:
                self._known[name] = self._of(self._names[name])
            return self._known[name]
        return self._of({"type": node} if isinstance(node, str) else node)

    def _of(self, node: Mapping[str, Any]) -> int | None:
        kind = node["type"]
        if kind in RECORDS:
            return _sum([_RECORD, *(self.of(each["type"]) for each in node["fields"])])
        if kind in {"array", "map"}:
            item = self.of(node["items" if kind == "array" else "values"])
            key = 0 if kind == "array" else _TEXT - self._rate
            return None if item is None or item + key > 0 else _MANY - self._rate
        least = node["size"] if kind == "fixed" else _LEAST_SIZES.get(kind, 1)
        return _own_of_scalar(kind, node) - self._rate * least


def _sum(parts: list[int | None]) -> int | None:
    known = [each for each in parts if each is not None]
    return sum(known) if len(known) == len(parts) else None


def _most(parts: list[int | None]) -> int | None:
    known = [each for each in parts if each is not None]
    return max(known) if len(known) == len(parts) else None


def _own_of_scalar(kind: str, node: Mapping[str, Any]) -> int:
    if "logicalType" in node:
        return _LOGICAL
    return _TEXT if kind in {"bytes", "string", "fixed"} else 1


class _Steps:
    """For each type what one of it weighs in any case, and what goes over it."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._known: dict[str, tuple[int, _Step]] = {}

    def of(self, node: Any) -> tuple[int, _Step]:
        """The weight and the step of a type."""
        if isinstance(node, list):
            return 1, _one_of([self.of(each) for each in node])
        name = node if isinstance(node, str) else node.get("name")
        if name in self._names:
            if name not in self._known:
                self._known[name] = self._of(self._names[name])
            return self._known[name]
        return self._of({"type": node} if isinstance(node, str) else node)

    def _of(self, node: Mapping[str, Any]) -> tuple[int, _Step]:
        kind = node["type"]
        if kind in RECORDS:
            fields = [self.of(each["type"]) for each in node["fields"]]
            return _RECORD + sum(own for own, _ in fields), _in_turn([step for _, step in fields])
        if kind == "array":
            return _MANY, _many(*self.of(node["items"]))
        if kind == "map":
            own, step = self.of(node["values"])
            return _MANY, _many(_TEXT + own, _in_turn([_over_bytes, step]))
        own = _own_of_scalar(kind, node)
        if kind in {"bytes", "string"}:
            return own, _over_bytes
        size = node["size"] if kind == "fixed" else _SIZES.get(kind)
        return own, _over_number if size is None else _over(size)


def _over_number(value: bytes, at: int, _rest: _Rest) -> int:
    while value[at] > 127:
        at += 1
    return at + 1


def _over_bytes(value: bytes, at: int, _rest: _Rest) -> int:
    length, at = length_at(value, at)
    return at + length


def _over(size: int) -> _Step:
    return lambda _value, at, _rest: at + size


def _in_turn(steps: list[_Step]) -> _Step:
    def step(value: bytes, at: int, rest: _Rest) -> int:
        for each in steps:
            at = each(value, at, rest)
        return at

    return step


def _one_of(branches: list[tuple[int, _Step]]) -> _Step:
    def step(value: bytes, at: int, rest: _Rest) -> int:
        number, at = length_at(value, at)
        own, over = branches[number]
        if own > 1:
            rest.take(own - 1)
        return over(value, at, rest)

    return step


def _many(own: int, over: _Step) -> _Step:
    def step(value: bytes, at: int, rest: _Rest) -> int:
        count, at = long_at(value, at)
        while count:
            if count < 0:
                count = -count
                _, at = long_at(value, at)
            rest.take(count * own)
            for _ in range(count):
                at = over(value, at, rest)
            count, at = long_at(value, at)
        return at

    return step
