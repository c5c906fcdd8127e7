"""Check that only their owner can read the files that hold a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fink_cli.cluster.record import (
    authority_key_file,
    cluster_folder,
    keystore_file,
    public_keystore_file,
)
from fink_cli.doctor.check_result import CheckResult, failed, fine, warning
from fink_cli.errors import FinkError
from fink_cli.paths import config_file, fink_home, full_path
from fink_cli.private import refuse_if_open
from fink_cli.profiles import profiles_of, read_profiles
from fink_cli.settings import local_login_file
from fink_cli.trusted import find_weakness

_SECRETS = {"password", "slack_token"}


def check_secret_files() -> CheckResult:
    """Check the modes of the files that hold a secret."""
    try:
        profiles = profiles_of(read_profiles())
        files = [file for file in _files(profiles) if file.is_file()]
        for file in files:
            refuse_if_open(file)
        weak = [(file, weakness) for file in files if (weakness := find_weakness(file))]
    except FinkError as error:
        return failed("file modes", error)
    for file, weakness in weak:
        return warning("file modes", f"{file} holds a secret, and {weakness.reason}", weakness.fix)
    if not files:
        return fine("file modes", "no file holds a secret yet")
    return fine("file modes", f"{len(files)} file(s) with secrets, which only you can read")


def _files(profiles: Mapping[str, Mapping[str, Any]]) -> Iterator[Path]:
    if any(_SECRETS & profile.keys() for profile in profiles.values()):
        yield config_file()
    for profile in profiles.values():
        if "password_file" in profile:
            yield full_path(str(profile["password_file"]), "the file of the profiles")
    home = fink_home()
    yield local_login_file(home)
    yield cluster_folder(home) / "cluster.json"
    yield keystore_file(home)
    yield authority_key_file(home)
    yield public_keystore_file(home)
