"""The formats that a file of alerts can have."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """What a file of alerts is written as."""

    PARQUET = "parquet"
    AVRO = "avro"
    NDJSON = "ndjson"
