"""The columns of a Parquet file: as what Spark reads each, and which can't be published.

The types are taken from the columns themselves. Spark would take them from the text that it wrote
into the footer, which another library keeps when it writes the file anew with other types.

Tried with PySpark 4.0.5 (``tests/e2e/test_types.py`` tries each again), with the settings that
the job uses: ``spark.sql.legacy.parquet.nanosAsLong`` and ``spark.sql.caseSensitive``. What becomes
of each type is in ``docs/types.md``.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types as kinds

from fink_cli.distribution.columns.columns import (
    INT96,
    NANOSECONDS,
    VOID,
    Array,
    Kind,
    Map,
    Scalar,
    Struct,
    joined,
)
from fink_cli.errors import UsageError
from fink_cli.text import printable

# As far as Spark's decimals go, in digits.
_MOST_DIGITS = 38
_TEXT, _REAL = "write it as text", "write it as a 32-bit float"

# Spark has no unsigned numbers: each becomes the next wider one.
_FIXED = {
    pa.null(): VOID,
    pa.bool_(): "boolean",
    pa.int8(): "byte",
    pa.int16(): "short",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.uint8(): "short",
    pa.uint16(): "integer",
    pa.uint32(): "long",
    pa.uint64(): "decimal(20,0)",
    pa.float32(): "float",
    pa.float64(): "double",
}
_LISTS = (
    kinds.is_list,
    kinds.is_large_list,
    kinds.is_fixed_size_list,
    kinds.is_list_view,
    kinds.is_large_list_view,
)
_BYTES = (
    kinds.is_binary,
    kinds.is_large_binary,
    kinds.is_fixed_size_binary,
    kinds.is_binary_view,
)
_TEXTS = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)

_Leaf = tuple[str, str]
"""The physical and the logical type of a column of Parquet, as Parquet calls them."""


def columns_of(footer: pq.FileMetaData) -> Struct:
    """Return the columns of a Parquet file, as Spark reads them.

    Raises:
        pyarrow.ArrowException: the schema in the footer is damaged.
        ValueError: what stands in it is no text, or it contradicts itself.
    """
    columns = [footer.schema.column(number) for number in range(footer.num_columns)]
    leaves = tuple((each.physical_type, each.logical_type.type) for each in columns)
    return _columns(footer.schema.to_arrow_schema().remove_metadata(), leaves)


@lru_cache(maxsize=64)
def _columns(schema: pa.Schema, leaves: Sequence[_Leaf]) -> Struct:
    """Return the columns of a schema; for files of equal schemas, the same object."""
    return _struct(schema, iter(leaves))


def _struct(fields: Iterable[pa.Field], leaves: Iterator[_Leaf]) -> Struct:
    named = [(each.name, _kind(each.type, leaves)) for each in fields]
    counted = Counter(name for name, _ in named)
    return Struct({name: kind if counted[name] == 1 else _TWICE for name, kind in named})


_TWICE = Scalar("twice", "two columns", refused="there is another of the same name: rename it")


def _kind(arrow: pa.DataType, leaves: Iterator[_Leaf]) -> Kind:
    """Return the type of a column, and take its own from the leaves of Parquet."""
    if isinstance(arrow, pa.BaseExtensionType):
        return _kind(arrow.storage_type, leaves)
    if kinds.is_dictionary(arrow):
        return _kind(arrow.value_type, leaves)
    if kinds.is_struct(arrow):
        return _struct(arrow.fields, leaves)
    if kinds.is_map(arrow):
        keys = _key(arrow.key_type, leaves)
        return Map(keys, _kind(arrow.item_type, leaves))
    if any(is_list(arrow) for is_list in _LISTS):
        return Array(_kind(arrow.value_type, leaves))
    leaf = next(leaves, None)
    if leaf is None:
        raise ValueError("The footer names more columns than it describes.")
    return _scalar(arrow, *leaf)


def _key(arrow: pa.DataType, leaves: Iterator[_Leaf]) -> Scalar:
    """Return the type of a map's keys, which Spark writes as text that tells values apart."""
    kind = _kind(arrow, leaves)
    if not isinstance(kind, Scalar) or (kind.type in ("binary", VOID) and not kind.refused):
        return Scalar(
            "", printable(str(arrow)), refused=f"the keys of a map are text in Avro: {_TEXT}"
        )
    if kind.form == NANOSECONDS:
        return replace(kind, type="long", form="")
    return kind


def _scalar(arrow: pa.DataType, physical: str, logical: str) -> Scalar:
    shown = printable(str(arrow))
    if reason := _refusal(arrow, logical):
        return Scalar(shown, shown, refused=reason)
    # Arrow shows both of Parquet's forms of nanoseconds as one.
    if physical == INT96:
        return Scalar("timestamp", f"{shown} (INT96)", INT96)
    form = NANOSECONDS if kinds.is_timestamp(arrow) and arrow.unit == "ns" else ""
    # Arrow reads the names of an enumeration as bytes, Spark as text.
    return Scalar("string" if logical == "ENUM" else _spark_type(arrow), shown, form)


def _spark_type(arrow: pa.DataType) -> str:
    """Return Spark's name of a scalar type that is not refused."""
    if kinds.is_timestamp(arrow):
        return "timestamp" if arrow.tz else "timestamp_ntz"
    if kinds.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    texts = [(is_text, "string") for is_text in _TEXTS]
    named = [(kinds.is_date, "date"), (kinds.is_duration, "long"), *texts]
    simple = (name for is_one, name in named if is_one(arrow))
    return _FIXED.get(arrow) or next(simple, "binary")


def _refusal(arrow: pa.DataType, logical: str) -> str:
    """Tell why a scalar type is refused; empty when it is not."""
    if kinds.is_float16(arrow):
        return f"Spark reads no 16-bit floats: {_REAL}"
    if kinds.is_time(arrow):
        return "Spark reads no time of day: write it as a number of seconds, or as text"
    if kinds.is_decimal(arrow) and arrow.precision > _MOST_DIGITS:
        return f"Spark reads no decimals of more than {_MOST_DIGITS} digits: {_TEXT}"
    if logical == "UUID":
        return f"Spark reads no UUID: {_TEXT}"
    taken = (kinds.is_timestamp, kinds.is_decimal, kinds.is_date, kinds.is_duration)
    if arrow not in _FIXED and not any(is_one(arrow) for is_one in (*taken, *_TEXTS, *_BYTES)):
        return f"Spark does not read this type: {_TEXT}"
    return ""


def _is_letter(character: str) -> bool:
    # Java sees a character beyond the first 65,536 of Unicode as two.
    return ord(character) < 0x10000 and unicodedata.category(character).startswith("L")


def _is_digit(character: str) -> bool:
    return ord(character) < 0x10000 and unicodedata.category(character) == "Nd"


def avro_name(name: str) -> str:
    """Return the name that a column is published under: its own, where Spark's Avro library can.

    That takes the letters of any script, though the Avro specification has only those of ASCII.
    Other characters become ``_``, and a name that begins with a digit gets one before it.
    """
    legal = "".join(
        each if each == "_" or _is_letter(each) or _is_digit(each) else "_" for each in name
    )
    return f"_{legal}" if not legal or _is_digit(legal[0]) else legal


def with_avro_names(kind: Any, renamed: dict[str, str], path: str = "", published: str = "") -> Any:
    """Return a type of Spark's in which Avro takes the name of every field, for a cast.

    Args:
        kind: the type as JSON, as ``DataType.jsonValue()`` returns it.
        renamed: is given the path of each field whose name changes, and its path when published.
        path: the path of the field of this type; empty for the alert itself.
        published: the same path when published.

    Raises:
        UsageError: two fields of a struct would get one name.
    """
    if not isinstance(kind, Mapping):
        return kind
    for key, mark in (("elementType", "[]"), ("valueType", "{}")):
        if key in kind:
            below = with_avro_names(kind[key], renamed, path + mark, published + mark)
            return {**kind, key: below}
    names: dict[str, str] = {}
    fields = []
    for field in kind["fields"]:
        below, name = joined(path, field["name"]), avro_name(field["name"])
        if name in names:
            raise UsageError(
                f"The columns '{printable(names[name])}' and '{printable(below)}' would both be "
                f"published as {name}.",
                "Drop one of them, or rename it in the source.",
            )
        names[name] = below
        if name != field["name"]:
            renamed[below] = joined(published, name)
        type_ = with_avro_names(field["type"], renamed, below, joined(published, name))
        fields.append({**field, "name": name, "type": type_})
    return {**kind, "fields": fields}
