"""Streams: what a distribution file may say, and which columns and topics come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fink_cli.distribution.columns.selection import ColumnTree, all_paths, selected
from fink_cli.distribution.prepare import Options, declared
from fink_cli.distribution.streams import Route, read_distribution, topic_part
from fink_cli.errors import UsageError
from tests.support.environment import ROOT

ALERT: ColumnTree = {
    "objectId": None,
    "candidate": {"jd": None, "ra": None, "deep": {"a": None, "b": None}},
    "history": None,
}


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a file that is not as it should be."""
    file = tmp_path / "d.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_distribution(file)
    return f"{caught.value.message} {caught.value.hint}"


def test_the_example_is_valid_and_every_topic_of_it_can_exist() -> None:
    found = read_distribution(ROOT / "conf" / "distribution.toml")
    assert [route.topic for route in found.routes()] == [
        "fink_all",
        "fink_bright",
        "fink_rrlyrae",
        "fink_rrlyr",
        "fink_ebwuma",
        "fink_mira",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stream: is missing"),
        ("stream = []", "stream: must not be empty"),
        (
            '[[stream]]\ntopic = "a"\nfilters = "x"',
            "stream 1 (a): filters: there is no such setting; did you mean filter?",
        ),
        ('[[stream]]\ntopic = "a"\ncolumns = ["x"]\ndrop = ["y"]', "(a): give the columns"),
        ('[[stream]]\ntopic = "a"\n[[stream]]\ntopic = "a"', "two streams are called a"),
        ('[[stream]]\ntopic = "a"\narguments = { x = "y" }', "arguments are for a filter"),
        ('[[stream]]\ntopic = "a_{class}"', "{class} in the topic, and class and classes"),
        ('[[stream]]\ntopic = "a"\nclass = "c"\nclasses = ["x"]', "{class} in the topic"),
        (
            '[[stream]]\ntopic = "{class}"\nclass = "c"\nclasses = ["EB*", "eb"]',
            "two classes give the topic eb",
        ),
        ('[[stream]]\ntopic = "no blanks"', "'no blanks' can't be a topic"),
        ("topic = a", "is not TOML"),
        ('topic = "a"\n[[stream]]\ntopic = "a"', "topic: there is no such setting; there are na"),
        ('[[stream]]\ntopic = "a"\nclas = "c"', "did you mean class or classes?"),
        ('[[stream]]\ntopic = "a"\ncolumns = "c"', "stream 1 (a): columns: must be a list"),
        ('[[stream]]\ntopic = "a"\ncolumns = ["c", 1]', "columns: item 2: must be text"),
        ('stream = "a"', "stream: must be a list"),
        ("stream = [1]", "stream 1: must be a table"),
        ('trigger = -1\n[[stream]]\ntopic = "a"', "trigger: must be at least 0"),
        (f'[[stream]]\ntopic = "{"a" * 250}"', "topic: must have at most 249 characters"),
        ('trigger = "soon"\n[[stream]]\ntopic = "a"', "trigger: must be a number"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_distribution(tmp_path / "none.toml")


def test_a_class_becomes_a_part_of_a_topic() -> None:
    assert [topic_part(each) for each in ("EB*WUMa", "RRLyr", "Be*", "AGN (QSO)")] == [
        "ebwuma",
        "rrlyr",
        "be",
        "agnqso",
    ]


def test_a_named_stream_of_classes_keeps_its_name_in_the_header(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('[[stream]]\nname = "s"\ntopic = "t_{class}"\nclass = "c"\nclasses = ["A"]')
    assert read_distribution(file).routes() == [Route("s", "s", "t_a", "A")]


@pytest.mark.parametrize(
    ("keep", "drop", "left"),
    [
        (None, [], ["objectId", "candidate", "history"]),
        (["candidate"], [], ["candidate"]),
        (["history", "objectId"], [], ["objectId", "history"]),
        (
            ["candidate.ra", "candidate.deep"],
            [],
            ["candidate", "candidate.ra", "candidate.deep"],
        ),
        (["candidate.ra", "candidate"], [], ["candidate"]),
        (
            None,
            ["candidate.deep.a"],
            [
                "objectId",
                "candidate",
                "candidate.jd",
                "candidate.ra",
                "candidate.deep",
                "candidate.deep.b",
                "history",
            ],
        ),
        (
            None,
            ["candidate.deep.a", "candidate.deep.b", "history"],
            ["objectId", "candidate", "candidate.jd", "candidate.ra"],
        ),
        (None, ["candidate"], ["objectId", "history"]),
    ],
)
def test_columns_are_kept_or_dropped(
    keep: list[str] | None, drop: list[str], left: list[str]
) -> None:
    assert list(all_paths(selected(ALERT, keep, drop))) == left


@pytest.mark.parametrize("drop", [["objectId", "candidate", "history"], ["objectID"]])
def test_no_column_left_or_none_of_the_name(drop: list[str]) -> None:
    with pytest.raises(UsageError, match=r"No column would be left|have no column objectID"):
        selected(ALERT, None, drop)


def test_a_column_that_is_deeper_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        selected(ALERT, ["ra"], [])
    assert caught.value.hint == "Did you mean candidate.ra?"


def test_a_stream_that_is_misspelt_has_its_close_names(tmp_path: Path) -> None:
    file = tmp_path / "streams.toml"
    file.write_text("".join(f'[[stream]]\ntopic = "{name}"\n' for name in ("fink_sso", "other")))
    with pytest.raises(UsageError) as caught:
        declared(Options(config=file, source=tmp_path, replay="fink_sos"))
    assert caught.value.hint == "Did you mean fink_sso? See all: fink_sso, other"
    with pytest.raises(UsageError) as caught:
        declared(Options(config=file, source=tmp_path, replay="x"))
    assert caught.value.hint == "There are: fink_sso, other"


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('source = "/data"\n[[stream]]\ntopic = "t"\n', encoding="utf-8-sig")
    assert [route.topic for route in read_distribution(file).routes()] == ["t"]
