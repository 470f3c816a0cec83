"""What the widgets that draw pictures share: rows of pieces become strips, styles become the theme's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ledgit.tui.widgets.inks import ink
from ledgit.tui.widgets.plot import Piece, Row, frame_rows

if TYPE_CHECKING:
    from textual.events import Resize

__all__ = ["Drawing"]

_MARKS = "ox+*#^v%"


class Drawing(Widget, can_focus=True):
    """A picture that is made anew only when it, its size or the theme changed.

    Subclasses have `picture` and call `redraw` when something changed.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "drawing--title",
        "drawing--text",
        "drawing--dim",
        "drawing--axis",
        "drawing--cursor",
        "drawing--note",
        "drawing--good",
        "drawing--bad",
        "drawing--here",
        *(f"drawing--shade-{number}" for number in range(5)),
    }
    DEFAULT_CSS = """
    Drawing {
        height: 1fr;
        width: 1fr;
        & > .drawing--title { text-style: bold; color: $foreground; }
        & > .drawing--text { color: $foreground; }
        & > .drawing--dim { color: $text-muted; }
        & > .drawing--axis { color: $foreground 45%; }
        & > .drawing--cursor { color: $foreground 60%; }
        & > .drawing--note { color: $text-muted; text-style: italic; }
        & > .drawing--good { color: $text-success; }
        & > .drawing--bad { color: $text-error; }
        & > .drawing--here { color: $accent; text-style: bold reverse; }
        & > .drawing--shade-0 { color: $foreground 35%; }
        & > .drawing--shade-1 { color: $primary 60%; }
        & > .drawing--shade-2 { color: $primary; }
        & > .drawing--shade-3 { color: $warning; }
        & > .drawing--shade-4 { color: $accent; text-style: bold; }
        &:focus > .drawing--title { color: $accent; }
    }
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._strips: list[Strip] | None = None

    # ------------------------------------------------------------------ of the session, if there is one

    @property
    def unicode(self) -> bool:
        """Whether the terminal can draw more than ASCII."""
        session = getattr(self.app, "session", None)
        return True if session is None else bool(session.unicode)

    @property
    def series_marks(self) -> list[str]:
        """The marks of the eight series."""
        session = getattr(self.app, "session", None)
        return list(_MARKS) if session is None else [session.colors(number)[1] for number in range(8)]

    def _style(self, name: str, cache: dict[str, Style]) -> Style:
        style = cache.get(name)
        if style is None:
            first, _, rest = name.partition(" ")
            if first.startswith("series-"):
                session = getattr(self.app, "session", None)
                color = None if session is None else session.colors(int(first[7:]))[0]
                style = self.rich_style + Style(color=color)
                if "dim" in rest:
                    axis = self.get_component_rich_style("drawing--axis")
                    style = self.rich_style + Style(color=_between(color, axis.color, 0.55) if color else axis.color)
            else:
                # Of a component only what it says itself: its background is the widget's.
                style = self.rich_style + ink(self, f"drawing--{first}")
            if "bold" in rest:
                style += Style(bold=True)
            cache[name] = style
        return style

    # ------------------------------------------------------------------ drawing

    def picture(self, columns: int, rows: int) -> list[Row]:
        """Return the picture in *columns* × *rows* characters."""
        raise NotImplementedError

    def _shown(self, columns: int, rows: int) -> list[Row]:
        found = frame_rows(self.picture(columns, rows)[:rows], columns)
        if not self.unicode:  # what was cut to fit
            found = [[Piece(text.replace("…", "~"), style) for text, style in row] for row in found]
        return found

    def redraw(self) -> None:
        """Draw the picture again with the next repaint."""
        self._strips = None
        self.refresh()

    def notify_style_update(self) -> None:
        """The theme changed."""
        self._strips = None
        super().notify_style_update()

    def on_resize(self, event: Resize) -> None:
        """Make it anew for another size."""
        del event
        self._strips = None

    def on_focus(self) -> None:
        """The title shows it."""
        self.redraw()

    def on_blur(self) -> None:
        """The title shows it."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Return a line of the picture."""
        columns, rows = self.size.width, self.size.height
        if self._strips is None:
            cache: dict[str, Style] = {}
            self._strips = [
                Strip([Segment(text, self._style(style, cache)) for text, style in row if text], columns)
                for row in self._shown(columns, rows)
            ]
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(columns, self.rich_style)


def _between(color: str, other: Any, share: float) -> Any:
    """Return a colour between *color* and *other*: a line that stands behind another."""
    from rich.color import Color, blend_rgb

    if other is None:
        return color
    return Color.from_triplet(blend_rgb(Color.parse(color).get_truecolor(), other.get_truecolor(), share))
