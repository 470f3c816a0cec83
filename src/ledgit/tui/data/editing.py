"""What the UI changes in a repository, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.records import RunState
    from ledgit.repository import Repository, Run

__all__ = [
    "STAR",
    "Edit",
    "UndoStack",
    "delete_edit",
    "move_edit",
    "note_edit",
    "rename_edit",
    "restore_edit",
    "star_edit",
    "tag_edit",
    "untag_edit",
]

#: The tag that marks a run as starred; its value is ``true``.
STAR = "ledgit.star"
_NOTE = "mlflow.note.content"
_REMEMBERED = 100


class Edit:
    """One change that a person asked for.

    Args:
        what: What was done, as a sentence without its end: ``tagged 3 runs``.
        do: Makes the change; called in a thread.
        undo: Takes it back; None for what can't be.
    """

    __slots__ = ("do", "undo", "what")

    def __init__(self, what: str, do: Callable[[], None], undo: Callable[[], None] | None) -> None:
        self.what, self.do, self.undo = what, do, undo

    def __repr__(self) -> str:
        return f"<Edit {self.what}>"


class UndoStack:
    """The edits of this sitting, to be taken back and made again. Its verbs write, so they run in a thread.

    An edit that fails changes neither side: what could be undone before can be undone still.
    """

    def __init__(self) -> None:
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    def do(self, edit: Edit) -> str:
        """Make *edit* and return what it did. What was undone before can't be made again after it.

        Raises:
            LedgitError: What the edit raises; it is not remembered then.
        """
        edit.do()
        self._undone.clear()
        if edit.undo is not None:
            self._done.append(edit)
            del self._done[:-_REMEMBERED]
        return edit.what

    def undo(self) -> str | None:
        """Take the newest edit back; return what it was, or None if there is none."""
        if not self._done:
            return None
        edit = self._done[-1]
        assert edit.undo is not None
        edit.undo()
        self._undone.append(self._done.pop())
        return edit.what

    def redo(self) -> str | None:
        """Make the edit again that was taken back last; return what it is, or None if there is none."""
        if not self._undone:
            return None
        edit = self._undone[-1]
        edit.do()
        self._done.append(self._undone.pop())
        return edit.what


def tag_edit(repository: Repository, runs: Sequence[Run], tags: Mapping[str, str]) -> Edit:
    """Set *tags* of *runs*; taken back, each run has again what it had."""
    what = ", ".join(f"{key}={value}" for key, value in tags.items())
    return _tags(repository, runs, f"tagged {_named(runs)} {what}", dict(tags), ())


def untag_edit(repository: Repository, runs: Sequence[Run], keys: Sequence[str]) -> Edit:
    """Remove the tags *keys* of *runs*, where they have them."""
    return _tags(repository, runs, f"removed {', '.join(keys)} of {_named(runs)}", {}, tuple(keys))


def star_edit(repository: Repository, runs: Sequence[Run], on: bool = True) -> Edit:
    """Star *runs*, or take their stars away."""
    if on:
        return _tags(repository, runs, f"starred {_named(runs)}", {STAR: "true"}, ())
    return _tags(repository, runs, f"took the star of {_named(runs)} away", {}, (STAR,))


def note_edit(repository: Repository, run: Run, text: str) -> Edit:
    """Write the note of *run*; an empty text removes it."""
    if text:
        return _tags(repository, [run], f"wrote the note of {run.name}", {_NOTE: text}, ())
    return _tags(repository, [run], f"removed the note of {run.name}", {}, (_NOTE,))


def rename_edit(repository: Repository, run: Run, name: str) -> Edit:
    """Give *run* another name."""
    before = run.name
    return Edit(
        f"renamed {before} to {name}",
        lambda: _edit(repository, [run.id], name=name),
        lambda: _edit(repository, [run.id], name=before),
    )


def move_edit(repository: Repository, runs: Sequence[Run], experiment: str) -> Edit:
    """Move *runs* to another experiment."""
    ids = [run.id for run in runs]
    before: dict[str, list[str]] = {}
    for run in runs:
        before.setdefault(run.state.experiment, []).append(run.id)

    def undo() -> None:
        for label, some in before.items():
            _edit(repository, some, experiment=label)

    return Edit(f"moved {_named(runs)} to {experiment}", lambda: _edit(repository, ids, experiment=experiment), undo)


def delete_edit(repository: Repository, runs: Sequence[Run]) -> Edit:
    """Mark *runs* as deleted; nothing is removed, so it can be taken back."""
    ids = [run.id for run in runs if not run.state.deleted]
    return Edit(
        f"deleted {_named(runs)}",
        lambda: repository.delete_runs(_runs(repository, ids)),
        lambda: _edit(repository, ids, deleted=False),
    )


def restore_edit(repository: Repository, runs: Sequence[Run]) -> Edit:
    """Take the mark of deleted *runs* back."""
    ids = [run.id for run in runs if run.state.deleted]
    return Edit(
        f"restored {_named(runs)}",
        lambda: _edit(repository, ids, deleted=False),
        lambda: _edit(repository, ids, deleted=True),
    )


def _tags(repository: Repository, runs: Sequence[Run], what: str, tags: dict[str, str], gone: tuple[str, ...]) -> Edit:
    """Return an edit that remembers, when it is made, what each run had."""
    ids = [run.id for run in runs]
    before: dict[str, dict[str, str | None]] = {}

    def do() -> None:
        before.clear()
        had: dict[tuple[str, ...], list[str]] = {}
        for state in _states(repository, ids):
            before[state.id] = {key: state.tags.get(key) for key in (*tags, *gone)}
            there = tuple(key for key in gone if key in state.tags)
            if tags or there:
                had.setdefault(there, []).append(state.id)
        # A tag to remove must be there, so runs are edited by which of them they have.
        for there, some in had.items():
            _edit(repository, some, set_tags=tags, delete_tags=there)

    def undo() -> None:
        groups: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
        for run_id, had in before.items():
            groups.setdefault(tuple(had.items()), []).append(run_id)
        for values, some in groups.items():
            lacking = [key for key, value in values if value is None]
            # Somebody else may have removed it meanwhile; then there is nothing to remove.
            present = {
                state.id: tuple(key for key in lacking if key in state.tags) for state in _states(repository, some)
            }
            back = {key: value for key, value in values if value is not None}
            for there in set(present.values()):
                if back or there:
                    same = [run_id for run_id in some if present.get(run_id) == there]
                    _edit(repository, same, set_tags=back, delete_tags=there)

    return Edit(what, do, undo)


def _edit(repository: Repository, ids: Sequence[str], **changes: object) -> None:
    from ledgit.store import Edit as StoredEdit

    if ids:
        repository.edit_all(_states(repository, ids), StoredEdit(**changes))  # type: ignore[arg-type]


def _states(repository: Repository, ids: Sequence[str]) -> list[RunState]:
    """Return the runs as they are now: another edit may have moved them since the screen was drawn."""
    from ledgit.errors import RunNotFound

    repository.index.refresh()
    found = []
    for run_id in ids:
        state = repository.index.get(run_id)
        if state is None:
            raise RunNotFound(run_id)
        found.append(state)
    return found


def _runs(repository: Repository, ids: Sequence[str]) -> list[Run]:
    from ledgit.repository import Run

    return [Run(repository, state) for state in _states(repository, ids)]


def _named(runs: Sequence[Run]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs):,} runs"
