"""The command palette: every action of where you are, every screen, and what has no key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.command import CommandPalette, DiscoveryHit, Hit, Provider, SearchIcon
from textual.content import Content
from textual.markup import escape

from ledgit.tui.actions import actions_of

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.command import Hits

    from ledgit.tui.app import LedgitApp

__all__ = ["LedgitCommands", "PlainPalette"]


class PlainPalette(CommandPalette):
    """Textual's palette without what only Unicode has."""

    def __init__(self) -> None:
        super().__init__(placeholder="search", id="--command-palette")

    def compose(self) -> ComposeResult:
        """Put an ASCII sign before the line."""
        for widget in super().compose():
            if isinstance(widget, SearchIcon):
                widget.icon = " >"
            yield widget


class LedgitCommands(Provider):
    """Made from the bindings, so a screen has nothing to register."""

    async def discover(self) -> Hits:
        """List everything."""
        for title, text, run in self._all():
            yield DiscoveryHit(Content(title), run, text=title, help=escape(text))

    async def search(self, query: str) -> Hits:
        """List what the typed letters match, in the title or in the words beside it."""
        matcher = self.matcher(query)
        for title, text, run in self._all():
            score = matcher.match(title)
            if score <= 0 and query.casefold() in text.casefold():
                yield Hit(0.01, Content(title), run, text=title, help=escape(text))
            elif score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=escape(text))

    def _all(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        app: LedgitApp = self.app  # type: ignore[assignment]
        for action in actions_of(self.screen, unicode=app.session.unicode):
            if action.action == "command_palette":
                continue
            said = f"{action.text}  [{action.keys}]" if action.text else f"[{action.keys}]"
            yield action.title, said, partial(app.run_action, action.action, action.node)
        yield "Change the theme", "Colours: Ledgit's, Textual's, light, dark, high contrast", app.search_themes
        yield "Where keys are changed", "Which file, and what stands in it", app.tell_keys
