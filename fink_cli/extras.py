"""Parts of fink that are installed only where they are asked for: ``fink-cli[publish]``."""

from __future__ import annotations

from importlib.util import find_spec

from fink_cli.errors import UsageError

PUBLISH, PLOTS = "publish", "plots"
MODULES = {
    PUBLISH: ("cryptography", "jgo", "pandas", "py4j", "pyspark", "requests", "tenacity"),
    PLOTS: ("matplotlib",),
}
"""What each extra of pyproject.toml brings. Nothing else of fink imports these."""


class MissingExtraError(UsageError):
    """A part of fink that is not installed."""


def require_extra(extra: str, what: str) -> None:
    """Refuse to go on without the packages of an extra.

    Args:
        what: what needs it, as the begin of a sentence.

    Raises:
        MissingExtraError: one of its packages is not installed.
    """
    missing = [name for name in MODULES[extra] if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{what} needs a part of fink that is not installed ({missing[0]}).",
            f"Install it: pip install 'fink-cli[{extra}]', or with the wheel: "
            f"pip install 'fink-cli[{extra}] @ file:///FOLDER/fink_cli-….whl'",
        )
