"""Files that are obeyed or executed: refused when somebody else can change them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fink_cli.distribution.filters import load_filter
from fink_cli.errors import UsageError
from fink_cli.private import private_folder, refuse_if_changeable
from tests.conftest import clean_environ, run_fink

NOBODY = 65534


def by_everybody(file: Path) -> str:
    file.chmod(0o666)
    return f"chmod go-w {file}"


def by_a_group(file: Path) -> str:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another group")
    os.chown(file, -1, NOBODY)
    file.chmod(0o660)
    return f"chmod go-w {file}"


def through_its_folder(file: Path) -> str:
    file.parent.chmod(0o777)
    return f"chmod go-w {file.parent}"


def through_a_link(file: Path) -> str:
    """The file and its folder are in order, but not that of the link that leads there."""
    target = file.parent.parent / "elsewhere" / "config.toml"
    target.parent.mkdir()
    file.rename(target)
    file.symlink_to(target)
    file.parent.chmod(0o777)
    return f"chmod go-w {file.parent}"


def by_its_owner(file: Path) -> str:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file, NOBODY, -1)
    return f"chown root {file}"


def by_the_owner_of_its_folder(file: Path) -> str:
    by_its_owner(file.parent)
    return f"chown root {file.parent}"


CHANGES = [
    by_everybody,
    by_a_group,
    through_its_folder,
    through_a_link,
    by_its_owner,
    by_the_owner_of_its_folder,
]


@pytest.mark.parametrize("change", CHANGES)
def test_settings_that_others_can_change_are_not_obeyed(
    change: Callable[[Path], str], tmp_path: Path
) -> None:
    """A password_command in them would run as whoever uses fink."""
    environ = clean_environ(tmp_path / "home")
    ran = tmp_path / "ran"
    file = Path(environ["FINK_CONFIG"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "[profiles.k]\nbootstrap_servers = '127.0.0.1:1'\nusername = 'ann'\n"
        f"password_command = 'touch {ran}'\n"
    )
    words = ("kafka", "topic", "list", "--profile", "k")
    assert "is not obeyed" not in run_fink(*words, env=environ).stderr
    assert ran.exists()
    ran.unlink()
    fix = change(file)
    for command in (words, ("config", "use", "k")):
        refused = run_fink(*command, env=environ)
        assert refused.returncode == 2, command
        assert "is not obeyed" in refused.stderr
        assert fix in refused.stderr
    assert not ran.exists()


def test_a_distribution_file_that_others_can_change_is_not_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "d" / "streams.toml"
    file.parent.mkdir()
    file.write_text("[[stream]]\ntopic = 't'\nfilter = 'mine.good'\n")
    file.chmod(0o666)
    words = ("distribute", "check", "--config", str(file), "--source", str(tmp_path))
    refused = run_fink(*words, env=clean_environ(tmp_path / "home"))
    assert refused.returncode == 2
    assert f"chmod go-w {file}" in refused.stderr


@pytest.mark.parametrize(
    ("path", "mode"),
    [("odd_filter.py", 0o666), (".", 0o777), (".", 0o1777), ("deep/part.py", 0o666)],
)
def test_a_filter_that_others_can_change_is_not_executed(
    path: str, mode: int, tmp_path: Path
) -> None:
    folder = tmp_path / "beside"
    (folder / "deep").mkdir(parents=True)
    for file in ("odd_filter.py", "deep/__init__.py", "deep/part.py"):
        (folder / file).write_text("def good(magpsf): return magpsf > 1\nopen('ran', 'w')\n")
    (folder / path).chmod(mode)
    name = "deep.part.good" if "deep" in path else "odd_filter.good"
    with pytest.raises(UsageError, match="is not obeyed"):
        load_filter(name, folder)


def test_a_home_that_others_can_write_holds_no_cluster(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "kafka").mkdir(parents=True)
    home.chmod(0o777)
    refused = run_fink("kafka", "start", env=clean_environ(home))
    assert refused.returncode == 2
    assert f"chmod go-w {home}" in refused.stderr


def test_what_nobody_else_can_change_is_obeyed(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path / "made" / "by" / "fink")
    finally:
        os.umask(before)
    file = folder / "config.toml"
    file.touch(0o600)
    shared = tmp_path / "sticky"
    shared.mkdir()
    shared.chmod(0o1777)
    inside = shared / "mine.toml"
    inside.touch(0o644)
    link = tmp_path / "link"
    link.symlink_to(Path("made") / ".." / "made" / "by")
    for path in (file, inside, link / "fink" / "config.toml", folder):
        refuse_if_changeable(path)
