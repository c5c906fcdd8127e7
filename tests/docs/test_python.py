"""The examples in Python, and the notebook, on real alerts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from confluent_kafka import Producer
from nbclient import NotebookClient

from tests.support.avro import survey_messages
from tests.support.cluster import TestCluster
from tests.support.environment import ROOT
from tests.support.fink import run_fink
from tests.support.pages import blocks

NOTEBOOK, PAGE = ROOT / "docs" / "alerts.ipynb", ROOT / "docs" / "python.md"


@pytest.fixture
def my_alerts(
    cluster: TestCluster, topic: str, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A topic of real alerts, for which ``my_alerts`` stands in the documentation."""
    producer = Producer(cluster.connection.librdkafka())
    for key, value, _ in survey_messages(raw_dir):
        producer.produce(topic, key=key, value=value)
    assert producer.flush(30) == 0
    for name in ("FINK_HOME", "FINK_CONFIG"):
        monkeypatch.setenv(name, cluster.environ[name])
    return topic


def test_the_notebook_runs(my_alerts: str, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("my_alerts", my_alerts)
        assert not cell.get("outputs"), "the notebook is kept without its output"
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    kinds = [{*output.get("data", {})} for output in outputs]
    assert sum("image/png" in kind for kind in kinds) == 2
    assert sum("text/html" in kind for kind in kinds) == 2
    said = "".join(output.get("text", "") for output in outputs)
    assert said.count("ZTF") == 5
    # For a person who looks at it: FINK_KEEP_NOTEBOOK names a file.
    if kept := os.environ.get("FINK_KEEP_NOTEBOOK"):
        nbformat.write(notebook, kept)


def test_the_page_runs(
    cluster: TestCluster,
    my_alerts: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("consume", "--topic", my_alerts, "--until-end", "--save", str(tmp_path / "saved"))
    assert run_fink(*words, env=cluster.environ).returncode == 0
    names: dict[str, Any] = {}
    for block in blocks(PAGE.read_text()):
        if block.language == "python" and not block.text.startswith("# needs "):
            exec(block.text.replace("my_alerts", my_alerts), names)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 20 + 1 + 20
    assert {*names["images"]} == {"science", "template", "difference"}
