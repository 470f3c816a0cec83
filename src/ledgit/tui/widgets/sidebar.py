"""A list of places to go to, thousands of them, under headings: the entries on the screen are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ledgit.tui.themes import GLYPHS
from ledgit.tui.widgets.cells import Entry, fitted

__all__ = ["Entry", "Sidebar"]


class Sidebar(ScrollView, can_focus=True):
    """Entries under headings. The cursor moves over entries alone; the chosen one has a mark.

    Attributes:
        cursor: Position of the line the cursor is on.
        chosen: Key of the entry whose content is shown elsewhere.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Sidebar { overflow: hidden auto; scrollbar-size-vertical: 1; background: $surface; }
    Sidebar > .sidebar--heading { color: $text-muted; text-style: bold; }
    Sidebar > .sidebar--count { color: $text-muted; }
    Sidebar > .sidebar--cursor { background: $primary-muted; }
    Sidebar > .sidebar--blurred { background: $panel; }
    Sidebar > .sidebar--chosen { color: $text-primary; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"sidebar--{name}" for name in ("heading", "count", "cursor", "blurred", "chosen")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "Down", show=False, id="sidebar.down"),
        Binding("up,k", "step(-1)", "Up", show=False, id="sidebar.up"),
        Binding("pagedown,ctrl+d", "leap(1)", "Page down", show=False, id="sidebar.page_down"),
        Binding("pageup,ctrl+u", "leap(-1)", "Page up", show=False, id="sidebar.page_up"),
        Binding("home,g", "go(0)", "First", show=False, id="sidebar.top"),
        Binding("end,G", "go(-1)", "Last", show=False, id="sidebar.bottom"),
        Binding("enter,right,l,space", "pick", "Show", id="sidebar.pick"),
    ]

    class Picked(Message):
        """An entry was chosen."""

        def __init__(self, sidebar: Sidebar, key: str) -> None:
            super().__init__()
            self.sidebar, self.key = sidebar, key

        @property
        def control(self) -> Sidebar:
            """The side bar."""
            return self.sidebar

    def __init__(self, *, unicode: bool = True, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.unicode = unicode
        self.entries: Sequence[Entry] = ()
        self.cursor = 0
        self.chosen = ""
        self._chosen_at = -1

    def show(self, entries: Sequence[Entry], chosen: str) -> None:
        """Show *entries*; the cursor stays on the entry it is on, and begins at the *chosen* one."""
        on = self.cursor_key or chosen
        self.entries, self.chosen = entries, chosen
        keys = [entry.key for entry in entries]
        self.cursor = keys.index(on) if on in keys else next((n for n, key in enumerate(keys) if key), 0)
        self._chosen_at = keys.index(chosen) if chosen in keys else -1
        self.virtual_size = Size(0, len(entries))
        self._reveal()
        self.refresh()

    def mark(self, chosen: str) -> None:
        """Put the mark and the cursor on another entry."""
        self.chosen = chosen
        keys = [entry.key for entry in self.entries]
        self._chosen_at = keys.index(chosen) if chosen in keys else -1
        if self.cursor_key != chosen and self._chosen_at >= 0:
            self.cursor = self._chosen_at
        self._reveal()
        self.refresh()

    @property
    def cursor_key(self) -> str:
        """The key of the entry the cursor is on."""
        return self.entries[self.cursor].key if 0 <= self.cursor < len(self.entries) else ""

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if not height:
            return
        first = self.cursor - (self.cursor > 0 and not self.entries[self.cursor - 1].key)  # with its heading
        y = min(first, max(self.cursor - height + 1, top))
        if y != top:
            self.scroll_to(y=y, animate=False, force=True)

    def on_resize(self, _: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._reveal()

    def on_focus(self) -> None:
        """Draw the cursor stronger."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor weaker."""
        self.refresh()

    def action_step(self, by: int) -> None:
        """Go to the next or previous entry."""
        at = self.cursor + by
        while 0 <= at < len(self.entries) and not self.entries[at].key:
            at += by
        if 0 <= at < len(self.entries):
            self.cursor = at
            self._reveal()
            self.refresh()

    def action_leap(self, sign: int) -> None:
        """Go a page up or down."""
        for _ in range(max(self.size.height - 2, 1)):
            self.action_step(sign)

    def action_go(self, end: int) -> None:
        """Go to the first or last entry."""
        places = [number for number, entry in enumerate(self.entries) if entry.key]
        if places:
            self.cursor = places[end]
            self._reveal()
            self.refresh()

    def action_pick(self) -> None:
        """Show what the entry stands for."""
        if self.cursor_key:
            self.post_message(self.Picked(self, self.cursor_key))

    def on_click(self, event: events.Click) -> None:
        """Choose an entry."""
        at = self.scroll_offset.y + event.y
        if at < len(self.entries) and self.entries[at].key:
            self.cursor = at
            self.refresh()
            self.action_pick()

    def _over(self, base: Style, component: str) -> Style:
        """Return *base* in a component's colour, which depends on what is behind it."""
        own = self.get_component_rich_style(component)
        return base + Style(color=own.color, bold=own.bold)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width, at = self.size.width, self.scroll_offset.y + y
        base = self.rich_style
        if at >= len(self.entries) or width <= 0:
            return Strip.blank(width, base)
        entry = self.entries[at]
        if not entry.key:
            style = self._over(base, "sidebar--heading")
            return Strip([Segment(fitted(f" {entry.text}", width), style)], width)
        if at == self.cursor:
            name = "sidebar--cursor" if self.has_focus else "sidebar--blurred"
            base += self.get_component_rich_style(name, partial=True)
        chosen = entry.key == self.chosen and at == self._chosen_at
        style = base + self.get_component_rich_style("sidebar--chosen", partial=True) if chosen else base
        count = f" {entry.said} " if entry.said and width > len(entry.said) + 8 else " "
        lead = GLYPHS["cursor"][not self.unicode] if chosen else " "
        room = max(width - 3 - len(count), 0)
        text = f" {lead} " + fitted(entry.text, room, ellipsis=GLYPHS["more"][not self.unicode])
        muted = self._over(base, "sidebar--count")
        return Strip([Segment(text, style), Segment(count, muted)]).crop_extend(0, width, base)
