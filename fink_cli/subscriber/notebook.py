"""An alert as HTML, for notebooks. All text of it is escaped."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from html import escape

import numpy as np

from fink_cli.alerts.band_colours import band_colours
from fink_cli.alerts.cutouts import Image, stretched
from fink_cli.alerts.facts import Cutout
from fink_cli.alerts.lightcurve import LightCurve, Point
from fink_cli.consumer.message import ReadAlert
from fink_cli.consumer.view.alert_summary import Pairs, describe
from fink_cli.consumer.view.light_curve import bar_ends, ticks, value_range, widened
from fink_cli.text import printable

_WIDTH, _HEIGHT = 560, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 60, 12, 40
_PIXELS = 150
_MOST_ROWS = 12
Scale = Callable[[float], float]


def alert_html(alert: ReadAlert) -> str:
    """Return an alert as HTML: a table, its light curve as SVG, its cutouts as PNG."""
    detail = describe(alert)
    rows = [*detail.about, *detail.classes[:_MOST_ROWS], *detail.scores[:_MOST_ROWS]]
    links = " · ".join(
        f'<a href="{escape(link.url)}" rel="noreferrer">{escape(link.title)}</a>'
        for link in detail.links
    )
    curve = light_curve_svg(detail.curve) if detail.curve.points else ""
    pictures = "".join(map(_picture, detail.cutouts))
    return (
        f"<div><b>{escape(detail.title)}</b> {links}"
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f"{_table(rows)}<div>{curve}"
        f'<div style="display:flex;gap:.5em">{pictures}</div></div></div></div>'
    )


def _table(rows: Pairs) -> str:
    cells = "".join(
        f'<tr><td style="text-align:left"><i>{escape(name)}</i></td>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def _picture(cutout: Cutout) -> str:
    if cutout.image is None:
        return f"<figure><i>{escape(cutout.title)}: {escape(cutout.reason)}</i></figure>"
    data = b64encode(png(cutout.image)).decode()
    return (
        '<figure style="margin:0;text-align:center">'
        f'<img alt="{escape(cutout.title)}" src="data:image/png;base64,{data}" '
        f'width="{_PIXELS}" height="{_PIXELS}" style="image-rendering:pixelated">'
        f"<figcaption>{escape(cutout.title)}</figcaption></figure>"
    )


def png(image: Image) -> bytes:
    """Return an image as a PNG in greys, the top row first; pixels without a value are white."""
    bright = np.flipud(stretched(image))
    greys = np.where(np.isnan(bright), 255, np.clip(bright, 0, 1) * 255).astype(np.uint8)
    height, width = greys.shape
    rows = np.insert(greys, 0, 0, axis=1).tobytes()  # each row begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def light_curve_svg(curve: LightCurve) -> str:
    """Return a light curve with at least one point as SVG: brighter is higher."""
    times = [point.mjd for point in curve.points]
    days = widened(min(times), max(times), 0.06)
    values = value_range(curve)
    low, high = values[::-1] if curve.is_magnitude else values

    def x(mjd: float) -> float:
        return _LEFT + (mjd - days[0]) / (days[1] - days[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        value = min(max(value, values[0]), values[1])  # an error bar may be longer
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM}" fill="none" stroke="#999"/>'
    ]
    for mjd in ticks(*days, 4):
        parts.append(_text(x(mjd), _HEIGHT - _BOTTOM + 16, f"{mjd:g}", "middle"))
    for value in ticks(*values, 5):
        parts.append(_text(_LEFT - 6, y(value) + 4, f"{value:g}", "end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "MJD (UTC)", "middle"))
    title = escape(printable(curve.title, 20))
    parts.append(
        f'<text x="14" y="{_HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {_HEIGHT / 2})">{title}</text>'
    )
    for number, (band, colour) in enumerate(
        zip(curve.bands, band_colours(curve.bands), strict=True)
    ):
        points = [point for point in curve.points if point.band == band]
        parts += [_mark(point, x(point.mjd), y, colour, curve.is_magnitude) for point in points]
        top = _TOP + 12 + 18 * number
        parts.append(f'<circle cx="{_WIDTH - 46}" cy="{top - 4}" r="4" fill="{colour}"/>')
        parts.append(_text(_WIDTH - 36, top, band or "?", "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )


def _mark(point: Point, x: float, y: Scale, colour: str, is_magnitude: bool) -> str:
    """Return a measurement with its error bar, or an upper limit; a ring is around the alert's."""
    at = y(point.value)
    ring = f'<circle cx="{x:.1f}" cy="{at:.1f}" r="8" fill="none" stroke="#777"/>'
    shown = ring if point.is_own else ""
    if point.is_limit:
        tip = 6 if is_magnitude else -6
        corners = f"{x - 4:.1f},{at:.1f} {x + 4:.1f},{at:.1f} {x:.1f},{at + tip:.1f}"
        return f'{shown}<polygon points="{corners}" fill="none" stroke="{colour}"/>'
    low, high = (y(end) for end in bar_ends(point))
    return (
        f'{shown}<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" '
        f'stroke="{colour}"/><circle cx="{x:.1f}" cy="{at:.1f}" r="4" fill="{colour}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
