"""Alerts in files."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from fink_cli.alerts.file_format import FileFormat
from fink_cli.avro.decoder import Decoder
from fink_cli.avro.json_alerts import inferred_schema
from fink_cli.avro.json_text import to_json_bytes
from fink_cli.avro.schema import Schema, read_schema
from fink_cli.commands.consume_save import open_saver
from fink_cli.consumer.files.saved_ranges import FileKey, SavedRanges
from fink_cli.consumer.files.saver import PACKED_BYTES, Saver
from fink_cli.consumer.loop import Counts
from fink_cli.consumer.message import ReadAlert, Skipped
from fink_cli.errors import OperationFailedError
from tests.support.avro import LOGICAL, LOGICAL_ALERT

SCHEMA = read_schema(
    json.dumps({"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]})
)
START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def alert(offset: int, partition: int = 0, topic: str = "a-1-b", made: int = 0) -> ReadAlert:
    moment = START + timedelta(seconds=offset + 1000 * made)
    return ReadAlert(topic, partition, offset, SCHEMA, {"n": offset}, timestamp=moment, size=10)


def read_back(folder: Path) -> list[int]:
    return sorted(row["n"] for each in folder.iterdir() for row in rows(each))


def rows(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        return list(pq.read_table(file).to_pylist())
    if file.suffix == ".avro":
        with file.open("rb") as stream:
            return [dict(each) for each in fastavro.reader(stream) if isinstance(each, dict)]
    if file.suffix in {".csv", ".votable", ".fits"}:
        form = "ascii.csv" if file.suffix == ".csv" else file.suffix[1:]
        return [dict(zip(row.colnames, row, strict=True)) for row in Table.read(file, format=form)]
    return [json.loads(line) for line in file.read_text().splitlines()]


def new_saver(
    folder: Path, form: str = "ndjson", selection: str = "", made: str = "", unfit: Any = None
) -> Saver:
    refused: list[Skipped] = [] if unfit is None else unfit
    return Saver(folder, FileFormat(form), selection, lambda topic: topic + made, refused.append)


def save(folder: Path, alerts: list[ReadAlert], form: str = "ndjson", **more: Any) -> Saver:
    saver = new_saver(folder, form, **more)
    try:
        for each in alerts:
            saver.add(each)
        saver.flush()
    finally:
        saver.drop()
    return saver


@pytest.mark.parametrize("form", list(FileFormat))
def test_each_format_holds_the_alerts(tmp_path: Path, form: str) -> None:
    save(tmp_path, [alert(n, n % 2) for n in range(10)], form=form)
    assert len(list(tmp_path.glob(f"*.{form}"))) == len(list(tmp_path.iterdir())) == 2
    assert read_back(tmp_path) == list(range(10))


def test_nothing_is_written_before_it_is_flushed(tmp_path: Path) -> None:
    saver = new_saver(tmp_path)
    saver.add(alert(1))
    assert list(tmp_path.iterdir()) == []
    saver.flush()
    assert saver.saved == 1


def test_killed_before_the_commit_each_alert_is_there_once(tmp_path: Path) -> None:
    save(tmp_path, [alert(n) for n in range(5)])
    save(tmp_path, [alert(n) for n in range(8)])
    assert read_back(tmp_path) == list(range(8))
    save(tmp_path, [alert(n) for n in range(9)])
    assert read_back(tmp_path) == list(range(9))


def test_alerts_that_come_again_are_there_once(tmp_path: Path) -> None:
    saver = new_saver(tmp_path)
    for n in range(5):
        saver.add(alert(n))
    saver.flush()
    for n in range(5, 8):
        saver.add(alert(n))
    # The partition was lost, and nothing had been committed.
    assert saver.discard()
    saver.flush()
    for n in range(9):
        saver.add(alert(n))
    saver.flush()
    assert read_back(tmp_path) == list(range(9))
    assert not saver.discard()


def test_what_another_process_saved_meanwhile_is_there_once(tmp_path: Path) -> None:
    saver = new_saver(tmp_path)
    save(tmp_path, [alert(n) for n in range(5)])
    saver.discard()
    for n in range(8):
        saver.add(alert(n))
    saver.flush()
    assert read_back(tmp_path) == list(range(8))


def of_two_schemas(count: int) -> list[ReadAlert]:
    """Alerts of two schemas in turn, of which those of the second are larger."""
    other = {"type": "record", "name": "s", "fields": [{"name": "n", "type": "int"}]}
    large = {"n": 1, "text": "x" * 10_000}
    schema = read_schema(json.dumps(other | {"doc": "the second"}))
    return [
        replace(alert(n), schema=schema, content=large | {"n": n}) if n % 2 else alert(n)
        for n in range(count)
    ]


def test_a_full_disk_at_the_second_schema_loses_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(OperationFailedError):
            save(tmp_path, of_two_schemas(10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_back(tmp_path) == [0, 2, 4, 6, 8]
    assert save(tmp_path, of_two_schemas(10)).saved == 5
    assert read_back(tmp_path) == list(range(10))


def save_without_a_group(folder: Path, form: FileFormat, limit: int) -> None:
    """Save 30 alerts on a disk where a file can have so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with open_saver(
            folder, form, "", group=None, keep=None, topic_id=str, counts=Counts()
        ) as saver:
            for n in range(30):
                saver.add(alert(n))
            saver.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# With 300 Parquet has its rows, and not its footer.
@pytest.mark.parametrize(
    ("form", "limit"), [("parquet", 0), ("parquet", 300), ("avro", 60), ("ndjson", 60)]
)
def test_a_file_that_breaks_off_while_it_is_finished_is_no_file(
    tmp_path: Path, form: str, limit: int
) -> None:
    with pytest.raises(OperationFailedError):
        save_without_a_group(tmp_path, FileFormat(form), limit)
    assert list(tmp_path.iterdir()) == []
    assert save(tmp_path, [alert(n) for n in range(30)], form=form).saved == 30
    assert read_back(tmp_path) == list(range(30))


def test_a_file_is_given_up_when_packing_it_fails(tmp_path: Path) -> None:
    saver = new_saver(tmp_path)
    saver.add(alert(0))
    with pytest.raises(TypeError):
        saver.add(replace(alert(1), content={"n": object()}, size=PACKED_BYTES))
    with pytest.raises(TypeError):
        saver.flush()
    assert list(tmp_path.iterdir()) == []
    # Whoever begins anew at what is committed reads them again.
    assert saver.discard()
    saver.add(alert(0))
    saver.flush()
    assert read_back(tmp_path) == [0]


def test_a_topic_made_anew_is_another(tmp_path: Path) -> None:
    save(tmp_path, [alert(n) for n in range(5)])
    save(tmp_path, [alert(n, made=1) for n in range(5)], made="2")
    assert len(read_back(tmp_path)) == 10


def test_offsets_that_are_given_out_again_are_others(tmp_path: Path) -> None:
    save(tmp_path, [alert(n) for n in range(5)])
    save(tmp_path, [alert(n, made=1) for n in range(5)])
    assert len(read_back(tmp_path)) == 10


def test_whoever_saves_again_saves_what_is_new(tmp_path: Path) -> None:
    save(tmp_path, [alert(n) for n in range(2, 6)])
    save(tmp_path, [alert(n) for n in range(8, 10)])
    again = save(tmp_path, [alert(n) for n in range(4, 12)])
    assert (again.saved, again.again) == (4, 4)
    assert save(tmp_path, [alert(n) for n in range(12)]).saved == 2
    assert read_back(tmp_path) == list(range(12))


def test_other_topics_and_selections_do_not_collide(tmp_path: Path) -> None:
    for selection in ("", "n > 0", "n > 0"):
        saver = save(tmp_path, [alert(1), alert(1, topic="a-1_b")], selection=selection)
    assert read_back(tmp_path) == [1] * 4
    assert saver.otherwise == {"a-1-b", "a-1_b"}


def test_the_longest_name_of_a_topic(tmp_path: Path) -> None:
    for last in "ab":
        save(tmp_path, [alert(1, topic="t" * 248 + last)])
        save(tmp_path, [alert(1, topic="t" * 248 + last)])
    assert read_back(tmp_path) == [1, 1]


def test_names_that_are_not_ours_are_left_alone() -> None:
    before = SavedRanges(["x.parquet", "a-b.avro", "t-0-1-2-3-zz-1.ndjson"], "00000000", {})
    assert before.range_of(FileKey("t", 0, "1"), 1) is None


@pytest.mark.parametrize("form", ["parquet", "avro", "ndjson"])
def test_all_types(tmp_path: Path, form: str) -> None:
    rare: dict[str, tuple[Any, Any]] = {
        "tm": ({"type": "int", "logicalType": "time-millis"}, time(1, 2, 3)),
        "tu": ({"type": "long", "logicalType": "time-micros"}, time(1, 2, 3, 4)),
        "tn": ({"type": "long", "logicalType": "timestamp-nanos"}, 5),
        "du": ({"type": "fixed", "name": "du", "size": 12, "logicalType": "duration"}, b"1" * 12),
        "us": ({"type": "array", "items": LOGICAL["fields"][2]["type"]}, [UUID(int=8)]),
        "dd": (
            {"type": "bytes", "logicalType": "decimal", "precision": 100, "scale": 2},
            Decimal("7.25"),
        ),
        "ml": (["null", "int", "long"], 2**40),
        "md": (["int", "double"], 1.5),
    }
    fields = [
        *LOGICAL["fields"],
        *({"name": name, "type": kind} for name, (kind, _) in rare.items()),
    ]
    content = LOGICAL_ALERT | {name: value for name, (_, value) in rare.items()}
    expected = dict(content)
    if form == "parquet":
        # A map whose values are of two types can't be held; a record without fields holds nothing.
        fields = [each for each in fields if each["name"] != "m"]
        fields.append({"name": "no", "type": {"type": "record", "name": "no", "fields": []}})
        content["no"] = {}
        expected |= {"u": str(UUID(int=7)), "us": [str(UUID(int=8))], "dd": "7.25"}
        del expected["m"]
    schema = read_schema(json.dumps(LOGICAL | {"fields": fields}))
    save(tmp_path, [ReadAlert("t", 0, 0, schema, content)], form=form)
    [file] = tmp_path.iterdir()
    [row] = rows(file)
    assert row == (json.loads(to_json_bytes(content)) if form == "ndjson" else expected)


def test_a_value_that_is_not_of_its_type_names_its_field(tmp_path: Path) -> None:
    schema = read_schema(json.dumps(LOGICAL | {"fields": LOGICAL["fields"][3:4]}))
    values = [Decimal("1.25"), Decimal("12345678901.25"), Decimal("2.25")]
    unfit: list[Skipped] = []
    alerts = [ReadAlert("t", 0, at, schema, {"q": value}) for at, value in enumerate(values)]
    save(tmp_path, alerts, form="parquet", unfit=unfit)
    assert [(each.offset, "field q: " in each.reason) for each in unfit] == [(1, True)]
    [file] = tmp_path.glob("*.parquet")
    assert rows(file) == [{"q": values[0]}, {"q": values[2]}]


def test_an_avro_file_has_the_schema_as_it_came(tmp_path: Path) -> None:
    inner = {
        "type": "record",
        "name": "a",
        "namespace": "",
        "fields": [{"name": "y", "type": "int"}],
    }
    fields = [{"name": "n", "type": "int", "doc": "a number"}, {"name": "p", "type": inner}]
    schema = {"type": "record", "name": "a", "namespace": "survey", "doc": "all", "fields": fields}
    content = {"n": 1, "p": {"y": 2}}
    save(
        tmp_path,
        [ReadAlert("t", 0, 0, read_schema(json.dumps(schema)), content)],
        form="avro",
    )
    [file] = tmp_path.iterdir()
    assert rows(file) == [content]
    with file.open("rb") as stream:
        assert json.loads(fastavro.reader(stream).metadata["avro.schema"]) == schema


def test_real_alerts_as_parquet(tmp_path: Path, raw_dir: Path) -> None:
    found = [
        ReadAlert("t", 0, at, each.schema, each.content, each.encoded)
        for at, file in enumerate(sorted(raw_dir.glob("*.avro"))[:5])
        for each in Decoder().records(None, file.read_bytes())
    ]
    one: Schema = found[0].schema
    save(tmp_path, [ReadAlert("t", 0, e.offset, one, e.content) for e in found], form="parquet")
    [file] = tmp_path.iterdir()
    for row, each in zip(rows(file), found, strict=True):
        assert to_json_bytes(row) == to_json_bytes(each.content)


def test_real_alerts_as_avro_are_what_came(tmp_path: Path, raw_dir: Path) -> None:
    values = [file.read_bytes() for file in sorted(raw_dir.glob("*.avro"))]
    found = [
        ReadAlert("t", 0, at, each.schema, each.content, each.encoded)
        for at, value in enumerate(values)
        for each in Decoder().records(None, value)
    ]
    save(tmp_path, found, form="avro")
    files = list(tmp_path.iterdir())
    again = [each for file in files for each in Decoder().records(None, file.read_bytes())]
    assert sorted(each.encoded for each in again) == sorted(each.encoded for each in found)
    # As others read them.
    saved = {row["candid"]: row for file in files for row in rows(file)}
    for value in values:
        original = next(fastavro.reader(BytesIO(value)))
        assert to_json_bytes(saved.pop(original["candid"])) == to_json_bytes(original)
    assert saved == {}


def test_what_a_format_can_not_hold(tmp_path: Path) -> None:
    unfit: list[Skipped] = []
    content = {"a": 1}
    odd = ReadAlert("t", 0, 0, inferred_schema(content), content, value=b'{"a": 1}')
    assert save(tmp_path, [odd], form="avro", unfit=unfit).saved == 0
    several = ReadAlert("t", 0, 0, read_schema(json.dumps(LOGICAL)), LOGICAL_ALERT)
    assert save(tmp_path, [several], form="parquet", unfit=unfit).saved == 0
    assert [each.reason for each in unfit] == [
        "an alert that came as JSON has no schema, and fits ndjson only",
        "Parquet can't hold field m, which is of several types: double, string",
    ]
    assert unfit[0].value == b'{"a": 1}'
    assert list(tmp_path.iterdir()) == []


def test_an_alert_that_does_not_fit_is_left_out_and_named_again(tmp_path: Path) -> None:
    odd = replace(alert(1), content={"n": 2**40}, value=b"odd")
    for saved in (2, 0):
        unfit: list[Skipped] = []
        saver = save(tmp_path, [alert(0), odd, alert(2)], form="parquet", unfit=unfit)
        assert (saver.saved, saver.again) == (saved, 2 - saved)
        [skipped] = unfit
        assert (skipped.offset, skipped.value) == (1, b"odd")
        assert skipped.reason.startswith("a table can't hold it: field n: ")
    [file] = tmp_path.glob("*.parquet")
    assert rows(file) == [{"n": 0}, {"n": 2}]


LEAVE_A_PART = """
import sys
from pathlib import Path
from fink_cli.consumer.files.part_file import open_part
with open_part(Path(sys.argv[1])) as aside:
    aside.write_bytes(b"half")
    print(aside.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    mine = tmp_path / ".mine.part"
    mine.touch()
    command = [sys.executable, "-c", LEAVE_A_PART, str(tmp_path / "t.parquet")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living,
    ):
        names = [
            each.stdout.readline().decode().strip() for each in (killed, living) if each.stdout
        ]
        assert new_saver(tmp_path, "parquet").abandoned == 0
        killed.kill()
        killed.wait()
        assert {each.name for each in tmp_path.iterdir()} == {*names, mine.name}
        assert new_saver(tmp_path, "parquet").abandoned == 1
        assert {each.name for each in tmp_path.iterdir()} == {names[1], mine.name}
        living.communicate()
    assert {each.name for each in tmp_path.iterdir()} == {"t.parquet", mine.name}


def test_alerts_that_came_as_json_share_a_file(tmp_path: Path) -> None:
    contents: list[dict[str, Any]] = [{"n": 1}, {"n": None, "x": [1, 2]}, {"x": []}]
    save(tmp_path, [ReadAlert("t", 0, at, inferred_schema(c), c) for at, c in enumerate(contents)])
    [file] = tmp_path.iterdir()
    assert rows(file) == contents
