"""The files that hold a secret, and who can read them."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fink_cli.cluster.record import cluster_folder, keystore_file
from fink_cli.config import local_login_file
from fink_cli.doctor.finding import Finding, failed, fine, warning
from fink_cli.errors import FinkError
from fink_cli.paths import config_file, fink_home, full_path
from fink_cli.private import refuse_if_open
from fink_cli.settings_file import profiles_of, read_profiles

_SECRETS = {"password", "slack_token"}


def file_modes() -> Finding:
    """Whether only their owner can read the files that hold a secret."""
    try:
        profiles = profiles_of(read_profiles())
        files = [each for each in _files(profiles) if each.is_file()]
        for each in files:
            refuse_if_open(each)
    except FinkError as error:
        return failed("file modes", error)
    shared = [each for each in {file.parent for file in files} if _others_write(each)]
    if shared:
        return warning(
            "file modes",
            f"others can write the folder {shared[0]}, which holds a secret",
            f"chmod go-w {shared[0]}",
        )
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


def _others_write(folder: Path) -> bool:
    mode = folder.stat().st_mode
    # In a sticky folder, such as /tmp, nobody can replace another's file.
    return bool(mode & (stat.S_IWGRP | stat.S_IWOTH)) and not mode & stat.S_ISVTX
