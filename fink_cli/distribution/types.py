"""Which columns of Parquet can be published, and which can't.

Found out with PySpark 4.0.5 (``tests/e2e/test_types.py`` tries each again), with the settings that
the job uses: ``spark.sql.legacy.parquet.nanosAsLong`` and ``spark.sql.caseSensitive``. What becomes
of each type is in ``docs/types.md``.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types as kinds

from fink_cli.errors import UsageError
from fink_cli.text import printable

# As far as Spark's decimals go, in digits.
_MOST_DIGITS = 38
_TEXT, _REAL = "write it as text", "write it as a 32-bit float"
_NAME = "an Avro name has letters, digits and _ only, and begins with no digit"

_TAKEN = (
    kinds.is_null,
    kinds.is_boolean,
    kinds.is_integer,
    kinds.is_float32,
    kinds.is_float64,
    kinds.is_decimal,
    kinds.is_timestamp,
    kinds.is_date,
    kinds.is_duration,
    kinds.is_string,
    kinds.is_large_string,
    kinds.is_string_view,
    kinds.is_binary,
    kinds.is_large_binary,
    kinds.is_fixed_size_binary,
    kinds.is_binary_view,
)
_LISTS = (
    kinds.is_list,
    kinds.is_large_list,
    kinds.is_fixed_size_list,
    kinds.is_list_view,
    kinds.is_large_list_view,
)
# Spark writes values of these as a text that tells them apart.
_KEYS = (
    kinds.is_string,
    kinds.is_large_string,
    kinds.is_string_view,
    kinds.is_boolean,
    kinds.is_integer,
    kinds.is_float32,
    kinds.is_float64,
    kinds.is_decimal,
    kinds.is_timestamp,
    kinds.is_date,
)


@dataclass(frozen=True)
class RefusedColumn:
    """A column that can't be published as it is.

    Attributes:
        path: where it is: ``a.b`` is a field of a struct, ``a[]`` the items of an array,
            ``a{}`` the values of a map, ``a{key}`` its keys.
        type: its type, as Arrow writes it.
        reason: why, and what to do.
    """

    path: str
    type: str
    reason: str


def refused_columns(schema: pa.Schema) -> list[RefusedColumn]:
    """The columns, at any depth, that Spark can't read or Avro can't hold.

    Args:
        schema: the schema of a Parquet file, as ``pyarrow.parquet.read_schema`` gives it.
    """
    found = [
        RefusedColumn(printable(path), printable(str(kind)), reason)
        for path, kind, reason in _in_fields(list(schema), "")
    ]
    return list(dict.fromkeys(found))


_Found = Iterator[tuple[str, pa.DataType, str]]


def _in_fields(fields: list[pa.Field], above: str) -> _Found:
    counted = Counter(each.name for each in fields)
    for each in fields:
        path = f"{above}{each.name}"
        if not is_avro_name(each.name):
            yield path, each.type, f"{_NAME}: rename it"
        elif counted[each.name] > 1:
            yield path, each.type, "there is another of the same name: rename it"
        yield from _in_type(each.type, path)


def _in_type(kind: pa.DataType, path: str) -> _Found:
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        yield from _in_type(kind.storage_type, path)
    elif kinds.is_dictionary(kind):
        yield from _in_type(kind.value_type, path)
    elif kinds.is_struct(kind):
        yield from _in_fields(list(kind.fields), f"{path}.")
    elif kinds.is_map(kind):
        yield from _in_key(kind.key_type, f"{path}{{key}}")
        yield from _in_type(kind.item_type, f"{path}{{}}")
    elif any(each(kind) for each in _LISTS):
        yield from _in_type(kind.value_type, f"{path}[]")
    elif reason := _refusal(kind):
        yield path, kind, reason


def _in_key(kind: pa.DataType, path: str) -> _Found:
    inner = kind.value_type if kinds.is_dictionary(kind) else kind
    if not any(each(inner) for each in _KEYS):
        yield path, kind, f"the keys of a map are text in Avro: {_TEXT}"
    elif reason := _refusal(inner):
        yield path, kind, reason


def _refusal(kind: pa.DataType) -> str:
    """Why a type that holds no others is refused; empty when it is not."""
    if kinds.is_float16(kind):
        return f"Spark reads no 16-bit floats: {_REAL}"
    if kinds.is_time(kind):
        return "Spark reads no time of day: write it as a number of seconds, or as text"
    if kinds.is_decimal(kind) and kind.precision > _MOST_DIGITS:
        return f"Spark reads no decimals of more than {_MOST_DIGITS} digits: {_TEXT}"
    if isinstance(kind, pa.BaseExtensionType):
        return f"Spark reads no UUID: {_TEXT}"
    if not any(each(kind) for each in _TAKEN):
        return f"Spark does not read this type: {_TEXT}"
    return ""


def is_avro_name(name: str) -> bool:
    """Whether Spark's Avro library takes a name.

    It takes the letters of any script, though the Avro specification has only those of ASCII; but
    not those beyond the first 65,536 characters of Unicode, which Java sees as two.
    """
    kinds_of = [unicodedata.category(each) if ord(each) < 0x10000 else "" for each in name]
    fits = [
        category.startswith("L") or category == "Nd" or each == "_"
        for each, category in zip(name, kinds_of, strict=True)
    ]
    return bool(name) and all(fits) and kinds_of[0] != "Nd"


def with_text_keys(kind: Any) -> Any:
    """A type of Spark's with text for the keys of every map in it, for a cast.

    Args:
        kind: the type as JSON, as ``DataType.jsonValue()`` gives it.

    Returns:
        Another type, or one that is equal when nothing has to change.
    """
    if isinstance(kind, list):
        return [with_text_keys(each) for each in kind]
    if not isinstance(kind, Mapping):
        return kind
    changed = {
        # Metadata is the file's own, whatever its words.
        name: value if name == "metadata" else with_text_keys(value)
        for name, value in kind.items()
    }
    key = changed.get("keyType")
    # Keys that are no single value, or bytes that may be no text, are refused.
    to_text = changed.get("type") == "map" and isinstance(key, str) and key != "binary"
    return changed | ({"keyType": "string"} if to_text else {})


def refuse_columns(file: Path) -> None:
    """Refuse alerts with a column that can't be published.

    Raises:
        UsageError: there is one; each is named.
    """
    found = refused_columns(pq.read_schema(file))
    if found:
        named = "\n".join(f"  {each.path} ({each.type}): {each.reason}" for each in found)
        raise UsageError(
            f"Some columns can't be published as Avro:\n{named}",
            "Write them as another type, or under another name: docs/types.md says which.",
        )
