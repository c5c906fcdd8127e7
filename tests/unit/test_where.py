"""Conditions on alerts: SQL or the older form, headings as names, mistakes told by the schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fink_cli.alerts.headings import headings_of
from fink_cli.alerts.sql.rewrite import with_columns
from fink_cli.alerts.where import parse_where
from fink_cli.avro.projection import wanted_fields
from fink_cli.avro.schema import read_schema
from fink_cli.errors import UsageError

_POINT = {
    "type": "record",
    "name": "point",
    "fields": [
        {"name": "rb", "type": "float"},
        {"name": "magpsf", "type": ["null", "float"]},
        {"name": "jd", "type": "double"},
        {"name": "fid", "type": "int"},
        {"name": "ra", "type": "double"},
        {"name": "dec", "type": "double"},
    ],
}
SCHEMA = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "alert",
            "fields": [
                {"name": "objectId", "type": "string"},
                {"name": "cdsxmatch", "type": ["null", "string"]},
                {"name": "candidate", "type": _POINT},
                {"name": "prv_candidates", "type": ["null", {"type": "array", "items": "point"}]},
                {"name": "names", "type": {"type": "map", "values": "string"}},
            ],
        }
    )
)
ALERT: dict[str, Any] = {
    "objectId": "ZTF1",
    "cdsxmatch": "RRLyrae",
    "candidate": {"rb": 0.95, "magpsf": None, "jd": 2459000.5, "fid": 1, "ra": 1.0, "dec": 2.0},
    "prv_candidates": [{"rb": 0.1, "magpsf": 15.0, "fid": 2}],
    "names": {"2MASS": "x"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("candidate.rb > 0.9 AND cdsxmatch IN ('RRLyrae', 'EclBin')", True),
        ("cdsxmatch == 'RRLyrae' and candidate['rb'] > 0.9 and names['2MASS'] = 'x'", True),
        ("NOT (candidate.magpsf > 20)", False),
        ("candidate.magpsf IS NULL AND exists(prv_candidates, p -> p.magpsf < 16)", True),
        ("prv_candidates.magpsf[0] = 15", True),
        ("prv_candidates[3].magpsf IS NULL", False),
        ("1 / (candidate.fid - 1) > 0", False),
        # The older form.
        ("cdsxmatch in ['RRLyrae','EclBin']", True),
        ("candidate.magpsf is None and len(prv_candidates) == 1", True),
        ("0.9 < candidate.rb <= 0.95 and 'Lyr' in cdsxmatch", True),
        ("prv_candidates[-1].magpsf == 15 and alert['cdsxmatch'] == 'RRLyrae'", True),
        ("not candidate.magpsf > 20 or len(prv_candidates) < 0", True),
        # Headings of the table.
        ("class = 'RRLyrae' AND object = 'ZTF1' AND ra < 1.5 AND dec BETWEEN 1 AND 3", True),
        ("mag < 20", False),
        ("band = 'g'", True),
        ("time > '2020-05-30' AND time < '2020-05-31 00:00:01'", True),
    ],
)
def test_matches(text: str, expected: bool) -> None:
    where = parse_where(text)
    assert where.mistakes(SCHEMA) == []
    assert where.matches(ALERT, SCHEMA) is expected


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("candidate.mag > 1", "names candidate.mag,", "candidate.magpsf"),
        ("objectid = 'x'", "names objectid,", "objectId"),
        ("candidate.rb > '1'", "compares candidate.rb (a number) with '1' (a text)", "no quotes"),
        (
            "mag = 'faint'",
            "compares candidate.magpsf (a number) with 'faint' (a text)",
            "no quotes",
        ),
        ("len(objectid) == 3", "names objectid,", "objectId"),
    ],
)
def test_mistakes(text: str, says: str, hint: str) -> None:
    error = parse_where(text).mistakes(SCHEMA)[0].error("--where", SCHEMA)
    assert says in error.message
    assert hint in error.hint


def test_what_is_neither_form_is_told_of_as_sql() -> None:
    for text in ("candidate.rb = ", "sum(candidate.rb) > 1", ""):
        with pytest.raises(UsageError, match="SQL"):
            parse_where(text)


def test_only_what_an_expression_needs_is_decoded() -> None:
    paths = parse_where("mag < 3 AND array_max(prv_candidates.rb) > 1").paths_in(SCHEMA)
    fields = wanted_fields(SCHEMA.root, [path.steps for path in paths])
    assert {name for names in fields.values() for name in names} == {
        *("candidate", "prv_candidates", "magpsf", "rb"),
    }


def test_a_column_comes_before_a_heading() -> None:
    meanings = headings_of(["objectId", "candidate.jd", "candidate.magpsf", "class", "mag.x"])
    assert meanings.keys() == {"object", "time"}
    text = "object = 'a' AND exists(p, object -> object > 1) AND x.object = 1 AND f(object) -- ra"
    assert with_columns(text, meanings) == (
        "objectId = 'a' AND exists(p, object -> object > 1) AND x.object = 1 AND f(objectId) -- ra"
    )
    assert with_columns("object ) (", meanings) == "object ) ("
