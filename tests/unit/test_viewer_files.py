"""Files that the viewer writes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fink_cli.consumer.files.bad_messages import keep_bad
from fink_cli.consumer.files.part_file import create_folder, open_part
from fink_cli.consumer.message import Skipped
from fink_cli.consumer.view.table import skipped_text
from fink_cli.errors import OperationFailedError, UsageError


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    with pytest.raises(TypeError), open_part(file) as aside:
        aside.write_text(None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with open_part(file) as aside:
        aside.write_text("whole")
        assert not file.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert file.read_text() == "whole"


def test_a_folder_that_can_not_be_is_said_before_anything_is_read(tmp_path: Path) -> None:
    assert create_folder(tmp_path / "a" / "b", "--bad").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        create_folder(tmp_path / "file", "--bad")
    assert "--bad" in caught.value.hint


def test_a_bad_message_is_kept_with_its_reason(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    keep_bad(
        tmp_path, Skipped("a/../b", 3, 17, "it is odd", timestamp=at, key=b"key", value=b"\x00\xff")
    )
    keep_bad(tmp_path, Skipped("t", 0, 1, "the message has no value"))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "a_.._b-3-17.bin",
        "a_.._b-3-17.json",
        "t-0-1.bin",
        "t-0-1.json",
    ]
    assert (tmp_path / "a_.._b-3-17.bin").read_bytes() == b"\x00\xff"
    about = json.loads((tmp_path / "a_.._b-3-17.json").read_text())
    assert about == {
        "topic": "a/../b",
        "partition": 3,
        "offset": 17,
        "timestamp": "2026-01-02T03:04:05Z",
        "reason": "it is odd",
        "key": base64.b64encode(b"key").decode(),
        "bytes": 2,
    }
    assert json.loads((tmp_path / "t-0-1.json").read_text())["bytes"] is None


def test_a_folder_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(OperationFailedError) as caught:
        keep_bad(tmp_path / "gone", Skipped("t", 0, 1, "it is odd"))
    assert "t-0-1" in caught.value.message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "t partition 0 offset 1, no alert, without a value"),
        (b"\x00\xff", "t partition 0 offset 1, no alert, 2 bytes: 00ff"),
        (b"a" * 5000, f"t partition 0 offset 1, no alert, 5,000 bytes: {'61' * 64}…"),
    ],
)
def test_bytes_in_hex(value: bytes | None, says: str) -> None:
    assert skipped_text(Skipped("t", 0, 1, "it is odd", value=value, raw=True)) == says
