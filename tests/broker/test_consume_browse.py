"""`fink consume --browse` on a terminal, with the keys that a person presses."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.support.consume import KEY, message, messages
from tests.support.terminal import Terminal

UP, ESCAPE = "\x1b[A", "\x1b"


def open_browser(environ: dict[str, str], topic: str, *more: str) -> Terminal:
    words = ("consume", "--topic", topic, "--browse", *more)
    return Terminal(environ, *words, width=100, height=24)


def test_move_filter_open_save_quit(cluster: Any, topic: str, publish: Any, tmp_path: Path) -> None:
    publish(topic, *messages(12), (KEY, b"not Avro"))
    terminal = open_browser(cluster.environ, topic, "--save", str(tmp_path))
    seen = terminal.until(lambda text: "ZTF0011" in text and "1 skipped" in text)
    assert "12 in the list" in seen
    assert "Filter" in seen.splitlines()[-1]
    publish(topic, message(12))
    terminal.until(lambda text: "ZTF0012" in text)

    terminal.child.send("/")
    terminal.until(lambda text: "Apply" in text)
    terminal.child.send("numbr > 3\r")
    terminal.until(lambda text: "no such field" in text and "number" in text)
    terminal.child.send("\x15")
    terminal.until(lambda text: "numbr >" not in text)
    terminal.child.send("number > 3 and number < 6\r")
    # The list is drawn anew after the line that counts it.
    terminal.until(lambda text: " 2 of 13 alerts" in text and "ZTF0006" not in text)
    terminal.until(lambda text: "ZTF0004" in text)

    terminal.child.send(UP)
    terminal.child.send("\r")
    terminal.until(lambda text: text.lstrip().startswith("ZTF0004") and "Previous" in text)
    terminal.child.send("s")
    terminal.until(lambda text: "Saved to" in text)
    terminal.child.send(ESCAPE)
    terminal.until(lambda text: "2 of 13 alerts" in text)
    terminal.child.send("q")
    terminal.until(lambda text: "13 alerts shown. 1 message skipped." in text)
    assert terminal.exit_code() == 0
    (file,) = tmp_path.iterdir()
    with file.open("rb") as opened:
        assert [each["objectId"] for each in fastavro.reader(opened)] == ["ZTF0004"]


@pytest.mark.parametrize("way", ["ctrl-c", "sigterm"])
def test_interrupted(cluster: Any, topic: str, publish: Any, way: str) -> None:
    publish(topic, *messages(3))
    terminal = open_browser(cluster.environ, topic)
    terminal.until(lambda text: "ZTF0002" in text)
    if way == "ctrl-c":
        terminal.child.sendintr()
    else:
        os.kill(terminal.child.pid, signal.SIGTERM)
    after = terminal.until(lambda text: "3 alerts shown." in text)
    assert "Traceback" not in after
    assert terminal.exit_code() == 130


def test_a_topic_that_is_not_there(cluster: Any) -> None:
    terminal = open_browser(cluster.environ, "no_such_topic")
    terminal.until(lambda text: "There is no topic 'no_such_topic'" in text)
    assert terminal.exit_code() == 1


def test_many_alerts_are_read_on_and_the_newest_kept(
    cluster: Any, topic: str, publish: Any
) -> None:
    publish(topic, *messages(3000))
    terminal = open_browser(cluster.environ, topic)
    terminal.until(lambda text: "ZTF2999" in text and "3,000 shown" in text, timeout=40)
    terminal.until(lambda text: "of all alerts the newest 500 are kept" in text)
    terminal.child.send("q")
    terminal.until(lambda text: "3,000 alerts shown." in text)
    assert terminal.exit_code() == 0
