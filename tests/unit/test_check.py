"""``fink distribute check`` as the author of a filter meets it, without Spark and without Kafka."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fink_cli.distribution.columns.columns import Map, Scalar, Struct
from fink_cli.distribution.columns.spark_arrays import can_convert
from fink_cli.simulate import simulate_alerts, write_science
from tests.support.environment import clean_environ
from tests.support.fink import run_fink
from tests.support.processes import running

FILTERS = """
import pandas as pd

def all_pass(magpsf): return magpsf > 0
def none_pass(magpsf): return magpsf < 0
def no_answer(magpsf): return pd.Series([None] * len(magpsf))
def bright(magpsf): return magpsf < 18
def raises(magpsf, candid):
    print("not on stdout")
    odd = magpsf[candid % 5 == 0]
    if len(odd):
        raise ValueError(f"odd: {len(odd)}")
    return magpsf < 18
def ambiguous(magpsf, rb): return (magpsf < 18) and (rb > 0.5)
def wrong_argument(magpsff): return magpsff < 18
def of_a_null(empty): return empty > 1
"""


@pytest.fixture(scope="module")
def science(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 alerts in three files, with a column of nulls."""
    folder = tmp_path_factory.mktemp("check") / "science"
    alerts = simulate_alerts(300, seed=5)
    write_science(alerts.append_column("empty", [[None] * 300]), folder, files=3)
    return folder


@pytest.fixture
def folder(tmp_path: Path, science: Path) -> Path:
    (tmp_path / "science").symlink_to(science)
    (tmp_path / "mine.py").write_text(FILTERS)
    return tmp_path


def write(folder: Path, *streams: str) -> Path:
    file = folder / "streams.toml"
    text = "".join(f"[[stream]]\n{stream}\n" for stream in streams)
    file.write_text(f'source = "science"\n{text}')
    return file


def stream(name: str) -> str:
    return f'topic = "{name}"\nfilter = "mine.{name}"'


def check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    file = str(folder / "streams.toml")
    return run_fink("distribute", "check", "--config", file, *words, env=clean_environ(home))


def streams_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {each["stream"]: each for each in json.loads(done.stdout)}


def test_python_filters_are_tried_without_spark(folder: Path) -> None:
    names = ["all_pass", "none_pass", "no_answer", "bright", "of_a_null"]
    write(folder, 'topic = "every"', *(stream(name) for name in names))
    done = check(folder, "-o", "json", "--night", "3000", "--sample", "200")
    assert done.returncode == 0, done.stderr
    found = streams_of(done)
    magnitudes = [each for each in found["bright"]["objects"] if each["candidate.magpsf"] < 18]
    assert len(magnitudes) == 5
    assert len({each["objectId"] for each in magnitudes}) == 5
    assert (found["every"]["passed"], found["every"]["warnings"]) == (200, [])
    assert found["every"]["night_mb"] > 1
    bright = found["bright"]
    assert bright["sample"] == 200
    assert bright["night"] == round(bright["passed"] / 200 * 3000)
    assert bright["seconds_per_1000"] >= 0
    assert bright["night_seconds"] >= 0
    told = {
        "all_pass": "All 200 alerts pass",
        "none_pass": "Nothing passes: 0 of 200 alerts. Try more of them: --sample N",
        "no_answer": "It gives null or NaN for all 200 alerts",
        "of_a_null": "The column empty is null in all 200 alerts.",
    }
    for name, words in told.items():
        assert any(words in each for each in found[name]["warnings"]), name
        assert f"Warning: Stream {name}: " in done.stderr


def test_what_a_filter_raises_is_told_with_its_line_its_alert_and_its_arguments(
    folder: Path,
) -> None:
    write(folder, stream("raises"))
    done = check(folder, "-o", "json")
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)
    assert found["undecided"] > 0
    (warning,) = (each for each in found["warnings"] if "failed on" in each)
    line = FILTERS.splitlines().index('        raise ValueError(f"odd: {len(odd)}")') + 1
    assert f"ValueError: odd: 1, at mine.py line {line}, with magpsf = " in warning
    alert = warning.split("first on alert ")[1].split(":")[0]
    assert int(alert) % 5 == 0
    assert f"candid = {alert}" in warning
    assert "Not all would be published" in done.stderr
    assert "not on stdout" in done.stderr


def test_and_between_columns_is_explained(folder: Path) -> None:
    write(folder, stream("ambiguous"))
    done = check(folder)
    assert done.returncode == 1
    assert "Series is ambiguous: use & and | on columns, ~ for not, and brackets" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (stream("wrong_argument"), "'magpsff' matches no column (close: candidate.magpsf"),
        (stream("brigth"), "has no function 'brigth'. Its functions: bright"),
        ('topic = "t"\nfilter = "candidate.magpsff < 18"', "Did you mean candidate.magpsf"),
        ('topic = "t"\nfilter = "candidate.magpsf"', "gives candidate.magpsf (a number)"),
        ('topic = "t"\ncolumns = ["magpsf"]', "no column magpsf. Did you mean candidate.magpsf"),
        ('topic = "{class}"\nclass = "cdsxmach"\nclasses = ["a"]', "no column cdsxmach to take"),
        ('topic = "not a topic"', "'not a topic' can't be a topic"),
    ],
)
def test_a_mistake_is_told_before_java_starts(folder: Path, text: str, told: str) -> None:
    write(folder, text)
    done = check(folder)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Trying" not in done.stderr


def test_the_table_shows_objects_and_explains_its_headings(folder: Path) -> None:
    write(folder, stream("bright"), f'name = "named"\n{stream("all_pass")}')
    done = check(folder)
    assert done.returncode == 0, done.stderr
    assert " night GB " in done.stdout
    assert "bright, 5 objects of those that pass:" in done.stdout
    assert "named (all_pass), 5 objects of those that pass:" in done.stdout
    assert "object" in done.stdout
    assert "passed: of a sample of 300 alerts. night: of 300 alerts." in done.stderr
    assert "No cluster is configured" in done.stderr


def test_an_alert_is_explained_by_its_id_or_its_object(folder: Path) -> None:
    write(folder, stream("bright"), 'topic = "every"')
    (bright, _) = json.loads(check(folder, "-o", "json", "--sample", "300").stdout)
    alert = bright["objects"][-1]
    done = check(folder, "--id", alert["objectId"], "-o", "json")
    assert done.returncode == 0, done.stderr
    first, every = json.loads(done.stdout)
    assert first["stream"] == "bright"
    assert list(first["values"]) == ["magpsf"]
    assert first["passes"] is (float(first["values"]["magpsf"]) < 18)
    assert every == {"stream": "every", "passes": True, "reason": None, "values": {}}
    refused = check(folder, "--id", "nothing")
    assert refused.returncode == 1
    assert "has the id nothing (looked for in candid and objectId)" in refused.stderr


def rounds(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def test_watch_tries_again_when_a_file_is_saved_and_ends_with_130(folder: Path) -> None:
    file = write(folder, stream("bright"))
    home = folder / "home"
    home.mkdir()
    words = ("distribute", "check", "--watch", "--config", str(file), "-o", "json")
    with running(clean_environ(home), *words) as process:
        each = rounds(process)
        first = next(each)
        assert first["changes"] == []
        before = first["streams"][0]["passed"]
        # As some editors do: a new file takes the name.
        new = folder / "mine.py.new"
        new.write_text(FILTERS.replace("magpsf < 18", "magpsf < 17"))
        new.replace(folder / "mine.py")
        second = next(each)
        (change,) = second["changes"]
        assert change["before"] == before
        assert second["streams"][0]["passed"] == change["passed"] < before
        assert change["lost"]
        assert change["gained"] == []
        file.write_text(file.read_text().replace("mine.bright", "mine.brigth"))
        assert process.stderr is not None
        assert any("no function 'brigth'" in line for line in process.stderr)
        file.write_text(file.read_text().replace("mine.brigth", "mine.all_pass"))
        assert next(each)["streams"][0]["share"] == 100.0
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


@pytest.mark.parametrize(("keys", "can"), [("string", True), ("long", True), ("double", False)])
def test_maps_whose_keys_spark_writes_itself_are_left_to_spark(keys: str, can: bool) -> None:
    columns = Struct({"a": Struct({"b": Map(Scalar(keys), Scalar("long"))})})
    assert can_convert(columns) is can
