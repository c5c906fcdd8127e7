"""Alerts as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from fink_cli.alerts.fields import Path
from fink_cli.avro.arrow import NoArrowError, arrow_schema, arrow_type, table_of_alerts
from fink_cli.avro.schema import Schema
from fink_cli.errors import OperationFailedError
from fink_cli.subscriber.alert import Alert


def schema_of(alert: Alert) -> Schema | None:
    """Return the Avro schema of an alert; ``None`` for one that came without."""
    schema = alert.read_alert.schema
    return None if schema.inferred else schema


def table_of(
    schema: Schema | None, alerts: Sequence[Alert], fields: Sequence[Path] | None
) -> pa.Table:
    """Return alerts of one schema as a table.

    Args:
        schema: ``None`` if they came without: the types are found in their values.
        fields: its columns, under the paths as typed; ``None`` for all fields of the alerts.

    Raises:
        OperationFailedError: a field has no type in Arrow.
    """
    try:
        if fields is not None:
            return pa.table({path.text: _column(schema, alerts, path) for path in fields})
        if schema is None:
            return pa.Table.from_pylist([alert.record for alert in alerts])
        return table_of_alerts(arrow_schema(schema), [alert.read_alert for alert in alerts])
    except (NoArrowError, pa.ArrowException) as error:
        raise OperationFailedError(
            f"The alerts can't become a table: {error}.",
            "Name the fields that are wanted: fink.subscribe(…, fields=…), or take alert by alert",
        ) from error


def _column(schema: Schema | None, alerts: Sequence[Alert], path: Path) -> pa.Array:
    values = [alert.get(path.text) for alert in alerts]
    return pa.array(values, None if schema is None else arrow_type(schema, path.steps))
