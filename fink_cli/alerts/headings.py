"""The headings of the table as names in expressions: ``mag``, ``class``, ``band``, ``time``.

A heading stands for what the table shows under it: `candidate.magpsf`, or the name of a code. A
column of the alerts that has the name comes first.
"""

from __future__ import annotations

from collections.abc import Iterable

from fink_cli.alerts.columns import TIME, VIEWER_ROLES, Column, load_roles
from fink_cli.alerts.times import DAY_SECONDS, JD_OF_MJD_ZERO, MJD_OF_UNIX_EPOCH, TAI_SECONDS

HEADINGS = ("object", "time", "ra", "dec", "mag", "flux", "band", "class")
# The MJD of 1970 in each scale of time.
_EPOCH = {
    "jd": MJD_OF_UNIX_EPOCH + JD_OF_MJD_ZERO,
    "mjd": MJD_OF_UNIX_EPOCH,
    "mjd-tai": MJD_OF_UNIX_EPOCH + TAI_SECONDS / DAY_SECONDS,
}


def headings_of(paths: Iterable[str]) -> dict[str, str]:
    """Return what each heading stands for, as SQL.

    Args:
        paths: the dotted paths of the columns that the alerts have. Where one is a heading's, the
            heading is not among the result.
    """
    existing = set(paths)
    top = {path.split(".")[0] for path in existing}
    columns = (load_roles().column(role, existing) for role in VIEWER_ROLES)
    meanings = {_word(column): _meaning(column) for column in columns if column is not None}
    return {word: sql for word, sql in meanings.items() if word not in top}


def _word(column: Column) -> str:
    return column.title.split()[0]


def _meaning(column: Column) -> str:
    names = column.path.split(".")
    path = ".".join(name if name.isidentifier() else f"`{name}`" for name in names)
    if column.names:
        cases = " ".join(f"WHEN {code} THEN '{name}'" for code, name in column.names.items())
        return f"(CASE {path} {cases} END)"
    if column.role == TIME and column.unit:
        milliseconds = f"round(({path} - {_EPOCH[column.unit]!r}D) * 86400000D)"
        return f"timestamp_millis(TRY_CAST({milliseconds} AS bigint))"
    return path


def may_have_heading(text: str) -> bool:
    """Tell whether a text holds the word of a heading, so that it is worth to be parsed."""
    return any(word in text for word in HEADINGS)
