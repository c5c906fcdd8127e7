"""The dashboard for Grafana that is shipped: it shows what the exporter has, and all of it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from fink_cli.distribution.service.status import Status, StreamStatus
from fink_cli.metrics.exporter import metrics_of
from fink_cli.metrics.figures import Figures, GroupFigures, TopicFigures
from tests.support.environment import ROOT, find_program

DASHBOARD: dict[str, Any] = json.loads((ROOT / "conf" / "grafana" / "fink.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
NIGHT = "2026-11-28T03:00:00+00:00"
ALL_FIGURES = Figures(
    up=True,
    topics=[TopicFigures("t", 5, 5.0, bytes=5)],
    groups=[GroupFigures("g", "t", 5, 5.0)],
    distributions=[
        Status(
            "running",
            last_batch_at=NIGHT,
            oldest_waiting_at=NIGHT,
            streams=[StreamStatus("s", "t", 5, 5, NIGHT)],
        )
    ],
    free_bytes=5,
    certificate_ends=5.0,
)
SAMPLES = [sample for family in metrics_of(ALL_FIGURES) for sample in family.samples]


def test_each_metric_of_the_exporter_is_shown_and_no_other() -> None:
    named = {name for text in EXPRESSIONS for name in re.findall(r"\bfink_\w+", text)}
    assert named == {sample.name for sample in SAMPLES}


def test_each_label_that_is_named_is_one_of_its_metric() -> None:
    labels = {sample.name: set(sample.labels) for sample in SAMPLES}
    for panel in PANELS:
        for target in panel["targets"]:
            [name, *_] = re.findall(r"\bfink_\w+", target["expr"]) or ["ALERTS"]
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            summed = {
                each
                for text in re.findall(r"by \(([^)]*)\)", target["expr"])
                for each in text.split(", ")
            }
            assert legend | summed <= labels.get(name, set()), panel["title"]


def test_prometheus_takes_each_expression(tmp_path: Path) -> None:
    rules = [{"record": f"r{number}", "expr": text} for number, text in enumerate(EXPRESSIONS)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "fink", "rules": rules}]}))
    checked = [find_program("promtool"), "check", "rules", file]
    done = subprocess.run(checked, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_panels_are_in_the_same_cell() -> None:
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
