"""Summarise an alert for the detail view: texts, light curve and cutouts, not yet drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fink_cli.alerts.columns import DEC, ID, OBJECT, RA, TIME, Column, load_roles
from fink_cli.alerts.facts import Cutout, Link, cutouts_of, facts_of, links_of
from fink_cli.alerts.fields import value_at
from fink_cli.alerts.lightcurve import LightCurve, Point, light_curve
from fink_cli.alerts.sky import Position, dec_text, is_dec, is_ra, ra_text
from fink_cli.alerts.times import mjd_of
from fink_cli.avro.schema import leaf_paths
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.cells import NOTHING, cell, named_text, value_text
from fink_cli.text import printable

MOST_OTHERS = 60
_LONGEST_NAME = 40

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Detail:
    """The content of the detail view of an alert; every text is safe to print.

    Attributes:
        title: the name of the object, or of the alert.
        summary: its brightness, class and time on a line.
        about: id, time, brightness and position, as names and values.
        empty: the names of classes and scores without a value.
        others: other values at its top level, ``MOST_OTHERS`` at most.
        left_out: the number of values beyond these.
    """

    title: str
    summary: str
    about: Pairs
    links: list[Link]
    classes: Pairs
    scores: Pairs
    empty: list[str]
    others: Pairs
    left_out: int
    curve: LightCurve
    cutouts: list[Cutout]


def describe(alert: ReadAlert, position: Position = Position.DEG) -> Detail:
    """Summarise an alert.

    Args:
        alert: an alert of any survey; what it lacks is left out.
        position: the form in which its position is written first; the other form follows.
    """
    content = alert.content
    columns = _columns(alert)
    facts = facts_of(content)
    curve = light_curve(content)
    ra, dec = (_value(content, columns.get(role)) for role in (RA, DEC))
    shown = {column.path for column in columns.values()}
    others = [
        (name, text) for name, text in _pairs(facts.others) if name not in shown and text != NOTHING
    ]
    about_time, brightness = _time(content, columns.get(TIME)), _brightness(curve)
    classes = _pairs(facts.classes)
    return Detail(
        title=_title(content, columns) or f"{printable(alert.topic)} offset {alert.offset}",
        summary="  ".join(text for _, text in [*brightness[:1], *classes[:1], *about_time[:1]]),
        about=[
            *_identity(alert, columns),
            *about_time,
            *brightness,
            *_position(ra, dec, position),
        ],
        links=links_of(_value(content, columns.get(OBJECT)), ra, dec),
        classes=classes,
        scores=_pairs(facts.scores),
        empty=[printable(name, _LONGEST_NAME) for name in facts.empty],
        others=others[:MOST_OTHERS],
        left_out=max(len(others) - MOST_OTHERS, 0),
        curve=curve,
        cutouts=cutouts_of(content),
    )


def links_to(alert: ReadAlert) -> list[Link]:
    """Return links to pages about the object of an alert."""
    columns = _columns(alert)
    name, ra, dec = (_value(alert.content, columns.get(role)) for role in (OBJECT, RA, DEC))
    return links_of(name, ra, dec)


def named(alert: ReadAlert, role: str) -> str:
    """Return the id of an alert or its object's name, safe to print; empty if it has none."""
    text = value_text(_value(alert.content, _columns(alert).get(role)))
    if text == NOTHING and role == ID:
        text = value_text(alert.id)
    return "" if text == NOTHING else text


def _columns(alert: ReadAlert) -> dict[str, Column]:
    paths, roles = leaf_paths(alert.schema), load_roles()
    columns = ((role, roles.column(role, paths)) for role in (ID, OBJECT, TIME, RA, DEC))
    return {role: column for role, column in columns if column is not None}


def _value(content: Mapping[str, Any], column: Column | None) -> Any:
    return None if column is None else value_at(content, column.path.split("."))


def _title(content: Mapping[str, Any], columns: Mapping[str, Column]) -> str:
    names = (value_text(_value(content, columns.get(role))) for role in (OBJECT, ID))
    return next((name for name in names if name != NOTHING), "")


def _identity(alert: ReadAlert, columns: Mapping[str, Column]) -> Pairs:
    own = value_text(_value(alert.content, columns.get(ID)))
    name = own if own != NOTHING else value_text(alert.id)
    pairs = [("alert", name)] if name != NOTHING else []
    message = f"{printable(alert.topic)} partition {alert.partition} offset {alert.offset}"
    return [*pairs, ("from", message)]


def _time(content: Mapping[str, Any], column: Column | None) -> Pairs:
    if column is None:
        return []
    text = cell(content, column)
    mjd = mjd_of(_value(content, column), column.unit)
    if text == NOTHING or mjd is None:
        return [] if text == NOTHING else [("time", text)]
    return [("time", f"{text} UTC"), ("", f"MJD {mjd:.5f}")]


def _brightness(curve: LightCurve) -> Pairs:
    own = next((point for point in curve.points if point.is_own), None)
    if own is None:
        return []
    measured = sum(not point.is_limit for point in curve.points)
    limits = len(curve.points) - measured
    counts = [f"{measured:,} measured", f"{limits:,} upper limits"][: 2 if limits else 1]
    return [
        (printable(curve.title, _LONGEST_NAME), _with_error(own, curve)),
        ("history", ", ".join(counts)),
    ]


def _with_error(point: Point, curve: LightCurve) -> str:
    decimals = 2 if curve.is_magnitude else 1
    sign = "> " if point.is_limit else ""
    error = "" if point.error is None else f" ± {point.error:.{decimals}f}"
    return f"{sign}{point.value:.{decimals}f}{error}{'  ' if point.band else ''}{point.band}"


def _position(ra: Any, dec: Any, position: Position) -> Pairs:
    if not (is_ra(ra) and is_dec(dec)):
        return []
    other = Position.HMS if position is Position.DEG else Position.DEG
    return [
        ("position", f"{ra_text(ra, position)}  {dec_text(dec, position)}"),
        ("", f"{ra_text(ra, other)}  {dec_text(dec, other)}"),
    ]


def _pairs(values: Mapping[str, Any]) -> Pairs:
    return [
        (printable(name, _LONGEST_NAME), named_text(name, value)) for name, value in values.items()
    ]
