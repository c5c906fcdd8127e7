"""The errors that pydantic finds in a file that a person wrote, in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TABLE = "must be a table"
# By pydantic's name for the mistake.
_WORDS = {
    "missing": "is missing",
    "string_type": "must be text, in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "list_type": "must be a list: [ … ]",
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}


def described_mistake(error: ErrorDetails, settings: Collection[str]) -> str:
    """Say what is wrong with a value.

    Args:
        error: the mistake, as pydantic tells it.
        settings: the names that may stand where it is.
    """
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1]), settings, 3)
        there = (
            f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(settings)}"
        )
        return f"there is no such setting; {there}"
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context.get("error", "is not as it should be"))
    return _WORDS.get(error["type"], "is not as it should be").format(**context)


def described_place(error: ErrorDetails) -> list[str]:
    """Say where a value stands; the items of a list are counted from 1."""
    return [f"item {each + 1}" if isinstance(each, int) else each for each in error["loc"]]
