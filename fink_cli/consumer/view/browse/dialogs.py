"""Small windows over the list: the keys, and the links of an alert."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from fink_cli.alerts.facts import Link

KEYS = (
    ("↑ ↓ PgUp PgDn", "move in the list, or scroll an alert"),
    ("enter", "open the alert; escape goes back, ← → open its neighbours"),
    ("tab", "scroll the alert beside the list; again: back to the list"),
    ("/", "filter by an expression, as --where takes it; empty: all"),
    ("g  n", "go to an object by a part of its name; to the next such"),
    ("a", "only the alerts of this object, in order of time; again: all"),
    ("o  O", "sort by the next column; the other way round"),
    ("l", "links of the object: open one in a web browser"),
    ("c  C", "copy the object's name; the alert's id"),
    ("s", "save the alert to a file"),
    ("t", "light or dark"),
    ("q", "quit"),
)


class KeysScreen(ModalScreen[None]):
    """All keys; any of them closes it."""

    CSS = """
    KeysScreen { align: center middle; }
    KeysScreen VerticalScroll {
        width: auto; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    KeysScreen Static { width: auto; }
    """

    def compose(self) -> ComposeResult:
        """Yield the keys."""
        longest = max(len(key) for key, _ in KEYS)
        lines = (Text.assemble((key.ljust(longest), "bold"), f"  {text}") for key, text in KEYS)
        with VerticalScroll():
            yield Static(Text("\n").join(lines))

    def on_key(self, event: Key) -> None:
        """Close it; the key does nothing else."""
        event.stop()
        self.dismiss()


class LinksScreen(ModalScreen[str]):
    """The links of an alert; the result is the address of the one that was chosen."""

    CSS = """
    LinksScreen { align: center middle; }
    LinksScreen OptionList { width: 90%; height: auto; max-height: 80%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back", show=False)]

    def __init__(self, links: Sequence[Link]) -> None:
        super().__init__()
        self._links = links

    def compose(self) -> ComposeResult:
        """Yield a line for each link."""
        yield OptionList(
            *(
                Option(Text.assemble((link.title, "bold"), f"  {link.url}", no_wrap=True))
                for link in self._links
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose a link."""
        self.dismiss(self._links[event.option_index].url)


def has_opened(url: str) -> bool:
    """Open an address in a web browser with a window of its own, and tell whether there is one."""
    try:
        controller = webbrowser.get()
    except webbrowser.Error:
        return False
    if type(controller) is webbrowser.GenericBrowser:
        # It is for the terminal, and would draw over the list.
        return False
    # What this returns is of no use: a program that hands over to another and ends is "not open".
    controller.open(url)
    return True
