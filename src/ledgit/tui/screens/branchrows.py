"""Commits, and branches and tags, as rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from ledgit.tui.data.branching import BranchView, commit_cells, tip_cells
from ledgit.tui.widgets.grid import Cell, Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git import Tip
    from ledgit.tui.screens.branches import BranchesScreen

__all__ = ["CommitRows", "Sized", "TipRows"]


class Sized(Grid):
    """A table whose columns are made for the room there is."""

    class Resized(Message):
        """There is another room."""

    def on_resize(self, _: events.Resize) -> None:
        """Tell it."""
        self.post_message(self.Resized())


class CommitRows:
    """The commits that were read so far, as rows."""

    def __init__(self, screen: BranchesScreen, view: BranchView) -> None:
        self._screen, self._view = screen, view
        self._length = len(view.graph.rows)

    def __len__(self) -> int:
        return self._length

    def grow(self) -> None:
        """Show what was read since."""
        self._length = len(self._view.graph.rows)

    def key(self, position: int) -> str | None:
        """Return a commit's id."""
        return self._view.graph.rows[position].commit.oid

    def find(self, key: str) -> int | None:
        """Return where a commit is."""
        place = self._view.graph.places.get(key)
        return place if place is not None and place < self._length else None

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0: the graph says what stands on what."""
        return 0

    def cells(self, position: int) -> Sequence[Cell]:
        """Return a commit's cells."""
        screen = self._screen
        cells = commit_cells(screen.session, self._view, screen.runs, position, screen.picked)
        return [Cell(*cells[place]) for place in screen.order]


class TipRows:
    """Branches and tags as rows."""

    def __init__(self, screen: BranchesScreen, view: BranchView, tips: Sequence[Tip]) -> None:
        self._screen, self._view, self.tips = screen, view, tips
        self._places = {f"{tip.kind}:{tip.name}": place for place, tip in enumerate(tips)}

    def __len__(self) -> int:
        return len(self.tips)

    def key(self, position: int) -> str | None:
        """Return kind and name."""
        tip = self.tips[position]
        return f"{tip.kind}:{tip.name}"

    def find(self, key: str) -> int | None:
        """Return where a branch is."""
        return self._places.get(key)

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0."""
        return 0

    def cells(self, position: int) -> Sequence[Cell]:
        """Return a branch's cells."""
        tip, screen = self.tips[position], self._screen
        return [
            Cell(*cell) for cell in tip_cells(screen.session, self._view, screen.runs, tip, screen.far.get(tip.oid))
        ]
