"""Python filters: found, given their columns, and asked about each alert."""

# ruff: noqa: E501 - a case stands on a line

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from astropy.io import fits

from fink_cli.distribution.python_filters.arguments import (
    arguments_of,
    bind,
    optional_arguments_of,
    resolve_arguments,
)
from fink_cli.distribution.python_filters.decide import decide
from fink_cli.distribution.python_filters.load import load_filter
from fink_cli.errors import UsageError

RRLYR = "fink_filters.ztf.filter_rrlyr.filter.rrlyr"
SIMBAD = "fink_filters.ztf.filter_simbad_candidates.filter.simbad_candidates"
SNIALIKE = "fink_filters.ztf.filter_snlike.filter.snialike"
UNIFORM = "fink_filters.rubin.livestream.filter_uniform_sample.filter.uniform_sample"
TRAILS = "fink_filters.rubin.livestream.filter_faint_trails.filter.faint_trails"

ZTF = [
    *("objectId", "candid", "cdsxmatch", "candidate", "candidate.candid", "candidate.magpsf"),
    *("candidate.jd", "candidate.rb", "prv_candidates"),
]
RUBIN = [
    *("diaSourceId", "diaSource", "diaSource.diaSourceId", "diaSource.ra", "diaObject"),
    *("diaObject.ra", "pred", "pred.is_sso", "prvDiaSources", "cutoutScience"),
]


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Write a module into a folder of its own; gives its name."""
    written: list[str] = []

    def write(text: str) -> str:
        name = f"own_filter_{tmp_path.name}_{len(written)}".replace("-", "_")
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    before = list(sys.path)
    yield write
    sys.path[:] = before
    for name in written:
        sys.modules.pop(name, None)


def refusal(path: str, folder: Path | None = None) -> str:
    with pytest.raises(UsageError) as refused:
        load_filter(path, folder)
    return f"{refused.value.message} | {refused.value.hint}"


# Finding it


def test_the_function_within_a_pandas_udf_takes_series() -> None:
    found = load_filter(RRLYR)
    assert list(found(pd.Series(["RRLyr", "Star"]))) == [True, False]


def test_a_module_beside_the_distribution_file(module: Any, tmp_path: Path) -> None:
    name = module("def bright(magpsf):\n    return magpsf < 18\n")
    with pytest.raises(UsageError, match="There is no module"):
        load_filter(f"{name}.bright")
    assert arguments_of(load_filter(f"{name}.bright", tmp_path)) == ["magpsf"]


def test_each_module_beside_is_checked_and_prints_nothing_to_stdout(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "print('hello')\ndef bright(magpsf):\n    return magpsf < 18\n"
    first, second = module(text), module(text)
    load_filter(f"{first}.bright", tmp_path)
    assert capsys.readouterr().out == ""
    (tmp_path / f"{second}.py").chmod(0o666)
    with pytest.raises(UsageError, match="can"):
        load_filter(f"{second}.bright", tmp_path)
    assert second not in sys.modules


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("rrlyr", "not the path of a Python function"),
        ("a b.c", "not the path of a Python function"),
        ("fink_filterz.ztf.x", "There is no module 'fink_filterz'. | Close names: fink_filters"),
        ("fink_filters.zft.x.y", "There is no module 'fink_filters.zft'. | Close names: ztf"),
        ("fink_filters.ztf.filter_rrlyr.filter.rrlyre", "has no function 'rrlyre'. | Its functions: rrlyr"),
        ("fink_filters.rubin.blocks.BAD_VALUES", "is not a function: it is of type list"),
        ("fink_filters.ztf.classification.extract_fink_classification", "gives values of type string"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named(path: str, told: str) -> None:
    assert told in refusal(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_thing", "can't be imported: ModuleNotFoundError: No module named 'no_such_thing'. | Install"),
        ("raise OSError('no \\x1b[31mtable')", "can't be imported: OSError: no \\x1b[31mtable. | See where"),
        ("def f(:", "can't be imported: SyntaxError"),
        (
            "from pyspark.sql.functions import udf\nfrom pyspark.sql.types import BooleanType\n"
            "@udf(BooleanType())\ndef f(a): return True",
            "not one of pandas Series",
        ),
        (
            "from pyspark.sql.functions import pandas_udf\nimport pandas as pd\n"
            "@pandas_udf('boolean')\ndef f(a: pd.Series) -> pd.Series: return a > 1",
            "write @pandas_udf(BooleanType())",
        ),
    ],
)  # fmt: skip
def test_a_module_that_fails_says_why(module: Any, tmp_path: Path, text: str, told: str) -> None:
    name = module(text)
    assert told in refusal(f"{name}.f", tmp_path)


def test_a_type_in_words_needs_spark_when_the_module_is_imported(
    module: Any, tmp_path: Path
) -> None:
    name = module("from pyspark.sql.functions import udf\n@udf('boolean')\ndef f(a): return True")
    said = refusal(f"{name}.f", tmp_path)
    # Other tests may have started Spark in this process: then only the kind of the UDF is wrong.
    assert "Spark's workers can't" in said or "not one of pandas Series" in said


# Its columns


def test_a_name_is_looked_for_at_the_top_then_within_structs() -> None:
    resolved = resolve_arguments(["magpsf", "candid", "prv_candidates"], ZTF, {})
    assert resolved == {
        "magpsf": "candidate.magpsf",
        "candid": "candid",
        "prv_candidates": "prv_candidates",
    }
    assert list(resolved) == ["magpsf", "candid", "prv_candidates"]


def test_what_is_given_goes_first() -> None:
    given = {"candid": "candidate.candid", "mag": "candidate.magpsf"}
    assert resolve_arguments(["candid", "mag"], ZTF, given) == given


@pytest.mark.parametrize(
    ("names", "paths", "given", "told"),
    [
        (["ra"], RUBIN, {}, "'ra' matches 2 columns: diaSource.ra, diaObject.ra. | "
         'Say it in the stream: arguments = { ra = "diaSource.ra" }'),
        (["magpfs"], ZTF, {}, "'magpfs' matches no column (close: candidate.magpsf). | "
         'Say it in the stream: arguments = { magpfs = "candidate.magpsf" }'),
        (["zzzzzz", "MAGPSF"], ZTF, {}, "'zzzzzz' matches no column. The argument 'MAGPSF' matches no column (close: "
         'candidate.magpsf). | Say it in the stream: arguments = { zzzzzz = "COLUMN", MAGPSF = "candidate.magpsf" }'),
        (["jds"], [*ZTF, "candidate.jdx"], {}, 'close: candidate.jd'),
        (["rfscore"], ["candidate.sgscore3"], {}, "(close: candidate.sgscore3). | "
         'Say it in the stream: arguments = { rfscore = "COLUMN" }'),
        (["ra"], RUBIN, {"dec": "diaSource.ra"}, "The filter has no argument 'dec'. | Its arguments: ra"),
        (["ra"], RUBIN, {"ra": "diaSource.rA"}, "given the column 'diaSource.rA', and there is none of this path. | "
         "Close names: diaSource.ra"),
    ],
)  # fmt: skip
def test_an_argument_without_its_one_column_is_refused(
    names: list[str], paths: list[str], given: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        resolve_arguments(names, paths, given)
    assert told in f"{refused.value.message} | {refused.value.hint}"


def test_a_default_stands_where_there_is_no_column() -> None:
    def near(jd: Any, limit: float = 3.0, *, rb: Any = None) -> Any:
        return (jd > limit) & (rb > 0.5)

    assert (arguments_of(near), optional_arguments_of(near)) == (["jd"], ["limit", "rb"])
    resolved = resolve_arguments(arguments_of(near), ZTF, {}, optional_arguments_of(near))
    assert resolved == {"jd": "candidate.jd", "rb": "candidate.rb"}
    columns = [pd.Series([5.0, 5.0, 1.0]), pd.Series([0.9, 0.1, 0.9])]
    assert list(decide(bind(near, list(resolved)), columns).passed) == [True, False, False]


@pytest.mark.parametrize("function", [lambda *columns: columns, lambda: None, max])
def test_a_function_that_names_no_columns_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="argument"):
        arguments_of(function)


# Its answers


@pytest.mark.parametrize(
    "given",
    [
        pd.Series([True, False, None]),
        pd.Series([True, False, np.nan], dtype=object, index=[7, 8, 9]),
        pd.array([True, False, None], dtype="boolean"),
        pd.Series([True, False, None], dtype="boolean"),
        np.array([True, False, False]),
        [np.True_, False, None],
    ],
)
def test_null_is_not_passed(given: Any) -> None:
    found = decide(lambda _: given, [pd.Series([1, 2, 3])])
    assert list(found.columns) == ["passed", "error", "null"]
    assert list(found.passed) == [True, False, False]
    assert all(type(each) is bool for each in found.passed)
    assert list(found.error) == [None, None, None]


@pytest.mark.parametrize("given", [pd.Series([None] * 3), pd.Series([np.nan] * 3)])
def test_an_answer_of_nulls_passes_none(given: Any) -> None:
    assert list(decide(lambda _: given, [pd.Series([1, 2, 3])]).passed) == [False] * 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (pd.Series([True]), "1 answers for 3 alerts"),
        (pd.Series([1, 0, 1]), "integer (int64), not true or false"),
        (pd.Series(["a", "b", "c"]), "string (object), not true or false"),
        (pd.Series([True, "no", None]), "mixed (object), not true or false"),
        (pd.DataFrame({"a": [True] * 3}), "gave a DataFrame"),
        (np.ones((3, 1), dtype=bool), "gave a ndarray"),
        (True, "gave a bool"),
        (None, "gave a NoneType"),
    ],
)
def test_another_kind_of_answer_decides_nothing(given: Any, told: str) -> None:
    found = decide(lambda _: given, [pd.Series([1, 2, 3])])
    assert list(found.passed) == [None, None, None]
    assert all(told in each for each in found.error)


class Raising:
    """Passes even numbers, raises on some, and counts its calls."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.calls = 0

    def __call__(self, number: pd.Series) -> pd.Series:
        self.calls += 1
        assert list(number.index) == list(range(len(number)))
        if found := self.bad & set(number):
            raise ValueError(f"bad: {min(found)}")
        return number % 2 == 0


@pytest.mark.parametrize(
    ("bad", "most"),
    [
        (set(), 1),
        ({700}, 45),
        (set(range(0, 1000, 10)), 1000),
        (set(range(0, 1000, 3)), 1350),
        (set(range(0, 1000, 2)), 1020),
        (set(range(1000)), 1012),
    ],
)
def test_only_the_alerts_that_raise_are_left_undecided(bad: set[int], most: int) -> None:
    raising = Raising(bad)
    found = decide(raising, [pd.Series(range(1000))])
    assert list(found.passed) == [None if n in bad else n % 2 == 0 for n in range(1000)]
    assert list(found.error) == [f"ValueError: bad: {n}" if n in bad else None for n in range(1000)]
    assert raising.calls <= most


def test_the_error_is_one_safe_line_of_200_characters() -> None:
    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raised = [
        ValueError("a\n\x1b[31m" + "x" * 5000),
        KeyError("magpsf"),
        OSError(),
        UnreadableError(),
    ]

    def fail(number: pd.Series) -> pd.Series:
        raise raised[number[0]]

    long, *others = decide(fail, [pd.Series(range(4))]).error
    assert len(long) == 200
    assert long.startswith("ValueError: a \\x1b[31mxxx")
    assert others == ["KeyError: 'magpsf'", "OSError", "UnreadableError: its message can't be read"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_goes_through(end: type[BaseException]) -> None:
    def fail(_: pd.Series) -> pd.Series:
        raise end

    with pytest.raises(end):
        decide(fail, [pd.Series([1])])


def test_a_filter_changes_nothing_for_the_next() -> None:
    def spoil(number: pd.Series, struct: pd.DataFrame) -> pd.Series:
        number[:] = 0
        struct.loc[:, "a"] = 0
        return number == 0

    number, struct = pd.Series([1, 2]), pd.DataFrame({"a": [1, 2]})
    assert list(decide(spoil, [number, struct]).passed) == [True, True]
    assert list(number) == [1, 2]
    assert list(struct.a) == [1, 2]


def test_no_alerts_are_not_asked_about() -> None:
    raising = Raising(set())
    found = decide(raising, [pd.Series([], dtype="int64")])
    assert (len(found), list(found.columns), raising.calls) == (0, ["passed", "error", "null"], 0)


# The real ones


@pytest.fixture(scope="module")
def science(science_dir: Path) -> pd.DataFrame:
    columns = ["cdsxmatch", "rf_snia_vs_nonia", "candidate"]
    return ds.dataset(science_dir).to_table(columns=columns).to_pandas()


@pytest.mark.parametrize(("path", "passing"), [(RRLYR, 4), (SIMBAD, 117)])
def test_ztf_filters_of_fink_filters(path: str, passing: int, science: pd.DataFrame) -> None:
    function = load_filter(path)
    resolved = resolve_arguments(arguments_of(function), ["cdsxmatch", "candidate"], {})
    found = decide(function, [science[each] for each in resolved.values()])
    assert list(found.error) == [None] * 124
    assert sum(found.passed) == passing
    assert list(found.passed) == list(function(science.cdsxmatch))


def test_a_ztf_filter_of_nested_columns(science: pd.DataFrame) -> None:
    function = load_filter(SNIALIKE)
    fields = pd.json_normalize(science.candidate)
    paths = ["cdsxmatch", "rf_snia_vs_nonia", *(f"candidate.{name}" for name in fields)]
    resolved = resolve_arguments(arguments_of(function), paths, {"rfscore": "rf_snia_vs_nonia"})
    assert list(resolved.values()) == [
        *("rf_snia_vs_nonia", "cdsxmatch", "candidate.neargaia", "candidate.distpsnr1")
    ]
    columns = [
        fields[path.removeprefix("candidate.")] if "." in path else science[path]
        for path in resolved.values()
    ]
    found = decide(function, columns)
    assert list(found.passed) == list(function(*columns))


def test_a_rubin_filter_of_a_series() -> None:
    function = load_filter(UNIFORM)
    resolved = resolve_arguments(arguments_of(function), RUBIN, {})
    assert resolved == {"diaSourceId": "diaSourceId"}
    found = decide(function, [pd.Series(range(226))])
    assert [n for n, passed in enumerate(found.passed) if passed] == [0, 113]


def trail(**changed: Any) -> dict[str, Any]:
    """A diaSource that faint_trails passes, but for what is changed."""
    flags = (
        *("isDipole", "pixelFlags", "pixelFlags_bad", "pixelFlags_saturated"),
        *("pixelFlags_streakCenter", "pixelFlags_interpolated", "pixelFlags_cr"),
        *("pixelFlags_nodata", "pixelFlags_streak", "pixelFlags_edge", "psfFlux_flag"),
        *("apFlux_flag", "forced_PsfFlux_flag", "forced_PsfFlux_flag_edge", "shape_flag"),
        "centroid_flag",
    )
    # 36.3 microjansky is of magnitude 20.
    values = {"psfFlux": 36307.8, "psfFluxErr": 100.0, "trailFlux": 36307.8, "trailLength": 5.0}
    return {**dict.fromkeys(flags, False), **values, **changed}


def cutout(height: int, width: int) -> bytes:
    """A FITS image of a bright bar."""
    image = np.random.default_rng(1).normal(0, 1, (30, 30))
    image[15 - height : 15 + height, 15 - width : 15 + width] += 100
    out = io.BytesIO()
    fits.PrimaryHDU(image).writeto(out)
    return out.getvalue()


def test_a_rubin_filter_of_a_struct_and_a_cutout() -> None:
    function = load_filter(TRAILS)
    assert resolve_arguments(arguments_of(function), RUBIN, {}) == {
        "diaSource": "diaSource",
        "cutoutScience": "cutoutScience",
    }
    sources = pd.DataFrame([trail(), trail(trailLength=1.0), trail(pixelFlags_cr=True), trail()])
    cutouts = pd.Series([cutout(1, 12)] * 3 + [b"no image"])
    found = decide(function, [sources, cutouts])
    assert list(found.passed) == [True, False, False, None]
    assert list(found.error[:3]) == [None] * 3
    assert found.error[3].startswith("OSError: ")
    assert list(function(sources[:3], cutouts[:3])) == list(found.passed[:3])
