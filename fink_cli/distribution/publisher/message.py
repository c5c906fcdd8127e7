"""An alert as a message: its partition, its headers, and whether its topic takes it."""

from __future__ import annotations

import zlib

from fink_cli.distribution.publisher.work import LEVEL, Destination

# What a message has beside key and value: headers, and the frame of a batch.
_AROUND_BYTES = 1024

Headers = list[tuple[str, str | bytes | None]]


def choose_partition(object_id: str, partitions: int) -> int:
    """Choose the partition of an object's alerts, from a hash of its id.

    It is CRC-32, as in librdkafka's partitioner ``consistent``: any client can compute it.
    """
    return zlib.crc32(object_id.encode()) % partitions


def headers_of(
    *, alert_id: str, object_id: str, published_at: bytes, fingerprint: bytes, stream: str
) -> Headers:
    """Return the headers of a message."""
    return [
        ("alert-id", alert_id.encode()),
        ("object-id", object_id.encode()),
        ("published-at", published_at),
        ("schema-fingerprint", fingerprint),
        ("stream", stream.encode()),
    ]


def is_too_large(target: Destination, value: bytes, key: bytes) -> bool:
    """Tell whether a message by itself, compressed as it is sent, is more than its topic takes."""
    size = len(value) + len(key) + _AROUND_BYTES
    if target.largest is None or size <= target.largest:
        return False
    import cramjam

    packed = len(cramjam.zstd.compress(key + value, level=LEVEL))
    return min(packed, size) + _AROUND_BYTES > target.largest
