"""The older form of expressions that select alerts."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from time import process_time
from typing import Any
from uuid import UUID

import pytest

from fink_cli.alerts.python_form import parse_python
from fink_cli.avro.schema import read_schema
from fink_cli.errors import UsageError

ALERT: dict[str, Any] = {
    "objectId": "ZTF1",
    "cdsxmatch": "RRLyrae",
    "candidate": {"rb": 0.95, "magpsf": math.nan, "nid": 3, "ssname": None, "isdiffpos": True},
    "prv": [{"jd": 1.0}, {"jd": 2.0}],
    "names": {"2MASS_name": "x"},
    "class": "SN",
    "when": datetime(2021, 11, 22, 2, 30, tzinfo=UTC),
    "part": datetime(2021, 11, 22, 2, 30, 0, 500_000, tzinfo=UTC),
    "local": datetime(2021, 11, 22, 2, 30, 0, 500_000),
    "cutout": b"\x00\xff",
    "night": date(2026, 1, 2),
    "at": time(3, 4, 5),
    "flux": Decimal("-1.05"),
    "uid": UUID(int=5),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("candidate.rb > 0.9 and cdsxmatch in ['RRLyrae','EclBin']", True),
        ("candidate.rb > 0.99 or cdsxmatch == 'EclBin'", False),
        ("0.9 < candidate.rb <= 0.95", True),
        ("candidate['rb'] > 0.9", True),
        ("prv[0].jd == 1 and prv[-1].jd == 2.0", True),
        ("prv[5].jd < 3", False),
        ("names['2MASS_name'] == 'x'", True),
        ("alert['class'] == 'SN'", True),
        ("len(prv) == 2 and abs(-3) == candidate.nid", True),
        ("lower(cdsxmatch) == 'rrlyrae'", True),
        ("'Lyr' in cdsxmatch", True),
        ("candidate.nid in [-1, 3]", True),
        ("candidate.nid % 2 == 1 and candidate.nid * 2 + 1 - 4 / 2 == 5", True),
        ("candidate.isdiffpos", True),
        ("not candidate.isdiffpos", False),
        ("when >= '2021-11-22' and when < '2021-11-23'", True),
        ("when > '2021-11-22T02:30:00.25Z'", False),
        ("part > '2021-11-22T02:30:00Z' and part > when and when < part", True),
        ("part == '2021-11-22T02:30:00.5Z' and part == '2021-11-22T03:30:00.500+01:00'", True),
        ("part in ['2021-11-22T02:30:00.500Z'] and part not in ['2021-11-22T02:30:00Z']", True),
        ("part < '2021-11-23' and part >= '2021-11' and '02:30' in part", True),
        ("part > 3 or part in 3 or part not in 3", False),
        ("local > '2021-11-22T02:30:00' and local == part", True),
        # Dates with texts and each other; decimals are numbers, times of day and UUIDs texts.
        ("night == '2026-01-02' and '2026-01-01' < night < '2030-01-01'", True),
        ("night != '2026-01-02' or night not in ['2026-01-02']", False),
        ("night > when and night < '2026-01-02T00:00:01Z' and '2026' in night", True),
        ("at > '01:00:00' and at == '03:04:05' and at < '03:04:05.5' and at <= at", True),
        ("uid == '00000000-0000-0000-0000-000000000005' and uid != lower('A')", True),
        ("flux == -1.05 and flux != -1.0500001 and flux in [1, -1.05]", True),
        (
            "abs(flux) > 1 and flux + 0.05 == -1 and flux * 3 < -3 and -flux < 1.06",
            True,
        ),
        ("flux / 0 is None and flux % 0 is None and flux > 'abc'", False),
        # Null: missing, null, NaN, and what can't be calculated.
        ("candidate.magpsf < 20", False),
        ("candidate.magpsf >= 20", False),
        ("candidate.magpsf != 20", False),
        ("candidate.magpsf is None", True),
        ("candidate.ssname == None and None == missing.deep.er", True),
        ("cdsxmatch != None and cdsxmatch is not None", True),
        ("missing == candidate.ssname", False),
        ("missing not in ['a']", False),
        ("missing in ['a']", False),
        ("'a' in missing", False),
        ("missing + 1 > 0", False),
        ("missing + 1 is None", True),
        ("1 / 0 is None", True),
        ("len(missing) > 0 or abs(cdsxmatch) > 0 or lower(prv) == 'a'", False),
        # What can't be compared.
        ("cdsxmatch > 3", False),
        ("candidate.nid in cdsxmatch", False),
        ("cutout > 'a'", False),
        ("prv > 3", False),
        ("objectId.rb == 1", False),
        # Nothing of Python's objects.
        ("objectId.__class__ is None", True),
        ("candidate.get is None", True),
    ],
)
def test_matches(text: str, expected: bool) -> None:
    assert parse_python(text).matches(ALERT, SCHEMA) is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "syntax"),
        ("candidate.rb >", "syntax"),
        ("candidate.rb = 3", "character 14"),
        ("a\x00b", "null bytes"),
        ("9**9**9 > 1", "Pow"),
        ("'a' << 3", "<<"),
        ("(lambda: 1)()", "no function"),
        ("open('/etc/passwd')", "'open' is no function"),
        ("objectId.upper()", "'objectId.upper' is no function"),
        ("len(objectId, 1)", "one value"),
        ("len(*prv)", "one value"),
        ("[x for x in prv]", "may not hold"),
        ("f'{objectId}'", "may not hold"),
        ("objectId if 1 else 2", "may not hold"),
        ("prv[0:1]", "may not hold"),
        ("prv[objectId]", "may not hold"),
        ("prv[{[1]: 2}]", "may not hold"),
        ("objectId in [{[1]}]", "values only"),
        ("objectId in [cdsxmatch]", "values only"),
        ("b'x' == cutout", "may not hold"),
        ("{'a': 1}", "may not hold"),
        ("candidate.rb is 3", "None only"),
        ("(x := 3)", "may not hold"),
        ("not " * 3000 + "a", "The --where expression"),
        ("-" * 15_000 + "1", "The --where expression"),
        ("(" * 5000 + "a" + ")" * 5000, "The --where expression"),
        ("a" * 30_000, "longer than"),
        ("+".join(["a"] * 200), "too deep"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_python(text)
    assert says in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", ["'%999999999d' % 7 == 'a'", "'a' * 999999999 == 'a'", "['a'] * 999999999 == 1"]
)
def test_no_short_expression_makes_a_long_value(text: str) -> None:
    start = process_time()
    assert not parse_python(text).matches({}, SCHEMA)
    assert process_time() - start < 0.5


def test_paths_are_the_fields_that_it_needs() -> None:
    where = parse_python("a.b[0].c > 1 and lower(d) == 'd' and a.b[0]['c'] < x and a.b[0].c < 9")
    assert len(where.paths) == 3
    assert {each.steps for each in where.paths} == {("a", "b", 0, "c"), ("x",), ("d",)}


SCHEMA = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "alert",
            "fields": [
                {"name": "objectId", "type": "string"},
                {
                    "name": "candidate",
                    "type": [
                        "null",
                        {
                            "type": "record",
                            "name": "c",
                            "fields": [{"name": "rb", "type": "float"}],
                        },
                    ],
                },
                {"name": "prv", "type": {"type": "array", "items": ["null", "c"]}},
                {"name": "maps", "type": {"type": "map", "values": "c"}},
            ],
        }
    )
)


@pytest.mark.parametrize("path", ["objectId", "candidate.rb", "prv[3].rb", "maps.any.rb", "maps"])
def test_fields_that_the_schema_has(path: str) -> None:
    assert parse_python(f"{path} != None").mistakes(SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("rb", "candidate.rb"),
        ("objectID", "objectId"),
        ("candidate.x", "See which"),
        ("objectId.x", "See which"),
        ("prv.rb", "candidate.rb"),
        ("candidate[0]", "See which"),
    ],
)
def test_fields_that_no_alert_can_have(path: str, hint: str) -> None:
    error = parse_python(f"{path} == 1").mistakes(SCHEMA)[0].error("--where", SCHEMA)
    assert path in error.message
    assert hint in error.hint


TYPES = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "typed",
            "fields": [
                {"name": "number", "type": ["null", "long"]},
                {"name": "text", "type": ["null", "string"]},
                {"name": "either", "type": ["long", "string"]},
                {"name": "flag", "type": "boolean"},
                {"name": "raw", "type": "bytes"},
                {"name": "list", "type": {"type": "array", "items": "string"}},
                {"name": "night", "type": {"type": "int", "logicalType": "date"}},
                {"name": "at", "type": {"type": "long", "logicalType": "time-micros"}},
                {"name": "uid", "type": {"type": "string", "logicalType": "uuid"}},
                {
                    "name": "flux",
                    "type": {
                        "type": "bytes",
                        "logicalType": "decimal",
                        "precision": 9,
                        "scale": 2,
                    },
                },
            ],
        }
    )
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("number == '3'", "compares number (a number) with '3' (a text)"),
        ("number != '3'", "which never equal each other"),
        ("'a' < number + 1", "compares 'a' (a text) with number + 1 (a number)"),
        ("text > 3", "compares text (a text) with 3 (a number)"),
        ("1 < number and number < text", "compares number (a number) with text (a text)"),
        ("number in ['a', 'b']", "looks for number (a number) among ['a', 'b'], where it never is"),
        ("number not in text", "looks for number (a number) within text (a text)"),
        ("len(text) == 'a'", "compares len(text) (a number) with 'a' (a text)"),
        ("night > 3", "compares night (a time) with 3 (a number)"),
        ("night == 'yesterday'", "compares night (a time) with 'yesterday' (a text)"),
        ("flux < 'faint'", "compares flux (a number) with 'faint' (a text)"),
        ("raw == 'a'", "compares raw (bytes) with 'a' (a text)"),
        ("list == 'a'", "compares list (a list) with 'a' (a text)"),
    ],
)
def test_comparisons_that_never_hold(text: str, says: str) -> None:
    error = parse_python(text).mistakes(TYPES)[0].error("--where", TYPES)
    assert says in error.message


@pytest.mark.parametrize(
    "text",
    [
        "number == 3 and number > flux and number == flag and flag == 1",
        "text == 'a' and text > 'b' and text == night and text == uid and text in ['a', 3]",
        "either == 3 and either == 'a' and either == number and either == text",
        "night > '2021-11' and night == text and night >= '2021-11-22T10:00:00Z'",
        "at > '03:04' and flux < 2",
        "'a' in list and number is None and None != text and lower(text) == 'a' and 'a' in text",
        "uid == '00000000-0000-0000-0000-000000000005'",
    ],
)
def test_comparisons_that_may_hold(text: str) -> None:
    assert parse_python(text).mistakes(TYPES) == []
