"""Paths of fields."""

from __future__ import annotations

from typing import Any

import pytest

from fink_cli.alerts.fields import parse_fields, pick, shows_no_such
from fink_cli.errors import UsageError

ALERT: dict[str, Any] = {
    "objectId": "ZTF1",
    "candidate": {"jd": 2459000.5, "rb": None},
    "prv": [{"jd": 1.0}, {"jd": 2.0}],
    "names": {"2MASS_name": "x", "with-dash": "y"},
    "grid": [[1, 2], [3, 4]],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("objectId", "ZTF1"),
        ("candidate.jd", 2459000.5),
        ("candidate.rb", None),
        ("candidate", {"jd": 2459000.5, "rb": None}),
        ("prv[0].jd", 1.0),
        ("prv[-1].jd", 2.0),
        ("prv[2].jd", None),
        ("prv[-3]", None),
        ("prv.jd", None),
        ("objectId.x", None),
        ("objectId[0]", None),
        ("candidate[0]", None),
        ("missing.deep[3].er", None),
        ("names.2MASS_name", "x"),
        ("names.with-dash", "y"),
        ("grid[1][0]", 3),
    ],
)
def test_pick(path: str, expected: Any) -> None:
    assert pick(ALERT, parse_fields(path)) == {path: expected}


def test_several_keep_their_order_and_their_spelling() -> None:
    picked = pick(ALERT, parse_fields("prv[0].jd, objectId,candidate.jd,objectId"))
    assert list(picked.items()) == [
        ("prv[0].jd", 1.0),
        ("objectId", "ZTF1"),
        ("candidate.jd", 2459000.5),
    ]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("a,", 3),
        ("a,,b", 3),
        (".a", 1),
        ("a..b", 3),
        ("a.", 3),
        ("a[", 2),
        ("a[x]", 2),
        ("a[1", 2),
        ("a[1]b", 5),
        ("a]", 2),
        ("ab, c d", 6),
        ("[0]", 1),
        ("a[99999999999]", 2),
    ],
)
def test_a_malformed_path_is_shown_with_its_place(text: str, position: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fields(text)
    assert f"at character {position}:" in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a", False),
        ("null", False),
        ("null.deeper[0]", False),
        ("list[0].b", False),
        ("list[7].b", False),
        ("list[0].c", True),
        ("list.b", True),
        ("a.b", True),
        ("a[0]", True),
        ("A", True),
    ],
)
def test_which_fields_an_alert_shows_not_to_be_there(path: str, shown: bool) -> None:
    alert = {"a": 1, "null": None, "list": [{"b": None}]}
    (parsed,) = parse_fields(path)
    assert shows_no_such(alert, parsed.steps) is shown
