"""The Avro schema of some fields of alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from fink_cli.alerts.fields import Path
from fink_cli.avro.projection import types_at
from fink_cli.avro.schema import Schema, read_schema
from fink_cli.avro.types import ArrayType, MapType, RecordType, ScalarType, UnionType, Visitor

_PLAIN = re.compile(r"[^A-Za-z0-9_]+")


def schema_of_fields(schema: Schema, fields: Sequence[Path]) -> tuple[Schema, dict[str, Path]]:
    """Return the schema of alerts of which some fields are kept, and the path of each by its name.

    A name is the path, with ``_`` for what Avro has in no name. Every field may be null.
    """
    paths: dict[str, Path] = {}
    to_json = _ToJson()
    columns = []
    for path in fields:
        name = base = _name(path.text)
        number = 2
        while name in paths:
            name, number = f"{base}_{number}", number + 1
        paths[name] = path
        kinds: list[Any] = ["null"]
        for node in types_at(schema.root, path.steps):
            kind = to_json.visit(node)
            if kind not in kinds:
                kinds.append(kind)
        columns.append({"name": name, "doc": path.text, "type": kinds})
    document = {"type": "record", "name": "alert", "fields": columns}
    return read_schema(json.dumps(document)), paths


def _name(text: str) -> str:
    name = _PLAIN.sub("_", text).strip("_") or "field"
    return f"_{name}" if name[0].isdigit() else name


class _ToJson(Visitor[Any]):
    """Writes a type as a schema has it."""

    def __init__(self) -> None:
        super().__init__()
        self._named: dict[object, str] = {}

    def known(self, node: Any) -> Any:
        # A named type that is used again is its name.
        return self._named.get(node)

    def scalar(self, node: ScalarType) -> Any:
        logical: dict[str, Any] = {"logicalType": node.logical} if node.logical else {}
        if node.logical == "decimal":
            logical |= {"precision": node.precision, "scale": node.scale}
        if node.kind in {"fixed", "enum"}:
            name = self._named[node] = f"type_{len(self._named)}"
            more = {"size": node.size} if node.kind == "fixed" else {"symbols": list(node.symbols)}
            return {"type": node.kind, "name": name, **more, **logical}
        return {"type": node.kind, **logical} if logical else node.kind

    def array(self, _node: ArrayType, items: Any) -> Any:
        return {"type": "array", "items": items}

    def map(self, _node: MapType, values: Any) -> Any:
        return {"type": "map", "values": values}

    def union(self, _node: UnionType, branches: list[Any]) -> Any:
        return branches

    def record(self, node: RecordType, fields: dict[str, Any]) -> Any:
        name = self._named[node] = f"type_{len(self._named)}"
        columns = [{"name": field, "type": kind} for field, kind in fields.items()]
        return {"type": "record", "name": name, "fields": columns}
