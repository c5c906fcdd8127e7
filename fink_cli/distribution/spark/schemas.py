"""The columns of the alerts in Spark, which of them are published, and their Avro schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import StructField, StructType

from fink_cli.alerts.columns import load_roles
from fink_cli.alerts.schema import leaf_paths
from fink_cli.distribution.selection import Tree, reduced
from fink_cli.distribution.streams import Distribution
from fink_cli.distribution.types import with_text_keys
from fink_cli.errors import UsageError

FILE, ROW = "fink:file", "fink:row"
_GLOB = re.compile(r"([\[\]{}*?\\])")


@dataclass(frozen=True)
class Alerts:
    """What the alerts of the source look like.

    Attributes:
        stored: the columns, for reading the Parquet files.
        spark: the columns, as they are published.
        avro: the Avro schema of a whole alert, as JSON text.
        alert_id: dotted path of the column that names the alert; none has no such column.
        object_id: dotted path of the column that names the object.
    """

    stored: StructType
    spark: StructType
    avro: str
    alert_id: str | None
    object_id: str | None


def stored_schema(spark: SparkSession, file: Path) -> StructType:
    """The columns of a Parquet file, as Spark reads them."""
    return spark.read.parquet(local_glob(file)).schema


def read_alerts(spark: SparkSession, files: Sequence[Path], alerts: Alerts) -> DataFrame:
    """The alerts of some Parquet files, whatever characters are in their names.

    The file of each alert is in a column ``FILE``, and its number within it in ``ROW``.
    """
    paths = (local_glob(file) for file in files)
    found = spark.read.schema(alerts.stored).parquet(*paths)
    both = zip(alerts.stored, alerts.spark, strict=True)
    columns = [_as_published(stored, published) for stored, published in both]
    place = (F.col("_metadata.file_path").alias(FILE), F.col("_metadata.row_index").alias(ROW))
    return found.select(*columns, *place)


def _as_published(stored: StructField, published: StructField) -> Column:
    column = F.col(quoted(stored.name))
    if stored.dataType == published.dataType:
        return column
    return column.cast(published.dataType).alias(stored.name)


def local_glob(path: Path) -> str:
    """A path in which Spark sees no pattern, and which it looks for in no other file system.

    Where Hadoop is configured, as on YARN, a path without ``file:`` is one in HDFS.
    """
    return "file:" + _GLOB.sub(r"\\\1", str(path.absolute()))


def describe_alerts(spark: SparkSession, schema: StructType, wanted: Distribution) -> Alerts:
    """What alerts of a schema look like.

    Args:
        spark: the session.
        schema: the columns.
        wanted: may name the columns of the ids; else they are found by ``conf/columns.toml``.

    Raises:
        UsageError: a column that was named is not there.
    """
    # Avro has no maps but those of text.
    published = StructType.fromJson(with_text_keys(schema.jsonValue()))
    avro = avro_schema(spark, published)
    roles, paths = load_roles(), leaf_paths(json.loads(avro))
    for key, path in (("id", wanted.id), ("object", wanted.object)):
        if path is not None and path not in paths:
            raise UsageError(
                f"The alerts have no column {path}.", f"Correct {key} in the distribution file."
            )
    alert_id = wanted.id or roles.find("id", paths)
    object_id = wanted.object or roles.find("object", paths) or alert_id
    return Alerts(schema, published, avro, alert_id, object_id)


def avro_schema(spark: SparkSession, schema: StructType) -> str:
    """The Avro schema that Spark's own converter gives, as JSON text."""
    jvm = spark._jvm
    if jvm is None:
        raise RuntimeError("Spark runs without a JVM of its own (Spark Connect).")
    converter = jvm.org.apache.spark.sql.avro.SchemaConverters
    catalyst = jvm.org.apache.spark.sql.types.DataType.fromJson(schema.json())
    return str(converter.toAvroType(catalyst, False, "alert", "fink").toString())


def dump_schema(schema: StructType) -> str:
    """The columns as JSON, for :func:`load_schema`."""
    return schema.json()


def load_schema(text: str) -> StructType:
    """The columns of a text that :func:`dump_schema` gave."""
    return StructType.fromJson(json.loads(text))


def column(path: str) -> Column:
    """A column by its dotted path."""
    return F.col(".".join(quoted(name) for name in path.split(".")))


def quoted(name: str) -> str:
    """A column's name as Spark SQL takes it, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def selected(schema: StructType, keep: Sequence[str] | None, drop: Sequence[str]) -> list[Column]:
    """The columns that a stream publishes.

    Args:
        schema: the columns of the alerts.
        keep: dotted paths of those to keep, at any depth of structs; none keeps all.
        drop: dotted paths of those to leave out.

    Raises:
        UsageError: there is no such column, or nothing would be left.
    """
    return [
        _rebuilt(F.col(quoted(name)), below).alias(name)
        for name, below in reduced(tree(schema), keep, drop).items()
    ]


def tree(schema: StructType) -> Tree:
    """The names of the columns, and of the fields of structs, at each depth."""
    return {each["name"]: _below(each["type"]) for each in schema.jsonValue()["fields"]}


def _below(kind: Any) -> Tree | None:
    if isinstance(kind, Mapping) and kind["type"] == "struct":
        return {each["name"]: _below(each["type"]) for each in kind["fields"]}
    return None


def _rebuilt(whole: Column, kept: Tree | None) -> Column:
    if kept is None:
        return whole
    fields = [_rebuilt(whole.getField(name), below).alias(name) for name, below in kept.items()]
    # A struct that is null stays null, and does not become one of nulls.
    return F.when(whole.isNotNull(), F.struct(*fields))
