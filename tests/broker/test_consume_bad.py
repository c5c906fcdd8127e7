"""`fink consume --bad` and `--raw`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.consume import KEY, lines, messages, summary
from tests.support.fink import Fink


def test_bad_messages_are_kept_and_shown_in_hex(
    fink: Fink, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *messages(1), (KEY, b"\x1b[31m"), (KEY, None), *messages(1, first=1))
    words = ("consume", "--topic", topic, "--until-end", "-o", "json", "--strict")
    done = fink(*words, "--bad", str(tmp_path / "bad"))
    assert done.returncode == 1
    assert [line["offset"] for line in lines(done)] == [0, 3]
    kept = tmp_path / "bad"
    assert sorted(each.name for each in kept.glob("*.bin")) == [f"{topic}-0-{n}.bin" for n in "12"]
    assert (kept / f"{topic}-0-1.bin").read_bytes() == b"\x1b[31m"
    assert json.loads((kept / f"{topic}-0-1.json").read_text())["offset"] == 1

    done = fink(*words, "--raw")
    assert done.returncode == 0
    assert [line.get("raw", "-") for line in lines(done)] == ["-", b"\x1b[31m".hex(), None, "-"]
    assert summary(done) == {"read": 4, "shown": 4, "skipped": 0}
    text = fink(*words[:4], "--raw").stdout
    assert "offset 1, no alert, 5 bytes: 1b5b33316d" in text
