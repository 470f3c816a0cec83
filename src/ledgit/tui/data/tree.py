"""In which order rows stand, which of them are folded away, and which are heads of groups."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.store.index_window import Group, Window

__all__ = ["Flat", "Grouped", "Nested", "Order", "nest"]


class Flat:
    """Every run a row, as they come. Also what the other orders have in common."""

    def __init__(self, runs: int) -> None:
        self.runs = runs

    def __len__(self) -> int:
        return self.runs

    def run(self, row: int) -> int | None:
        """Return which run of the window stands in *row*; None: a group's head does."""
        return row

    def group(self, row: int) -> int | None:  # noqa: ARG002
        """Return which group's head stands in *row*."""
        return None

    def place(self, run: int) -> int | None:
        """Return in which row a run stands: its own, or that of what it is folded into."""
        return run

    def depth(self, row: int) -> int:  # noqa: ARG002
        """Return how deep in the fold *row* is."""
        return 0

    def inside(self, row: int) -> int:  # noqa: ARG002
        """Return how many rows can be folded into *row*."""
        return 0

    def is_open(self, row: int) -> bool:  # noqa: ARG002
        """Whether what is in *row* is shown below it."""
        return False


class Grouped(Flat):
    """Groups with a head each; those that are open show their runs.

    Args:
        groups: The groups, as the window has them.
        opened: Values of the groups that are open.
        shown: Numbers of the groups in the order they are shown in.
    """

    def __init__(
        self, groups: Sequence[Group], opened: Collection[str | None], shown: Sequence[int] | None = None
    ) -> None:
        super().__init__(sum(group.runs for group in groups))
        self.groups = groups
        self._shown = list(range(len(groups)) if shown is None else shown)
        self._open = [groups[number].value in opened for number in self._shown]
        sizes = (1 + groups[number].runs * is_open for number, is_open in zip(self._shown, self._open, strict=True))
        self._starts = [0, *accumulate(sizes)]
        self._firsts = [group.first for group in groups]
        self._where = {number: place for place, number in enumerate(self._shown)}

    def __len__(self) -> int:
        return self._starts[-1]

    def _at(self, row: int) -> tuple[int, int]:
        place = bisect_right(self._starts, row) - 1
        return place, row - self._starts[place] - 1

    def run(self, row: int) -> int | None:
        """Return which run stands in *row*."""
        place, offset = self._at(row)
        return None if offset < 0 else self.groups[self._shown[place]].first + offset

    def group(self, row: int) -> int | None:
        """Return which group's head stands in *row*."""
        place, offset = self._at(row)
        return self._shown[place] if offset < 0 else None

    def place(self, run: int) -> int | None:
        """Return in which row a run stands, or its group's head."""
        number = bisect_right(self._firsts, run) - 1
        if number < 0 or run >= self.groups[number].first + self.groups[number].runs:
            return None
        place = self._where[number]
        offset = 1 + run - self.groups[number].first if self._open[place] else 0
        return self._starts[place] + offset

    def depth(self, row: int) -> int:
        """Return 1 for runs."""
        return int(self._at(row)[1] >= 0)

    def inside(self, row: int) -> int:
        """Return a group's runs."""
        place, offset = self._at(row)
        return self.groups[self._shown[place]].runs if offset < 0 else 0

    def is_open(self, row: int) -> bool:
        """Whether a group is open."""
        place, offset = self._at(row)
        return offset < 0 and self._open[place]


class Nested(Flat):
    """Runs below the run they are nested in.

    Args:
        runs: How many there are.
        parents: Child → parent, as places in the window; of a circle all are roots.
        opened: Which runs show what is nested in them.
    """

    def __init__(self, runs: int, parents: Mapping[int, int], opened: Collection[int]) -> None:
        super().__init__(runs)
        self._parents = {child: parent for child, parent in parents.items() if not _in_circle(child, parents)}
        children: dict[int, list[int]] = {}
        for child in sorted(self._parents):
            children.setdefault(self._parents[child], []).append(child)
        self._children = children
        self._opened = frozenset(opened)
        rows = array("i")
        depths: dict[int, int] = {}
        for root in range(runs):
            if root in self._parents:
                continue
            if root not in children:
                rows.append(root)
                continue
            todo = [(root, 0)]
            while todo:
                run, depth = todo.pop()
                rows.append(run)
                if depth:
                    depths[run] = depth
                if run in self._opened:
                    todo.extend((child, depth + 1) for child in reversed(children.get(run, ())))
        self._rows, self._depths = rows, depths
        self._places: dict[int, int] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def run(self, row: int) -> int | None:
        """Return which run stands in *row*."""
        return self._rows[row]

    def place(self, run: int) -> int | None:
        """Return in which row a run stands, or the outermost closed run around it."""
        chain = [run]
        while chain[-1] in self._parents:
            chain.append(self._parents[chain[-1]])
        shown = chain.pop()
        while chain and shown in self._opened:
            shown = chain.pop()
        try:
            return self._rows.index(shown)
        except ValueError:
            return None

    def depth(self, row: int) -> int:
        """Return how deep a run is nested."""
        return self._depths.get(self._rows[row], 0)

    def inside(self, row: int) -> int:
        """Return how many runs are nested right in the one in *row*."""
        return len(self._children.get(self._rows[row], ()))

    def is_open(self, row: int) -> bool:
        """Whether they are shown."""
        return self._rows[row] in self._opened


def _in_circle(child: int, parents: Mapping[int, int]) -> bool:
    """Say whether following parents from *child* never ends: a repository can say so."""
    seen = {child}
    at = child
    while at in parents:
        at = parents[at]
        if at in seen:
            return True
        seen.add(at)
    return False


Order = Flat


def nest(window: Window, nested: Mapping[str, str]) -> dict[int, int]:
    """Return which run of *window* is nested in which, both as places in it; those with one outside are left out."""
    if not nested:
        return {}
    if len(nested) < 100:
        places = {run: window.find(run) for run in {*nested, *nested.values()}}
    else:
        wanted = {bytes.fromhex(run): run for run in {*nested, *nested.values()}}
        ids = window.ids
        places = dict.fromkeys(wanted.values())
        for place in range(len(window)):
            run = wanted.get(ids[place * 16 : place * 16 + 16])
            if run is not None:
                places[run] = place
    found: dict[int, int] = {}
    for child, parent in nested.items():
        inner, outer = places[child], places[parent]
        if inner is not None and outer is not None and inner != outer:
            found[inner] = outer
    return found
