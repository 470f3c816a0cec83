"""The first line of a screen (where you are) and the last (what keys do)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.keys import key_to_character
from textual.widget import Widget

from ledgit.records.harmless import clean, width

if TYPE_CHECKING:
    from textual.app import RenderResult
    from textual.dom import DOMNode

    from ledgit.tui.app import LedgitApp

__all__ = ["MAIN", "Header", "KeyLine", "key_name"]

#: The main screens in the order of their keys 1 … 5, and their titles.
MAIN: dict[str, str] = {
    "runs": "Runs",
    "branches": "Branches",
    "models": "Models",
    "sweeps": "Sweeps",
    "compare": "Compare",
}
_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "space": "space",
    "enter": "enter",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "asterisk": "*",
    "colon": ":",
    "equals_sign": "=",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "underscore": "_",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "backspace": "Bksp",
    "delete": "Del",
}
_ARROWS = {"up": ("↑", "up"), "down": ("↓", "down"), "left": ("←", "left"), "right": ("→", "right")}


def key_name(key: str, *, unicode: bool = True) -> str:
    """Return how a person calls *key*: ``?`` for ``question_mark``, ``^r`` for ``ctrl+r``."""
    if key.startswith("ctrl+"):
        return "^" + key_name(key[5:], unicode=unicode)
    if key in _ARROWS:
        return _ARROWS[key][not unicode]
    if key in _NAMES or len(key) < 4:
        return _NAMES.get(key, key)
    character = key_to_character(key)
    return character if character is not None and character.isprintable() and not character.isspace() else key


class _Line(Widget):
    """One line whose pieces can be pressed."""

    app: LedgitApp
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str, DOMNode]] = []

    def on_click(self, event: events.Click) -> None:
        """Do what the piece under the pointer says."""
        for start, end, action, node in self._places:
            if start <= event.x < end:
                event.stop()
                self.call_later(self.app.run_action, action, node)
                return


class Header(_Line):
    """Repository, branch, the main screens, and the screen's own headline at the right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--repo", "header--muted", "header--here", "header--right"}
    DEFAULT_CSS = """
    Header {
        height: 1; width: 1fr; background: $panel; color: $foreground;
        & > .header--repo { text-style: bold; color: $primary; }
        & > .header--muted { color: $text-muted; }
        & > .header--here { text-style: bold; color: $foreground; }
        & > .header--right { color: $foreground; }
    }
    Header:nocolor > .header--here { text-style: bold underline; }
    """

    def render(self) -> RenderResult:
        """Draw what fits: the headline first, then the main screens, then the branch."""
        session = self.app.session
        room = self.size.width
        line = Text(no_wrap=True, end="")
        self._places = []
        style = {name: self.get_component_rich_style(f"header--{name}") for name in ("repo", "muted", "here", "right")}
        headline = self.app.indexing.text or clean(getattr(self.screen, "headline", ""))
        here = getattr(self.screen, "NAME", "")
        main = self.app.main_name
        line.append(" " + session.fit(clean(session.name), max(room // 5, 8)), style["repo"])
        if session.branch and room >= 60:
            line.append(f" {session.fit(clean(session.branch), max(room // 6, 8))}", style["muted"])
        line.append("  ")
        tabs = sum(width(title) + 4 for title in MAIN.values())
        wide = here == main and line.cell_len + tabs + min(width(headline), room // 3) < room
        for number, (name, title) in enumerate(MAIN.items(), 1):
            if not wide and name != main:
                continue
            start = line.cell_len
            if room >= 60 or name != main:
                line.append(f"{number} ", style["muted"])
            line.append(title, style["here"] if name == main else style["muted"])
            self._places.append((start, line.cell_len, f"show({name!r})", self.app))
            line.append("  ")
        if here != main and headline:
            line.rstrip()
            line.append(f" {session.glyph('cursor')} ", style["muted"])
            line.append(session.fit(headline, max(room - line.cell_len - 1, 0)), style["here"])
            headline = ""
        room -= line.cell_len + 1
        if headline and room > 0:
            headline = session.fit(headline, room)
            line.append(" " * (room - width(headline)) + headline, style["right"])
        line.truncate(self.size.width)
        return line


class KeyLine(_Line):
    """What the keys do where you are, the way to all of them, and what is being read."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-line--key", "key-line--what", "key-line--busy"}
    DEFAULT_CSS = """
    KeyLine {
        height: 1; width: 1fr; background: $panel; color: $text-muted;
        & > .key-line--key { color: $footer-key-foreground; text-style: bold; }
        & > .key-line--what { color: $text-muted; }
        & > .key-line--busy { color: $text-primary; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.busy = ""

    def on_mount(self) -> None:
        """Draw again when other keys do something."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def show_busy(self, what: str) -> None:
        """Say that *what* is being read; "" when nothing is."""
        if what != self.busy:
            self.busy = what
            self.refresh()

    def render(self) -> RenderResult:
        """Draw as many hints as fit."""
        line = Text(no_wrap=True, end="")
        unicode = self.app.session.unicode
        self._places = []
        key_style, what_style = (self.get_component_rich_style(f"key-line--{name}") for name in ("key", "what"))
        hints = self._hints(unicode)
        help_hint = [hint for hint in hints if hint[2] == "help"]
        hints = [hint for hint in hints if hint[2] != "help"]
        busy = clean(self.busy)
        room = self.size.width - (width(busy) + 3 if busy else 0)
        for at, (key, what, action, node) in enumerate([*hints, *help_hint]):
            last = at == len(hints)
            needed = width(key) + width(what) + 3
            reserved = 0 if last else sum(width(key) + width(what) + 3 for key, what, *_ in help_hint)
            if line.cell_len + needed + reserved > room:
                continue
            start = line.cell_len
            line.append(f" {key}", key_style)
            line.append(f" {what} ", what_style)
            self._places.append((start, line.cell_len, action, node))
        if busy:
            gap = self.size.width - line.cell_len - width(busy) - 1
            line.append(" " * max(gap, 1) + busy, self.get_component_rich_style("key-line--busy"))
        line.truncate(self.size.width)
        return line

    def _hints(self, unicode: bool) -> list[tuple[str, str, str, DOMNode]]:
        hints: dict[str, tuple[str, str, str, DOMNode]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in hints:
                key = binding.key_display or key_name(binding.key, unicode=unicode)
                what = binding.description[:1].lower() + binding.description[1:]
                hints[binding.action] = (key, what, binding.action, active.node)
        return list(hints.values())
