"""What is wrong with a distribution is told before anything is published, and what to type."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from fink_cli.distribution.service.folder import About, Folder, write_about
from fink_cli.distribution.service.status import Report, Status, write_report
from tests.support.cluster import TestCluster
from tests.support.environment import clean_environ, fake_java
from tests.support.fink import Fink, run_fink
from tests.support.topics import read_topic

SPARK_SECONDS = 180


@pytest.mark.parametrize(
    ("words", "code", "said", "hint"),
    [
        ("run --topic t", 2, "No folder of alerts is named.", "--source DIR"),
        ("run --source {science}", 2, "No topic is named to publish to.", "--topic T"),
        (
            "replay --topic t --stream u --source {science}",
            2,
            "There is no stream u.",
            "There are: t",
        ),
        (
            "run --once --topic never_there --source {science}",
            1,
            "There is no topic 'never_there'",
            "fink kafka topic create never_there",
        ),
        (
            "run --once --topic {topic} --source {science} --master spark://here",
            2,
            "spark://here is not the address of a Spark master.",
            "--master spark://HOST:7077",
        ),
        (
            "run --once --topic {topic} --source {science} --master spark://127.0.0.1:1",
            1,
            "Spark's master spark://127.0.0.1:1 does not answer.",
            "See whether it runs",
        ),
        (
            "run --once --topic {topic} --source {science} --spark-conf spark.driver.memory=99999g",
            1,
            "Spark did not start: ",
            "Its log: ",
        ),
        (
            "run --once --topic fink_{{class}} --source {science}",
            2,
            "'fink_{{class}}' can't be the name of a topic.",
            "--config FILE",
        ),
        (
            "run --once --topic {topic} --source {science} --schema {cut}",
            2,
            "{cut} can't be written: Is a directory.",
            "",
        ),
        (
            "run --once --topic {topic} --source {circle}",
            2,
            "{circle}/round is a link to a folder that it is in itself.",
            "remove the link",
        ),
        ("check --topic {topic} --source {cut}", 1, "No file of", "cut.parquet: "),
        (
            "schema --topic {topic} --source {science} --stream u",
            2,
            "There is no stream u.",
            "There are: {topic}",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_type(
    fink: Fink,
    spark_fink: Fink,
    topic: str,
    science_dir: Path,
    tmp_path: Path,
    words: str,
    code: int,
    said: str,
    hint: str,
) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    circle = tmp_path / "_circle"
    circle.mkdir()
    (circle / "round").symlink_to(".")
    named = {
        "topic": topic,
        "science": str(science_dir),
        "cut": str(tmp_path),
        "circle": str(circle),
    }
    filled = [each.format(**named) for each in words.split()]
    with_spark = filled[0] in ("check", "schema") or "--schema" in filled
    done = (spark_fink if with_spark else fink)("distribute", *filled, timeout=SPARK_SECONDS)
    assert done.returncode == code, done.stderr
    assert said.format(**named) in done.stderr
    assert hint.format(**named) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_java_that_spark_does_not_run_on_is_named(
    cluster: TestCluster, topic: str, science_dir: Path, tmp_path: Path
) -> None:
    environ = {**cluster.environ, "JAVA_HOME": str(fake_java(tmp_path / "jdk", "25"))}
    words = ("distribute", "run", "--once", "--topic", topic, "--source", str(science_dir))
    done = run_fink(*words, env=environ)
    assert done.returncode == 1
    assert "Spark does not run on Java 25." in done.stderr
    assert "JAVA_HOME" in done.stderr


def test_streams_of_different_columns_have_no_schema_in_common(
    spark_fink: Fink,
    cluster: TestCluster,
    make_topic: Callable[..., str],
    science_dir: Path,
    tmp_path: Path,
) -> None:
    config, first, second = tmp_path / "d.toml", make_topic(), make_topic()
    config.write_text(
        f'[[stream]]\ntopic = "{first}"\n[[stream]]\ntopic = "{second}"\ncolumns = ["objectId"]\n'
    )
    which = ("--config", str(config), "--source", str(science_dir))
    for verb in (["schema"], ["run", "--once", "--schema", str(tmp_path / "s.avsc")]):
        done = spark_fink("distribute", *verb, *which)
        assert done.returncode == 2, done.stderr
        assert "so there is more than one schema" in done.stderr
        assert "--stream S" in done.stderr
    assert not (tmp_path / "s.avsc").exists()
    assert read_topic(cluster.connection, first) == []


def test_hints_hold_as_typed_when_there_are_several_distributions(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path)
    for number in range(2):
        folder = Folder(tmp_path / "distributions" / f"d{number}")
        folder.path.mkdir(parents=True)
        write_about(folder, About(f"name {number}", f"/data of/{number}", None, ["t"]))
        write_report(folder, Report(1, "never", Status("stopped", read=number)))
    told = run_fink("distribute", "status", env=environ)
    assert told.returncode == 0, told.stderr
    lines = [line.strip() for line in told.stderr.splitlines() if "fink distribute status" in line]
    read = []
    for line in lines:
        one = run_fink(*shlex.split(line)[1:], "-o", "json", env=environ)
        assert one.returncode == 0, one.stderr
        read.append(json.loads(one.stdout)["read"])
    assert sorted(read) == [0, 1]
    # Where one is meant, the options that name each are shown.
    refused = run_fink("distribute", "stop", env=environ)
    assert refused.returncode == 2
    assert "--topic t --source '/data of/1'" in refused.stderr
