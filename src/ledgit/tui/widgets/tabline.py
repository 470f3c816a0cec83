"""One line of tabs: which part of something is shown, by key or by mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from ledgit.records.harmless import clean

if TYPE_CHECKING:
    from textual.app import RenderResult

__all__ = ["TabLine"]


class TabLine(Widget):
    """Names side by side, one of which is chosen; whoever made it handles the keys and calls :meth:`step`.

    Args:
        tabs: (key, title) of each.
        note: Said at the right end, muted.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tab-line--here", "tab-line--other", "tab-line--note"}
    DEFAULT_CSS = """
    TabLine {
        height: 1; width: 1fr; background: $surface;
        & > .tab-line--here { color: $text-primary; text-style: bold underline; }
        & > .tab-line--other { color: $text-muted; }
        & > .tab-line--note { color: $text-muted; }
    }
    """

    class Chosen(Message):
        """Another tab was chosen."""

        def __init__(self, tabs: TabLine, key: str) -> None:
            super().__init__()
            self.tabs, self.key = tabs, key

        @property
        def control(self) -> TabLine:
            """The tabs."""
            return self.tabs

    def __init__(self, tabs: Sequence[tuple[str, str]], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.tabs = list(tabs)
        self.current = self.tabs[0][0] if self.tabs else ""
        self.note = ""
        self._places: list[tuple[int, int, str]] = []

    def set_tabs(self, tabs: Sequence[tuple[str, str]]) -> None:
        """Show other tabs; the chosen one stays chosen if it is among them."""
        self.tabs = list(tabs)
        if self.current not in dict(self.tabs) and self.tabs:
            self.current = self.tabs[0][0]
        self.refresh()

    def set_note(self, note: str) -> None:
        """Say something at the right end."""
        if note != self.note:
            self.note = note
            self.refresh()

    def choose(self, key: str) -> None:
        """Choose a tab."""
        if key != self.current and key in dict(self.tabs):
            self.current = key
            self.refresh()
            self.post_message(self.Chosen(self, key))

    def step(self, by: int) -> None:
        """Choose the next tab (1) or the one before (-1)."""
        keys = [key for key, _ in self.tabs]
        if keys:
            self.choose(keys[(keys.index(self.current) + by) % len(keys)])

    def render(self) -> RenderResult:
        """Draw them; where there is no room for all, from the chosen one on."""
        room = self.size.width
        here = self.get_component_rich_style("tab-line--here")
        other = self.get_component_rich_style("tab-line--other")
        titles = [(key, clean(title)) for key, title in self.tabs]
        first = 0
        chosen = next((place for place, (key, _) in enumerate(titles) if key == self.current), 0)
        while first < chosen and sum(Text(title).cell_len + 3 for _, title in titles[first : chosen + 1]) > room:
            first += 1
        line = Text(" ", no_wrap=True, end="")
        self._places = []
        for key, title in titles[first:]:
            start = line.cell_len
            line.append(title, here if key == self.current else other)
            self._places.append((start, line.cell_len, key))
            line.append("   ")
        note = Text(clean(self.note), self.get_component_rich_style("tab-line--note"))
        if note.cell_len and line.cell_len + note.cell_len + 1 <= room:
            line.append(" " * (room - line.cell_len - note.cell_len - 1))
            line.append_text(note)
        line.truncate(room)
        return line

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        for start, end, key in self._places:
            if start - 1 <= event.x < end + 1:
                event.stop()
                self.choose(key)
                return
