"""Cutouts: read, drawn, and hostile ones refused."""

from __future__ import annotations

import gzip
import io
import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from fink_cli.alerts.cutouts import (
    MOST_BYTES,
    NotAnImageError,
    read_cutout,
    resampled,
    stretched,
)
from fink_cli.consumer.view.cutout import SHADES, picture
from tests.support.drawn import fits_of, stars


def header(*cards: str) -> bytes:
    """A header of FITS, filled up to its 2880 bytes."""
    text = "".join(f"{card:80}" for card in (*cards, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode("latin-1")


def image_header(bitpix: str = "-32", axes: tuple[object, ...] = (63, 63)) -> bytes:
    sizes = [f"NAXIS{at}  = {size!s:>20}" for at, size in enumerate(axes, 1)]
    return header(
        "SIMPLE  =                    T",
        f"BITPIX  = {bitpix:>20}",
        f"NAXIS   = {len(axes):>20}",
        *sizes,
    )


def test_gzipped_or_not() -> None:
    pixels = stars((31, 20, 100))
    for data in (fits_of(pixels), gzip.compress(fits_of(pixels))):
        assert np.allclose(read_cutout(data), pixels.astype(np.float32))


def test_the_first_image_of_several() -> None:
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((4, 3)))]).writeto(out)
    assert read_cutout(out.getvalue()).shape == (4, 3)


def test_integers_are_scaled() -> None:
    hdu = fits.PrimaryHDU(np.arange(6, dtype=np.int16).reshape(2, 3))
    hdu.header["BZERO"], hdu.header["BSCALE"] = 10.0, 2.0
    hdu.data  # noqa: B018
    raw = image_header("16", (3, 2)).replace(
        b"END".ljust(80), b"BZERO   =                   10".ljust(80) + b"END".ljust(80), 1
    )
    raw = raw[:2880] + np.arange(6, dtype=">i2").tobytes().ljust(2880, b"\0")
    assert read_cutout(raw).tolist() == [[10, 11, 12], [13, 14, 15]]


def test_real_cutouts(raw_dir: Path) -> None:
    count = 0
    for file in raw_dir.glob("*.avro"):
        with file.open("rb") as opened:
            for alert in fastavro.reader(opened):
                for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
                    image = read_cutout(alert[name]["stampData"])
                    assert max(image.shape) == 63
                    count += 1
    assert count == 60


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not FITS"),
        (b"\x1f\x8b", "not FITS"),
        (b"\x1f\x8bnot gzip at all", "gzip is damaged"),
        (gzip.compress(fits_of(np.ones((9, 9))), mtime=0)[:60], "FITS is damaged|not FITS"),
        (gzip.compress(b"SIMPLE  = " + bytes(200_000_000), mtime=0), "larger than"),
        (b"SIMPLE  = " + bytes(MOST_BYTES), "larger than"),
        (image_header(axes=(1_000_000_000, 1_000_000_000)), "1,000,000,000 by"),
        (image_header(axes=(1024, 1024)), "damaged"),
        (image_header(axes=(-5, 5)), "damaged"),
        (image_header(axes=("'ab'", 5)), "damaged"),
        (image_header("77"), "damaged"),
        (image_header(axes=(63,)), "no image"),
        (image_header(axes=(1, 1, 9)), "no image"),
        (image_header(axes=(0, 0)), "no image"),
        (header("SIMPLE  =                    T"), "damaged|no image"),
        (b"SIMPLE  =                    T", "damaged|no image"),
        (fits_of(np.full((5, 5), np.nan)), "none of its pixels"),
        (fits_of(np.full((5, 5), np.inf)), "none of its pixels"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    began = time.process_time()
    with pytest.raises(NotAnImageError, match=reason):
        read_cutout(data)
    assert time.process_time() - began < 1


def test_a_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(300_000_000))
    assert len(bomb) < 400_000
    read_cutout(fits_of(np.ones((3, 3))))
    tracemalloc.start()
    with pytest.raises(NotAnImageError):
        read_cutout(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MOST_BYTES


def test_a_compressed_image_is_not_opened() -> None:
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((900, 900)))]).writeto(out)
    with pytest.raises(NotAnImageError, match="no image"):
        read_cutout(out.getvalue())


def test_mutated_cutouts_never_do_more_than_be_refused(capfd: Any) -> None:
    chance = random.Random(7)
    whole = fits_of(stars((31, 31, 50)))
    read = 0
    for at in range(1500):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(9, 2880)] = chance.choice(b"0123456789 '=TFABX-.E\x00\xff/")
        cut = bytes(data[: chance.randrange(len(data))] if at % 5 == 0 else data)
        given = gzip.compress(cut)[: chance.randrange(20, 9000)] if at % 7 == 0 else cut
        began = time.process_time()
        try:
            stretched(read_cutout(given))
            read += 1
        except NotAnImageError:
            pass
        assert time.process_time() - began < 1
    assert read > 100
    # astropy would warn on stderr, in the middle of a screen.
    assert capfd.readouterr().err == ""


def test_the_stretch_shows_what_is_faint() -> None:
    image = stars((15, 15, 5000), (45, 45, 6))
    levels = stretched(image)
    assert levels.min() == 0
    assert levels.max() == 1
    sky = float(np.median(levels))
    assert sky < 0.2
    assert levels[45, 45] > sky + 0.12
    assert levels[15, 15] == 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 5)),
        np.full((5, 5), 7.0),
        np.full((5, 5), np.nan),
        np.array([[1e308, -1e308], [0.0, np.nan]]),
        np.array([[5e-324, 0.0], [0.0, 0.0]]),
        np.array([[1.0]]),
    ],
)
def test_odd_images_are_drawn(image: Any) -> None:
    with np.errstate(all="raise", under="ignore"):
        levels = stretched(image)
    known = levels[np.isfinite(levels)]
    assert ((known >= 0) & (known <= 1)).all()
    assert (np.isnan(levels) == np.isnan(image)).all()
    for colours in (True, False):
        assert all(line.cell_len == 20 for line in picture(image, 20, colours))


def test_resampling() -> None:
    image = np.arange(16.0).reshape(4, 4)
    assert resampled(image, 2, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert resampled(image, 8, 4)[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    image[0, 0] = np.nan
    assert resampled(image, 2, 2)[0, 0] == pytest.approx(10 / 3)


def test_the_bottom_row_is_drawn_at_the_bottom() -> None:
    image = np.zeros((40, 40))
    image[:6] = 100.0
    lines = [line.plain for line in picture(image, 40, False)]
    assert lines[-1] == SHADES[-1] * 40
    assert lines[0] != SHADES[-1] * 40
    assert len(lines) == 20
    coloured = picture(image, 40, True)
    assert "rgb(255,255,255)" in str(coloured[-1].spans[0].style)


def test_a_place_without_a_value_is_left_bare() -> None:
    image = stars((31, 31, 50))
    image[:, :20] = np.nan
    lines = picture(image, 63, True)
    assert all(line.plain.startswith(" " * 19) for line in lines)
