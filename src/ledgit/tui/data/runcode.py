"""The code of a run beside other code: its own commit, the commit before, another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledgit.records.values import Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.store.checkout import FileChange
    from ledgit.tui.data.details import Details
    from ledgit.tui.session import Session

__all__ = ["CodeDiff", "Side", "read_changes", "read_patch", "sides"]

_MOST = 20_000  # lines of a patch that are shown


class Side(NamedTuple):
    """What a run's code can be compared with.

    Attributes:
        key: ``dirty`` (its own commit), ``before`` (the commit before that), ``baseline``, ``parent``.
        title: As people call it.
        revision: A commit or a tree.
    """

    key: str
    title: str
    revision: str


class CodeDiff(Values):
    """Which files differ.

    Attributes:
        side: What it is compared with.
        changes: The files, by path.
        why: Why nothing can be said, as a sentence; else "".
    """

    __slots__ = ("changes", "side", "why")

    def __init__(self, side: Side | None, changes: Sequence[FileChange] = (), why: str = "") -> None:
        self.side, self.changes, self.why = side, tuple(changes), why


def sides(session: Session, details: Details) -> list[Side]:
    """Return what the code of a run can be compared with, the most telling first. Called in a thread."""
    from ledgit.store.checkout import parent_commit

    code, repository = details.run.code, session.repository
    found = []
    if code.commit:
        if code.dirty:
            found.append(Side("dirty", f"its commit {code.commit[:8]}: what was not committed", code.commit))
        before = parent_commit(repository.repo, code.commit)
        if before:
            what = "the commit before it" if code.dirty else f"{before[:8]}, the commit before its own"
            found.append(Side("before", what, before))
    for key, title, other in (
        ("baseline", "the baseline", session.baseline),
        ("parent", "the run it is nested in", details.run.parent_run),
    ):
        state = repository.index.get(other) if other and other != details.run.id else None
        if state is not None and (state.code.tree or state.heads):
            found.append(Side(key, f"{title} {state.name}", state.code.tree or state.heads[0]))
    return found


def _own(details: Details) -> str | None:
    return details.run.code.tree or details.run.head or details.run.code.commit


def read_changes(session: Session, details: Details, side: Side) -> CodeDiff:
    """Return which files differ between *side* and the code of the run. Called in a thread."""
    from ledgit.errors import LedgitError
    from ledgit.store.checkout import code_changes

    own = _own(details)
    if own is None:
        return CodeDiff(side, (), "the code of this run was not recorded")
    try:
        return CodeDiff(side, code_changes(session.repository.repo, side.revision, own))
    except LedgitError:
        pass
    try:  # the tree is the run's commit's where that alone was fetched
        head = details.run.head
        if head is not None:
            return CodeDiff(side, code_changes(session.repository.repo, side.revision, head))
    except LedgitError:
        pass
    return CodeDiff(side, (), "the code is not in this clone; 'git fetch --unshallow' or 'ledgit pull' brings it")


def read_patch(session: Session, details: Details, side: Side, path: str) -> list[str]:
    """Return the difference in one file as lines of a unified diff, without its heads. Called in a thread."""
    from ledgit.errors import LedgitError
    from ledgit.store.checkout import code_patch

    lines: list[str] = []
    for own in (_own(details), details.run.head):
        if own is None:
            continue
        try:
            lines = code_patch(session.repository.repo, side.revision, own, [path]).split("\n")
            break
        except LedgitError as error:
            lines = [str(error)]
    if lines and not lines[-1]:
        lines.pop()
    begin = next((number for number, line in enumerate(lines) if line.startswith("@@")), 0)
    more = len(lines) - begin - _MOST
    shown = lines[begin : begin + _MOST]
    return [*shown, f"… and {more:,} more lines"] if more > 0 else shown
