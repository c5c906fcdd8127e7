"""The files that hold a secret, and who can read them."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fink_cli.cluster.record import cluster_folder, keystore_file
from fink_cli.config import local_login_file
from fink_cli.doctor.finding import Finding, failure, fine, warning
from fink_cli.errors import FinkError
from fink_cli.paths import config_file, fink_home
from fink_cli.private import refuse_if_open

_SECRETS = {"password", "slack_token"}


def file_modes() -> Finding:
    """Whether only their owner can read the files that hold a secret."""
    try:
        document = _profiles(config_file())
        files = [each for each in _files(document) if each.is_file()]
        for each in files:
            refuse_if_open(each)
    except FinkError as error:
        return failure("file modes", error.message, error.hint)
    except (OSError, ValueError) as error:
        return warning("file modes", f"not checked: {error}")
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


def _profiles(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    found: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("profiles", {})
    return found


def _files(profiles: Mapping[str, Any]) -> Iterator[Path]:
    tables = [each for each in profiles.values() if isinstance(each, dict)]
    if any(_SECRETS & each.keys() for each in tables):
        yield config_file()
    for each in tables:
        if "password_file" in each:
            yield Path(str(each["password_file"])).expanduser()
    home = fink_home()
    yield local_login_file(home)
    yield cluster_folder(home) / "cluster.json"
    yield keystore_file(home)


def _others_write(folder: Path) -> bool:
    mode = folder.stat().st_mode
    # In a sticky folder, such as /tmp, nobody can replace another's file.
    return bool(mode & (stat.S_IWGRP | stat.S_IWOTH)) and not mode & stat.S_ISVTX
