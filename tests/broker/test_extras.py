"""What works without the extras of fink, and what the commands that need one say."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from fink_cli.app import GROUPS
from fink_cli.extras import MODULES, PLOTS, PUBLISH
from tests.support.cluster import TestCluster
from tests.support.consume import messages
from tests.support.environment import ROOT, clean_environ

# A module that is None in sys.modules is one that is not installed. Without Java as well.
WITHOUT = """
import json, os, sys, tempfile
sys.modules |= dict.fromkeys(json.loads(sys.argv[1]))
from fink_cli.app import main
results = []
for words in json.loads(sys.argv[2]):
    out, errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
    child = os.fork()
    if not child:
        os.dup2(out.fileno(), 1), os.dup2(errors.fileno(), 2)
        sys.argv = ["fink", *words]
        main(words)
        sys.exit()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    printed = [os.pread(stream.fileno(), 10**6, 0).decode() for stream in (out, errors)]
    results.append([code, *printed])
json.dump(results, sys.stdout)
"""


def without_extras(*commands: list[str], env: dict[str, str]) -> list[tuple[int, str, str]]:
    """Run commands as where only ``fink-cli`` is installed; return code, stdout and stderr."""
    modules = [name for names in MODULES.values() for name in names]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(modules), json.dumps(commands)],
        env=env | {"JAVA_HOME": "", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(result) for result in json.loads(done.stdout)]


def test_whoever_reads_saves_and_administers_needs_no_extra(
    cluster: TestCluster, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *messages(3))
    read = ["consume", "--topic", topic, "--until-end"]
    commands = [
        *([group, "--help"] for group in GROUPS),
        [*read, "-o", "json"],
        [*read, "--detail"],
        *(
            [*read, "--save", str(tmp_path / "files"), "--format", name]
            for name in ("parquet", "avro")
        ),
        ["kafka", "status"],
        ["kafka", "topic", "list"],
        ["kafka", "group", "list"],
        ["auth", "add", "-u", "extra", "--generate"],
        [
            "auth",
            "onboard",
            "-u",
            "extra2",
            "--consume",
            topic,
            "--generate",
            "--out",
            str(tmp_path / "extra.toml"),
        ],
        ["acl", "audit"],
        ["distribute", "status"],
        ["top", "-o", "json"],
        ["slack", "alerts", "--topic", topic, "--once", "--dry-run"],
    ]
    results = without_extras(*commands, env=cluster.environ)
    for words, (code, _, errors) in zip(commands, results, strict=True):
        assert code in {0, 1} if words[0] in {"acl", "distribute"} else code == 0, (words, errors)
        assert "not installed" not in errors, words
    assert len(results[len(GROUPS)][1].splitlines()) == 3
    assert len(list((tmp_path / "files").glob("*.*"))) == 2


def test_what_needs_an_extra_says_which(cluster: TestCluster, tmp_path: Path, topic: str) -> None:
    publishing = ["--source", str(tmp_path), "--topic", topic]
    commands = [
        ["kafka", "start"],
        ["demo"],
        ["distribute", "run", *publishing],
        ["distribute", "check", *publishing],
        ["distribute", "test", "--topic", topic],
        ["auth", "quota", "-u", "extra"],
        ["auth", "list", "--quotas"],
    ]
    results = without_extras(*commands, env=cluster.environ)
    for words, (code, _, errors) in zip(commands, results, strict=True):
        assert code == 2, (words, errors)
        assert "not installed (cryptography)" in errors.replace("\n", " "), (words, errors)
        assert "fink-cli[publish]" in errors, (words, errors)


def test_the_extras_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra, modules in MODULES.items():
        packages = {Requirement(text).name for text in project["optional-dependencies"][extra]}
        assert set(modules) - {"py4j"} == packages
    needed = {Requirement(text).name for text in project["dependencies"]}
    assert not needed & {*MODULES[PUBLISH], *MODULES[PLOTS]}


def test_a_picture_without_matplotlib_is_told_once(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from fink_cli.slack.light_curve_png import light_curve_png\n"
        "from fink_cli.alerts.lightcurve import LightCurve\n"
        "from fink_cli.extras import MissingExtraError\n"
        "try: light_curve_png(LightCurve(), '')\n"
        "except MissingExtraError as error: print(error, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fink-cli[plots]" in done.stdout
