"""What plays which role in an alert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from fink_cli.alerts.columns import VIEWER_ROLES, load_roles, viewer_columns
from fink_cli.avro.schema import read_schema


def rubin() -> dict[str, Any]:
    """The part of a Rubin alert's schema that matters here."""

    def inner(name: str, *fields: tuple[str, str]) -> dict[str, Any]:
        return {
            "type": "record",
            "name": name,
            "fields": [{"name": n, "type": ["null", t]} for n, t in fields],
        }

    source = inner(
        "diaSource",
        ("diaSourceId", "long"),
        ("diaObjectId", "long"),
        ("midpointMjdTai", "double"),
        ("ra", "double"),
        ("dec", "double"),
        ("psfFlux", "float"),
        ("band", "string"),
    )
    return {
        "type": "record",
        "name": "alert",
        "namespace": "lsst.v10_0",
        "fields": [
            {"name": "diaSourceId", "type": "long"},
            {"name": "diaSource", "type": source},
            {"name": "diaObject", "type": ["null", inner("diaObject", ("diaObjectId", "long"))]},
            {"name": "prvDiaSources", "type": ["null", {"type": "array", "items": "diaSource"}]},
        ],
    }


def flat(*names: str, kind: str = "double") -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name in names]
    return {"type": "record", "name": "alert", "fields": fields}


def shown(schema: dict[str, Any]) -> list[str]:
    return [each.path for each in viewer_columns(read_schema(json.dumps(schema)))]


def test_the_roles_of_a_ztf_alert(raw_dir: Path) -> None:
    with min(raw_dir.glob("*.avro")).open("rb") as file:
        schema = read_schema(fastavro.reader(file).metadata["avro.schema"])
    columns = viewer_columns(schema)
    assert [each.path for each in columns] == [
        "objectId",
        "candidate.jd",
        "candidate.ra",
        "candidate.dec",
        "candidate.magpsf",
        "candidate.fid",
    ]
    band = columns[-1]
    assert [band.names[str(fid)] for fid in (1, 2, 3)] == ["g", "r", "i"]
    assert columns[1].unit == "jd"


def test_the_science_database_has_every_role(science_dir: Path) -> None:
    arrow = pq.read_schema(min(science_dir.glob("*.parquet")))
    paths = {
        f"{column.name}.{inner.name}" if inner is not None else column.name
        for column in arrow
        for inner in ([*column.type] if str(column.type).startswith("struct") else [None])
    }
    roles = load_roles()
    assert roles.find("id", paths) == "candid"
    assert roles.find("object", paths) == "objectId"
    assert roles.find("class", paths) == "cdsxmatch"
    assert all(roles.find(role, paths) for role in VIEWER_ROLES)


def test_the_roles_of_a_rubin_alert() -> None:
    assert shown(rubin()) == [
        "diaObject.diaObjectId",
        "diaSource.midpointMjdTai",
        "diaSource.ra",
        "diaSource.dec",
        "diaSource.psfFlux",
        "diaSource.band",
    ]
    columns = viewer_columns(read_schema(json.dumps(rubin())))
    assert columns[1].unit == "mjd-tai"
    assert columns[4].title == "flux (nJy)"


def test_generic_names() -> None:
    assert shown(flat("id", "ra", "dec", "mag", "mjd")) == ["id", "mjd", "ra", "dec", "mag"]


def test_an_unknown_shape_shows_its_first_scalars() -> None:
    schema = flat(*(f"x{at}" for at in range(20)))
    schema["fields"].insert(0, {"name": "image", "type": "bytes"})
    assert shown(schema) == [f"x{at}" for at in range(8)]


def test_an_alert_without_columns() -> None:
    assert shown(flat()) == []


def test_an_unknown_role_is_an_error() -> None:
    with pytest.raises(KeyError):
        load_roles().find("colour", {"x"})


def test_a_role_that_nothing_plays() -> None:
    assert load_roles().find("object", {"x", "y"}) is None
