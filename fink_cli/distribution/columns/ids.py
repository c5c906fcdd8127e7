"""Which columns of the source name an alert and its object."""

from __future__ import annotations

from fink_cli.alerts.columns import load_roles
from fink_cli.distribution.columns.columns import Struct, scalar_paths
from fink_cli.distribution.streams import Distribution
from fink_cli.errors import UsageError


def id_columns(columns: Struct, distribution: Distribution) -> tuple[str | None, str | None]:
    """Return the dotted paths of the columns that name an alert and its object.

    Args:
        columns: the columns of the files.
        distribution: may name them; else ``conf/columns.toml`` does.

    Returns:
        Either is ``None`` where no column does.

    Raises:
        UsageError: a column that was named is not there.
    """
    roles, paths = load_roles(), set(scalar_paths(columns))
    for key, path in (("id", distribution.id), ("object", distribution.object)):
        if path is not None and path not in paths:
            raise UsageError(
                f"The alerts have no column {path}.", f"Correct {key} in the distribution file."
            )
    alert_id = distribution.id or roles.find("id", paths)
    return alert_id, distribution.object or roles.find("object", paths) or alert_id
