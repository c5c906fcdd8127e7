"""Expressions in SQL: what is refused, by which name, and what they use."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from fink_cli.alerts.sql.bind import NoValueError, SqlTypeError, bind, missing_columns
from fink_cli.alerts.sql.parse import parse_sql, read_sql
from fink_cli.alerts.sql.types import StructOf, types_of_spark
from fink_cli.errors import FinkError, UsageError

_POINT = {"type": "struct", "fields": [{"name": "magpsf", "type": "float"}]}
_FIELDS = {
    "objectId": "string",
    "class": "string",
    "candid": "long",
    "seen": "timestamp",
    "flux": "decimal(9,2)",
    "candidate": {
        "type": "struct",
        "fields": [{"name": "rb", "type": "float"}, {"name": "fid", "type": "integer"}],
    },
    "prv": {"type": "array", "elementType": _POINT},
}
COLUMNS = types_of_spark(
    {"type": "struct", "fields": [{"name": name, "type": kind} for name, kind in _FIELDS.items()]}
)
assert isinstance(COLUMNS, StructOf)
ALERT: dict[str, Any] = {
    "objectId": "ZTF1",
    "candid": 7,
    "candidate": {"rb": 0.9, "fid": 1},
    "prv": [{"magpsf": 15.0}, None],
}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it holds no expression"),
        ("candidate.rb >", "an operand is missing near '>', character 14"),
        ("a b", "a name after an expression"),
        ("a in ['x']", "round brackets"),
        ("1 < candid < 3", "a comparison compares two values"),
        ("select 1", "a query (SELECT)"),
        ("candid > (select 1)", "a query (SELECT)"),
        ("sum(candid) over () > 1", "a window (OVER)"),
        ("count(*) > 1", "the function count"),
        ("regexp_extract(objectId, 'a') = 'b'", "the function regexp_extract"),
        ("interval 1 day > seen", "INTERVAL"),
        ("candid = :x", "a parameter"),
        ("candid = 1; candid = 2", "it ends with ';'"),
        ("'RR' in objectId", "IN without values"),
        ("not " * 3000 + "a", "The expression"),
        ("(" * 2000 + "a" + ")" * 2000, "it nests too deep"),
        ("a" * 30_000, "longer than"),
        ("+".join(["a"] * 200), "it nests too deep"),
        ("open('/etc/passwd')", "the function open"),
    ],
)
def test_what_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sql(text)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("candidate.rb > '3'", "compares candidate.rb (a number) with '3' (a text)"),
        ("objectId > 3", "compares objectId (a text) with 3 (a number)"),
        ("seen > 'yesterday'", "compares seen (a time), 'yesterday' (a text)"),
        ("candid in ('a')", "compares candid (a number) with 'a' (a text)"),
        ("objectId + 1 > 2", "calculates with objectId (a text)"),
        ("prv = 1", "compares prv (a list) with 1 (a number)"),
        ("candidate.rb", "gives candidate.rb (a number), not true or false"),
        ("candid and true", "takes candid (a number) where AND needs true or false"),
        ("abs(candid, 2) > 1", "gives abs 2 values, and not 1"),
        ("size(objectId) > 1", "takes objectId (a text) where size needs a list"),
        ("exists(prv, 3)", "needs a function in exists"),
        ("cast(candidate.rb as string) = 'a'", "casts candidate.rb (a number) to string"),
    ],
)
def test_types_that_do_not_go_together(text: str, says: str) -> None:
    with pytest.raises(SqlTypeError) as caught:
        bind(parse_sql(text), COLUMNS)
    assert says in caught.value.message


def test_columns_are_named_once_and_missing_ones_told() -> None:
    text = "candidate.rb > 1 AND `class` = 'x' AND exists(prv, p -> p.magpsf < p.x AND nid = 1)"
    expression = parse_sql(f"{text} AND prv[0].magpsf > 1 AND candidate.rb < 2 AND prv.mag[0] > 1")
    assert [path.text for path in expression.paths] == [
        *("candidate.rb", "class", "prv", "nid", "prv[0].magpsf", "prv.mag[0]"),
    ]
    assert [path.text for path in missing_columns(expression, COLUMNS)] == ["nid", "prv.mag[0]"]
    any_of_spark = read_sql("regexp_extract(objectId, 'a') = 'b' AND rank(nid) = 1")
    assert [path.text for path in any_of_spark.paths] == ["objectId", "nid"]


def test_parts_have_values_or_say_why_not() -> None:
    condition = bind(parse_sql("candidate.rb > 0.95 OR NOT (candid / 0 = 1)"), COLUMNS)
    assert [(part.text, part.value, part.error) for part in condition.parts(ALERT)] == [
        ("candidate.rb", 0.9, ""),
        ("candid", 7, ""),
        ("candidate.rb > 0.95", False, ""),
        ("candid / 0 = 1", None, "division by zero"),
    ]
    with pytest.raises(NoValueError, match="division by zero"):
        condition.value(ALERT)


def test_nothing_but_errors_of_fink() -> None:
    words = (
        "candid candidate.rb prv prv[0].magpsf ( ) [ ] , . 'a' \" ` 1 0.5 1e9 - + * / % AND OR NOT"
    )
    words += " IN LIKE BETWEEN IS NULL CASE WHEN THEN END CAST( AS INT ) x -> exists( size( SELECT"
    words += " ; -- /* */ :: <=> || DATE TIMESTAMP INTERVAL \x00 é ${a} {b} :c ? @ # ~ ^ & |"
    chooser = random.Random(1)
    for _ in range(3000):
        text = " ".join(chooser.choices(words.split(), k=chooser.randrange(1, 12)))
        try:
            condition = bind(parse_sql(text), COLUMNS)
            condition.value(ALERT)
            list(condition.parts(ALERT))
        except FinkError:
            continue


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("round(candidate.rb, 1) = candidate.rb", True),
        ("round(candidate.rb, 1) > 18.2", True),
        ("isnan(pow(1, double('NaN')))", True),
    ],
)
def test_floats_have_32_bits_and_nan_stays(text: str, value: bool) -> None:
    rb = 18.200000762939453  # 18.2 as a float
    alert = {**ALERT, "candidate": {"rb": rb, "fid": 1}}
    assert bind(parse_sql(text), COLUMNS).value(alert) is value


def test_structs_and_lists_have_no_order() -> None:
    for text in ("greatest(candidate, candidate) is null", "least(prv, prv) is null"):
        with pytest.raises(SqlTypeError, match="orders"):
            bind(parse_sql(text), COLUMNS)


def test_nothing_else_loads_the_parser() -> None:
    code = "import fink_cli.commands.consume_run, sys; print('sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
