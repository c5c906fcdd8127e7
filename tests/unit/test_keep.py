"""One alert into a file of its own."""

from __future__ import annotations

import json
from pathlib import Path

import fastavro
import pytest

from fink_cli.consumer.files.one_alert import keep_alert
from fink_cli.errors import OperationFailedError
from tests.support.drawn import alert_of, small, ztf


def test_avro_where_there_is_a_schema(tmp_path: Path) -> None:
    files = [keep_alert(tmp_path, small(7)) for _ in range(3)]
    assert [each.name for each in files] == [
        "ZTF21aaaa007-1007.avro",
        "ZTF21aaaa007-1007-2.avro",
        "ZTF21aaaa007-1007-3.avro",
    ]
    for each in files:
        with each.open("rb") as opened:
            assert [alert["candid"] for alert in fastavro.reader(opened)] == [1007]
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_json_where_there_is_none(tmp_path: Path) -> None:
    file = keep_alert(tmp_path, alert_of(ztf()))
    assert file.name == "ZTF21abcdefg-1786104593715015000.json"
    assert json.loads(file.read_text())["cdsxmatch"] == "Unknown"


def test_what_stands_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ZTF21aaaa007-1007.avro").write_text("mine")
    (tmp_path / "ZTF21aaaa007-1007-2.avro").symlink_to("nowhere")
    assert keep_alert(tmp_path, small(7)).name == "ZTF21aaaa007-1007-3.avro"
    assert (tmp_path / "ZTF21aaaa007-1007.avro").read_text() == "mine"
    assert (tmp_path / "ZTF21aaaa007-1007-2.avro").readlink() == Path("nowhere")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/x", "a/b", "\x1b[2J", "x" * 500, ""])
def test_a_hostile_name_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    file = keep_alert(inside, alert_of({"objectId": name, "magpsf": 1.0}))
    assert file.parent == inside
    assert [each.name for each in tmp_path.iterdir()] == ["in"]
    assert "\x1b" not in file.name
    assert not file.name.startswith(".")


def test_nothing_is_left_where_it_can_t_be_written(tmp_path: Path) -> None:
    with pytest.raises(OperationFailedError, match="can't be saved"):
        keep_alert(tmp_path / "missing", small(1))
    assert list(tmp_path.iterdir()) == []
