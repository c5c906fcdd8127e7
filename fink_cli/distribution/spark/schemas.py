"""The columns of the alerts in Spark, those that are published, and their Avro schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import DataType, StructType

from fink_cli.distribution.columns.columns import (
    NANOSECONDS,
    VOID,
    Array,
    Kind,
    Map,
    Scalar,
    Struct,
    is_integer,
    needs_conversion,
    published_type,
    read_type,
)
from fink_cli.distribution.columns.ids import id_columns
from fink_cli.distribution.columns.parquet_types import with_avro_names
from fink_cli.distribution.columns.selection import ColumnTree, refuse_columns, selected, tree
from fink_cli.distribution.source.parquet_files import columns_of_files
from fink_cli.distribution.streams import Distribution

FILE, ROW = "fink:file", "fink:row"
_GLOB = re.compile(r"([\[\]{}*?\\])")


@dataclass(frozen=True)
class Alerts:
    """The columns of the alerts of the source.

    Attributes:
        columns: the columns that the files share.
        spark: those that Spark can read, as filters see them.
        alert_id: dotted path of the column that names the alert; ``None`` where none does.
        object_id: dotted path of the column that names the object.
    """

    columns: Struct
    spark: StructType
    alert_id: str | None
    object_id: str | None


@dataclass(frozen=True)
class Encoding:
    """A selection of columns, encoded once for each alert whatever the number of streams.

    Attributes:
        columns: the columns, under the names that they are published by.
        avro: their Avro schema as JSON text, which is the key of each message.
        renamed: the path of each column that has another name in the source, and its path here.
    """

    columns: Sequence[Column]
    avro: str
    renamed: Mapping[str, str]


def read_alerts(spark: SparkSession, files: Sequence[Path], alerts: Alerts) -> DataFrame:
    """Read the alerts of Parquet files, whatever characters are in their names.

    The file of each alert is in a column ``FILE``, and its number within it in ``ROW``. Files that
    store a column in another form are read apart, since Spark reads with one schema at a time.
    """
    columns = columns_of_files(files)
    forms: dict[str, tuple[Struct, list[Path]]] = {}
    for file in files:
        # Of a file that is gone or torn by now Spark says so itself.
        stored = columns.get(file, alerts.columns)
        form = json.dumps(read_type(stored, alerts.columns))
        forms.setdefault(form, (stored, []))[1].append(file)
    return reduce(DataFrame.union, (_read(spark, *form, alerts) for form in forms.values()))


def _read(spark: SparkSession, stored: Struct, files: Sequence[Path], alerts: Alerts) -> DataFrame:
    """Read the alerts of files that store their columns in one form."""
    schema = struct_type(read_type(stored, alerts.columns))
    columns = [
        F.col(quoted(each.name))
        if schema[each.name] == each and not needs_conversion(stored.fields[each.name])
        else _published(
            F.col(quoted(each.name)), stored.fields[each.name], alerts.columns.fields[each.name]
        ).alias(each.name)
        for each in alerts.spark
    ]
    position = (F.col("_metadata.file_path").alias(FILE), F.col("_metadata.row_index").alias(ROW))
    read = spark.read.schema(schema).parquet(*map(local_glob, files))
    return read.select(*columns, *position)


def _published(column: Column, stored: Kind, expected: Kind) -> Column:
    """Convert a column from how a file stores it to how filters see it."""
    target = _data_type(published_type(expected))
    if isinstance(stored, Scalar) and stored.form == NANOSECONDS:
        # Rounded down, also before 1970; without an overflow at either end.
        micros = F.call_function("div", column, F.lit(1000)) - (column % 1000 < 0).cast("long")
        return F.timestamp_micros(micros).cast(target)
    if isinstance(stored, Scalar) and stored.type == VOID and not is_integer(expected):
        return F.lit(None).cast(target)
    if isinstance(stored, Struct) and isinstance(expected, Struct) and needs_conversion(stored):
        fields = [
            _published(column.getField(name), stored.fields[name], expected.fields[name]).alias(
                name
            )
            for name in struct_type(published_type(expected)).names
        ]
        return F.when(column.isNotNull(), F.struct(*fields))
    if isinstance(stored, Array) and isinstance(expected, Array) and needs_conversion(stored):
        items, expected_items = stored.items, expected.items
        return F.transform(column, lambda item: _published(item, items, expected_items))
    if isinstance(stored, Map) and isinstance(expected, Map) and needs_conversion(stored):
        values, expected_values = stored.values, expected.values
        changed = F.transform_values(
            column, lambda _, each: _published(each, values, expected_values)
        )
        return changed.cast(target)
    return column.cast(target)


def local_glob(path: Path) -> str:
    """Write a path so that Spark sees no pattern in it, and no other file system.

    Where Hadoop is configured, as on YARN, a path without ``file:`` is one in HDFS.
    """
    return "file:" + _GLOB.sub(r"\\\1", str(path.absolute()))


def path_of(uri: str) -> Path:
    """Return the path of a file that Spark names by a URI."""
    return Path(unquote(urlsplit(uri).path))


def describe_alerts(columns: Struct, distribution: Distribution) -> Alerts:
    """Find the columns of the alerts in Spark, and those of their ids.

    Args:
        columns: the columns of the files.
        distribution: may name the columns of the ids; else ``conf/columns.toml`` does.

    Raises:
        UsageError: a column that was named is not there.
    """
    alert_id, object_id = id_columns(columns, distribution)
    return Alerts(columns, struct_type(published_type(columns)), alert_id, object_id)


def avro_schema(spark: SparkSession, schema: StructType) -> str:
    """Return the Avro schema that Spark's own converter makes, as JSON text."""
    jvm = spark._jvm
    if jvm is None:
        raise RuntimeError("Spark runs without a JVM of its own (Spark Connect).")
    converter = jvm.org.apache.spark.sql.avro.SchemaConverters
    catalyst = jvm.org.apache.spark.sql.types.DataType.fromJson(schema.json())
    return str(converter.toAvroType(catalyst, False, "alert", "fink").toString())


def struct_type(fields: Any) -> StructType:
    """Make a struct of Spark's from its JSON; without fields for ``None``."""
    return StructType.fromJson(fields or {"fields": []})


def _data_type(kind: Any) -> DataType:
    field = {"name": "", "type": kind, "nullable": True, "metadata": {}}
    return StructType.fromJson({"fields": [field]})[0].dataType


def column(path: str) -> Column:
    """Return a column by its dotted path."""
    return F.col(".".join(quoted(name) for name in path.split(".")))


def quoted(name: str) -> str:
    """Quote a column's name for Spark SQL."""
    return f"`{name.replace('`', '``')}`"


def encoding_of(
    empty: DataFrame, alerts: Alerts, keep: Sequence[str] | None, drop: Sequence[str]
) -> Encoding:
    """Return how the columns that a stream publishes are encoded.

    Args:
        empty: no alerts, with their columns.
        alerts: their columns.
        keep: dotted paths of those to keep, at any depth of structs; ``None`` keeps all.
        drop: dotted paths of those to leave out.

    Raises:
        UsageError: there is no such column, none would be published, or one can't be.
    """
    chosen = selected(tree(alerts.columns), keep, drop)
    refuse_columns(alerts.columns, chosen)
    columns = [_rebuilt(F.col(quoted(name)), below).alias(name) for name, below in chosen.items()]
    renamed: dict[str, str] = {}
    fields = with_avro_names(empty.select(*columns).schema.jsonValue(), renamed)
    published = struct_type(fields)
    avro = avro_schema(empty.sparkSession, published)
    if not renamed:
        return Encoding(columns, avro, renamed)
    pairs = zip(columns, published, strict=True)
    named = [column.cast(each.dataType).alias(each.name) for column, each in pairs]
    return Encoding(named, _documented(avro, renamed), renamed)


def _documented(avro: str, renamed: Mapping[str, str]) -> str:
    """Add to an Avro schema which columns have another name in the source."""
    names = ", ".join(f"{there} is {path}" for path, there in renamed.items())
    record = json.loads(avro)
    first = {name: record.pop(name) for name in ("type", "name", "namespace")}
    doc = f"Columns that have another name in the source: {names}."
    return json.dumps({**first, "doc": doc, **record}, ensure_ascii=False, separators=(",", ":"))


def _rebuilt(column: Column, kept: ColumnTree | None) -> Column:
    if kept is None:
        return column
    fields = [_rebuilt(column.getField(name), below).alias(name) for name, below in kept.items()]
    # A struct that is null stays null, and does not become one of nulls.
    return F.when(column.isNotNull(), F.struct(*fields))
