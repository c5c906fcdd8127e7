"""What reads the values of an Avro type, or passes over them: small functions, to be put together.

Each takes a message, a place in it and the list of values so far, and returns the next place. What
is unusual or wrong ends in an error; what lies beyond the end of the message ends in one, or in a
place beyond the end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastavro.read import LOGICAL_READERS

Part = Callable[[bytes, int, list[Any]], int]

_FORMATS = {"float": "f", "double": "d"}
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
COMPILED_AFTER = 500
"""How often parts are passed over one by one before a regular expression is made for them."""
# More, and a long has more than the 63 bits that are read here.
_LONGEST_SHIFT = 56


class OddError(ValueError):
    """A message that has to be decoded by fastavro."""


# What reading beyond the end, text that is not UTF-8, and dates out of range raise.
GIVE_UP = (ValueError, LookupError, ArithmeticError, struct.error, MemoryError)


def long_at(value: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    byte = value[at]
    at += 1
    number, shift = byte & 127, 7
    while byte > 127:
        if shift > _LONGEST_SHIFT:
            raise OddError
        byte = value[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at


def length_at(value: bytes, at: int) -> tuple[int, int]:
    length, at = long_at(value, at)
    if length < 0:
        raise OddError
    return length, at


def read_null(_value: bytes, at: int, out: list[Any]) -> int:
    """A null."""
    out.append(None)
    return at


def read_boolean(value: bytes, at: int, out: list[Any]) -> int:
    """A boolean."""
    if value[at] > 1:
        raise OddError
    out.append(value[at] == 1)
    return at + 1


def read_long(value: bytes, at: int, out: list[Any]) -> int:
    """An int or a long."""
    byte = value[at]
    if byte > 127:
        number, at = long_at(value, at)
        out.append(number)
        return at
    out.append((byte >> 1) ^ -(byte & 1))
    return at + 1


def read_float(value: bytes, at: int, out: list[Any]) -> int:
    """A float."""
    out += _FLOAT.unpack_from(value, at)
    return at + 4


def read_double(value: bytes, at: int, out: list[Any]) -> int:
    """A double."""
    out += _DOUBLE.unpack_from(value, at)
    return at + 8


# A slice beyond the end is short; that the place is beyond it then, is seen at last.
def read_bytes(value: bytes, at: int, out: list[Any]) -> int:
    """Bytes."""
    length, at = length_at(value, at)
    out.append(value[at : at + length])
    return at + length


def read_string(value: bytes, at: int, out: list[Any]) -> int:
    """A text."""
    length, at = length_at(value, at)
    out.append(value[at : at + length].decode())
    return at + length


def pass_bytes(value: bytes, at: int, _out: list[Any]) -> int:
    """Pass over bytes or a text."""
    length, at = length_at(value, at)
    return at + length


def fixed(size: int) -> Part:
    """Bytes of a fixed number."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        out.append(value[at : at + size])
        return at + size

    return read


def enum(symbols: Sequence[str]) -> Part:
    """A symbol."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        number, at = length_at(value, at)
        out.append(symbols[number])
        return at

    return read


def logical(part: Part, node: dict[str, Any]) -> Part:
    """A value that fastavro makes something else of: a date, a decimal."""
    convert = LOGICAL_READERS.get(f"{node['type']}-{node['logicalType']}")
    if convert is None:
        return part

    def read(value: bytes, at: int, out: list[Any]) -> int:
        at = part(value, at, out)
        out[-1] = convert(out[-1], node, None)
        return at

    return read


def union(branches: Sequence[Part]) -> Part:
    """One of several types, of which the number comes first."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        byte = value[at]
        # Negative, or of several bytes.
        if byte & 129:
            raise OddError
        return branches[byte >> 1](value, at + 1, out)

    return read


def optional_long(here: int, null: int) -> Part:
    """An int, a long or null; ``here`` and ``null`` are the bytes that say which."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        branch = value[at]
        if branch == here:
            byte = value[at + 1]
            if byte < 128:
                out.append((byte >> 1) ^ -(byte & 1))
                return at + 2
            number, at = long_at(value, at + 1)
            out.append(number)
            return at
        if branch != null:
            raise OddError
        out.append(None)
        return at + 1

    return read


def optional_string(here: int, null: int) -> Part:
    """A text or null; ``here`` and ``null`` are the bytes that say which."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        branch = value[at]
        if branch == here:
            byte = value[at + 1]
            if byte & 129:
                return read_string(value, at + 1, out)
            end = at + 2 + (byte >> 1)
            out.append(value[at + 2 : end].decode())
            return end
        if branch != null:
            raise OddError
        out.append(None)
        return at + 1

    return read


def array(item: Part) -> Part:
    """Many of a type, in a list."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        items: list[Any] = []
        end = len(value)
        count, at = long_at(value, at)
        while count:
            if count < 0:
                count = -count
                _, at = long_at(value, at)
            for _ in range(count):
                at = item(value, at, items)
                if at > end:
                    raise OddError
            count, at = long_at(value, at)
        out.append(items)
        return at

    return read


def pairs(item: Part) -> Part:
    """A text and a value: the item of a map."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        return item(value, read_string(value, at, out), out)

    return read


def mapping(array: Part) -> Part:
    """A map, from the array of its pairs."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        found: list[list[Any]] = []
        at = array(value, at, found)
        out.append(dict(zip(found[0][::2], found[0][1::2], strict=True)))
        return at

    return read


def nowhere(part: Part) -> Part:
    """Read and forget."""
    return lambda value, at, _out: part(value, at, [])


def record(names: Sequence[str], parts: Sequence[Part]) -> Part:
    """A record with the values that its parts read."""

    def read(value: bytes, at: int, out: list[Any]) -> int:
        values: list[Any] = []
        for part in parts:
            at = part(value, at, values)
        out.append(dict(zip(names, values, strict=True)))
        return at

    return read


def in_turn(parts: Sequence[Part]) -> Part:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]

    def read(value: bytes, at: int, out: list[Any]) -> int:
        for part in parts:
            at = part(value, at, out)
        return at

    return read


def matching(patterns: Sequence[bytes]) -> Part:
    """Pass over what regular expressions match, one after the other."""
    match = re.compile(b"".join(patterns), re.DOTALL).match

    def read(value: bytes, at: int, _out: list[Any]) -> int:
        found = match(value, at)
        if found is None:
            raise OddError
        return found.end()

    return read


def soon_matching(patterns: Sequence[bytes], otherwise: Part) -> Part:
    """Do ``otherwise`` what regular expressions do at once, as soon as they pay.

    They take longer to compile than ``otherwise`` takes for some hundred alerts, and not each
    value need match.
    """
    uses = 0
    match: Callable[[bytes, int], re.Match[bytes] | None] | None = None

    def read(value: bytes, at: int, out: list[Any]) -> int:
        nonlocal uses, match
        if match is None:
            uses += 1
            if uses < COMPILED_AFTER:
                return otherwise(value, at, out)
            match = re.compile(b"".join(patterns), re.DOTALL).match
        found = match(value, at)
        return otherwise(value, at, out) if found is None else found.end()

    return read


class Number(NamedTuple):
    """A floating point number, perhaps optional.

    Attributes:
        form: its format, as the struct module has it.
        here: the byte before it that says that it is there; empty where it always is.
        null: the byte that stands for null.
    """

    form: str
    here: bytes = b""
    null: bytes = b""


def number(node: Any) -> Number | None:
    """The floating point number that a type is, if it is one."""
    if isinstance(node, str):
        return Number(_FORMATS[node]) if node in _FORMATS else None
    if isinstance(node, list) and len(node) == 2 and "null" in node:
        null = node.index("null")
        form = node[1 - null]
        if isinstance(form, str) and form in _FORMATS:
            return Number(_FORMATS[form], bytes([2 - 2 * null]), bytes([2 * null]))
    return None


class Shape:
    """How numbers side by side lie in a message when all are there.

    Attributes:
        size: the bytes that they take.
        mask: has ones where the bytes are that say that a number is there.
        here: what these bytes are; both are numbers, least significant byte first.
        nulls: the bytes where all are null; empty where they can't be.
        unpack: the numbers from a message and a place.
    """

    def __init__(self, numbers: Sequence[Number]) -> None:
        shape = struct.Struct("<" + "".join("x" * len(each.here) + each.form for each in numbers))
        sizes = [bytes(struct.calcsize(f"<{each.form}")) for each in numbers]
        known = [each.here + size for each, size in zip(numbers, sizes, strict=True)]
        flags = [b"\xff" * len(each.here) + size for each, size in zip(numbers, sizes, strict=True)]
        self.size = shape.size
        self.mask = int.from_bytes(b"".join(flags), "little")
        self.here = int.from_bytes(b"".join(known), "little")
        self.nulls = (
            b"".join(each.null for each in numbers) if all(e.null for e in numbers) else b""
        )
        self.unpack = shape.unpack_from


def run(shape: Shape, in_part: Part) -> Part:
    """Numbers side by side; ``in_part`` reads them where some are there and some are null."""
    size, mask, here, nulls, unpack = shape.size, shape.mask, shape.here, shape.nulls, shape.unpack
    count = len(nulls)
    none = (None,) * count
    number_of = int.from_bytes

    def read(value: bytes, at: int, out: list[Any]) -> int:
        end = at + size
        if number_of(value[at:end], "little") & mask == here:
            out += unpack(value, at)
            return end
        if count and value.startswith(nulls, at):
            out += none
            return at + count
        return in_part(value, at, out)

    return read
