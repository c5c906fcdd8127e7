"""The alerts that wait for a Python program."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fink_cli.subscriber.handover import Handover, warn


def test_alerts_taken_back_wait_first_and_in_order() -> None:
    handover = Handover(cast(Any, None))
    handover.given = cast(Any, ["a", "b", "c"])
    handover.waiting.append(cast(Any, "d"))
    handover.take_back(1)
    assert handover.given == ["a"]
    assert [*handover.waiting] == ["b", "c", "d"]


def test_a_warning_holds_no_escape_code(caplog: pytest.LogCaptureFixture) -> None:
    warn("100 % \x1b[31mred")
    assert "\x1b" not in caplog.text
    assert "red" in caplog.text
