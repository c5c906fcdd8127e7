"""Schemas and values drawn at random, and what fastavro makes of them."""

from __future__ import annotations

import random
from typing import Any

from fink_cli.avro.reference import UndecodableError, decoded
from fink_cli.avro.schema import Schema

SCALARS = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL_TYPES = [
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "string", "logicalType": "uuid"},
    {"type": "int", "logicalType": "of-nobody"},
]


class Sampler:
    """Draws types, and bytes that may be values of them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.names: dict[str, Any] = {}

    def record(self, depth: int = 0) -> dict[str, Any]:
        name = f"r{len(self.names)}"
        self.names[name] = {}
        fields = []
        for number in range(self.dice.randrange(1, 9)):
            # Numbers side by side, as alerts have them.
            for again in range(self.dice.choice((1, 1, 5))):
                kind = self.type(depth + 1) if again == 0 else self.optional(["float", "double"])
                fields.append({"name": f"f{number}_{again}", "type": kind})
        # No record is empty: an array of such items would be refused.
        fields.append({"name": "last", "type": "int"})
        self.names[name] |= {"type": "record", "name": name, "fields": fields}
        return self.names[name]

    def optional(self, kinds: list[str]) -> Any:
        kind = self.dice.choice(kinds)
        return self.dice.choice([kind, [kind, "null"], ["null", kind], ["null", kind]])

    def type(self, depth: int) -> Any:
        way = self.dice.random()
        if depth > 3 or way < 0.6:
            return self.optional([each for each in SCALARS if each != "null"])
        if way < 0.7:
            return self.dice.choice(LOGICAL_TYPES)
        if way < 0.76:
            self.names[name := f"e{len(self.names)}"] = {}
            return {"type": "enum", "name": name, "symbols": ["A", "B", "C"]}
        if way < 0.8:
            self.names[name := f"x{len(self.names)}"] = {}
            return {"type": "fixed", "name": name, "size": self.dice.choice((1, 4, 70_000))}
        if way < 0.85:
            return ["null", "string", "int", {"type": "array", "items": "int"}, "double"]
        if way < 0.92:
            return {"type": "array", "items": self.dice.choice([self.record(depth), "string"])}
        return {"type": "map", "values": self.type(depth + 1)}

    def value(self, kind: Any) -> bytes:
        """Bytes of a type, written here rather than by fastavro: also what it would not write."""
        dice = self.dice
        if isinstance(kind, list):
            number = dice.randrange(len(kind))
            return long(number) + self.value(kind[number])
        name = kind if isinstance(kind, str) else kind["type"]
        if name in {"int", "long", "enum"}:
            largest = 2 if name == "enum" else 2 ** dice.choice((3, 6, 20, 31, 62, 63))
            return long(dice.randint(0 if name == "enum" else -largest, largest))
        if name in {"float", "double"}:
            return dice.randbytes(4 if name == "float" else 8)
        if name in {"bytes", "string"}:
            if isinstance(kind, dict) and kind.get("logicalType") == "uuid":
                return sized(b"12345678-1234-5678-1234-567812345678")
            size = dice.choice((0, 3, 40, 100))
            return sized(dice.randbytes(size) if name == "bytes" else ("é" * size).encode())
        if name == "fixed":
            return dice.randbytes(kind["size"])
        if name in {"array", "map"}:
            return self.many(kind)
        if name == "record":
            return b"".join(self.value(each["type"]) for each in kind["fields"])
        return dice.choice((b"\0", b"\1")) if name == "boolean" else b""

    def many(self, kind: dict[str, Any]) -> bytes:
        key = sized(b"key") if kind["type"] == "map" else b""
        inner = kind["items" if kind["type"] == "array" else "values"]
        blocks = b""
        for count in self.dice.choice(([], [2], [1, -3])):
            items = b"".join(key + self.value(inner) for _ in range(abs(count)))
            blocks += long(count) + (long(len(items)) if count < 0 else b"") + items
        return blocks + long(0)


def long(number: int) -> bytes:
    left = (number << 1) ^ (number >> 63)
    content = bytearray()
    while left > 127:
        content.append(left & 127 | 128)
        left >>= 7
    return bytes([*content, left])


def sized(content: bytes) -> bytes:
    return long(len(content)) + content


def reference(value: bytes, schema: Schema) -> dict[str, Any] | None:
    try:
        return decoded(value, schema)
    except UndecodableError:
        return None
