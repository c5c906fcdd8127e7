"""The files that hold a secret, and who can read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fink_cli.cluster.record import cluster_folder, keystore_file
from fink_cli.doctor.finding import CheckResult, failed, fine, warning
from fink_cli.errors import FinkError
from fink_cli.paths import config_file, fink_home, full_path
from fink_cli.private import refuse_if_open
from fink_cli.profiles import profiles_of, read_profiles
from fink_cli.settings import local_login_file
from fink_cli.trusted import find_weakness

_SECRETS = {"password", "slack_token"}


def file_modes() -> CheckResult:
    """Whether only their owner can read the files that hold a secret."""
    try:
        profiles = profiles_of(read_profiles())
        files = [each for each in _files(profiles) if each.is_file()]
        for each in files:
            refuse_if_open(each)
        weak = [(each, weakness) for each in files if (weakness := find_weakness(each))]
    except FinkError as error:
        return failed("file modes", error)
    for file, weakness in weak:
        return warning("file modes", f"{file} holds a secret, and {weakness.reason}", weakness.fix)
    if not files:
        return fine("file modes", "no file holds a secret yet")
    return fine("file modes", f"{len(files)} file(s) with secrets, which only you can read")


def _files(profiles: Mapping[str, Mapping[str, Any]]) -> Iterator[Path]:
    if any(_SECRETS & each.keys() for each in profiles.values()):
        yield config_file()
    for each in profiles.values():
        if "password_file" in each:
            yield full_path(str(each["password_file"]), "the file of the profiles")
    home = fink_home()
    yield local_login_file(home)
    yield cluster_folder(home) / "cluster.json"
    yield keystore_file(home)
