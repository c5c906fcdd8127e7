"""Names and types of the simulated columns: those of the science database of ZTF alerts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_DOUBLE, _FLOAT, _INT, _LONG, _TEXT = (
    pa.float64(),
    pa.float32(),
    pa.int32(),
    pa.int64(),
    pa.string(),
)

# What an upper limit in the history has: the exposure, and nothing about the object.
_EXPOSURE: dict[str, Any] = {
    "jd": _DOUBLE,
    "fid": _INT,
    "pid": _LONG,
    "diffmaglim": _FLOAT,
    "pdiffimfilename": _TEXT,
    "programpi": _TEXT,
    "programid": _INT,
    "nid": _INT,
    "rcid": _INT,
    "field": _INT,
    "magzpsci": _FLOAT,
    "magzpsciunc": _FLOAT,
    "magzpscirms": _FLOAT,
    "clrcoeff": _FLOAT,
    "clrcounc": _FLOAT,
    "rbversion": _TEXT,
}

# What a detection has beside it, in the history as in the alert itself.
_DETECTION: dict[str, Any] = {
    "candid": _LONG,
    "isdiffpos": _TEXT,
    "tblid": _LONG,
    "xpos": _FLOAT,
    "ypos": _FLOAT,
    "ra": _DOUBLE,
    "dec": _DOUBLE,
    "magpsf": _FLOAT,
    "sigmapsf": _FLOAT,
    "chipsf": _FLOAT,
    "magap": _FLOAT,
    "sigmagap": _FLOAT,
    "distnr": _FLOAT,
    "magnr": _FLOAT,
    "sigmagnr": _FLOAT,
    "magdiff": _FLOAT,
    "fwhm": _FLOAT,
    "classtar": _FLOAT,
    "mindtoedge": _FLOAT,
    "magfromlim": _FLOAT,
    "aimage": _FLOAT,
    "bimage": _FLOAT,
    "elong": _FLOAT,
    "nneg": _INT,
    "nbad": _INT,
    "rb": _FLOAT,
    "ssdistnr": _FLOAT,
    "ssmagnr": _FLOAT,
    "ssnamenr": _TEXT,
    "sumrat": _FLOAT,
    "ranr": _DOUBLE,
    "decnr": _DOUBLE,
    "scorr": _DOUBLE,
}

# What only the alert's own detection has.
_ALERT: dict[str, Any] = {
    "sgmag1": _FLOAT,
    "srmag1": _FLOAT,
    "simag1": _FLOAT,
    "szmag1": _FLOAT,
    "sgscore1": _FLOAT,
    "distpsnr1": _FLOAT,
    "objectidps1": _LONG,
    "nmtchps": _INT,
    "ndethist": _INT,
    "ncovhist": _INT,
    "jdstarthist": _DOUBLE,
    "jdendhist": _DOUBLE,
    "tooflag": _INT,
    "neargaia": _FLOAT,
    "neargaiabright": _FLOAT,
    "maggaia": _FLOAT,
    "maggaiabright": _FLOAT,
    "exptime": _FLOAT,
    "drb": _FLOAT,
    "drbversion": _TEXT,
}

_CUTOUT = pa.struct({"fileName": _TEXT, "stampData": pa.binary()})

HISTORY = pa.struct({**_EXPOSURE, **_DETECTION})
CANDIDATE = pa.struct({**_EXPOSURE, **_DETECTION, **_ALERT})
HISTORY_FIELDS = tuple(HISTORY.field(i).name for i in range(HISTORY.num_fields))

SCIENCE_SCHEMA = pa.schema(
    [
        pa.field("candid", _LONG),
        pa.field("schemavsn", _TEXT),
        pa.field("publisher", _TEXT),
        pa.field("objectId", _TEXT),
        pa.field("candidate", CANDIDATE),
        pa.field("prv_candidates", pa.list_(pa.field("element", HISTORY))),
        pa.field("cutoutScience", _CUTOUT),
        pa.field("cutoutTemplate", _CUTOUT),
        pa.field("cutoutDifference", _CUTOUT),
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("rf_snia_vs_nonia", _DOUBLE),
        pa.field("snn_snia_vs_nonia", _DOUBLE),
        pa.field("snn_sn_vs_all", _DOUBLE),
        pa.field("roid", _INT),
        pa.field("nalerthist", _INT),
        pa.field("rf_kn_vs_nonkn", _DOUBLE),
        pa.field("fink_broker_version", _TEXT),
        pa.field("fink_science_version", _TEXT),
        pa.field("tracklet", _TEXT),
        pa.field("mulens", _DOUBLE),
        pa.field("cdsxmatch", _TEXT),
        pa.field("tns", _TEXT, nullable=False),
        pa.field("DR3Name", _TEXT),
        pa.field("Plx", _FLOAT),
        pa.field("e_Plx", _FLOAT),
        pa.field("vsx", _TEXT),
        pa.field("spicy_id", _INT),
        pa.field("spicy_class", _TEXT),
        pa.field("gcvs", _TEXT),
        pa.field("x3hsp", _TEXT),
        pa.field("x4lac", _TEXT),
        pa.field("mangrove", pa.map_(_TEXT, _TEXT)),
    ]
)
