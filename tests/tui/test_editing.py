"""Changes from the UI, and taking them back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tui.conftest import log_runs

from ledgit.errors import InvalidValue
from ledgit.repository import Repository, Run, open_repository
from ledgit.tui.data import editing
from ledgit.tui.data.editing import Edit, UndoStack


@pytest.fixture
def repository(repo: Path) -> Repository:
    """Three runs; the first has a tag."""
    ids = log_runs(repo, 3)
    found = open_repository(repo)
    found.tag_runs([found.run(ids[0])], {"team": "red"})
    return found


def runs(repository: Repository) -> list[Run]:
    """The runs, oldest first, as they are now."""
    return list(repository.runs.view("all"))[::-1]


def facts(repository: Repository) -> list[tuple[str, str, bool, dict[str, str]]]:
    return [(run.name, run.experiment, run.deleted, dict(run.tags)) for run in runs(repository)]


def every_kind(repository: Repository) -> list[Edit]:
    found = runs(repository)
    return [
        editing.tag_edit(repository, found, {"team": "blue", "good": "yes"}),
        editing.untag_edit(repository, found, ["team"]),
        editing.note_edit(repository, found[0], "a note\nof two lines"),
        editing.rename_edit(repository, found[0], "other"),
        editing.move_edit(repository, found, "elsewhere"),
        editing.star_edit(repository, found[:2]),
        editing.delete_edit(repository, found[1:]),
    ]


@pytest.mark.parametrize("which", range(7))
def test_every_edit_can_be_taken_back_and_made_again(repository: Repository, which: int) -> None:
    """Each run is then as it was, also where the runs differed before."""
    stack, before = UndoStack(), facts(repository)
    edit = every_kind(repository)[which]

    assert edit.what == stack.do(edit)
    after = facts(repository)
    assert before != after
    assert edit.what == stack.undo()
    assert before == facts(repository)
    assert edit.what == stack.redo()
    assert after == facts(repository)
    assert stack.redo() is None


def test_what_is_deleted_is_restored(repository: Repository) -> None:
    """And that can be taken back too."""
    stack = UndoStack()
    stack.do(editing.delete_edit(repository, runs(repository)))
    stack.do(editing.restore_edit(repository, runs(repository)))
    assert 3 == len(repository.runs)

    stack.undo()

    assert 0 == len(repository.runs)


def test_a_tag_that_somebody_else_removed_meanwhile_does_not_stop_undoing(repository: Repository) -> None:
    """There is nothing left to remove then."""
    stack = UndoStack()
    [run, *_] = runs(repository)
    stack.do(editing.star_edit(repository, [run]))
    editing.untag_edit(repository, [run], ["ledgit.star"]).do()

    stack.undo()

    assert editing.STAR not in runs(repository)[0].tags


def test_an_edit_that_fails_is_not_remembered() -> None:
    """And takes nothing away from what could be undone."""
    stack, done = UndoStack(), []

    def fail() -> None:
        raise InvalidValue("tag", "x", "another")

    stack.do(Edit("first", lambda: done.append("do"), lambda: done.append("undo")))
    with pytest.raises(InvalidValue):
        stack.do(Edit("second", fail, fail))
    stack.do(Edit("third", lambda: None, None))

    assert "first" == stack.undo()
    assert ["do", "undo"] == done
    assert stack.undo() is None
