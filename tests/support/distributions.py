"""Distributions that run beside a test."""

from __future__ import annotations

import json
from pathlib import Path


def batch_runs(folder: Path) -> bool:
    """Return whether a distribution publishes a micro-batch now, by the status in its folder."""
    report = json.loads((folder / "status.json").read_text())
    return report["status"]["files_in_hand"] is not None
