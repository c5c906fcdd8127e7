"""Call a Python filter on a batch of alerts, whatever it raises or returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fink_cli.distribution.python_filters.arguments import Filter
from fink_cli.text import printable

if TYPE_CHECKING:
    import pandas as pd

_ERROR_LENGTH = 200


@dataclass(frozen=True)
class _Answer:
    """The answer of a filter for consecutive alerts.

    Attributes:
        passed: whether each passes; ``None`` without an answer.
        null: whether the filter returned null or NaN for each; ``None`` without an answer.
        error: why there is no answer.
        raised: whether the filter raised, so that a part of the alerts may fare better.
    """

    passed: list[bool] | None
    null: list[bool] | None = None
    error: str | None = None
    raised: bool = False


def decide(function: Filter, columns: Sequence[pd.Series | pd.DataFrame]) -> pd.DataFrame:
    """Decide with a filter which alerts of a batch pass.

    When it raises, it is called again with parts of the batch, down to the alerts on which it
    raises. A part that raised is halved, and after two that did not in a row the next is twice as
    large: an error costs about ``2 log2(n)`` calls, where n is how many alerts lie between two, and
    errors everywhere cost one call an alert (at most 4/3, when every third raises).

    Args:
        function: takes the columns in their order.
        columns: a Series or a DataFrame for each argument, all of the same length.

    Returns:
        A row for each alert: ``passed``, which is True, False (also where the filter
        returned null or NaN), or None where it was not decided; ``error``, why not, or None; and
        ``null``, whether the filter returned null or NaN.
    """
    import pandas as pd

    size = len(columns[0])
    passed: list[bool | None] = []
    errors: list[str | None] = []
    null: list[bool] = []
    width, in_a_row = size, 0
    while len(passed) < size:
        start = len(passed)
        end = min(start + width, size)
        answer = _ask(function, columns, start, end)
        if answer.raised and end - start > 1:
            width, in_a_row = (end - start) // 2, 0
            continue
        passed += answer.passed or [None] * (end - start)
        errors += [answer.error] * (end - start)
        null += answer.null or [False] * (end - start)
        in_a_row = 0 if answer.raised else in_a_row + 1
        width *= 2 if in_a_row > 1 else 1
    return pd.DataFrame(
        {
            "passed": pd.Series(passed, dtype=object),
            "error": pd.Series(errors, dtype=object),
            "null": pd.Series(null, dtype=bool),
        }
    )


def _ask(
    function: Filter, columns: Sequence[pd.Series | pd.DataFrame], start: int, end: int
) -> _Answer:
    # Renumbering copies: a filter that changes what it is given must change nothing for others.
    part = [each.iloc[start:end].reset_index(drop=True) for each in columns]
    try:
        returned = function(*part)
    except Exception as error:
        # The filter is not ours: it may raise anything, and must stop no other stream. What ends a
        # process (KeyboardInterrupt, SystemExit) is no Exception, and goes through.
        return _Answer(None, error=describe_error(error), raised=True)
    return _read(returned, end - start)


def _read(returned: Any, size: int) -> _Answer:
    """Read what the filter returned as one answer an alert, in order: an index does not count."""
    import numpy as np
    import pandas as pd

    lists = pd.Series | pd.api.extensions.ExtensionArray | np.ndarray | list | tuple
    if not isinstance(returned, lists) or getattr(returned, "ndim", 1) != 1:
        kind = type(returned).__name__
        return _Answer(None, error=f"the filter gave a {kind}, not a Series of true or false")
    series = returned if isinstance(returned, pd.Series) else pd.Series(returned)
    if len(series) != size:
        return _Answer(None, error=f"the filter gave {len(series)} answers for {size} alerts")
    null = series.isna()
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind != "boolean" and not null.all():
        return _Answer(None, error=f"the filter gave {kind} ({series.dtype}), not true or false")
    values = series.to_numpy(dtype=object)
    passed = [not no and bool(value) for value, no in zip(values, null, strict=True)]
    return _Answer(passed, null.tolist())


def describe_error(error: Exception) -> str:
    """Return type and text of a foreign error, safe to print, in 200 characters at most."""
    try:
        text = str(error)
    except Exception:
        # Its text is foreign code as well.
        text = "its message can't be read"
    words = " ".join(text[: 10 * _ERROR_LENGTH].split())
    name = type(error).__name__
    return printable(printable(f"{name}: {words}" if words else name), _ERROR_LENGTH)
