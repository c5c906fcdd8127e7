"""Streams of a distribution file: real filters, real Spark, and what stands on each topic."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fink_filters.rubin.blocks import b_outside_galactic_plane_20_deg
from fink_filters.ztf.filter_rrlyr.filter import rrlyr

from fink_cli.simulate import simulate_alerts, write_science
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.topics import read_topic
from tests.support.waiting import wait_for

SPARK_SECONDS = 240
TopicMaker = Callable[..., str]


@dataclass(frozen=True)
class Published:
    """A message of a topic: its headers, and the alert that fastavro decodes."""

    headers: dict[str, str]
    alert: dict[str, Any]


def published(cluster: TestCluster, topic: str) -> list[Published]:
    """What stands on a topic of one partition."""
    found = []
    for each in read_topic(cluster.connection, topic):
        schema = fastavro.parse_schema(json.loads(each.key()))
        alert = fastavro.schemaless_reader(io.BytesIO(each.value()), schema, None)
        headers = {name: value.decode() for name, value in each.headers()}
        assert isinstance(alert, dict)
        found.append(Published(headers, alert))
    return found


def ids(cluster: TestCluster, topic: str) -> Counter[str]:
    """How often each alert stands on a topic, by its header."""
    return Counter(each.headers["alert-id"] for each in published(cluster, topic))


def run(spark_fink: Fink, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a distribution, and give the last line of its report."""
    done = spark_fink("distribute", *arguments, "-o", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ledger(fink: Fink, config: Path) -> list[dict[str, Any]]:
    """The alerts that were skipped."""
    done = fink("distribute", "status", "--skipped", "--config", str(config), "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def alerts() -> pa.Table:
    """400 alerts, with structs of Rubin's names beside those of ZTF."""
    made = simulate_alerts(400, seed=3)
    candidate = made["candidate"].combine_chunks()
    place = pa.StructArray.from_arrays(
        [candidate.field("ra"), candidate.field("dec")], names=["ra", "dec"]
    )
    return made.append_column("diaSource", place)


@pytest.fixture
def science(alerts: pa.Table, tmp_path: Path) -> Path:
    """A science database of these alerts."""
    write_science(alerts, tmp_path / "science", files=3)
    return tmp_path / "science"


def write(file: Path, *streams: str) -> Path:
    """A distribution file."""
    file.write_text('source = "science"\n' + "".join(f"[[stream]]\n{each}\n" for each in streams))
    return file


def test_each_stream_gets_its_alerts_and_columns(
    fink: Fink,
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: TopicMaker,
    alerts: pa.Table,
    science: Path,
    tmp_path: Path,
) -> None:
    """SQL, functions of fink-filters of both kinds, classes, and selections of columns."""
    every, sql, pandas_udf, plain = (make_topic() for _ in range(4))
    classes = sorted(name for name in set(alerts["cdsxmatch"].to_pylist()) if name)[:2]
    stem = make_topic()
    for each in classes:
        part = "".join(c for c in each.lower() if c.isalnum() or c in "._-")
        assert fink("kafka", "topic", "create", f"{stem}_{part}").returncode == 0
    config = write(
        tmp_path / "d.toml",
        f'topic = "{every}"',
        f'topic = "{sql}"\nfilter = "candidate.magpsf < 18 AND candidate.fid = 1"\n'
        'columns = ["objectId", "candidate.magpsf", "candid"]',
        f'topic = "{pandas_udf}"\nfilter = "fink_filters.ztf.filter_rrlyr.filter.rrlyr"\n'
        'drop = ["cutoutScience", "candidate.jd"]',
        f'topic = "{plain}"\nfilter = "fink_filters.rubin.blocks.b_outside_galactic_plane_20_deg"',
        f'topic = "{stem}_{{class}}"\nname = "by class"\nclass = "cdsxmatch"\n'
        f"classes = {json.dumps(classes)}",
    )
    report = run(spark_fink, "run", "--once", "--config", str(config))

    frame = alerts.drop_columns(["diaSource"]).to_pandas()
    name = alerts["candid"].to_pylist()
    candidate = pd.DataFrame(list(frame["candidate"]))
    bright = (candidate["magpsf"] < 18) & (candidate["fid"] == 1)
    place = pd.DataFrame(alerts["diaSource"].to_pylist())
    expected = {
        every: set(name),
        sql: {each for each, passes in zip(name, bright, strict=True) if passes},
        pandas_udf: {
            each
            for each, passes in zip(name, rrlyr.func(frame["cdsxmatch"]), strict=True)
            if passes
        },
        plain: {
            each
            for each, passes in zip(name, b_outside_galactic_plane_20_deg(place), strict=True)
            if passes
        },
    }
    for each in classes:
        part = "".join(c for c in each.lower() if c.isalnum() or c in "._-")
        expected[f"{stem}_{part}"] = {
            number for number, kind in zip(name, frame["cdsxmatch"], strict=True) if kind == each
        }
    assert all(expected.values()), "a stream without an alert would show nothing"
    for topic, wanted in expected.items():
        assert ids(cluster, topic) == Counter(str(each) for each in wanted)
    assert report["published"] == {topic: len(wanted) for topic, wanted in expected.items()}
    assert report["read"] == 400

    one = published(cluster, sql)[0]
    assert list(one.alert) == ["objectId", "candidate", "candid"] or list(one.alert) == [
        name for name in alerts.column_names if name in {"objectId", "candidate", "candid"}
    ]
    assert list(one.alert["candidate"]) == ["magpsf"]
    assert one.headers["stream"] == sql
    assert one.headers["object-id"] == one.alert["objectId"]
    dropped = published(cluster, pandas_udf)[0].alert
    assert "cutoutScience" not in dropped
    assert "jd" not in dropped["candidate"]
    assert "magpsf" in dropped["candidate"]
    assert published(cluster, f"{stem}_{part}")[0].headers["stream"] == "by class"


def test_a_filter_that_raises_stops_no_other_and_is_replayed(
    fink: Fink,
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: TopicMaker,
    science: Path,
    tmp_path: Path,
) -> None:
    every, python, sql = (make_topic() for _ in range(3))
    module = tmp_path / "mine.py"
    module.write_text(
        "def bright(candid, magpsf):\n"
        "    if (candid % 10 == 0).any():\n"
        "        raise ValueError('no tens [red]please[/red]')\n"
        "    return magpsf < 19\n"
    )
    config = write(
        tmp_path / "d.toml",
        f'topic = "{every}"',
        f'topic = "{python}"\nfilter = "mine.bright"\n'
        'arguments = { candid = "candid", magpsf = "candidate.magpsf" }',
        f'topic = "{sql}"\nfilter = "1 / (candid % 10) >= 0"',
    )
    report = run(spark_fink, "run", "--once", "--config", str(config))
    tables = [pq.read_table(file) for file in science.rglob("*.parquet")]
    name = [each for table in tables for each in table["candid"].to_pylist()]
    magnitude = [each["magpsf"] for table in tables for each in table["candidate"].to_pylist()]
    tens = {each for each in name if each % 10 == 0}
    bright = {each for each, mag in zip(name, magnitude, strict=True) if mag < 19}
    assert tens
    assert tens & bright
    assert ids(cluster, every) == Counter(map(str, name))
    assert ids(cluster, python) == Counter(map(str, bright - tens))
    assert ids(cluster, sql) == Counter(str(each) for each in name if each not in tens)
    assert report["skipped"] == 2 * len(tens)
    rows = ledger(fink, config)
    assert {(row["stream"], int(row["alert_id"])) for row in rows} == {
        (topic, each) for topic in (python, sql) for each in tens
    }
    assert {row["kind"] for row in rows} == {"not decided"}
    reasons = {row["stream"]: row["reason"] for row in rows}
    assert reasons[python] == "ValueError: no tens [red]please[/red]"
    assert reasons[sql] == "Division by zero"
    assert all(Path(row["file"]).exists() for row in rows)

    # A file is moved within the source meanwhile: its dead letters go with it.
    file = min(science.glob("*.parquet"))
    (science / "archive").mkdir()
    file.rename(science / "archive" / file.name)
    module.write_text("def bright(candid, magpsf):\n    return magpsf < 19\n")
    report = run(spark_fink, "replay", "--stream", python, "--config", str(config))
    assert report["session"]["published"][python] == len(tens & bright)
    assert report["skipped"] == len(tens)
    assert ids(cluster, python) == Counter(map(str, bright))
    rows = ledger(fink, config)
    assert {row["stream"] for row in rows} == {sql}
    assert all(Path(row["file"]).exists() for row in rows)
    report = run(spark_fink, "replay", "--stream", python, "--config", str(config))
    assert report["session"]["published"][python] == 0
    assert ids(cluster, every) == Counter(map(str, name))


# Each raises on every alert whose candid divides by 7, in another way.
RAISES = {
    "division": "1 / (candid % 7) > -1",
    "modulo": "10 % (candid % 7) > -1",
    "cast": "cast(if(candid % 7 = 0, 'x', '1') as int) = 1",
    "overflow": "cast(if(candid % 7 = 0, 2147483648, 1) as int) = 1",
    "sum": "cast(if(candid % 7 = 0, 2147483647, 1) as int) + cast(1 as int) > 0",
    "date": "cast(if(candid % 7 = 0, '2020-13-45', '2020-01-01') as date) > date'2000-01-01'",
    "array": "element_at(array(1, 2), if(candid % 7 = 0, 5, 1)) = 1",
    "raised": "if(candid % 7 = 0, raise_error('mine'), true)",
    "asserted": "assert_true(candid % 7 != 0) is null",
    "branch": "case when 1 / (candid % 7) > 5 then false else true end",
    "not": "not (1 / (candid % 7) < 0)",
    "either": "1 / (candid % 7) > -1 or candid < 0",
    "lambda": "exists(array(candid % 7), x -> 1 / x > -1)",
    "nulls": "coalesce(1 / (candid % 7), 1) > -1",
    "shared": "1 / (candid % 7) > -1 and candid > 0",
    "text": "if(candid % 7 = 0, 'yes please', 'true') = true",
    "between": "1 / (candid % 7) between -1 and 2",
    "nullif": "nullif(1 / (candid % 7), 3) > -1",
}


def test_no_error_of_sql_ends_the_service(
    fink: Fink,
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: TopicMaker,
    science: Path,
    tmp_path: Path,
) -> None:
    topic = make_topic()
    config = write(
        tmp_path / "d.toml",
        *(
            f'name = "{name}"\ntopic = "{topic}"\nfilter = "{sql}"\ncolumns = ["candid"]'
            for name, sql in RAISES.items()
        ),
    )
    run(spark_fink, "run", "--once", "--config", str(config))
    name = [
        each
        for file in science.rglob("*.parquet")
        for each in pq.read_table(file)["candid"].to_pylist()
    ]
    sevens = {str(each) for each in name if each % 7 == 0}
    rest = {str(each) for each in name} - sevens
    rows = ledger(fink, config)
    stands: dict[str, set[str]] = {}
    for each in published(cluster, topic):
        stands.setdefault(each.headers["stream"], set()).add(each.headers["alert-id"])
    for stream in RAISES:
        assert stands[stream] == rest, stream
        assert {row["alert_id"] for row in rows if row["stream"] == stream} == sevens, stream


@pytest.mark.long
def test_a_message_too_large_and_a_topic_that_vanished_are_kept_for_later(
    fink: Fink, spark_fink: Fink, cluster: TestCluster, make_topic: TopicMaker, tmp_path: Path
) -> None:
    """The service goes on; what it skipped is replayed when the topics are mended."""
    made = simulate_alerts(30, seed=5)
    # Random bytes can't be compressed: these three are too large for a topic of 300 kB.
    generator = __import__("random").Random(1)
    cutouts = [generator.randbytes(400_000 if row < 3 else 1000) for row in range(made.num_rows)]
    index = made.column_names.index("cutoutScience")
    field = made.schema.field("cutoutScience")
    kind = field.type
    column = (
        pa.array(
            [
                {**old, "stampData": new}
                for old, new in zip(made["cutoutScience"].to_pylist(), cutouts, strict=True)
            ],
            kind,
        )
        if pa.types.is_struct(kind)
        else pa.array(cutouts, kind)
    )
    made = made.set_column(index, field, column)
    (tmp_path / "science").mkdir()
    pq.write_table(made.slice(0, 20), tmp_path / "science" / "a.parquet")
    small, large = make_topic(**{"max.message.bytes": "300000"}), make_topic()
    config = write(tmp_path / "d.toml", f'topic = "{small}"', f'topic = "{large}"')
    started = fink(
        *("distribute", "start", "--config", str(config), "--trigger", "0.5"),
        timeout=SPARK_SECONDS,
    )
    assert started.returncode == 0, started.stderr
    try:
        report = wait_for_batch(fink, config, 1)
        assert report["published"] == {small: 17, large: 20}
        assert report["skipped"] == 3
        assert fink("kafka", "topic", "delete", large, "--yes").returncode == 0
        pq.write_table(made.slice(20), tmp_path / "science" / "b.parquet")
        report = wait_for_batch(fink, config, 2)
        assert report["state"] == "running"
        assert report["published"] == {small: 27, large: 20}
    finally:
        stopped = fink("distribute", "stop", "--config", str(config), timeout=SPARK_SECONDS)
    assert stopped.returncode == 0, stopped.stderr
    rows = ledger(fink, config)
    kinds = Counter((row["stream"], row["kind"]) for row in rows)
    assert kinds == {(small, "too large"): 3, (large, "no topic"): 10}

    assert fink("kafka", "topic", "create", large).returncode == 0
    altered = fink("kafka", "topic", "alter", small, "--config", "max.message.bytes=1000000", "-y")
    assert altered.returncode == 0, altered.stderr
    run(spark_fink, "replay", "--stream", small, "--config", str(config))
    run(spark_fink, "replay", "--stream", large, "--config", str(config))
    assert ledger(fink, config) == []
    assert ids(cluster, small) == Counter(map(str, made["candid"].to_pylist()))
    assert ids(cluster, large) == Counter(map(str, made["candid"].to_pylist()[20:]))


def wait_for_batch(fink: Fink, config: Path, number: int) -> dict[str, Any]:
    """Wait until a distribution has published so many batches; return its status."""

    def status() -> dict[str, Any] | None:
        done = fink("distribute", "status", "--config", str(config), "-o", "json")
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["state"] == "running", report
        return report if report["batches"] == number else None

    return wait_for(status, SPARK_SECONDS)


def test_mistakes_of_all_streams_are_told_before_anything_is_published(
    fink: Fink, spark_fink: Fink, make_topic: TopicMaker, science: Path, tmp_path: Path
) -> None:
    topic = make_topic()
    wrong = {
        "column": ('filter = "magpsff > 0.9"', "no column magpsff. Did you mean candidate.magpsf"),
        "field": ('filter = "candidate.rbb > 0.9"', "rbb. Did you mean candidate.rb"),
        "function": ('filter = "nosuch(candid)"', "Spark SQL has no function nosuch."),
        "syntax": ('filter = "candidate.rb >"', "refused: Syntax error at or near end of input."),
        "number": ('filter = "candidate.rb + 1"', "not true or false"),
        "aggregate": ('filter = "max(candidate.rb) > 1"', "refused"),
        "module": ('filter = "no_such_module.thing"', "no_such_module"),
        "argument": ('filter = "mine.f"', "nothing_like_it"),
        "keep": ('columns = ["magpsf"]', "Did you mean candidate.magpsf"),
    }
    (tmp_path / "mine.py").write_text("def f(nothing_like_it):\n    return nothing_like_it\n")
    seen_by_spark = ["function", "syntax", "aggregate"]
    rest = [name for name in wrong if name not in seen_by_spark]
    for number, (verb, names) in enumerate(
        [(["check"], rest), (["check"], seen_by_spark), (["run", "--once"], list(wrong))]
    ):
        streams = (f'name = "{name}"\ntopic = "{topic}"\n{wrong[name][0]}' for name in names)
        config = write(tmp_path / f"d{number}.toml", *streams)
        done = spark_fink("distribute", *verb, "--config", str(config))
        assert done.returncode == 2, done.stderr
        for name in names:
            said = wrong[name][1]
            line = next(each for each in done.stderr.splitlines() if f"Stream {name}:" in each)
            assert said in line
            assert "[" not in line
        assert "Traceback" not in done.stderr
    assert fink("consume", "--topic", topic, "--until-end", "-o", "json").stdout == ""


def test_a_slow_filter_is_warned_of(
    spark_fink: Fink, make_topic: TopicMaker, alerts: pa.Table, tmp_path: Path
) -> None:
    slow, sql = make_topic(), make_topic()
    write_science(alerts.slice(0, 10), tmp_path / "science", files=1)
    text = "import time\ndef slow(rb):\n    time.sleep(1.2)\n    return rb > 0\n"
    (tmp_path / "dozing.py").write_text(text)
    streams = [f'topic = "{slow}"\nfilter = "dozing.slow"', f'topic = "{sql}"\nfilter = "true"']
    config = write(tmp_path / "d.toml", *streams)
    config.write_text(f"slow_filter = 0.01\n{config.read_text()}")
    report = run(spark_fink, "run", "--once", "--config", str(config))
    seconds = {each["topic"]: each["seconds_per_1000"] for each in report["streams"]}
    assert seconds[slow] > 100
    assert seconds[sql] is None
    (told,) = report["slow_filters"]
    assert f"The filter of '{slow}' is slow: it took " in told
    assert told in Path(report["log"]).read_text()


def test_check_schema_and_test_agree_with_what_is_published(
    fink: Fink,
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: TopicMaker,
    alerts: pa.Table,
    science: Path,
    tmp_path: Path,
) -> None:
    bright = make_topic()
    config = write(
        tmp_path / "d.toml",
        f'topic = "{bright}"\nfilter = "candidate.magpsf < 18"\ncolumns = ["candid", "objectId"]',
        'topic = "no_such_topic"\nfilter = "candidate.fid = 9"',
    )
    words = ("--config", str(config), "--night", "10000", "-o", "json")
    checked = spark_fink("distribute", "check", *words)
    assert checked.returncode == 0, checked.stderr
    assert "no_such_topic" in checked.stderr, "a topic that is missing is a warning"
    passed = pc.sum(pc.less(pc.struct_field(alerts["candidate"], "magpsf"), 18)).as_py()
    first, second = json.loads(checked.stdout)
    assert (first["stream"], first["passed"]) == (bright, passed)
    assert first["night"] == round(passed / 400 * 10000)
    assert (second["passed"], second["night_mb"]) == (0, 0.0)
    assert fink("consume", "--topic", bright, "--until-end", "-o", "json").stdout == ""

    refused = spark_fink("distribute", "schema", "--config", str(config))
    assert refused.returncode == 2
    assert bright in refused.stderr
    file = tmp_path / "bright.avsc"
    words = ("--config", str(config), "--stream", bright, "--out", str(file))
    written = spark_fink("distribute", "schema", *words)
    assert written.returncode == 0, written.stderr

    only = write(
        tmp_path / "only.toml",
        f'topic = "{bright}"\nfilter = "candidate.magpsf < 18"\ncolumns = ["candid", "objectId"]',
    )
    run(spark_fink, "run", "--once", "--config", str(only), "--schema", str(tmp_path / "run.avsc"))
    keys = {each.key().decode() for each in read_topic(cluster.connection, bright)}
    assert keys == {file.read_text().strip()} == {(tmp_path / "run.avsc").read_text().strip()}

    words = ("--topic", bright, "--schema", str(file), "--once", "--rows", "999")
    shown = fink("distribute", "test", *words, timeout=SPARK_SECONDS)
    assert shown.returncode == 0, shown.stderr
    assert f"Batch 0: {passed} alerts" in shown.stdout
    # What an alert is stands first: its object, then its own id.
    printed = {line.split("|")[2].strip() for line in shown.stdout.splitlines() if "|ZTF" in line}
    assert printed == set(ids(cluster, bright))
