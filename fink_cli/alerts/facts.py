"""What an alert says of itself, picked by ``conf/viewer.toml``: classes, scores, links, cutouts."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, lru_cache
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


@dataclass(frozen=True)
class _LinkRule:
    title: str
    url: str
    pattern: re.Pattern[str] | None


@dataclass(frozen=True)
class _Rules:
    nothing: frozenset[str]
    classes: re.Pattern[str]
    scores: re.Pattern[str]
    times: tuple[tuple[str, re.Pattern[str]], ...]
    cutouts: tuple[tuple[str, tuple[str, ...]], ...]
    links: tuple[_LinkRule, ...]


@cache
def _rules() -> _Rules:
    document = tomllib.loads(shipped("conf/viewer.toml").read_text(encoding="utf-8"))
    return _Rules(
        frozenset(document["nothing"]),
        _any_of(document["classes"]),
        _any_of(document["scores"]),
        tuple((unit, _any_of(each)) for unit, each in document["times"].items()),
        tuple((each["title"], tuple(each["columns"])) for each in document["cutout"]),
        tuple(
            _LinkRule(
                each["title"],
                each["url"],
                re.compile(each["pattern"]) if "pattern" in each else None,
            )
            for each in document["link"]
        ),
    )


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(each) for each in patterns))


@lru_cache(maxsize=4096)
def time_unit(path: str) -> str:
    """The unit of a time whose column is named as one is: ``jd``, ``mjd`` or ``mjd-tai``; or empty.

    Args:
        path: the dotted path of the column.
    """
    name = path.rpartition(".")[2]
    return next((unit for unit, names in _rules().times if names.match(name)), "")


def facts_of(alert: Mapping[str, Any]) -> Facts:
    """Sort the scalar fields of a decoded alert: those at its top, and those a level below."""
    rules = _rules()
    classes: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    others: dict[str, Any] = {}
    empty = []
    # Those at the top first: they are what a broker adds to what the survey measured.
    for path, value in sorted(_scalars(alert), key=lambda each: "." in each[0]):
        is_class = rules.classes.match(path) is not None
        if is_class or rules.scores.match(path):
            if _says_nothing(value, rules.nothing):
                empty.append(path)
            else:
                (classes if is_class else scores)[path] = value
        elif path in alert:
            others[path] = value
    return Facts(classes, scores, tuple(empty), others)


def _says_nothing(value: Any, nothing: frozenset[str]) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value in nothing)


def _scalars(alert: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    left = _MOST_FIELDS
    for name, value in alert.items():
        inner = value.items() if isinstance(value, Mapping) else None
        fields = [(name, value)] if inner is None else ((f"{name}.{at}", v) for at, v in inner)
        for path, each in fields:
            left -= 1
            if left < 0:
                return
            if not isinstance(each, Mapping | list | bytes) and len(path) <= _LONGEST_NAME:
                yield path, each


def links_of(name: Any, ra: Any, dec: Any) -> list[Link]:
    """Where more is known of an object.

    Args:
        name: of the object; none where it has none.
        ra: right ascension (degrees), with ``dec``; links by position need both to be possible.
        dec: declination (degrees).
    """
    found = []
    for rule in _rules().links:
        words = {}
        if "{object}" in rule.url:
            if name is None or (rule.pattern and not rule.pattern.fullmatch(str(name))):
                continue
            words["object"] = quote(str(name)[:_LONGEST_NAME], safe="")
        if "{ra}" in rule.url:
            if not (is_ra(ra) and is_dec(dec)):
                continue
            words |= {"ra": f"{ra:.6f}", "dec": f"{dec:.6f}"}
        found.append(Link(rule.title, rule.url.format(**words)))
    return found


def cutouts_of(alert: Mapping[str, Any]) -> list[Cutout]:
    """The cutouts that an alert has; one that can't be read says why."""
    return [
        _cutout(title, data)
        for title, columns in _rules().cutouts
        for data in [_first_bytes(alert, columns)]
        if data is not None
    ]


def _first_bytes(alert: Mapping[str, Any], columns: tuple[str, ...]) -> bytes | None:
    values = (value_at(alert, each.split(".")) for each in columns)
    return next((each for each in values if isinstance(each, bytes)), None)


def _cutout(title: str, data: bytes) -> Cutout:
    # Loaded here: a table of alerts can do without numpy.
    from fink_cli.alerts.cutouts import NotAnImageError, read_cutout

    try:
        return Cutout(title, read_cutout(data))
    except NotAnImageError as error:
        return Cutout(title, None, str(error))
