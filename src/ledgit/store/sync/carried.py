"""Are the runs of a ledger what it says, and does it carry them? Checked as its lines are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.records.table import Line as TableLine
    from ledgit.store.sync.line import Line, Progress

__all__ = ["RunCheck"]

_AT_ONCE = 5_000


class RunCheck:
    """Check that lines say what their commits do, and that the ledger carries these commits.

    A ledger that lists what it doesn't carry would let runs be lost: a clone drops its own copy of
    what the ledger has.

    Args:
        line: Where the ledger and its runs are.
        progress: Is told how many runs were looked at.
    """

    def __init__(self, line: Line, progress: Progress | None) -> None:
        self._line, self._progress = line, progress
        self._heads: list[str] = []
        self._waiting: list[TableLine] = []

    def take(self, lines: Iterable[TableLine]) -> None:
        """Look at some of the ledger's lines, if not at once.

        Raises:
            RecordError: One says what its commit doesn't.
        """
        for line in lines:
            if line.head and not line.purged:
                self._waiting.append(line)
                if len(self._waiting) == _AT_ONCE:
                    self._flush()

    def _flush(self) -> None:
        from ledgit.store.ledger import check_heads

        check_heads(self._line.objects, self._waiting)
        self._heads += (line.head for line in self._waiting)
        self._waiting = []
        if self._progress is not None:
            self._progress("Checking runs", len(self._heads), None)

    def end(self, tip: str) -> None:
        """Look at the rest, and at the history of the ledger *tip*.

        Raises:
            RecordError: A line says what its commit doesn't, or names a commit that *tip* doesn't reach.
        """
        from ledgit.git import LEAN, try_git

        self._flush()
        if not self._heads:
            return
        asked = "\n".join([*self._heads, f"^{tip}", ""]).encode("ascii")
        code, out, err = try_git(self._line.where, *LEAN, "rev-list", "--max-count=1", "--stdin", stdin=asked)
        if code != 0 or out.strip():
            detail = out.decode("ascii", "replace")[:12] if out else (err.strip().splitlines() or ["?"])[0]
            raise RecordError("the ledger", f"lists runs whose commits it does not carry ({detail})")
