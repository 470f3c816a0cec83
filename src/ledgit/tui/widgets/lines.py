"""Lines of text, any number of them: only those on the screen are asked for and drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Span, Text
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from ledgit.tui.widgets.inks import ink
from ledgit.tui.widgets.texts import LONGEST, NAMED_STYLES, Line, LineSource, PlainLines, harmless

__all__ = ["NAMED_STYLES", "Line", "LineSource", "Lines", "harmless"]

#: Lines that are searched at once; more of them in a thread.
_AT_ONCE = 5_000
#: Lines whose text is read for a selection.
_MOST_SELECTED = 10_000


class Lines(ScrollView, can_focus=True):
    """Lines of text that scroll both ways, follow their end and can be searched.

    Attributes:
        following: The end stays in sight while lines are added. Scrolling up switches it off, the end on again.
        can_follow: Whether these lines may grow at all.
        empty: What is said when there are none.
    """

    DEFAULT_CSS = """
    Lines { overflow: auto auto; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; background: transparent; }
    Lines > .lines--good, Lines > .lines--added, Lines > .lines--live { color: $text-success; }
    Lines > .lines--bad, Lines > .lines--removed { color: $text-error; }
    Lines > .lines--dim { color: $text-muted; }
    Lines > .lines--mark, Lines > .lines--head { text-style: bold; }
    Lines > .lines--warn { color: $text-warning; }
    Lines > .lines--key { color: $text-primary; }
    Lines > .lines--hunk { color: $text-accent; }
    Lines > .lines--match { text-style: underline bold; background: $warning 30%; }
    Lines > .lines--current { text-style: reverse bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{name}" for name in (*NAMED_STYLES, "current")}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "down", "Down", show=False, id="lines.down"),
        Binding("up,k", "up", "Up", show=False, id="lines.up"),
        Binding("pagedown,ctrl+f", "page_down", "Page down", show=False, id="lines.page_down"),
        Binding("pageup,ctrl+b", "page_up", "Page up", show=False, id="lines.page_up"),
        Binding("ctrl+d", "half(1)", "Half a page down", show=False, id="lines.half_down"),
        Binding("ctrl+u", "half(-1)", "Half a page up", show=False, id="lines.half_up"),
        Binding("home,g", "top", "First line", show=False, id="lines.top"),
        Binding("end,G", "bottom", "Last line", show=False, id="lines.bottom"),
        Binding("left,h", "sideways(-8)", "Left", show=False, id="lines.left"),
        Binding("right,l", "sideways(8)", "Right", show=False, id="lines.right"),
        Binding("0", "line_start", "Start of the lines", show=False, id="lines.line_start"),
        Binding("slash", "search", "Search", id="lines.search"),
        Binding("n", "next(False)", "Next match", show=False, id="lines.next"),
        Binding("N", "next(True)", "Previous match", show=False, id="lines.previous"),
        Binding("F", "follow", "Follow", show=False, id="lines.follow"),
    ]
    following: reactive[bool] = reactive(False, init=False)

    class Found(Message):
        """A search ended: at *position*, or nowhere (None)."""

        def __init__(self, lines: Lines, text: str, position: int | None) -> None:
            super().__init__()
            self.lines, self.text, self.position = lines, text, position

        @property
        def control(self) -> Lines:
            """The widget that was searched."""
            return self.lines

    class Followed(Message):
        """Following was switched on or off."""

        def __init__(self, lines: Lines, on: bool) -> None:
            super().__init__()
            self.lines, self.on = lines, on

        @property
        def control(self) -> Lines:
            """The widget."""
            return self.lines

    def __init__(self, *, empty: str = "", id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.empty = empty
        self.can_follow = False
        self.needle = ""
        self._source: LineSource = PlainLines(())
        self._strips: LRUCache[int, tuple[Strip, Text]] = LRUCache(512)
        self._widest = 0
        self._current: int | None = None

    # ------------------------------------------------------------------ what is shown

    def show(self, lines: LineSource | Sequence[Text | Line | str], *, follow: bool = False, keep: bool = True) -> None:
        """Show *lines*.

        Args:
            lines: A source, or a sequence of texts.
            follow: They may grow (:meth:`grown`), and the end is to stay in sight.
            keep: Stay at the position of the lines before; else at the top (or the end, following).
        """
        self._source = lines if isinstance(lines, LineSource) else PlainLines(lines)
        self._strips.clear()
        self.can_follow = follow
        self._current = self._current if keep else None
        self._widest = self._widest if keep else 0
        self._fit()
        if follow and (self.following or not keep):
            self.following = True
            self._to_end()
        elif not keep:
            self.following = False
            self.scroll_to(0, 0, animate=False, force=True)
        self.following = self.following and follow
        self.refresh()

    def grown(self) -> None:
        """Look at the source again: it has more lines than before, or its last one is longer."""
        self._strips.discard(max(self.virtual_size.height - 1, 0))
        self._fit()
        if self.following:
            self._to_end()
        self.refresh()

    def redraw(self) -> None:
        """Draw again: lines that were None are there now."""
        self._strips.clear()
        self.refresh()

    def __len__(self) -> int:
        return len(self._source)

    def __bool__(self) -> bool:
        return True  # a widget without lines is still one

    @property
    def top(self) -> int:
        """The position of the first line in sight."""
        return self.scroll_offset.y

    def goto(self, position: int) -> None:
        """Bring a line to the top."""
        self.scroll_to(y=position, animate=False, force=True)

    def key_at(self, position: int) -> str:
        """Return the key of a line, "" if it has none."""
        if isinstance(self._source, PlainLines) and 0 <= position < len(self._source):
            line = self._source.lines[position]
            return line.key if isinstance(line, Line) else ""
        return ""

    def _fit(self) -> None:
        self.virtual_size = Size(self._widest, len(self._source))

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    # ------------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        """Draw the line at *y* of the widget."""
        x, top = self.scroll_offset
        width, position = self.size.width, top + y
        base = self.rich_style
        if position >= len(self._source):
            strip = Strip.blank(width, base)
            if y == 0 and not len(self._source) and self.empty:
                said = harmless(Text(self.empty, style=ink(self, "lines--dim")))
                strip = self._strip(said).crop_extend(0, width, base).apply_style(base)
            return strip
        strip, text = self._line(position)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(position)) is not None:
            start, end = span
            chosen = text.copy()
            style = self.screen.get_component_rich_style("screen--selection")
            chosen.stylize(style, start, len(chosen) if end == -1 else end)
            strip = self._strip(chosen)
        shown = strip.crop_extend(x, x + width, base).apply_style(base).apply_offsets(x, position)
        return self._cut(shown, width) if strip.cell_length > x + width > 2 else shown

    def _cut(self, strip: Strip, width: int) -> Strip:
        """Say at the right edge that a line goes on: there is no bar for it, which would cost a line."""
        session = getattr(self.app, "session", None)
        mark = "›" if session is None or session.unicode else ">"
        edge = self.get_component_rich_style("lines--dim")
        return Strip.join([strip.crop(0, width - 1), Strip([Segment(mark, edge)], 1)])

    def _line(self, position: int) -> tuple[Strip, Text]:
        kept = self._strips.get(position)
        if kept is not None:
            return kept
        raw = self._source.line(position)
        if raw is None:
            return Strip.blank(0), Text("")
        text = self._prepared(raw, position)
        strip = self._strip(text)
        self._strips.set(position, (strip, text))
        if strip.cell_length > self._widest:
            self._widest = strip.cell_length
            self.call_later(self._fit)  # not while drawing
        return strip, text

    def _prepared(self, raw: Text, position: int) -> Text:
        """Return a line as it is drawn: cut, harmless, with the theme's styles and the marks of matches."""
        text = raw
        if len(text) > LONGEST:
            more = len(text) - LONGEST
            text = text[:LONGEST]
            text.append(f" … {more:,} more characters", "dim")
        if "\t" in text.plain:
            text = text.copy()
            text.expand_tabs(4)
        text = harmless(text)
        if any(isinstance(span.style, str) and span.style in NAMED_STYLES for span in text.spans) or (
            isinstance(text.style, str) and text.style in NAMED_STYLES
        ):
            text = text.copy()
            text.style = self._themed(text.style)
            text.spans = [Span(start, end, self._themed(style)) for start, end, style in text.spans]
        if self.needle:
            name = "current" if position == self._current else "match"
            style = self.get_component_rich_style(f"lines--{name}", partial=True)
            found = list(self._pattern().finditer(text.plain))
            if found:
                text = text.copy()
                for match in found:
                    text.stylize(style, match.start(), match.end())
        return text

    def _themed(self, style: str | Style) -> str | Style:
        if isinstance(style, str) and style.startswith("series-") and hasattr(self.app, "session"):
            return Style(color=self.app.session.colors(int(style[7:]))[0])
        if isinstance(style, str) and style in NAMED_STYLES:
            return ink(self, f"lines--{style}")
        return style

    def _strip(self, text: Text) -> Strip:
        text.end = ""
        if text.style and not text.spans:  # which Rich draws without its style
            text = text.copy()
            text.stylize(text.style)
        return Strip(text.render(self.app.console), cell_len(text.plain))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text that the mouse selected."""
        first = selection.start.y if selection.start is not None else 0
        last = selection.end.y if selection.end is not None else len(self._source) - 1
        last = min(last, first + _MOST_SELECTED, len(self._source) - 1)
        chosen = []
        for position in range(first, last + 1):
            span, text = selection.get_span(position), self._line(position)[1].plain
            if span is not None:
                chosen.append(text[span[0] :] if span[1] == -1 else text[span[0] : span[1]])
        return "\n".join(chosen), "\n"

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        """Draw again with what is selected."""
        self.refresh()

    def notify_style_update(self) -> None:
        """Forget what was drawn with other colours."""
        super().notify_style_update()
        self._strips.clear()

    # ------------------------------------------------------------------ searching

    def find(self, text: str, back: bool = False) -> bool:
        """Go to the next line with *text* (any case unless it has capitals) and mark all its places; "" marks none.

        Returns:
            Whether it was found at once. Of very many lines the rest is searched in a thread; either way :class:`Found`
            follows.
        """
        if text != self.needle:
            self.needle = text
            self._current = None
        self._strips.clear()
        self.refresh()
        if not text:
            self._current = None
            return False
        count = len(self._source)
        begin = (self.top - (not back)) if self._current is None else self._current
        order = [(begin - 1 - i) % count if back else (begin + 1 + i) % count for i in range(min(count, _AT_ONCE))]
        position = self._first(self._source, order)
        if position is None and count > _AT_ONCE:
            source, pattern_text = self._source, text
            rest = ((begin - 1 - i) % count if back else (begin + 1 + i) % count for i in range(_AT_ONCE, count))

            def look() -> None:
                found = self._first(source, rest, pattern_text)
                self.app.call_from_thread(self._arrived, source, pattern_text, found)

            self.run_worker(look, thread=True, exclusive=True, group="lines.find", exit_on_error=False)
            return False
        self._arrived(self._source, text, position)
        return position is not None

    def _first(self, source: LineSource, positions: object, still: str | None = None) -> int | None:
        pattern = self._pattern()
        for number, position in enumerate(cast("Sequence[int]", positions)):
            if still is not None and number % 1000 == 0 and (still != self.needle or source is not self._source):
                return None
            line = source.line(position)
            if line is not None and pattern.search(line.plain):
                return position
        return None

    def _arrived(self, source: LineSource, text: str, position: int | None) -> None:
        if source is not self._source or text != self.needle:
            return
        if position is not None:
            self._current = position
            self._strips.clear()
            self._reveal(position)
        self.post_message(self.Found(self, text, position))

    def _reveal(self, position: int) -> None:
        height, width = max(self.size.height, 1), max(self.size.width, 1)
        line = self._source.line(position)
        y = None if self.top <= position < self.top + height else max(position - height // 3, 0)
        x: float | None = None
        match = self._pattern().search(line.plain) if line is not None else None
        if line is not None and match is not None:
            start, end = cell_len(line.plain[: match.start()]), cell_len(line.plain[: match.end()])
            if start < self.scroll_offset.x or end > self.scroll_offset.x + width:
                self._widest = max(self._widest, cell_len(line.plain[:LONGEST]))
                self._fit()
                x = max(start - width // 2, 0) if end > width else 0
        self.scroll_to(x, y, animate=False, force=True)
        self.refresh()

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.needle), 0 if self.needle != self.needle.lower() else re.IGNORECASE)

    # ------------------------------------------------------------------ keys

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when somebody scrolls up, go on at the end."""
        super().watch_scroll_y(old_value, new_value)
        if self.can_follow and round(new_value) != round(old_value):
            self.following = round(new_value) >= self.max_scroll_y

    def watch_following(self, on: bool) -> None:
        """Tell it."""
        self.post_message(self.Followed(self, on))

    def on_resize(self, _: Resize) -> None:
        """Keep the end in sight."""
        if self.following:
            self._to_end()

    def action_down(self) -> None:
        """Scroll one line down."""
        self.scroll_to(y=self.scroll_offset.y + 1, animate=False)

    def action_up(self) -> None:
        """Scroll one line up."""
        self.scroll_to(y=self.scroll_offset.y - 1, animate=False)

    def action_page_down(self) -> None:
        """Scroll a page down."""
        self.scroll_to(y=self.scroll_offset.y + max(self.size.height - 1, 1), animate=False)

    def action_page_up(self) -> None:
        """Scroll a page up."""
        self.scroll_to(y=self.scroll_offset.y - max(self.size.height - 1, 1), animate=False)

    def action_half(self, sign: int) -> None:
        """Scroll half a page."""
        self.scroll_to(y=self.scroll_offset.y + sign * max(self.size.height // 2, 1), animate=False)

    def action_top(self) -> None:
        """Go to the first line."""
        self.scroll_to(0, 0, animate=False, force=True)

    def action_bottom(self) -> None:
        """Go to the last line, and follow if the lines may grow."""
        self._to_end()
        self.following = self.can_follow

    def action_sideways(self, columns: int) -> None:
        """Scroll sideways."""
        self.scroll_to(x=self.scroll_offset.x + columns, animate=False)

    def action_line_start(self) -> None:
        """Scroll back to the start of the lines."""
        self.scroll_to(x=0, animate=False)

    def action_search(self) -> None:
        """Search these lines; n and N go on."""
        prompt = getattr(self.screen, "prompt", None)
        if prompt is not None:
            prompt("search", self.find, value=self.needle, live=lambda text: text != self.needle and self.find(text))

    def action_next(self, back: bool) -> None:
        """Go to the next or previous match."""
        if self.needle:
            self.find(self.needle, back)

    def action_follow(self) -> None:
        """Keep the end in sight while lines are added, or no longer."""
        if not self.can_follow:
            return
        self.following = not self.following
        if self.following:
            self._to_end()
