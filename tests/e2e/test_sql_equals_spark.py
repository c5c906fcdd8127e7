"""Expressions in SQL, evaluated by fink: the answers are those of Spark, on drawn alerts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from fink_cli.alerts.headings import headings_of
from fink_cli.alerts.sql.bind import NoValueError, bind
from fink_cli.alerts.sql.parse import parse_sql
from fink_cli.alerts.sql.rewrite import with_columns
from fink_cli.alerts.sql.types import StructOf, types_of_spark
from fink_cli.distribution.spark.decide import _add_try

ALERTS, EXPRESSIONS = 1000, 200
_POINT = pa.struct([("magpsf", pa.float32()), ("jd", pa.float64()), ("fid", pa.int32())])
_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("i", pa.int32()),
        ("l", pa.int64()),
        ("f", pa.float32()),
        ("d", pa.float64()),
        ("m", pa.decimal128(9, 2)),
        ("b", pa.bool_()),
        ("s", pa.string()),
        ("t", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("c", _POINT),
        ("p", pa.list_(_POINT)),
        ("a", pa.list_(pa.int32())),
    ]
)
_TEXTS = ["RRLyrae", "EclBin", "EB*", "", "12", " 3 ", "1e2", "x_y%", "Unknown", "É"]
_INTEGERS = [0, 1, 2, 3, -1, 7, 100, 2**31 - 1, -(2**31)]
_NAMES = {"i", "l", "f", "d", "m", "c.magpsf", "c.jd", "c.fid", "s", "a", "p"}
_FLOATS = [0.0, -0.0, 0.5, 0.9, 1.0, 17.5, -3.25, math.nan, math.inf, -math.inf, 1e30]


def _drawn(draw: random.Random) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return None if draw.random() < 0.15 else value

    def point() -> dict[str, Any]:
        return {
            "magpsf": maybe(draw.choice(_FLOATS)),
            "jd": maybe(2459000.5 + draw.randrange(100) / 4),
            "fid": maybe(draw.randrange(1, 4)),
        }

    def several(make: Callable[[], Any]) -> list[Any]:
        return [maybe(make()) for _ in range(draw.randrange(4))]

    moment = datetime.fromtimestamp(draw.randrange(1_600_000_000, 1_600_400_000, 3600), UTC)
    return {
        "i": maybe(draw.choice(_INTEGERS)),
        "l": maybe(draw.choice([*_INTEGERS, 2**53 + 1, 2**63 - 1])),
        "f": maybe(draw.choice(_FLOATS)),
        "d": maybe(draw.choice([*_FLOATS, 0.1 + 0.2, 1e308])),
        "m": maybe(draw.randrange(-500, 500) / 4),
        "b": maybe(draw.random() < 0.5),
        "s": maybe(draw.choice(_TEXTS)),
        "t": maybe(moment),
        "day": maybe(moment.date()),
        "c": maybe(point()),
        "p": maybe(several(point)),
        "a": maybe(several(lambda: draw.choice(_INTEGERS[:7]))),
    }


class Grammar:
    """Draws expressions whose types go together.

    It draws none from which Spark's optimizer takes a part away that may raise, such as
    ``x IS NOT NULL`` or ``x OR TRUE``.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._item = ""

    def condition(self, depth: int = 3) -> str:
        """Draw a condition."""
        if depth == 0:
            return self._draw.choice([self._comparison(0), "b", "b IS NULL"])
        made = self._draw.choice(
            [
                lambda: f"({self.condition(depth - 1)} AND {self.condition(depth - 1)})",
                lambda: f"({self.condition(depth - 1)} OR {self.condition(depth - 1)})",
                lambda: f"NOT ({self.condition(depth - 1)})",
                lambda: self._comparison(depth),
                lambda: self._comparison(depth),
                lambda: self._text_test(depth),
                lambda: self._list_test(depth),
                self._time_test,
                lambda: f"({self.condition(depth - 1)}) IS {self._draw.choice(['TRUE', 'FALSE'])}",
                lambda: f"if({self.condition(depth - 1)}, {self._comparison(0)}, b)",
            ]
        )
        return made()

    def _comparison(self, depth: int) -> str:
        left, right = self._number(depth), self._number(depth)
        sign = self._draw.choice(["=", "<>", "<", "<=", ">", ">=", "<=>", "!="])
        return self._draw.choice(
            [
                f"{left} {sign} {right}",
                f"{left} {sign} {right}",
                f"{left} BETWEEN {self._number(0)} AND {right}",
                f"{left} IN ({self._number(0)}, i, NULL)",
                f"{left} NOT IN ({self._number(0)}, i)",
                f"isnan({left})",
                f"{self._column()} IS NOT NULL",
            ]
        )

    def _column(self) -> str:
        return self._draw.choice(["i", "f", "m", "c.magpsf", "p"])

    def _number(self, depth: int) -> str:
        columns = ["i", "l", "f", "d", "m", "c.magpsf", "c.jd", "c.fid"]
        constants = ["0", "1", "2", "-3", "0.5", "0.9", "17.25", "1e2", "2.5D", "3L", "0.5f"]
        if self._item:
            columns = [f"{self._item}.magpsf", f"{self._item}.fid", *columns]
        if depth == 0:
            return self._draw.choice([*columns, *constants])
        one, other = self._number(depth - 1), self._number(depth - 1)
        if not _NAMES & set(one.replace("(", " ").replace(")", " ").replace(",", " ").split()):
            one = self._draw.choice(columns)  # Spark calculates constants before all alerts
        return self._draw.choice(
            [
                lambda: self._draw.choice(columns),
                lambda: f"({one} {self._draw.choice(['+', '-', '*', '/', '%'])} {other})",
                lambda: f"({one} {self._draw.choice(['+', '-', '*', '/', '%'])} {other})",
                lambda: f"abs({one})",
                lambda: f"(- {one})",
                lambda: f"coalesce({one}, {other})",
                lambda: f"CASE WHEN {self.condition(depth - 1)} THEN {one} ELSE {other} END",
                lambda: f"{self._draw.choice(['greatest', 'least'])}({one}, {other})",
                lambda: f"nullif({one}, {other})",
                lambda: f"CAST({one} AS {self._draw.choice(['int', 'bigint', 'double'])})",
                lambda: f"try_cast({one} AS {self._draw.choice(['int', 'smallint'])})",
                lambda: f"try_cast(s AS {self._draw.choice(['int', 'double', 'decimal(5,1)'])})",
                lambda: (
                    f"(i {self._draw.choice(['DIV', '%'])} {self._draw.choice(['l', '2', 'i'])})"
                ),
                lambda: f"try_divide(d, {one})" if "m" not in one and "." not in one else "d",
                lambda: f"sqrt({one})",
                lambda: f"{self._draw.choice(['floor', 'ceil'])}(double({one}))",
                lambda: f"round(double({one}), {self._draw.randrange(3)})",
                lambda: "size(p)",
                lambda: "length(s)",
                lambda: f"p[{self._draw.randrange(2)}].magpsf",
                lambda: f"element_at(a, {self._draw.choice([1, -1, 2])})",
                lambda: f"get(a, {self._draw.randrange(3)})",
                lambda: "array_max(p.magpsf)",
                lambda: "array_min(a)",
            ]
        )()

    def _text_test(self, depth: int) -> str:
        text = self._draw.choice(
            ["s", "lower(s)", "upper(s)", "concat(s, 'x')", "substring(s, 2, 3)", "trim(s)"]
        )
        constant, start = f"'{self._draw.choice(_TEXTS)}'", self._draw.choice(["E", "r", "x"])
        return self._draw.choice(
            [
                f"{text} {self._draw.choice(['=', '<>', '<', '>='])} {constant}",
                f"{text} {self._draw.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} {start!r} || '%'",
                f"{text} LIKE '%r_'",
                f"{text} IN ('RRLyrae', {constant})",
                f"startswith({text}, 'E')",
                f"contains({text}, 'L')",
                f"coalesce({text}, 'none') = 'none'",
                f"CAST(s AS int) > {self._number(0)}",
                f"s || string(i) > {constant}",
            ]
        )

    def _list_test(self, depth: int) -> str:
        self._item = "q"
        inner = self._draw.choice(["q.magpsf > 0.5", "q.fid = 2", self._comparison(min(depth, 1))])
        self._item = ""
        return self._draw.choice(
            [
                f"exists(p, q -> {inner})",
                f"forall(p, q -> {inner})",
                f"size(filter(p, q -> {inner})) > 1",
                f"array_contains(a, {self._draw.choice(['1', '2', '0.5', 'i'])})",
                "exists(a, x -> x > 1) AND forall(a, x -> x < 100)",
                "array_max(transform(a, x -> x % 5)) = 2",
                "p IS NULL",
            ]
        )

    def _time_test(self) -> str:
        sign = self._draw.choice(["=", "<", ">=", "<>"])
        return self._draw.choice(
            [
                f"t {sign} '2020-09-{self._draw.randrange(13, 18)}'",
                f"t {sign} TIMESTAMP '2020-09-15 {self._draw.randrange(10, 24)}:00:00'",
                f"day {sign} DATE '2020-09-15'",
                f"day {sign} t",
                f"t {sign} '2020-09-15T12:00:00+02:00'",
                "CAST(t AS date) = day",
                "string(t) > '2020-09-15 1'",
                f"timestamp_millis(l) {sign} t",
            ]
        )


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))]
)
def test_the_answers_are_those_of_spark(spark: SparkSession, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    rows = [{"number": number, **_drawn(draw)} for number in range(ALERTS)]
    file = tmp_path / "drawn.parquet"
    pq.write_table(pa.Table.from_pylist([_decimals(row) for row in rows], _SCHEMA), file)
    alerts = pq.read_table(file).to_pylist()
    frame = spark.read.parquet(f"file:{file}")
    columns = types_of_spark(frame.schema.jsonValue())
    assert isinstance(columns, StructOf)
    grammar = Grammar(draw)
    texts = list(dict.fromkeys(grammar.condition() for _ in range(EXPRESSIONS)))
    _add_try(spark)
    answers = [F.expr(f"fink_try({text})").alias(f"e{n}") for n, text in enumerate(texts)]
    collected = frame.select("number", *answers).orderBy("number").collect()
    conditions = [bind(parse_sql(text), columns) for text in texts]
    wrong = []
    for number, text in enumerate(texts):
        mine = [_answer(conditions[number].value, alert) for alert in alerts]
        theirs = [row[number + 1] for row in collected]
        different = [at for at in range(ALERTS) if mine[at] is not theirs[at]]
        if different:
            at = different[0]
            wrong.append((text, len(different), mine[at], theirs[at], alerts[at]))
    assert not wrong, "\n".join(map(str, wrong[:20])) + f"\n{len(wrong)} of {len(texts)}"


# As filters of ZTF's alerts have them.
REAL = [
    "candidate.rb > 0.9 AND cdsxmatch = 'RRLyrae'",
    "cdsxmatch NOT IN ('Unknown', 'Fail') AND candidate.magpsf BETWEEN 15 AND 19.5",
    "mag < 18 AND band = 'g' AND NOT class = 'Star'",
    "time > '2021-11-01' AND dec < 0",
    "rf_snia_vs_nonia + snn_sn_vs_all > 0.5 OR candidate.ndethist <= 5",
    "exists(prv_candidates, p -> p.magpsf < candidate.magpsf - 0.5 AND p.isdiffpos = 't')",
    "array_max(prv_candidates.magpsf) > 20.5",
    "size(filter(prv_candidates, p -> p.magpsf IS NOT NULL)) >= 3",
    "prv_candidates[0].jd < candidate.jd - 10",
    "element_at(prv_candidates, -1).diffmaglim > 20",
    "coalesce(candidate.magpsf - prv_candidates[0].magpsf, 0) > 0.1",
    "lower(cdsxmatch) LIKE '%binary%' OR cdsxmatch LIKE 'EB*%'",
    "candidate.sgscore1 < 0.5 AND candidate.distpsnr1 > 1.5 AND candidate.drb > 0.5",
    "abs(candidate.magpsf - candidate.magnr) > 0.5 AND candidate.isdiffpos = 't'",
    "roid = 3 AND candidate.ssdistnr >= 0",
    "sqrt(pow(candidate.sigmapsf, 2) + pow(candidate.sigmagnr, 2)) < 0.1",
    "CASE WHEN candidate.fid = 1 THEN candidate.magpsf < 18 ELSE candidate.magpsf < 17.5 END",
    "CAST(substring(objectId, 4, 2) AS int) >= 18 AND objectId LIKE 'ZTF1%'",
    "try_divide(candidate.sumrat, candidate.nneg) > 0.1",
]


def test_filters_of_real_alerts(spark: SparkSession, science_dir: Path) -> None:
    files = sorted(science_dir.rglob("*.parquet"))
    frame = spark.read.parquet(*(f"file:{file}" for file in files))
    columns = types_of_spark(frame.schema.jsonValue())
    assert isinstance(columns, StructOf)
    top = [name for name in frame.columns if name not in ("candidate", "prv_candidates")]
    inner = frame.select("candidate.*").columns
    meanings = headings_of([*top, *(f"candidate.{name}" for name in inner)])
    texts = [with_columns(text, meanings) for text in REAL]
    _add_try(spark)
    answers = [F.expr(f"fink_try({text})").alias(f"e{n}") for n, text in enumerate(texts)]
    theirs = {row.candid: row[1:] for row in frame.select("candid", *answers).collect()}
    conditions = [bind(parse_sql(text), columns) for text in texts]
    alerts = [alert for file in files for alert in pq.read_table(file).to_pylist()]
    assert len(alerts) == 124
    for number, text in enumerate(texts):
        mine = {alert["candid"]: _answer(conditions[number].value, alert) for alert in alerts}
        assert mine == {candid: answers[number] for candid, answers in theirs.items()}, text


def _decimals(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "m": None if row["m"] is None else Decimal(str(row["m"])).quantize(Decimal("0.01")),
    }


def _answer(evaluate: Callable[[Any], bool | None], alert: dict[str, Any]) -> bool | None:
    try:
        return evaluate(alert)
    except NoValueError:
        return None
