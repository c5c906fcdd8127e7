"""`fink consume` on a terminal, and interrupted."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.support.consume import KEY, message, messages
from tests.support.processes import running, shown_by
from tests.support.terminal import Terminal, run_on_terminal


@pytest.mark.parametrize("form", ["table", "json"])
def test_interrupted(cluster: Any, topic: str, publish: Any, form: str) -> None:
    publish(topic, *messages(3))
    with running(cluster.environ, "consume", "--topic", topic, "-o", form) as process:
        assert process.stdout is not None
        for _ in range(4 if form == "table" else 3):
            assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    expected = "3 alerts shown." if form == "table" else '{"read":3,"shown":3,"skipped":0}'
    assert errors.splitlines() == [expected]


def test_alerts_are_shown_as_they_come(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, message(0))
    with running(cluster.environ, "consume", "--topic", topic, "-o", "json") as process:
        # With the first one it is at work: no start is in the time of the others.
        assert shown_by(process, 1) == [0]
        for number in range(1, 4):
            began = time.monotonic()
            publish(topic, message(number))
            assert shown_by(process, 1) == [number]
            assert time.monotonic() - began < 15


def test_a_reader_that_goes_away(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(2000))
    with running(cluster.environ, "consume", "--topic", topic, "-o", "json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=20)
    assert "Traceback" not in errors
    assert "Exception" not in errors


def test_the_live_table(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(40), (KEY, b"not Avro"))
    terminal = Terminal(cluster.environ, "consume", "--topic", topic, width=80, height=20)
    # The line about the skipped message is the last that is drawn.
    live = terminal.until(lambda text: "40 shown" in text and "offset 40" in text)
    assert "1 skipped" in live.splitlines()[0]
    assert "ZTF0039" in live
    assert "ZTF0001" not in live
    assert f"Skipped {topic} partition 0 offset 40" in live
    publish(topic, message(50))
    terminal.until(lambda text: "ZTF0050" in text)
    terminal.child.sendintr()
    after = terminal.until(lambda text: "41 alerts shown. 1 message skipped." in text)
    assert "Traceback" not in after
    assert terminal.exit_code() == 130
    # All rows are left in the scrollback, once, and the cursor is back.
    scrolled = [
        "".join(line[x].data for x in range(80)).rstrip() for line in terminal.screen.history.top
    ]
    everything = [*scrolled, *terminal.text().splitlines()]
    assert sum(line.startswith("ZTF") for line in everything) == 41
    assert not terminal.screen.cursor.hidden


def test_the_last_rows_of_many_stay(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(1200))
    words = ("consume", "--topic", topic, "--until-end")
    terminal = Terminal(cluster.environ, *words, width=100, height=10)
    terminal.until(lambda text: "1,200 alerts shown." in text)
    assert terminal.exit_code() == 0
    history = ["".join(line[x].data for x in range(100)) for line in terminal.screen.history.top]
    assert any("The last 1,000 of 1,200 alerts" in line for line in history)


def test_no_color_on_a_terminal(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, *messages(2))
    environ = {**cluster.environ, "NO_COLOR": "1"}
    _, printed = run_on_terminal(environ, "consume", "--topic", topic, "--until-end")
    assert "ZTF0001" in printed
    assert "\x1b" not in printed
