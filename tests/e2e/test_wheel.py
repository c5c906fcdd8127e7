"""The wheel, as ``pipx install`` leaves it: no checkout, no home, only what the wheel declares."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fink_cli import __version__
from fink_cli.paths import cache_folder
from tests.support.cluster import TestCluster
from tests.support.environment import ROOT, clean_environ
from tests.support.processes import processes_in

# Come with a package that is declared, which promises them in turn.
BY_ANOTHER = {"numpy", "py4j", "pydantic_core"}
WHERE = "import fink_cli; print(fink_cli.__file__)"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout: float = 240
) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `make wheel` builds it, with what is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    run("make", "wheel", f"VENV={sys.prefix}", f"DIST={folder}", cwd=ROOT)
    (built,) = folder.glob("fink_cli-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that holds the wheel.

    Its dependencies are those that are installed here (PySpark alone is 400 MB): a line in a .pth
    file is searched last, and other .pth files, such as that of the checkout, take no effect there.
    That pip gets them by itself is held by the long test below.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    offline = ["--no-deps", "--no-index"]
    run(*PIP, "--python", python, "install", *offline, wheel, cwd=folder.parent)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    here = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(here))
    return python.parent


def test_it_holds_what_the_program_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    shipped = [
        file.relative_to(ROOT)
        for folder in ("conf", "schemas")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    ]
    assert len(shipped) > 5
    assert {f"fink_cli/{file}" for file in shipped} <= names
    assert "fink_cli/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    outside = [n for n in names if not n.startswith(("fink_cli/", f"fink_cli-{__version__}."))]
    assert not outside


def test_the_version_comes_from_one_place(wheel: Path, installed: Path, tmp_path: Path) -> None:
    assert wheel.name.split("-")[1] == __version__
    assert run(installed / "fink", "--version", cwd=tmp_path) == f"fink {__version__}\n"
    assert f'"{__version__}"' not in (ROOT / "pyproject.toml").read_text()


def test_it_declares_all_that_it_imports(wheel: Path) -> None:
    imported = {
        root
        for file in (ROOT / "fink_cli").rglob("*.py")
        for root in imported_packages(ast.parse(file.read_text()))
    } - {*sys.stdlib_module_names, "fink_cli"}
    assert {"typer", "pyspark", "confluent_kafka"} <= imported
    with zipfile.ZipFile(wheel) as content:
        (name,) = (each for each in content.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(content.read(name))
    needed = metadata.get_all("Requires-Dist", [])
    declared = {canonicalize_name(Requirement(each).name) for each in needed}
    providers = packages_distributions()
    undeclared = {
        package
        for package in imported
        if not {canonicalize_name(each) for each in providers.get(package, [package])} & declared
    }
    assert not undeclared - BY_ANOTHER


def imported_packages(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_the_demo_runs_from_it(cluster: TestCluster, installed: Path, tmp_path: Path) -> None:
    run_demo(installed, tmp_path / "home")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_it_installs_with_all_that_it_needs(
    cluster: TestCluster, wheel: Path, tmp_path: Path
) -> None:
    """In an environment that holds nothing, by what the wheel declares, in the locked versions."""
    lock = (ROOT / "requirements" / "run.txt").read_text()
    pins = tmp_path / "pins.txt"
    # Without the hashes, since pip would ask for one of the wheel too.
    pins.write_text("\n".join(re.findall(r"^\S+==[^\\\n]+", lock, re.MULTILINE)))
    folder = tmp_path / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=tmp_path)
    cache = run(*PIP, "cache", "dir", cwd=tmp_path).strip()
    words = ("--disable-pip-version-check", "--quiet", "--cache-dir", cache)
    pip = (folder / "bin" / "python", "-m", "pip", *words)
    everything = f"fink-cli[publish,plots] @ file://{wheel}"
    run(*pip, "install", "--constraint", pins, everything, cwd=tmp_path, timeout=900)
    run(*pip, "check", cwd=tmp_path)
    run_demo(folder / "bin", tmp_path / "home")
    assert "fink kafka start" in run(folder / "bin" / "fink_kafka", "--help", cwd=tmp_path)


def run_demo(programs: Path, home: Path) -> None:
    """See all of it work, as somebody who has a home of their own and no checkout."""
    home.mkdir()
    # The cluster's start has filled the cache of Kafka's jars.
    environ = clean_environ(
        home / "none",
        HOME=str(home),
        TMPDIR=str(home),
        XDG_CACHE_HOME=str(cache_folder().parent),
    )
    for key in ("FINK_HOME", "FINK_CONFIG"):
        del environ[key]
    environ["PATH"] = f"{programs}:/usr/bin:/bin"
    assert str(ROOT) not in run(programs / "python", "-c", WHERE, cwd=home)
    done = subprocess.run(
        [programs / "fink", "demo"],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("ZTF") for line in done.stdout.splitlines()) == 20
    assert "Published 200 alerts" in done.stderr
    commands = [line.strip() for line in done.stderr.splitlines()[-3:]]
    assert [command.split()[1] for command in commands] == ["kafka", "distribute", "consume"]
    assert "\x1b" not in done.stdout + done.stderr
    # No process and no file of the demo stays.
    assert not list(home.iterdir())
    assert not processes_in(home)
