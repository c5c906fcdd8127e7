"""The formats that a file of alerts can have."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """What a file of alerts is written as."""

    PARQUET = "parquet"
    AVRO = "avro"
    NDJSON = "ndjson"
    CSV = "csv"
    VOTABLE = "votable"
    FITS = "fits"

    @property
    def is_flat(self) -> bool:
        """Whether it holds single values only, a row an alert."""
        return self in {FileFormat.CSV, FileFormat.VOTABLE, FileFormat.FITS}
