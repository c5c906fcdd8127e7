"""What the documentation says, held against the program: messages, commands, links."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fink_cli.profiles import FIELDS
from tests.support.environment import ROOT, clean_environ
from tools import messages, reference

LINK = re.compile(r"\]\(([^)#\s]+)[^)\s]*\)")
# What a browser fetches without being asked.
FETCHED = re.compile(r"<(?:link|script|img|iframe)\b[^>]*?\b(?:href|src)=[\"']?(https?:)?//[^>]*>")


def test_every_error_is_explained() -> None:
    assert [f"{each.text} ({each.place})" for each in messages.missing()] == []


def test_no_error_is_explained_that_the_program_does_not_have() -> None:
    assert messages.outdated() == []


def test_the_reference_is_what_the_program_says() -> None:
    assert reference.stale(reference.FOLDER) == [], "make reference"


def test_the_reference_has_no_option_of_typer_that_commands_refuse() -> None:
    for name, page in reference.pages().items():
        assert "--install-completion" not in page, name


def test_a_stale_reference_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    shutil.copytree(reference.FOLDER, folder)
    (folder / "gone.md").write_text("of a command that is no more")
    page = folder / "consume.md"
    page.write_text(page.read_text().replace("--until-end", "--to-the-end"))
    assert reference.stale(folder) == ["consume.md", "gone.md"]


# Variables by which one process of fink tells another something.
BETWEEN_PROCESSES = {"FINK_DRIVER_OF", "FINK_JAAS", "FINK_LIBRDKAFKA_SECRET"}
FOREIGN = {"JAVA_HOME", "KAFKA_HEAP_OPTS", "KAFKA_HOME", "NO_COLOR", "SLACK_API_TOKEN"}


def variables() -> set[str]:
    """The environment variables that the source names in a string of its own."""
    strings = {
        node.value
        for file in (ROOT / "fink_cli").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {each for each in strings if re.fullmatch(r"FINK_[A-Z_]+", each) or each in FOREIGN}


def test_every_setting_is_on_the_page_of_the_configuration() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    profiles, after = text.split("## Variables")
    first_column = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
    assert set(first_column.findall(profiles)) == set(FIELDS)
    assert set(first_column.findall(after)) == variables() - BETWEEN_PROCESSES


def test_every_file_that_is_shipped_to_be_read_is_on_a_page() -> None:
    conf = ROOT / "conf"
    folders = (conf, conf / "grafana", conf / "prometheus")
    files = [file for folder in folders for file in folder.iterdir()]
    shipped = {each.relative_to(conf).as_posix() for each in files if each.is_file()}
    assert set(reference.FILES) | reference.OWN_FILES == shipped


SOURCE = """
class NewError(FinkError): ...

_TABLE = {"a": ("The {thing} is odd.", "Even it.")}

def literal(name):
    raise UsageError(f"There is no {name}.", "Look.")

def assigned(count):
    sentence = f"{count} of them:\\n{count}"
    raise NewError(sentence)

def tabled(code):
    message, hint = _TABLE[code]
    raise UsageError(message.format(thing=code), hint.format())

def several(names):
    mistakes = []
    for name in names:
        mistakes.append(f"Stream {name}: wrong")
    raise UsageError("\\n".join(mistakes))
"""
KINDS = {"FinkError", "UsageError", "NewError"}


def test_messages_are_found_however_they_are_made() -> None:
    found = [each.text for each in messages.messages_of(ast.parse(SOURCE), KINDS, "a.py")]
    assert found == ["There is no ….", "… of them:", "The … is odd.", "Stream …: wrong"]


def test_a_message_that_can_not_be_found_is_a_failure() -> None:
    unreadable = ast.parse("def f(words):\n    raise UsageError(words())")
    with pytest.raises(messages.UnreadableMessageError):
        list(messages.messages_of(unreadable, KINDS, "a.py"))


def test_the_kinds_of_error_are_found() -> None:
    tree = ast.parse("class A(B): ...\nclass B(FinkError): ...\nclass C(Exception): ...")
    assert messages.error_classes([tree]) == {*messages.ROOTS, "A", "B"}


def build_site(folder: Path, docs: Path) -> subprocess.CompletedProcess[str]:
    config = folder / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text().replace("!relative $config_dir", str(ROOT))
    config.write_text(text.replace("docs_dir: docs", f"docs_dir: {docs}"))
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        env=clean_environ(folder, NO_MKDOCS_2_WARNING="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_site_is_built_and_fetches_nothing(tmp_path: Path) -> None:
    done = build_site(tmp_path, ROOT / "docs")
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "build" / "site").rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        found = FETCHED.search(page.read_text())
        assert found is None, f"{page.name}: {found and found[0]}"


def test_a_link_to_nothing_breaks_the_site(tmp_path: Path) -> None:
    docs = tmp_path / "pages"
    shutil.copytree(ROOT / "docs", docs)
    with (docs / "index.md").open("a") as page:
        page.write("\n[gone](security.md#no-such-heading)\n")
    done = build_site(tmp_path, docs)
    assert done.returncode == 1
    assert "no-such-heading" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "schemas/README.md"]
)
def test_links_outside_the_site(name: str) -> None:
    page = ROOT / name
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert Path(os.path.normpath(page.parent / target)).exists(), target
