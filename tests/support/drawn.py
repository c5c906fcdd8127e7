"""Alerts to draw, the same each time, and screens kept in files to compare with."""

from __future__ import annotations

import gzip
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from fink_cli.avro.json_alerts import inferred_schema
from fink_cli.avro.schema import read_schema
from fink_cli.consumer.message import ReadAlert

SCREENS = Path(__file__).parent.parent / "screens"
JD = 2459540.5
HOSTILE_TEXTS = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31mred",
    "[red]markup[/red] [link=http://x]y[/link]",
    ":smile:",
    "line\nbreak\r\ttab",
    "\u202eright to left",
    "\u2066isolate",
    "wide 漢字" * 50,
    "x" * 100_000,
    "\ud800",
]


def check_screen(name: str, drawn: str) -> None:
    """Compare what is drawn with the file; FINK_RENEW_SCREENS=1 writes the file instead."""
    file = SCREENS / name
    text = "\n".join(line.rstrip() for line in drawn.split("\n"))
    if os.environ.get("FINK_RENEW_SCREENS") == "1":
        file.write_text(text, encoding="utf-8")
    assert file.exists(), f"{file} is missing; see {SCREENS / 'README.md'}"
    assert text == file.read_text(encoding="utf-8")


def fits_of(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(np.asarray(pixels, dtype=np.float32)).writeto(buffer)
    return buffer.getvalue()


def stars(*places: tuple[float, float, float], noise: float = 1.0) -> Any:
    """63 by 63 pixels with stars (column, row, peak) over noise that is the same each time."""
    row, column = np.mgrid[0:63, 0:63].astype(float)
    image = noise * np.sin(12.9898 * column + 78.233 * row + np.sin(3.1 * column * row))
    for x, y, peak in places:
        image += peak * np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 1.6**2))
    return image


def cutout(*places: tuple[float, float, float], noise: float = 1.0) -> dict[str, Any]:
    return {
        "fileName": "candid.fits.gz",
        "stampData": gzip.compress(fits_of(stars(*places, noise=noise)), mtime=0),
    }


def measured(days: float, band: int, magnitude: float, error: float = 0.1) -> dict[str, Any]:
    return {
        "jd": JD + days,
        "fid": band,
        "magpsf": magnitude,
        "sigmapsf": error,
        "diffmaglim": 20.4,
    }


def limit(days: float, band: int, magnitude: float) -> dict[str, Any]:
    return {
        "jd": JD + days,
        "fid": band,
        "magpsf": None,
        "sigmapsf": None,
        "diffmaglim": magnitude,
    }


def ztf() -> dict[str, Any]:
    """Return a supernova as Fink's science database would hold it."""
    return {
        "objectId": "ZTF21abcdefg",
        "candid": 1786104593715015000,
        "candidate": measured(0, 1, 17.25, 0.04)
        | {"ra": 320.3837812, "dec": -13.5583249, "rb": 0.93, "drb": 0.9991, "classtar": 0.98},
        "prv_candidates": [
            *(limit(-28 + 3 * at, 1 + at % 2, 20.3 + 0.1 * (at % 3)) for at in range(4)),
            measured(-15, 1, 19.8, 0.35),
            measured(-14.9, 2, 19.6, 0.3),
            limit(-12, 2, 18.1),
            measured(-10, 1, 18.3),
            measured(-9.8, 2, 18.4),
            measured(-6, 2, 17.7, 0.06),
            measured(-3, 1, 17.3, 0.05),
        ],
        "cutoutScience": cutout((31, 31, 60), (12, 45, 400), (50, 15, 8)),
        "cutoutTemplate": cutout((12, 45, 400), (50, 15, 8), noise=0.2),
        "cutoutDifference": cutout((31, 31, 60)),
        "cdsxmatch": "Unknown",
        "tns": "SN candidate",
        "vsx": "Unknown",
        "roid": 0,
        "rf_snia_vs_nonia": 0.871,
        "snn_sn_vs_all": 0.9312345,
        "nalerthist": 6,
        "jdstarthist": JD - 15,
        "fink_broker_version": "1.3",
        "publisher": "Fink",
    }


def rubin() -> dict[str, Any]:
    """Return a Rubin alert: fluxes in nJy, and forced ones."""

    def source(days: float, band: str, flux: float) -> dict[str, Any]:
        return {
            "midpointMjdTai": 60800.0 + days,
            "band": band,
            "psfFlux": flux,
            "psfFluxErr": 150.0,
        }

    own = source(0, "r", 5200.0) | {
        "diaSourceId": 170000001,
        "diaObjectId": 169000000000007,
        "ra": 58.335054,
        "dec": -48.750303,
        "reliability": 0.87,
    }
    return {
        "diaSourceId": 170000001,
        "diaSource": own,
        "prvDiaSources": [source(-4, "g", 3100.0), source(-2, "i", 4300.0)],
        "prvDiaForcedSources": [
            source(-20, "g", -80.0),
            source(-12, "r", 120.0),
            source(-4, "g", 9999.0),
        ],
        "cutoutDifference": fits_of(stars((31, 31, 30))[16:46, 16:46]),
    }


def alert_of(content: dict[str, Any], offset: int = 12, **more: Any) -> ReadAlert:
    """Return an alert that came as JSON."""
    return ReadAlert(
        "fink_sn", 0, offset, inferred_schema(content), content,
        **({"size": 45_000, "timestamp": datetime(2026, 1, 2, tzinfo=UTC)} | more),
    )  # fmt: skip


AVRO_SCHEMA = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "alert",
            "fields": [
                {"name": "objectId", "type": "string"},
                {"name": "candid", "type": "long"},
                {
                    "name": "candidate",
                    "type": {
                        "type": "record",
                        "name": "candidate",
                        "fields": [
                            {"name": name, "type": ["null", kind]}
                            for name, kind in (
                                ("jd", "double"),
                                ("fid", "int"),
                                ("ra", "double"),
                                ("dec", "double"),
                                ("magpsf", "float"),
                                ("sigmapsf", "float"),
                                ("diffmaglim", "float"),
                                ("rb", "float"),
                            )
                        ],
                    },
                },
                {"name": "cdsxmatch", "type": ["null", "string"]},
            ],
        }
    )
)


def small(number: int, **more: Any) -> ReadAlert:
    """Return a small alert with an Avro schema."""
    candidate = measured(number / 24, 1 + number % 2, 16 + number % 5) | {
        "ra": 10.0 + number,
        "dec": -20.0 + number / 7,
        "rb": 0.5 + number % 5 / 10,
    }
    content = {
        "objectId": f"ZTF21aaaa{number:03d}",
        "candid": 1000 + number,
        "candidate": candidate,
        "cdsxmatch": ["RRLyrae", "QSO", None][number % 3],
    }
    return ReadAlert(
        "fink_sn", 0, number, AVRO_SCHEMA, content, **({"id": str(1000 + number)} | more)
    )
