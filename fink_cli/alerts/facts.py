"""What an alert says of itself, picked by ``conf/viewer.toml``: classes, scores, links, cutouts."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fink_cli.alerts.fields import value_at
from fink_cli.alerts.sky import is_dec, is_ra
from fink_cli.paths import shipped

if TYPE_CHECKING:
    from fink_cli.alerts.cutouts import Image

# So that an alert of 10,000 columns is looked through in no time.
_MOST_FIELDS = 20_000
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Link:
    """Where more is known.

    Attributes:
        title: the name of the service.
        url: its address; safe to print.
    """

    title: str
    url: str


@dataclass(frozen=True)
class Cutout:
    """A picture that came with an alert.

    Attributes:
        title: what it shows.
        image: its pixels; none where it can't be read.
        reason: why not, as the end of a sentence.
    """

    title: str
    image: Image | None
    reason: str = ""


@dataclass(frozen=True)
class Facts:
    """Scalar fields of an alert by dotted path, sorted by what they are.

    Attributes:
        classes: what classifies it.
        scores: what scores it.
        empty: the paths of classes and scores whose value says nothing.
        others: all else at its top.
    """

    classes: Mapping[str, Any]
    scores: Mapping[str, Any]
    empty: tuple[str, ...]
    others: Mapping[str, Any]


@cache
def _rules() -> dict[str, Any]:
    return tomllib.loads(shipped("conf/viewer.toml").read_text(encoding="utf-8"))


@cache
def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))


@lru_cache(maxsize=4096)
def time_unit(path: str) -> str:
    """Return the unit of a time, as the name of its column tells: ``jd``, ``mjd`` or ``mjd-tai``.

    Returns:
        The unit; empty for a column that is not named as a time.
    """
    name = path.rpartition(".")[2]
    times = _rules()["times"].items()
    return next((unit for unit, patterns in times if _any_of(*patterns).match(name)), "")


def facts_of(alert: Mapping[str, Any]) -> Facts:
    """Sort the scalar fields of a decoded alert: those at its top, and those a level below."""
    class_names, score_names = _any_of(*_rules()["classes"]), _any_of(*_rules()["scores"])
    classes: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    others: dict[str, Any] = {}
    empty = []
    # Those at the top first: they are what a broker adds to what the survey measured.
    for path, value in sorted(_scalars(alert), key=lambda field: "." in field[0]):
        is_class = class_names.match(path) is not None
        if is_class or score_names.match(path):
            if _says_nothing(value):
                empty.append(path)
            else:
                (classes if is_class else scores)[path] = value
        elif path in alert:
            others[path] = value
    return Facts(classes, scores, tuple(empty), others)


def _says_nothing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value in _rules()["nothing"])


def _scalars(alert: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the scalar fields at the top of an alert and a level below, with their paths."""
    for path, value in islice(_two_levels(alert), _MOST_FIELDS):
        if not isinstance(value, Mapping | list | bytes) and len(path) <= _LONGEST_NAME:
            yield path, value


def _two_levels(alert: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in alert.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", field) for inner, field in value.items())
        else:
            yield name, value


def links_of(name: Any, ra: Any, dec: Any) -> list[Link]:
    """Return links to pages about an object.

    Args:
        name: the name of the object, or `None`.
        ra: right ascension (degrees), with ``dec``; links by position need both to be possible.
    """
    links = []
    for rule in _rules()["link"]:
        words = {}
        if "{object}" in rule["url"]:
            if name is None or not re.fullmatch(rule.get("pattern", ".*"), str(name), re.DOTALL):
                continue
            words["object"] = quote(str(name)[:_LONGEST_NAME], safe="")
        if "{ra}" in rule["url"]:
            if not (is_ra(ra) and is_dec(dec)):
                continue
            words |= {"ra": f"{ra:.6f}", "dec": f"{dec:.6f}"}
        links.append(Link(rule["title"], rule["url"].format(**words)))
    return links


def cutouts_of(alert: Mapping[str, Any]) -> list[Cutout]:
    """Return the cutouts of an alert; one that can't be read says why."""
    return [_cutout(title, data) for title, data in cutout_values(alert)]


def cutout_values(alert: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the title of each cutout of an alert, and its bytes."""
    for rule in _rules()["cutout"]:
        values = (value_at(alert, path.split(".")) for path in rule["columns"])
        data = next((value for value in values if isinstance(value, bytes)), None)
        if data is not None:
            yield rule["title"], data


def _cutout(title: str, data: bytes) -> Cutout:
    # Loaded here: a table of alerts can do without numpy.
    from fink_cli.alerts.cutouts import NotAnImageError, read_cutout

    try:
        return Cutout(title, read_cutout(data))
    except NotAnImageError as error:
        return Cutout(title, None, str(error))
