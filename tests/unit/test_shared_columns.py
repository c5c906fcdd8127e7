"""Which columns files share, whoever wrote them, and which files stand apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_cli.distribution.columns.columns import dump_columns, load_columns, published_type
from fink_cli.distribution.columns.nanoseconds import rounded_columns
from fink_cli.distribution.source.parquet_files import CheckedFiles, check_files, read_footer

TEXT, NUMBER, VOID = pa.string(), pa.float64(), pa.null()
US, MS, NS = (pa.timestamp(unit) for unit in ("us", "ms", "ns"))
UTC, PARIS = pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Paris")


def written(folder: Path, *kinds: Any, **settings: Any) -> list[Path]:
    """A file for each type of the column ``c``, in the order of their names."""
    files = []
    for number, kind in enumerate(kinds):
        files.append(folder / f"{number}.parquet")
        pq.write_table(pa.table({"c": pa.array([None], kind)}), files[-1], **settings)
    return files


def column_of(found: CheckedFiles) -> Any:
    assert found.columns is not None
    return published_type(found.columns.fields["c"])


@pytest.mark.parametrize(
    ("kinds", "published"),
    [
        ([TEXT, pa.large_string(), pa.dictionary(pa.int8(), TEXT), pa.string_view()], "string"),
        ([pa.dictionary(pa.int8(), TEXT), pa.dictionary(pa.int16(), TEXT)], "string"),
        ([pa.binary(), pa.large_binary(), pa.binary(3)], "binary"),
        ([US, MS, NS], "timestamp_ntz"),
        ([UTC, PARIS, pa.timestamp("ms", "+01:00"), pa.timestamp("ns", "UTC")], "timestamp"),
        ([VOID, VOID, NUMBER], "double"),
        ([VOID, VOID], "integer"),
        ([pa.int8(), pa.int32(), pa.uint16()], "integer"),
        ([pa.int64(), pa.int32(), pa.uint32()], "long"),
        ([pa.float32(), NUMBER], "double"),
        ([pa.date32(), pa.date64()], "date"),
    ],
    ids=str,
)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_files_that_spark_reads_alike_go_together(
    kinds: list[Any], published: str, turned: bool, tmp_path: Path
) -> None:
    found = check_files(written(tmp_path, *(kinds[::-1] if turned else kinds)), None)
    assert found.bad == []
    assert column_of(found) == published


def test_it_holds_within_lists_structs_and_maps(tmp_path: Path) -> None:
    def nested(kind: Any, other: Any, order: int) -> Any:
        fields = [("x", kind), ("y", pa.map_(pa.string(), other))]
        return pa.list_(pa.struct(fields[::order]))

    files = written(tmp_path, nested(VOID, US, 1), nested(NUMBER, VOID, -1), VOID)
    pq.write_table(pq.read_table(files[0]), files[0], use_compliant_nested_type=False)
    found = check_files(files, None)
    assert found.bad == []
    (x, y) = column_of(found)["elementType"]["fields"]
    assert (x["type"], y["type"]["valueType"]) == ("double", "timestamp_ntz")
    assert found.columns is not None
    assert load_columns(dump_columns(found.columns)) == found.columns


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (US, UTC),
        (NUMBER, pa.int64()),
        (TEXT, pa.binary()),
        (TEXT, NUMBER),
        (pa.decimal128(5, 2), pa.decimal128(6, 2)),
        (pa.list_(TEXT), TEXT),
        (pa.struct([("x", TEXT)]), pa.struct([("y", TEXT)])),
        (pa.time64("us"), pa.int64()),
    ],
    ids=str,
)
def test_files_that_differ_are_told_apart_by_most_and_not_by_the_first(
    one: Any, other: Any, tmp_path: Path
) -> None:
    files = written(tmp_path, one, other, other, VOID)
    found = check_files(files, None)
    assert set(found.good) == set(files[1:])
    ((file, reason),) = [(each.file, each.reason) for each in found.bad]
    assert file == str(files[0])
    assert reason.startswith("of another schema: ")
    # A type that is published stays, whatever comes after.
    assert set(check_files(files, check_files(files[:1], None).columns).good) == {
        files[0],
        files[3],
    }


def test_what_differs_is_named_with_both_types(tmp_path: Path) -> None:
    kinds = [pa.struct([("x", each), (name, TEXT)]) for each, name in ((TEXT, "y"), (US, "z"))]
    first, second = written(tmp_path, *kinds)
    (bad,) = check_files([second], read_footer(first).columns).bad
    assert bad.reason == (
        "of another schema: lacks c.y; has more c.z; "
        "has another type c.x (timestamp[us], not string)"
    )


def test_int96_goes_with_both_kinds_of_timestamps(tmp_path: Path) -> None:
    """Spark's default; pyarrow writes it anew as nanoseconds without a zone."""
    (old,) = written(tmp_path, NS, use_deprecated_int96_timestamps=True)
    anew = tmp_path / "anew.parquet"
    pq.write_table(pq.read_table(old), anew)
    (utc,) = written(tmp_path / "..", UTC)
    for files in ([old, anew, utc], [anew, old, utc], [utc, old, anew]):
        found = check_files(files, None)
        assert (found.bad, column_of(found)) == ([], "timestamp")
    assert len(check_files([old, anew], read_footer(anew).columns).good) == 2


def test_a_column_of_nulls_gets_its_type_from_a_later_batch(tmp_path: Path) -> None:
    nulls, numbers, texts = written(tmp_path, VOID, NUMBER, TEXT)
    before = check_files([nulls], None)
    after = check_files([numbers, texts], before.columns)
    assert column_of(after) == "double"
    assert [each.file for each in after.bad] == [str(texts)]


def test_columns_with_more_than_microseconds_are_told(tmp_path: Path) -> None:
    files = []
    for number, fine in enumerate((1, -1, 0)):
        times = pa.array([10**18, None, 10**18 + fine], NS)
        columns = {
            "t": times,
            "s": pa.StructArray.from_arrays([times, times.cast(US, safe=False)], ["a", "b"]),
            "l": pa.array([[], None, [{"t": 10**18 + fine}]], pa.list_(pa.struct([("t", NS)]))),
            "m": pa.array([None, [], [("k", 10**18 + fine)]], pa.map_(TEXT, NS)),
        }
        files.append(tmp_path / f"{number}.parquet")
        old = number == 1
        pq.write_table(pa.table(columns), files[-1], use_deprecated_int96_timestamps=old)
    assert rounded_columns(files[2:]) == []
    for file in files[:2]:
        assert rounded_columns([files[2], file]) == ["t", "s.a", "l[].t", "m{}"]
