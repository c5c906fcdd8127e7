"""What several tests of functions need."""

from __future__ import annotations

import pytest

from fink_cli.alerts import parts


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regular expressions are made after a few alerts, so that a test has some before and after."""
    monkeypatch.setattr(parts, "COMPILED_AFTER", 6)
