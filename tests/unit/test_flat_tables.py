"""Alerts as CSV, VOTable and FITS, read back with astropy and STILTS."""

from __future__ import annotations

import json
import math
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.schema import Schema, read_schema
from fink_cli.consumer.files.formats import package
from fink_cli.paths import shipped
from fink_cli.simulate import simulate_alerts
from tests.support.avro import LOGICAL, LOGICAL_ALERT
from tests.support.environment import find_program

FORMS = ("csv", "votable", "fits")
ZTF = read_schema(shipped("schemas/ztf-science.avsc").read_bytes())


def write(folder: Path, form: str, schema: Schema, *contents: dict[str, Any]) -> Path:
    file = folder / f"t.{form}"
    content = package(FileFormat(form), schema, file)
    assert content.add([Decoded(schema, each) for each in contents]) == []
    content.finish()
    content.write_beside(folder, file.name)
    return file


def read(file: Path) -> Table:
    form = file.suffix[1:]
    return Table.read(file, format="ascii.csv" if form == "csv" else form)


@pytest.mark.parametrize("form", FORMS)
def test_alerts_and_their_light_curves(tmp_path: Path, form: str) -> None:
    alerts = simulate_alerts(20, 1).to_pylist()
    file = write(tmp_path, form, ZTF, *alerts)
    table, curves = read(file), read(tmp_path / "light_curves" / file.name)
    dot = "." if form == "csv" else "_"
    assert list(table["candid"]) == [each["candid"] for each in alerts]
    assert list(table["cdsxmatch"]) == [each["cdsxmatch"] for each in alerts]
    assert np.allclose(
        table[f"candidate{dot}magpsf"], [each["candidate"]["magpsf"] for each in alerts]
    )
    assert not any("stampData" in name for name in table.colnames)
    own = curves[[str(value).lower() in {"true", "1"} for value in curves["is_this_alert"]]]
    assert list(own["candid"]) == list(table["candid"])
    assert len(curves) > len(table)
    if form != "csv":
        units = {name: str(table[name].unit or "") for name in table.colnames}
        assert units["candidate_jd"] == "d"
        assert units["candidate_ra"] == "deg"
        assert (units["candidate_magpsf"], units["candidate_sigmapsf"]) == ("mag", "mag")
        assert str(curves["magnitude"].unit) == "mag"


NULLS = read_schema(
    json.dumps(
        {
            "type": "record",
            "name": "a",
            "fields": [
                {"name": name, "type": ["null", kind]}
                for name, kind in (
                    ("i", "int"), ("l", "long"), ("f", "float"), ("b", "boolean"), ("s", "string"),
                )
            ],
        }
    )
)  # fmt: skip
VALUES = {"i": -1, "l": 2**62, "f": 0.5, "b": True, "s": "x"}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_missing_is_null(tmp_path: Path, form: str) -> None:
    nothing = dict.fromkeys(VALUES)
    table = read(write(tmp_path, form, NULLS, nothing, VALUES, VALUES | {"f": math.nan}))
    assert [bool(np.ma.is_masked(value)) for value in table["i"]] == [True, False, False]
    assert [bool(np.ma.is_masked(value)) for value in table["l"]] == [True, False, False]
    assert table["l"][1] == 2**62
    floats = np.ma.filled(np.ma.asarray(table["f"]).astype(float), math.nan)
    assert [math.isnan(value) for value in floats] == [True, False, True]
    assert bool(np.ma.is_masked(table["b"][0]))
    assert str(table["s"][1]) == "x"


@pytest.mark.parametrize("form", FORMS)
def test_odd_texts_and_all_logical_types(tmp_path: Path, form: str) -> None:
    texts = ["\x1b[2J\x00", 'a "b", c\nd', "漢字 ümlaut", "</TD>&amp;", "=1+1", ""]
    file = write(tmp_path, form, NULLS, *(VALUES | {"s": text} for text in texts))
    read_texts = [str(text) for text in read(file)["s"]]
    assert len(read_texts) == len(texts)
    if form != "csv":
        assert read_texts[3] == texts[3]
    logical = tmp_path / "logical"
    logical.mkdir()
    assert len(read(write(logical, form, read_schema(json.dumps(LOGICAL)), LOGICAL_ALERT))) == 1


def test_a_text_that_fits_has_no_room_for_is_refused_alone(tmp_path: Path) -> None:
    content = package(FileFormat.FITS, NULLS, tmp_path / "t.fits")
    long = Decoded(NULLS, VALUES | {"s": "x" * 5000})
    (unfit,) = content.add([Decoded(NULLS, VALUES), long])
    assert unfit.alert is long
    content.finish()
    assert len(read(tmp_path / "t.fits")) == 1


def test_the_votable_is_valid(tmp_path: Path) -> None:
    from astropy.io.votable import parse

    file = write(tmp_path, "votable", ZTF, *simulate_alerts(5, 1).to_pylist())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (table,) = parse(file, verify="exception").iter_tables()
    ucds = {field.name: field.ucd for field in table.fields}
    assert ucds["candidate_ra"] == "pos.eq.ra"
    assert ucds["candidate_sigmapsf"] == "stat.error;phot.mag"


def test_stilts_reads_them(tmp_path: Path) -> None:
    stilts = find_program("stilts")
    for form in FORMS:
        file = write(tmp_path, form, ZTF, *simulate_alerts(5, 1).to_pylist())
        done = subprocess.run(
            [
                stilts,
                "tpipe",
                f"in={file}",
                *(["ifmt=csv"] if form == "csv" else []),
                "omode=count",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "rows: 5" in done.stdout, done.stderr
    lint = subprocess.run(
        [stilts, "votlint", tmp_path / "t.votable"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert lint.stdout + lint.stderr == ""
