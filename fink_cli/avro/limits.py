"""How much a message may become: a byte of Avro can be a record of Python objects of 200 bytes.

There is one bound. What a message decodes into is weighed before it is decoded: every value has a
weight, and a weight of 1 stands for some 40 bytes of memory. Of most messages their length and
their schema tell that they are light enough; the others are gone through, value by value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from fink_cli.avro.reference import UndecodableError
from fink_cli.avro.types import (
    ArrayType,
    AvroType,
    MapType,
    RecordType,
    ScalarType,
    UnionType,
    Visitor,
)

MOST_BYTES = 64 * 1024 * 1024
MOST_WEIGHT = 1_000_000

_ALERT, _RECORD, _MANY, _TEXT, _LOGICAL = 20, 6, 2, 2, 3
_BYTES_A_WEIGHT = 40
_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8, "fixed": 0}
# A message of so many weights a byte, at the most, need not be gone through.
_RATE = 4
_REMEMBERED = 64
# More bits are no number of Avro's.
_LONGEST_NUMBER = 70


class Weight(NamedTuple):
    """The weight of the values of a type.

    Attributes:
        own: what each weighs, without the items and the branches that are in it.
        excess: by how much one may be heavier than ``_RATE`` for each of its bytes; infinite where
            that has no bound.
    """

    own: int
    excess: float


class _Weights(Visitor[Weight]):
    """Finds the weight of each type, and keeps it."""

    def scalar(self, node: ScalarType) -> Weight:
        own = _TEXT if node.kind in {"bytes", "string", "fixed"} else 1
        own = _LOGICAL if node.logical else own
        # JSON has the symbol for each number.
        own += max(map(len, node.symbols), default=0) // _BYTES_A_WEIGHT
        least = node.size or _SIZES.get(node.kind, 1)
        return Weight(own, own - _RATE * least)

    def array(self, _node: ArrayType, items: Weight) -> Weight:
        return Weight(_MANY, _MANY - _RATE if items.excess <= 0 else float("inf"))

    def map(self, _node: MapType, values: Weight) -> Weight:
        is_bounded = values.excess + _TEXT - _RATE <= 0
        return Weight(_MANY, _MANY - _RATE if is_bounded else float("inf"))

    def union(self, _node: UnionType, branches: list[Weight]) -> Weight:
        return Weight(1, max(branch.excess for branch in branches) - _RATE)

    def record(self, _node: RecordType, fields: dict[str, Weight]) -> Weight:
        return Weight(
            _RECORD + sum(field.own for field in fields.values()),
            _RECORD + sum(field.excess for field in fields.values()),
        )


def refuse_long(value: bytes) -> None:
    """Refuse a message that is longer than an alert may be.

    Raises:
        UndecodableError: it is.
    """
    if len(value) > MOST_BYTES:
        raise UndecodableError(f"it is longer than {MOST_BYTES:,} bytes")


def refuse_heavy(blocks: Iterable[tuple[int, bytes]], root: RecordType) -> None:
    """Refuse alerts that would take too much memory together.

    Whether the bytes are alerts at all is not said.

    Args:
        blocks: the number of alerts and their bytes, in each block of a message.

    Raises:
        UndecodableError: they would.
    """
    scale, blocks = _scale(root), list(blocks)
    count, size = sum(number for number, _ in blocks), sum(len(data) for _, data in blocks)
    if count < 0 or _RATE * size + count * (_ALERT + max(scale.weight.excess, 0)) > MOST_WEIGHT:
        scale.weigh(blocks)


def refuse_heavy_json(value: bytes) -> None:
    """Refuse JSON that would take too much memory; signs within its texts count too.

    Raises:
        UndecodableError: it would.
    """
    kinds = ((b",", 1), (b":", 1), (b"[", _MANY), (b"{", _RECORD))
    if sum(weight * value.count(sign) for sign, weight in kinds) > MOST_WEIGHT:
        raise _too_heavy()


def memory_of(content: Any) -> int:
    """Return the bytes that a decoded alert takes; what it holds twice counts twice."""
    size = 0
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        size += sys.getsizeof(value)
        if isinstance(value, dict):
            # Keys are names of fields, which alerts share; those of maps are short.
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return size


def _too_heavy() -> UndecodableError:
    return UndecodableError("it would take more memory than an alert may")


class _Scale:
    """Weighs alerts of a schema."""

    def __init__(self, root: RecordType) -> None:
        self._root = root
        self._weights = _Weights()
        self.weight = self._weights.visit(root)
        self._left = 0

    def weigh(self, blocks: Iterable[tuple[int, bytes]]) -> None:
        """Go through alerts, and refuse those that are too heavy."""
        self._left = MOST_WEIGHT
        try:
            for count, data in blocks:
                self._take(max(count, 0) * (_ALERT + self.weight.own))
                at = 0
                for _ in range(count):
                    at = self._after(self._root, data, at)
        # Cut or malformed there: decoding ends there too, and says how.
        except LookupError:
            return

    def _take(self, weight: int) -> None:
        self._left -= weight
        if self._left < 0:
            raise _too_heavy()

    def _after(self, node: AvroType, value: bytes, at: int) -> int:
        """Return where what follows a value begins; its own weight has been taken."""
        match node:
            case RecordType():
                for field in node.fields:
                    at = self._after(field.type, value, at)
                return at
            case UnionType():
                number, at = _length(value, at)
                branch = node.branches[number]
                self._take(max(self._weights.visit(branch).own - 1, 0))
                return self._after(branch, value, at)
            case ArrayType() | MapType():
                return self._after_items(node, value, at)
            case ScalarType():
                return _after_scalar(node, value, at)

    def _after_items(self, node: ArrayType | MapType, value: bytes, at: int) -> int:
        items = node.items if isinstance(node, ArrayType) else node.values
        own = self._weights.visit(items).own + (0 if isinstance(node, ArrayType) else _TEXT)
        count, at = _number(value, at)
        while count:
            if count < 0:
                count = -count
                _, at = _number(value, at)
            self._take(count * own)
            if (
                isinstance(node, ArrayType)
                and isinstance(items, ScalarType)
                and items.kind in _SIZES
            ):
                at += count * (items.size or _SIZES[items.kind])
                count = 0
            for _ in range(count):
                if isinstance(node, MapType):
                    at = _after_scalar(_KEY, value, at)
                at = self._after(items, value, at)
            count, at = _number(value, at)
        return at


_KEY = ScalarType("string")
_scale = lru_cache(maxsize=_REMEMBERED)(_Scale)


def _after_scalar(node: ScalarType, value: bytes, at: int) -> int:
    if node.kind in {"bytes", "string"}:
        size, at = _length(value, at)
        return at + size
    if node.kind in {"int", "long", "enum"}:
        return _number(value, at)[1]
    return at + (node.size or _SIZES[node.kind])


def _length(value: bytes, at: int) -> tuple[int, int]:
    length, at = _number(value, at)
    if length < 0:
        raise LookupError
    return length, at


def _number(value: bytes, at: int) -> tuple[int, int]:
    """Return a whole number (zigzag, seven bits a byte), and where what follows it begins."""
    number = 0
    for shift in range(0, _LONGEST_NUMBER, 7):
        byte = value[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
    raise LookupError
