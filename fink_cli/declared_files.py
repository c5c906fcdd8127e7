"""TOML files that a person wrote, checked field by field, and their mistakes in plain words."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fink_cli.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    Model = TypeVar("Model", bound=BaseModel)

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


def read_toml(file: Path, example: str) -> dict[str, Any]:
    """Return what a TOML file holds.

    Args:
        file: the file.
        example: the hint of an error: where an example is.

    Raises:
        UsageError: it can't be read, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}.", example) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}.", example) from error


def validated(
    model: type[Model],
    document: Mapping[str, Any],
    *,
    name: str,
    example: str,
    tables: Mapping[str, type[BaseModel]],
) -> Model:
    """Return a document as an object of a class, if it has no mistake.

    Args:
        model: the class.
        document: what the file holds.
        name: the file's name, for an error.
        example: the hint of an error: where an example is.
        tables: by name, the class of the tables within each table of the document.

    Raises:
        UsageError: it has mistakes, each of which is named.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(document)
    except ValidationError as error:
        mistakes = []
        for detail in error.errors():
            path = [str(step) for step in detail["loc"]]
            where = tables.get(path[0], model) if len(path) > 1 else model
            mistake = described_mistake(detail, where.model_fields)
            mistakes.append(f"  {'.'.join(path)}: {mistake}" if path else f"  {mistake}")
        said = "\n".join(mistakes)
        raise UsageError(f"{name} is not as it should be:\n{said}", example) from error
