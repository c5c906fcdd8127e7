"""Logs as they are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fink_cli.commands.logs import show_log


def test_a_last_line_that_does_not_end_is_shown(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree \u2605")
    show_log(log, 2, forever=False)
    assert capsysbinary.readouterr().out.decode() == "two\nthree \u2605\n"
