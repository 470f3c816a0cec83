"""Colours of a widget's components as they stand on its background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

if TYPE_CHECKING:
    from textual.widget import Widget

__all__ = ["ink"]


def ink(widget: Widget, name: str) -> Style:
    """Return a component's style without a background.

    Asked for in part, Textual gives a muted colour (``auto 60%``) as plain white, because there is nothing to mix it
    with; so it is asked for whole, and what lies behind is left to the line it is drawn on.

    Args:
        widget: Whose component it is.
        name: The component's class.
    """
    whole = widget.get_component_rich_style(name)
    part = widget.get_component_rich_style(name, partial=True)
    return part.without_color + Style(color=whole.color if part.color is not None else None, bgcolor=part.bgcolor)
