"""Text from elsewhere can't act on a terminal."""

from __future__ import annotations

import pytest

from fink_cli.text import escaped_in_json, printable


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain ä ★", "plain ä ★"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_control_characters_are_shown(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_an_indented_document_keeps_its_line_ends() -> None:
    assert escaped_in_json('{\n  "a": "\x9bä\u202e"\n}') == '{\n  "a": "\\u009bä\\u202e"\n}'


def test_it_is_cut_at_the_limit() -> None:
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
