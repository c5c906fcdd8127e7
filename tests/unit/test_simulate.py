"""The simulated alerts: shaped like real ones, and each kind of object behaves as it should."""

from __future__ import annotations

import gzip
import io
import math
import os
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from fink_cli.simulate import simulate_alerts, write_science
from fink_cli.simulate.cutouts import CENTRE, SIZE, Exposure, Source, make_cutouts
from fink_cli.simulate.sky import Visit, object_name, observe

COUNT = 200
CUTOUTS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
Row = dict[str, Any]
Image = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return simulate_alerts(COUNT)


@pytest.fixture(scope="module")
def alerts(table: pa.Table) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return rows


def kind_of(alert: Row) -> str:
    if alert["roid"] == 3:
        return "asteroid"
    known = {"RRLyrae": "rr lyrae", "EclBin": "eclipsing binary"}
    return known.get(alert["cdsxmatch"], "supernova")


def history(alert: Row) -> list[Row]:
    return alert["prv_candidates"] or []


def detections(alert: Row) -> list[Row]:
    return [row for row in history(alert) if row["magpsf"] is not None]


def by_object(alerts: list[Row], kind: str) -> dict[str, list[Row]]:
    groups = defaultdict(list)
    for alert in alerts:
        if kind_of(alert) == kind:
            groups[alert["objectId"]].append(alert)
    return groups


def light_curve(group: list[Row], band: int) -> tuple[Image, Image, Image]:
    """Days, magnitudes and errors of all that the alerts of one object hold in one band."""
    seen = {row["jd"]: row for alert in group for row in [*detections(alert), alert["candidate"]]}
    rows = [seen[jd] for jd in sorted(seen) if seen[jd]["fid"] == band]
    return tuple(np.array([row[key] for row in rows]) for key in ("jd", "magpsf", "sigmapsf"))  # type: ignore[return-value]


def image(alert: Row, column: str) -> Image:
    with fits.open(io.BytesIO(gzip.decompress(alert[column]["stampData"]))) as hdus:
        return np.array(hdus[0].data)


# Determinism


def as_bytes(table: pa.Table) -> bytes:
    """The table as one Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table.combine_chunks(), sink)
    return sink.getvalue()


def test_same_seed_same_bytes_in_another_process() -> None:
    program = (
        "import sys, pyarrow.parquet as pq\n"
        "from fink_cli.simulate import simulate_alerts\n"
        "pq.write_table(simulate_alerts(30, seed=4).combine_chunks(), sys.stdout.buffer)\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    assert other.stdout == as_bytes(simulate_alerts(30, seed=4))


def test_cutout_bytes_hold_no_clock(alerts: list[Row]) -> None:
    assert {alert[column]["stampData"][4:8] for alert in alerts for column in CUTOUTS} == {bytes(4)}


def test_other_seed_other_alerts() -> None:
    first, second = simulate_alerts(30, seed=1), simulate_alerts(30, seed=2)
    assert not set(first["candid"].to_pylist()) & set(second["candid"].to_pylist())
    assert not set(first["objectId"].to_pylist()) & set(second["objectId"].to_pylist())


@pytest.mark.parametrize("count", [0, 1, 7])
def test_gives_the_number_asked_for(count: int) -> None:
    assert simulate_alerts(count).num_rows == count


def test_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        simulate_alerts(-1)


# Shape


def mismatches(simulated: Any, real: Any, path: str = "") -> list[str]:
    """Fields that the real type lacks or has with another type; list items and structs inside."""
    if pa.types.is_struct(simulated) and pa.types.is_struct(real):
        found = []
        for i in range(simulated.num_fields):
            field = simulated.field(i)
            where = f"{path}.{field.name}"
            at = real.get_field_index(field.name)
            found += [where] if at < 0 else mismatches(field.type, real.field(at).type, where)
        return found
    if pa.types.is_list(simulated) and pa.types.is_list(real):
        return mismatches(simulated.value_type, real.value_type, f"{path}[]")
    # Spark wrote the real column as INT96, which pyarrow reads in nanoseconds without a zone.
    if pa.types.is_timestamp(simulated) and pa.types.is_timestamp(real):
        return []
    return [] if simulated.equals(real) else [f"{path}: {simulated} is not {real}"]


def test_schema_is_the_real_one(table: pa.Table, science_dir: Path) -> None:
    real = pq.read_schema(next(iter(sorted(science_dir.glob("*.parquet")))))
    assert set(table.column_names) == set(real.names)
    assert mismatches(pa.struct(list(table.schema)), pa.struct(list(real))) == []
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")


def test_values_missing_in_real_alerts_are_missing_here(
    alerts: list[Row], science_dir: Path
) -> None:
    real = pq.read_table(next(iter(sorted(science_dir.glob("*.parquet"))))).to_pylist()

    def missing(rows: list[Row]) -> tuple[set[str], set[str]]:
        null = {key for row in rows for key, value in row.items() if value is None}
        nan = {k for row in rows for k, v in row.items() if isinstance(v, float) and math.isnan(v)}
        return null, nan

    assert missing(alerts) == missing(real)
    assert missing([alert["candidate"] for alert in real]) == (set(), set())
    assert missing([alert["candidate"] for alert in alerts])[1] == set()


def test_nan_and_null_both_occur(table: pa.Table) -> None:
    assert table["mulens"].null_count == COUNT
    assert table["Plx"].null_count == 0
    not_a_number = sum(math.isnan(value) for value in table["Plx"].to_pylist())
    assert 0 < not_a_number < COUNT
    assert 0 < table["prv_candidates"].null_count < COUNT


def test_identifiers_are_unique_and_agree(alerts: list[Row]) -> None:
    assert len({alert["candid"] for alert in alerts}) == COUNT
    own_by_candid = {alert["candid"]: alert for alert in alerts}
    for alert in alerts:
        assert alert["candidate"]["candid"] == alert["candid"]
        assert alert["candid"] // 10**6 == alert["candidate"]["pid"]
        for row in detections(alert):
            if row["candid"] in own_by_candid:
                assert own_by_candid[row["candid"]]["objectId"] == alert["objectId"]


def test_names_look_like_the_survey_s_and_differ() -> None:
    names = {object_name(number, 21, offset=5) for number in range(5000)}
    assert len(names) == 5000
    assert all(name.startswith("ZTF21") and len(name) == 12 for name in names)
    assert all(name[5:].isascii() and name[5:].islower() for name in names)


def test_times_agree_and_grow(alerts: list[Row]) -> None:
    times = [alert["timestamp"] for alert in alerts]
    assert times == sorted(times)
    for alert in alerts:
        unix_days = alert["timestamp"].timestamp() / 86400
        assert unix_days + 2440587.5 == pytest.approx(alert["candidate"]["jd"], abs=1e-8)


def test_positions_are_in_the_northern_sky(alerts: list[Row]) -> None:
    ra = [alert["candidate"]["ra"] for alert in alerts]
    dec = [alert["candidate"]["dec"] for alert in alerts]
    assert -30 < min(dec) < -5
    assert 30 < max(dec) < 90
    assert min(ra) >= 0
    assert max(ra) < 360
    assert max(ra) - min(ra) > 180


# History


def test_history_lies_in_the_month_before(alerts: list[Row]) -> None:
    for alert in alerts:
        jd = alert["candidate"]["jd"]
        days = [row["jd"] for row in history(alert)]
        assert days == sorted(days)
        assert all(jd - 30 <= day < jd for day in days)
        assert alert["nalerthist"] == len(detections(alert)) + 1


def test_upper_limits_say_nothing_of_the_object(alerts: list[Row]) -> None:
    rows = [row for alert in alerts for row in history(alert)]
    limits = [row for row in rows if row["magpsf"] is None]
    assert 0.2 < len(limits) / len(rows) < 0.8
    exposure = {key for key, value in limits[0].items() if value is not None}
    assert {"jd", "fid", "pid", "diffmaglim"} <= exposure
    assert not {"candid", "ra", "dec", "sigmapsf", "rb", "isdiffpos"} & exposure
    for row in limits:
        assert {key for key, value in row.items() if value is not None} == exposure


def test_null_history_fields_are_those_of_real_alerts(alerts: list[Row], science_dir: Path) -> None:
    real = pq.read_table(next(iter(sorted(science_dir.glob("*.parquet"))))).to_pylist()

    def nulls(rows: list[Row], detected: bool) -> list[Row]:
        past = [p for alert in rows for p in history(alert)]
        return [p for p in past if (p["magpsf"] is not None) == detected]

    for detected in (True, False):
        here, there = nulls(alerts, detected)[0], nulls(real, detected)[0]
        assert {name for name in here if here[name] is None} >= {
            name for name in there if there[name] is None
        }


def test_detections_are_within_the_limits(alerts: list[Row]) -> None:
    rows = [row for a in alerts for row in [*detections(a), a["candidate"]]]
    magnitudes = np.array([row["magpsf"] for row in rows])
    limits = np.array([row["diffmaglim"] for row in rows])
    errors = np.array([row["sigmapsf"] for row in rows])
    assert magnitudes.min() > 14.5
    assert magnitudes.max() < 20.8
    assert np.all(magnitudes < limits + 0.01)
    # A detection is above five sigma, so its error is below 2.5 / ln(10) / 5.
    assert errors.max() <= 0.2172
    near, far = errors[limits - magnitudes < 0.5], errors[limits - magnitudes > 3]
    assert near.mean() > 5 * far.mean()


def test_history_of_an_object_grows_and_stays_the_same(alerts: list[Row]) -> None:
    for kind in ("rr lyrae", "eclipsing binary"):
        for group in by_object(alerts, kind).values():
            for earlier, later in pairwise(group):
                assert later["nalerthist"] > earlier["nalerthist"]
                known = {row["candid"]: row for row in detections(later)}
                for row in [*detections(earlier), earlier["candidate"]]:
                    again = known[row["candid"]]
                    same = [key for key in again if not key.startswith("ss")]
                    assert [again[key] for key in same] == [row[key] for key in same]


# Kinds


def test_every_kind_is_there(alerts: list[Row]) -> None:
    kinds = [kind_of(alert) for alert in alerts]
    for kind in ("asteroid", "rr lyrae", "eclipsing binary", "supernova"):
        assert kinds.count(kind) >= 20
    assert 30 <= len({alert["objectId"] for alert in alerts}) <= 60
    assert {kind_of(alert) for alert in simulate_alerts(25, seed=9).to_pylist()} == set(kinds)


def unexplained(curves: list[tuple[Image, Image]]) -> float:
    """Share of the variance that no sawtooth with a period of 0.28 to 0.85 days explains.

    `curves` holds the days and magnitudes of each band; the period and the phase are common to
    the bands, the mean and the amplitude are fitted to each. Few points leave little unexplained
    whatever their order, so compare with the same points shuffled.
    """
    frequencies = np.arange(1 / 0.85, 1 / 0.28, 0.0008)[:, np.newaxis, np.newaxis]
    phases = np.linspace(0, 1, 40, endpoint=False)[:, np.newaxis]
    left, total = np.zeros((frequencies.size, phases.size)), 0.0
    for days, magnitudes in curves:
        turns = (days - 2459500) * frequencies + phases
        phase = turns % 1
        model = 0.5 - np.minimum(phase / 0.15, (1 - phase) / 0.85)
        model -= model.mean(axis=-1, keepdims=True)
        residual = magnitudes - magnitudes.mean()
        variance = float(residual @ residual)
        left += variance - (model @ residual) ** 2 / (model**2).sum(axis=-1)
        total += variance
    return float(left.min() / total)


def test_rr_lyrae_fold_to_a_sawtooth(alerts: list[Row]) -> None:
    shuffle = np.random.default_rng(0)
    groups = by_object(alerts, "rr lyrae").values()
    curves = [[light_curve(group, band)[:2] for band in (1, 2)] for group in groups]
    rich = [pair for pair in curves if min(days.size for days, _ in pair) >= 9][:4]
    assert len(rich) >= 2
    for pair in rich:
        assert all(0.4 < np.ptp(magnitudes) < 1.8 for _, magnitudes in pair)
        shuffled = [(days, shuffle.permutation(magnitudes)) for days, magnitudes in pair]
        assert unexplained(pair) < 0.1
        assert unexplained(shuffled) > 0.2


def test_eclipsing_binaries_are_mostly_bright(alerts: list[Row]) -> None:
    below_middle, deep = [], 0
    for group in by_object(alerts, "eclipsing binary").values():
        for band in (1, 2):
            _, magnitudes, _ = light_curve(group, band)
            if magnitudes.size >= 8:
                middle = (magnitudes.min() + magnitudes.max()) / 2
                below_middle.append(float(np.mean(magnitudes > middle)))
                deep += np.ptp(magnitudes) > 0.5
    assert np.mean(below_middle) < 0.4
    assert deep >= 5


def test_supernovae_rise_and_fall(alerts: list[Row]) -> None:
    rises, falls = 0, 0
    for group in by_object(alerts, "supernova").values():
        _, magnitudes, errors = light_curve(group, 1)
        if magnitudes.size < 6:
            continue
        peak = magnitudes.argmin()
        rises += magnitudes[0] - magnitudes[peak] > 3 * errors[0]
        falls += magnitudes[-1] - magnitudes[peak] > 3 * errors[-1]
    assert rises >= 4
    assert falls >= 4


def test_supernovae_are_scored_and_have_a_host(alerts: list[Row]) -> None:
    labels = set()
    for group in by_object(alerts, "supernova").values():
        for alert in group:
            labels.add(alert["cdsxmatch"])
            scores = ("rf_snia_vs_nonia", "snn_snia_vs_nonia", "snn_sn_vs_all")
            assert all(0.5 < alert[score] <= 1 for score in scores)
            assert alert["candidate"]["sgscore1"] < 0.5
            assert dict(alert["mangrove"])["HyperLEDA_name"] != "None"
    assert labels == {"SN", "Unknown"}


def test_asteroids_move(alerts: list[Row]) -> None:
    bodies = defaultdict(list)
    for alert in alerts:
        if kind_of(alert) == "asteroid":
            assert 0 <= alert["candidate"]["ssdistnr"] <= 1
            assert len(detections(alert)) <= 1
            bodies[alert["candidate"]["ssnamenr"]].append(alert)
        else:
            assert alert["candidate"]["ssnamenr"] == "null"
    pairs = [pair for rows in bodies.values() for pair in pairwise(rows)]
    assert len(pairs) >= 5
    for first, second in pairs:
        assert first["objectId"] != second["objectId"]
        a, b = first["candidate"], second["candidate"]
        across = (b["ra"] - a["ra"] + 180) % 360 - 180
        moved = math.hypot(across * math.cos(math.radians(a["dec"])), b["dec"] - a["dec"])
        assert 0.1 < moved / (b["jd"] - a["jd"]) < 0.5  # degrees a day
    pairs_in_a_night = [a for rows in bodies.values() for a in rows if detections(a)]
    assert pairs_in_a_night


def test_scatter_is_what_the_errors_say() -> None:
    rng = np.random.default_rng(3)
    size = 20_000
    times = np.linspace(2459500, 2459600, size)

    def seen(magnitude: float) -> list[Visit]:
        track = (10.0, 20.0)
        return [observe(rng, jd, 1, lambda *_: magnitude, lambda _: track) for jd in times]

    clear = [visit for visit in seen(17.0) if visit.detected and visit.snr > 10]
    pulls = [(visit.magnitude - visit.true) / visit.error for visit in clear]
    assert np.std(pulls) == pytest.approx(1.0, abs=0.05)
    assert not any(visit.detected for visit in seen(math.inf))


# Cutouts


def test_cutouts_are_gzipped_fits_like_the_real_ones(alerts: list[Row], science_dir: Path) -> None:
    real = pq.read_table(next(iter(sorted(science_dir.glob("*.parquet"))))).slice(0, 1).to_pylist()
    for column in CUTOUTS:
        theirs, ours = (gzip.decompress(a[0][column]["stampData"]) for a in (real, alerts))
        assert len(theirs) == len(ours)
        for alert in alerts[:20]:
            pixels = image(alert, column)
            assert pixels.shape == (SIZE, SIZE) == (63, 63)
            assert pixels.dtype == np.dtype(">f4")
            assert alert[column]["fileName"].startswith(f"candid{alert['candid']}_")


def test_an_alert_is_as_large_as_a_real_one(table: pa.Table) -> None:
    assert 20_000 < table.nbytes / COUNT < 60_000


def test_difference_is_science_minus_template(alerts: list[Row]) -> None:
    for alert in alerts[::5]:
        science, template, difference = (image(alert, column) for column in CUTOUTS)
        np.testing.assert_array_equal(difference, science - template)


def test_difference_shows_the_source_at_its_magnitude(alerts: list[Row]) -> None:
    rows, columns = np.indices((SIZE, SIZE)) - CENTRE
    ratios = []
    for alert in alerts:
        own, difference = alert["candidate"], image(alert, "cutoutDifference")
        if own["diffmaglim"] - own["magpsf"] < 1.5:
            continue
        y, x = np.unravel_index(np.nanargmax(difference), difference.shape)
        assert math.hypot(x - CENTRE, y - CENTRE) <= 2
        aperture = float(difference[np.hypot(rows, columns) <= 4].sum())
        ratios.append(aperture / 10 ** (0.4 * (own["magzpsci"] - own["magpsf"])))
    assert len(ratios) > 100
    assert np.median(ratios) == pytest.approx(1.0, abs=0.05)


def test_template_keeps_the_star_and_the_host(alerts: list[Row]) -> None:
    middle = np.s_[CENTRE - 3 : CENTRE + 4, CENTRE - 3 : CENTRE + 4]
    above_sky = defaultdict(list)
    for alert in alerts:
        template = image(alert, "cutoutTemplate")
        above_sky[kind_of(alert)].append(np.mean(template[middle]) - np.nanmedian(template))
    assert min(np.median(above_sky[kind]) for kind in ("rr lyrae", "supernova")) > 10
    assert np.median(above_sky["asteroid"]) == pytest.approx(0, abs=2)


def test_noise_of_the_difference_follows_the_limit() -> None:
    rng = np.random.default_rng(0)
    nothing = Source(0, 0, 40.0)
    exposure = Exposure(limit=20.0, zero_point=26.2, fwhm=2.0)
    *_, difference = make_cutouts(rng, (), nothing, exposure)
    assert difference.std() == pytest.approx(exposure.noise, rel=0.05)


# Files


def test_files_hold_the_alerts_in_order(table: pa.Table, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "science"
    paths = write_science(table, folder, files=3)
    assert len(paths) == 3
    assert sorted(folder.iterdir()) == paths
    read_back = pa.concat_tables([pq.read_table(path) for path in paths])
    assert read_back.schema.equals(table.schema)
    # As text, since NaN differs from itself.
    assert repr(read_back.to_pylist()) == repr(table.to_pylist())
    assert {pq.ParquetFile(path).metadata.row_group(0).column(0).compression for path in paths} == {
        "SNAPPY"
    }


def test_no_more_files_than_alerts(table: pa.Table, tmp_path: Path) -> None:
    assert len(write_science(table.slice(0, 2), tmp_path, files=4)) == 2
    assert write_science(table.slice(0, 0), tmp_path / "none") == []


def test_a_second_batch_keeps_the_first(table: pa.Table, tmp_path: Path) -> None:
    first = write_science(table.slice(0, 20), tmp_path)
    second = write_science(table.slice(20, 20), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*first, *second])
    assert len({*first, *second}) == 8


def test_a_file_is_complete_or_absent(
    table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def fail_half_way(part: pa.Table, where: Path, **options: Any) -> None:
        written.append(where)
        where.write_bytes(b"PAR1 and no end")
        raise OSError("no space left")

    monkeypatch.setattr(pq, "write_table", fail_half_way)
    with pytest.raises(OSError, match="no space"):
        write_science(table, tmp_path)
    assert written[0].parent == tmp_path
    assert written[0].name.startswith(".")
    assert list(tmp_path.iterdir()) == []


def test_number_of_files_must_be_positive(table: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="below one"):
        write_science(table, tmp_path, files=0)
