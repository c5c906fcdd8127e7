"""Avro object containers: what ``.avro`` files are (Avro specification 1.12, "Object container
files").

Read here rather than by fastavro, so that the schema is checked first and nothing unpacks
without a bound.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import fastavro

from fink_cli.avro.limits import refuse_heavy
from fink_cli.avro.reference import UndecodableError, next_of
from fink_cli.avro.schema import Schema

MAGIC = b"Obj\x01"
# Three cutouts of 10 MB, and what belongs to them.
MOST_BYTES = 32 * 1024 * 1024
_SYNC = 16
_HEADER = fastavro.parse_schema({"type": "map", "values": "bytes"})

Unpack = Callable[[bytes, int], bytes]


# What unpacks at most so many bytes: the two codecs that the specification requires.
_CODECS: dict[bytes, Unpack] = {
    b"null": lambda packed, most: packed[:most],
    b"deflate": lambda packed, most: zlib.decompressobj(-15).decompress(packed, most),
}


class Block(NamedTuple):
    """Some records of a container, unpacked."""

    records: int
    data: bytes


def opened(value: bytes) -> tuple[bytes, list[Block]]:
    """Return the schema's text and the blocks of a container.

    Raises:
        UndecodableError: it is cut or malformed, its codec is not known, or it unpacks to more
            than ``MOST_BYTES``.
    """
    stream = BytesIO(value)
    stream.seek(len(MAGIC))
    try:
        header: Any = fastavro.schemaless_reader(stream, _HEADER)
    except (EOFError, ValueError, LookupError) as error:
        raise UndecodableError("the header of the Avro container can't be read") from error
    codec = header.get("avro.codec", b"null")
    unpack = _CODECS.get(codec)
    if unpack is None:
        raise UndecodableError(f"the codec {codec[:20]!r} of the Avro container is not known")
    sync = stream.read(_SYNC)
    return header.get("avro.schema", b""), list(_blocks(stream, sync, unpack))


def _blocks(stream: BytesIO, sync: bytes, unpack: Unpack) -> Iterator[Block]:
    room = MOST_BYTES
    while stream.tell() < len(stream.getbuffer()):
        count, size = _long(stream), _long(stream)
        packed = stream.read(size) if size >= 0 else b""
        if count < 0 or len(packed) != size or stream.read(_SYNC) != sync:
            raise UndecodableError("a block of the Avro container is cut or malformed")
        try:
            data = unpack(packed, room + 1)
        except zlib.error as error:
            raise UndecodableError("a block of the Avro container can't be unpacked") from error
        room -= len(data)
        if room < 0:
            raise UndecodableError(f"the Avro container holds more than {MOST_BYTES:,} bytes")
        yield Block(count, data)


def _long(stream: BytesIO) -> int:
    try:
        return int(fastavro.schemaless_reader(stream, "long"))  # type: ignore[arg-type]
    except (EOFError, ValueError, LookupError) as error:
        raise UndecodableError("a block of the Avro container is cut or malformed") from error


def records_of(blocks: Sequence[Block], schema: Schema) -> list[tuple[dict[str, Any], bytes]]:
    """Return the alerts in the blocks, with the bytes of each.

    Raises:
        UndecodableError: one can't be decoded, or few bytes hold very many.
    """
    refuse_heavy(blocks, schema.root)
    alerts: list[tuple[dict[str, Any], bytes]] = []
    for block in blocks:
        stream = BytesIO(block.data)
        for _ in range(block.records):
            begin = stream.tell()
            content = next_of(stream, schema)
            alerts.append((content, block.data[begin : stream.tell()]))
        if stream.tell() != len(block.data):
            raise UndecodableError("bytes follow the alerts of a block of the Avro container")
    if not alerts:
        raise UndecodableError("the Avro container holds no alert")
    return alerts
