"""Histories as drawings: SVG without scripts, for pages and images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ledgit.records.wording import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.records import Points

__all__ = ["line_chart"]

_WIDE, _HIGH = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 10, 24


def line_chart(base: Points | None, head: Points | None, *, standalone: bool = False) -> str:
    """Return the histories of one metric as an SVG element: the baseline's in grey, the head's in blue.

    Args:
        base: The baseline's points, by step; None where there are none.
        head: The head's.
        standalone: With its own colours and namespace, as a file; else those of the page around it.
    """
    drawn = [(points, kind) for points, kind in ((base, "base"), (head, "head")) if points is not None and len(points)]
    finite = [(step, value) for points, _ in drawn for step, _, value in points if math.isfinite(value)]
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    opening = f'<svg{namespace} viewBox="0 0 {_WIDE} {_HIGH}" role="img" font-family="sans-serif" font-size="11">'
    if not finite:
        return f'{opening}<text x="{_WIDE // 2}" y="{_HIGH // 2}" text-anchor="middle">no numbers</text></svg>'
    steps, values = [step for step, _ in finite], [value for _, value in finite]
    frame = _Frame(min(steps), max(steps), min(values), max(values))
    parts = [opening, *_axes(frame, standalone)]
    if standalone:  # a page names the colours once for all its charts
        parts += _legend([kind for _, kind in drawn])
    for points, kind in drawn:
        parts += _line(points, frame, _paint(kind, standalone))
    return "".join([*parts, "</svg>"])


class _Frame:
    """Where steps and values stand on the drawing."""

    def __init__(self, left: int, right: int, low: float, high: float) -> None:
        self.left, self.right, self.low, self.high = left, right, low, high

    def x(self, step: int) -> float:
        span = self.right - self.left
        part = (step - self.left) / span if span else 0.5
        return _LEFT + part * (_WIDE - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        # Halved, so that the span of ±1.8e308 does not overflow.
        span = self.high / 2 - self.low / 2
        part = (value / 2 - self.low / 2) / span if span else 0.5
        return _HIGH - _BOTTOM - part * (_HIGH - _TOP - _BOTTOM)


def _paint(kind: str, standalone: bool) -> str:
    if standalone:
        return {"base": "#6e7781", "head": "#0969da", "line": "#d8dee4", "soft": "#5b6470"}[kind]
    return f"var(--{kind})"


def _axes(frame: _Frame, standalone: bool) -> Sequence[str]:
    line, soft = _paint("line", standalone), _paint("soft", standalone)
    parts = []
    for value in (frame.low, frame.low / 2 + frame.high / 2, frame.high):
        y = frame.y(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{line}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{soft}">{number(value, 3)}</text>')
        if frame.low == frame.high:
            break
    for step, anchor in ((frame.left, "start"), (frame.right, "end")):
        parts.append(
            f'<text x="{frame.x(step):.1f}" y="{_HIGH - 6}" text-anchor="{anchor}" fill="{soft}">{step}</text>'
        )
        if frame.left == frame.right:
            break
    return parts


def _legend(kinds: Sequence[str]) -> Sequence[str]:
    """Return which colour is whose, below the drawing between its first and last step."""
    parts, y = [], _HIGH - 6
    for kind, x in zip(kinds, (_WIDE // 2 - 70, _WIDE // 2 + 20), strict=False):
        name = {"base": "baseline", "head": "this branch"}[kind]
        colour = _paint(kind, True)
        parts.append(f'<line x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 20}" y="{y}" fill="{_paint("soft", True)}">{name}</text>')
    return parts


def _line(points: Points, frame: _Frame, colour: str) -> Sequence[str]:
    """Return the pieces of a line: what is no finite number leaves a gap."""
    pieces: list[list[str]] = [[]]
    for step, _, value in points:
        if math.isfinite(value):
            pieces[-1].append(f"{frame.x(step):.1f},{frame.y(value):.1f}")
        elif pieces[-1]:
            pieces.append([])
    drawn = []
    for piece in pieces:
        if len(piece) > 1:
            drawn.append(f'<polyline points="{" ".join(piece)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        elif piece:
            x, y = piece[0].split(",")
            drawn.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
    return drawn
