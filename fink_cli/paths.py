"""Where things are on this machine: state, settings, cache, and the files that are shipped."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from fink_cli.errors import UsageError

_APP = "fink"
_PACKAGE = Path(__file__).parent


def fink_home() -> Path:
    """Return the folder of all state of local clusters and distributions (``FINK_HOME``)."""
    named = os.environ.get("FINK_HOME")
    return full_path(named, "FINK_HOME") if named else platformdirs.user_data_path(_APP)


def config_file() -> Path:
    """Return the file of the profiles (``FINK_CONFIG``)."""
    named = os.environ.get("FINK_CONFIG")
    if named:
        return full_path(named, "FINK_CONFIG")
    return platformdirs.user_config_path(_APP) / "config.toml"


def full_path(text: str, source: str) -> Path:
    """Return a path as somebody wrote it, from the root on.

    Args:
        text: the path; ``~`` is a home folder.
        source: where it was written, for an error's sentence.

    Raises:
        UsageError: it begins with the home folder of somebody who is not known.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise UsageError(
            f"In {source}, the home folder of '{text}' is not known.",
            "Write the path from the root on: /…",
        ) from error


def cache_folder() -> Path:
    """Return the folder of what can be fetched again: the jars."""
    return platformdirs.user_cache_path(_APP)


def shipped(name: str) -> Path:
    """Return a file or folder of ``conf/`` or ``schemas/``, which a wheel holds inside the package.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from the installation of fink in {_PACKAGE}")
