"""Files that are obeyed or executed: refused when somebody else can change them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fink_cli import trusted
from fink_cli.distribution.python_filters.load import load_filter
from fink_cli.doctor.check_result import CheckState
from fink_cli.doctor.secret_files import check_secret_files
from fink_cli.errors import FinkWarning, UsageError
from fink_cli.private import private_folder
from fink_cli.trusted import find_weakness, refuse_if_changeable
from tests.support.environment import clean_environ
from tests.support.fink import run_fink

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
    (folder / "before.py").write_text("def good(magpsf): return magpsf > 1\n")
    load_filter("before.good", folder)  # what one module may does not tell for others
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


class Account(NamedTuple):
    """What the system says of a user."""

    pw_name: str
    pw_uid: int
    pw_gid: int


class Group(NamedTuple):
    """What the system says of a group."""

    gr_name: str
    gr_gid: int
    gr_mem: list[str]


ROOT, JOVYAN = Account("root", 0, 0), Account("jovyan", 1000, 100)
HALT, BOB = Account("halt", 7, 0), Account("bob", 1001, 100)
SURVEY = 5000


class Machine:
    """The accounts and groups of a machine, as the system's functions give them."""

    def __init__(self, accounts: list[Account], unlisted: list[Account]):
        self.accounts, self.known = accounts, accounts + unlisted
        self.members: dict[int, list[str]] = {0: ["root"], 100: [], SURVEY: []}
        self.names = {0: "root", 100: "users", SURVEY: "survey"}

    def getpwall(self) -> list[Account]:
        return self.accounts

    def getpwuid(self, number: int) -> Account:
        found = [each for each in self.known if each.pw_uid == number]
        if not found:
            raise KeyError(number)
        return found[0]

    def getgrgid(self, number: int) -> Group:
        return Group(self.names[number], number, self.members[number])

    def getgrnam(self, name: str) -> Group:
        number = {each: key for key, each in self.names.items()}[name]
        return self.getgrgid(number)

    def getgrouplist(self, name: str, first: int) -> list[int]:
        return [first, *(key for key, names in self.members.items() if name in names)]


Installed = Callable[..., Machine]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Have accounts, and be one of them."""

    def install(user: int, *accounts: Account, unlisted: tuple[Account, ...] = ()) -> Machine:
        made = Machine([ROOT, *accounts], list(unlisted))
        monkeypatch.setattr(trusted, "pwd", made)
        monkeypatch.setattr(trusted, "grp", made)
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(os, "getgroups", lambda: [SURVEY])
        monkeypatch.setattr(os, "getgrouplist", made.getgrouplist)
        return made

    return install


def folder_of(path: Path, user: int, group: int, mode: int) -> Path:
    """A folder with a file, both of one owner and mode."""
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    folder = path / "given"
    folder.mkdir()
    file = folder / "d.toml"
    file.write_text("")
    for each in (file, folder):
        os.chown(each, user, group)
        each.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("user", "accounts", "group", "fine"),
    [
        (1000, (JOVYAN,), 100, True),  # /home/jovyan of Jupyter's images
        (1000, (JOVYAN, BOB), 100, False),
        (1000000, (HALT,), 0, True),  # OpenShift gives a number that has no account, and group 0
        (1000000, (Account("ann", 1002, 0),), 0, False),
        (1000, (JOVYAN,), SURVEY, False),
    ],
)
def test_a_group_with_nobody_else_in_it_is_the_user(
    user: int,
    accounts: tuple[Account, ...],
    group: int,
    fine: bool,
    machine: Installed,
    tmp_path: Path,
) -> None:
    file = folder_of(tmp_path, user, group, 0o2775)
    made = machine(user, *accounts)
    assert (find_weakness(file) is None) == fine
    made.members[group] = ["eve"]
    assert find_weakness(file) is not None


def test_a_group_of_a_directory_that_lists_nobody_is_not_the_user(
    machine: Installed, tmp_path: Path
) -> None:
    """Others may have it as their first group, and nobody can say so."""
    file = folder_of(tmp_path, 1000, 100, 0o775)
    machine(1000, unlisted=(JOVYAN,))
    assert find_weakness(file) is not None


def test_root_of_a_container_obeys_whose_home_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CI service mounts a home that belongs to the runner."""
    file = folder_of(tmp_path, 1001, 1001, 0o755)
    environ = {**clean_environ(tmp_path / "home"), "HOME": str(file.parent)}
    words = ("config", "show")
    environ["FINK_CONFIG"] = str(file)
    assert "is not obeyed" not in run_fink(*words, env=environ).stderr
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_weakness(file) is not None


def test_settings_in_a_weak_folder_are_warned_of_unless_they_execute(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path / "home")
    file = Path(environ["FINK_CONFIG"])
    file.parent.mkdir(parents=True)
    text = "default = 'k'\n[profiles.k]\nbootstrap_servers = '127.0.0.1:1'\n"
    file.write_text(text)
    file.parent.chmod(0o777)
    warned = run_fink("config", "show", env=environ)
    assert warned.returncode == 0, warned.stderr
    assert warned.stderr.count("could be moved or replaced") == 1
    assert f"chmod go-w {file.parent}" in warned.stderr
    file.write_text(text + "password_command = 'true'\n")
    assert "is not obeyed" in run_fink("config", "show", env=environ).stderr
    file.write_text(text)
    file.chmod(0o666)
    assert "is not obeyed" in run_fink("config", "show", env=environ).stderr


def test_a_group_that_is_trusted_may_change_what_is_obeyed(
    machine: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collaboration shares a space, in which files belong to whoever wrote them."""
    file = folder_of(tmp_path, 1001, SURVEY, 0o2775)
    made = machine(1000, JOVYAN, BOB)
    made.members[SURVEY] = ["bob", "jovyan"]
    weakness = find_weakness(file)
    assert weakness
    assert "export FINK_TRUSTED_GROUP=survey" in weakness.fix
    monkeypatch.setenv("FINK_TRUSTED_GROUP", "users, survey")
    assert find_weakness(file) is None
    monkeypatch.setenv("FINK_TRUSTED_GROUP", str(SURVEY))
    assert find_weakness(file) is None
    # Who has left the group, or is anybody at all, is not trusted.
    made.members[SURVEY] = ["jovyan"]
    assert find_weakness(file) is not None
    made.members[SURVEY] = ["bob", "jovyan"]
    file.chmod(0o666)
    assert find_weakness(file) is not None
    monkeypatch.setenv("FINK_TRUSTED_GROUP", "surwey")
    with pytest.raises(UsageError, match="names the group 'surwey'"):
        find_weakness(file)


def test_a_sandbox_may_not_say_who_has_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = tmp_path / "uid_map"
    mapped.write_text("0 1000 1\n")
    monkeypatch.setattr(trusted, "_USERS_HERE", mapped)
    monkeypatch.setattr(trusted, "_NO_NUMBER", tmp_path / "missing")
    assert trusted.is_trusted_user(65534)
    assert not trusted.is_trusted_user(65533)


def test_doctor_looks_at_the_whole_way_to_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_folder = tmp_path / "open"
    file = open_folder / "mine" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[profiles.k]\npassword = 'p'\n")
    file.chmod(0o600)
    monkeypatch.setenv("FINK_CONFIG", str(file))
    monkeypatch.setenv("FINK_HOME", str(tmp_path / "home"))
    assert check_secret_files().state is CheckState.OK
    open_folder.chmod(0o777)
    with pytest.warns(FinkWarning, match="could be moved or replaced"):
        found = check_secret_files()
    assert found.state is CheckState.WARNING
    assert found.found == f"{file} holds a secret, and others can write {open_folder}"
    assert found.hint.endswith(f"chmod go-w {open_folder}")
