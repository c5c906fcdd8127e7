"""The units of systemd that ``fink systemd`` prints and installs."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from fink_cli.systemd.notify import notify
from tests.support.environment import PROGRAM, clean_environ, find_program
from tests.support.fink import run_fink

ODD = 'a "night" of 100% \\ $HOME'
STREAM = '[[stream]]\ntopic = "t"\n'


def verify(unit: str, folder: Path, *options: str) -> str:
    """What systemd says against a unit."""
    (folder / "fink-tried.service").write_text(unit)
    done = subprocess.run(
        [find_program("systemd-analyze"), *options, "verify", folder / "fink-tried.service"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("whose", [["--user"], ["--run-as", "daemon"]])
def test_systemd_takes_the_units(tmp_path: Path, whose: list[str]) -> None:
    """Also with characters in paths that mean something to it."""
    home = tmp_path / ODD
    home.mkdir()
    config = home / "d.toml"
    config.write_text(STREAM)
    environ = clean_environ(home, JAVA_HOME=str(home))
    for words in (["kafka"], ["metrics"], ["distribute", "--config", str(config)]):
        printed = run_fink("systemd", *words, *whose, env=environ)
        assert printed.returncode == 0, printed.stderr
        assert verify(printed.stdout, tmp_path, *[each for each in whose if each == "--user"]) == ""
    assert f"ExecStart={PROGRAM} distribute run --config " in printed.stdout
    assert "RestartPreventExitStatus=2" in printed.stdout
    assert "After=fink-kafka.service" in printed.stdout
    assert ("User=daemon" in printed.stdout) == (whose[0] == "--run-as")


def test_systemd_reads_what_was_meant(tmp_path: Path) -> None:
    """What it makes of the words and variables of a unit, with odd characters in them."""
    home = tmp_path / ODD
    home.mkdir()
    (home / "d.toml").write_text(STREAM)
    environ = clean_environ(home)
    words = ["systemd", "distribute", "--user", "--config", str(home / "d.toml")]
    unit = run_fink(*words, env=environ).stdout
    environment = next(line for line in unit.splitlines() if "FINK_HOME" in line)
    assert environment == (
        "Environment=" + f'"FINK_HOME={tmp_path}/a \\"night\\" of 100%% \\\\ $HOME"'
    )
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart"))
    assert command.endswith(f'"{tmp_path}/a \\"night\\" of 100%% \\\\ $$HOME/d.toml"')


def test_installed_for_oneself(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path, XDG_CONFIG_HOME=str(tmp_path), FINK_PASSWORD="secret-1")
    installed = run_fink("systemd", "kafka", "--user", "--install", env=environ)
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout == ""
    unit = tmp_path / "systemd" / "user" / "fink-kafka.service"
    assert f"Environment=FINK_HOME={tmp_path}" in unit.read_text()
    assert "secret-1" not in unit.read_text()
    assert "FINK_PASSWORD is set, and stands in no unit" in installed.stderr
    assert "systemctl --user enable --now fink-kafka" in installed.stderr


def test_root_runs_no_service(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path)
    environ.pop("SUDO_USER", None)
    environ["LOGNAME"] = "root"
    refused = run_fink("systemd", "kafka", "--system", env=environ)
    assert refused.returncode == 2
    assert "--run-as USER" in refused.stderr


def test_a_mistake_in_the_distribution_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(STREAM + "filtre = 1\n")
    words = ["systemd", "distribute", "--config", str(tmp_path / "d.toml")]
    refused = run_fink(*words, env=clean_environ(tmp_path))
    assert refused.returncode == 2
    assert "filtre" in refused.stderr


def test_a_manager_in_the_abstract_namespace_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd within containers has it; one that is gone is no error."""
    name = f"fink-{uuid.uuid4().hex}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        notify("two\nlines")
        assert manager.recv(1000) == b"READY=1\nSTATUS=two lines"
    notify("nobody")
