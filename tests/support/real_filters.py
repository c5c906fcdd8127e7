"""The filters of fink-filters that import here, and alerts with the columns that they take."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fink_cli.distribution.python_filters.arguments import arguments_of, resolve_arguments
from fink_cli.distribution.python_filters.load import load_filter
from fink_cli.errors import UsageError

BANDS = "ugrizy"
FLAGS = [
    *("apFlux_flag", "centroid_flag", "forced_PsfFlux_flag", "forced_PsfFlux_flag_edge"),
    *("isDipole", "isNegative", "pixelFlags", "pixelFlags_bad", "pixelFlags_cr"),
    *("pixelFlags_edge", "pixelFlags_interpolated", "pixelFlags_nodata", "pixelFlags_saturated"),
    *("pixelFlags_streak", "pixelFlags_streakCenter", "psfFlux_flag", "shape_flag"),
]
# Not compared: helpers that are no filters of alerts, what draws random numbers, what asks a server
# (sites of observatories), and what needs scipy.
LEFT_OUT = (
    *("compute_rise_rate", "extract_url_from_class", "r2_score"),
    *("b_mag_rate_mc_sampling", "extragalactic_new_candidate", "fast_transient_gvom"),
    *("mdwarf_flare", "sn_near_galaxy_candidate"),
)


def real_filters(survey: str, paths: list[str]) -> list[str]:
    """Return the dotted paths of the filters of a survey whose columns are there."""
    return [path for path in _functions(f"fink_filters.{survey}") if _fits(path, paths)]


def _functions(package: str) -> Iterator[str]:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not module.name.endswith((".filter", ".blocks")):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                names = vars(importlib.import_module(module.name))
        except ImportError:
            continue  # it needs what is not installed
        for name, function in names.items():
            if name in LEFT_OUT:
                continue
            own = getattr(getattr(function, "func", function), "__module__", "") == module.name
            if own and callable(function) and not inspect.isclass(function) and name[-1] != "_":
                yield f"{module.name}.{name}"


def _fits(path: str, paths: list[str]) -> bool:
    try:
        resolve_arguments(arguments_of(load_filter(path)), paths, {})
    except UsageError:
        return False
    return True


def write_ztf(science: pa.Table, folder: Path) -> None:
    """Write alerts of ZTF with the columns that Fink computes for its filters."""
    random = np.random.default_rng(7)
    size = science.num_rows
    history = science["prv_candidates"].to_pylist()
    candidate = science["candidate"].to_pylist()
    columns: dict[str, Any] = {}
    for name in ("jd", "magpsf", "sigmapsf", "fid", "diffmaglim", "ssnamenr", "magnr", "sigmagnr"):
        values = [
            [*(point.get(name) for point in past or []), now.get(name)]
            for past, now in zip(history, candidate, strict=True)
        ]
        columns[f"c{name}c"] = pa.array(values)
    flags = ("faint", "positivesubtraction", "real", "pointunderneath", "brightstar")
    for name in (*flags, "variablesource", "stationary"):
        columns[name] = _some(random.random(size) < 0.5, random)
    for name in ("instantness_high", "robustness_high", "instantness_low", "robustness_low"):
        columns[name] = _some(random.uniform(-2, 2, size), random)
    for name in ("slsn_score", "rfscore", "lum_dist", "classtar", "linear_fit_slope"):
        if name not in science.column_names:
            columns[name] = _some(random.random(size), random)
    for name, values in columns.items():
        science = science.append_column(name, values)
    folder.mkdir()
    pq.write_table(science, folder / "alerts.parquet", use_deprecated_int96_timestamps=True)


def write_rubin(folder: Path, size: int = 300) -> None:
    """Write alerts with Rubin's structs, as Fink holds them."""
    random = np.random.default_rng(11)
    sources = [_source(random) for _ in range(size)]
    table = pa.table(
        {
            "diaSourceId": pa.array(random.integers(1, 2**60, size)),
            "diaSource": pa.array(sources),
            "diaObject": pa.array([_object(random) for _ in range(size)]),
            "prvDiaSources": pa.array(
                [
                    None if random.random() < 0.3 else _past(random, source["midpointMjdTai"])
                    for source in sources
                ]
            ),
            "pred": pa.array([{"is_sso": bool(random.random() < 0.2)} for _ in range(size)]),
            "xm": pa.array([_matches(random) for _ in range(size)]),
            "clf": pa.array([_scores(random) for _ in range(size)]),
            "cutoutScience": pa.array([None] * size, pa.binary()),
        }
    )
    folder.mkdir()
    pq.write_table(table, folder / "alerts.parquet", row_group_size=100)


def _source(random: np.random.Generator) -> dict[str, Any]:
    flux = float(random.lognormal(8, 2))
    return {
        **{flag: bool(random.random() < 0.05) for flag in FLAGS},
        "band": str(random.choice(list(BANDS))),
        "dec": float(random.uniform(-80, 10)),
        "midpointMjdTai": 60000.0 + float(random.uniform(0, 30)),
        "psfFlux": flux * float(random.choice([1, -1], p=[0.9, 0.1])),
        "psfFluxErr": flux / float(random.uniform(2, 60)),
        "ra": float(random.uniform(0, 360)),
        "reliability": float(random.random()),
        "snr": float(random.uniform(1, 60)),
        "templateFlux": float(random.lognormal(8, 2)),
        "trailFlux": float(random.lognormal(8, 2)),
        "trailLength": float(random.uniform(0, 5)),
        "trailNdata": int(random.integers(0, 50)),
    }


def _past(random: np.random.Generator, now: float) -> list[dict[str, Any]]:
    points = [_source(random) for _ in range(random.integers(0, 5))]
    return [{**point, "midpointMjdTai": now - 0.01 - n * 0.4} for n, point in enumerate(points)]


def _object(random: np.random.Generator) -> dict[str, Any] | None:
    if random.random() < 0.1:
        return None
    figures = ("psfFluxMean", "psfFluxMeanErr", "psfFluxMax", "psfFluxMin", "scienceFluxMean")
    return {
        **{f"{band}_{name}": float(random.lognormal(8, 2)) for band in BANDS for name in figures},
        **{f"{band}_psfFluxNdata": int(random.integers(0, 5)) for band in BANDS},
        "diaObjectId": int(random.integers(1, 2**60)),
        "nDiaSources": int(random.integers(1, 20)),
        "firstDiaSourceMjdTai": 60000.0 + float(random.uniform(0, 30)),
    }


def _matches(random: np.random.Generator) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return value if random.random() < 0.5 else None

    return {
        "simbad_otype": maybe(str(random.choice(["Galaxy", "Unknown", "RRLyr", "QSO", "Fail"]))),
        "mangrove_lum_dist": maybe(float(random.uniform(1, 500))),
        "gaiadr3_DR3Name": maybe(f"Gaia DR3 {random.integers(1, 2**40)}"),
        "gaiadr3_Plx": maybe(float(random.uniform(-1, 20))),
        "gaiadr3_e_Plx": maybe(float(random.uniform(0.1, 2))),
        "vsx_Type": maybe(str(random.choice(["RRAB", "AGN", "EA", "Unknown"]))),
        "legacydr8_zphot": maybe(float(random.uniform(0.01, 0.5))),
        "tns_fullname": maybe(f"SN 2026{random.choice(list('abcdefg'))}"),
        "firstDiaSourceMjdTaiFink": maybe(60000.0 + float(random.uniform(0, 30))),
    }


def _scores(random: np.random.Generator) -> dict[str, Any]:
    return {
        "cats_class": int(random.integers(0, 30)),
        "cats_score": float(random.random()),
        "snnSnVsOthers_score": float(random.random()),
        "elephant_kstest_science": float(random.random()),
        "elephant_kstest_template": float(random.random()),
    }


def _some(values: Any, random: np.random.Generator) -> pa.Array:
    """Return values of which some are null."""
    return pa.array(values, mask=random.random(len(values)) < 0.1)
