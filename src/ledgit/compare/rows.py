"""A row of a comparison: one key, one cell a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ledgit.compare.view import MISSING, Cell, Missing

Change = Literal["same", "added", "removed", "changed"]


@dataclass(slots=True)
class Row:
    """One key across the compared runs; a run that lacks the key has ``MISSING`` there."""

    key: str
    cells: tuple[Cell, ...]
    differs: bool

    @property
    def change(self) -> Change:
        """What happened from the first run to the last."""
        if not self.differs:
            return "same"
        if self.cells[0] is MISSING:
            return "added"
        return "removed" if self.cells[-1] is MISSING else "changed"

    def to_dict(self) -> dict[str, object]:
        """Return the row for JSON; a missing cell is null and its place stands in ``missing``."""
        row: dict[str, object] = {
            "key": self.key,
            "values": [None if isinstance(cell, Missing) else cell for cell in self.cells],
            "differs": self.differs,
        }
        missing = [place for place, cell in enumerate(self.cells) if cell is MISSING]
        if missing:
            row["missing"] = missing
        return row
