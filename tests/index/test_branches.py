"""The runs of a branch: found out once, and anew when something moves."""

from __future__ import annotations

from typing import Any

import pytest
from tests.index.kit import Runs, run_id

from ledgit.git import stamp
from ledgit.query import Query
from ledgit.records import CodeRef, RunState
from ledgit.store import index_links

NOW = 1_700_000_000_000


def numbers(index: Any, **query: Any) -> list[int]:
    """The numbers of the runs found, in order."""
    return [int(state.id[:8], 16) for state in index.search(Query(**query)).runs]


def live(number: int, **fields: Any) -> RunState:
    return RunState(run_id(number), **{"name": f"live-{number}", "status": "RUNNING", "start": NOW + number, **fields})


def test_the_runs_of_a_branch_are_found_out_once_until_a_ref_moves(
    runs: Runs, make: Any, git: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types a filter asks again and again; a commit, a merge, a new run or another branch begins anew."""
    made: list[str] = []

    class Counted(index_links.Links):
        def __init__(self, repo: Any, database: Any, rev: str) -> None:
            made.append(rev)
            super().__init__(repo, database, rev)

    monkeypatch.setattr(index_links, "Links", Counted)
    main = git(runs.path, "branch", "--show-current")
    first = git(runs.path, "rev-parse", "HEAD")
    git(runs.path, "checkout", "-q", "-b", "feature")
    (runs.path / "train.py").write_text("print('more')\n")
    git(runs.path, "commit", "-q", "-am", "second")
    second = git(runs.path, "rev-parse", "HEAD")
    trees = [git(runs.path, "rev-parse", f"{commit}^{{tree}}") for commit in (first, second)]
    runs.add(make(1, code=CodeRef(first, trees[0], "elsewhere", False)))
    runs.add(make(2, code=CodeRef(second, trees[1], "elsewhere", False)))
    index = runs.index()

    def at_rest() -> None:
        while stamp(index.repo, "refs/") is None:  # refs that moved this moment might move once more unseen
            pass
        numbers(index, branch=main)  # finds out, and notes it in the file

    at_rest()
    assert [1] == numbers(index, branch=main)
    made.clear()
    for text in ("", "name LIKE 'run-%'", "code.dirty = false", "start > 5"):
        assert [1] == numbers(index, branch=main, filter=text)
    assert [] == made
    assert [2, 1] == numbers(index, branch="feature")
    assert ["feature"] == made
    assert [2, 1] == numbers(index, filter=f"code IN {main} OR code IN feature", branch="feature")
    assert [1] == numbers(index, branch=main)

    at_rest()
    git(runs.path, "checkout", "-q", main)
    git(runs.path, "merge", "-q", "--ff-only", "feature")
    assert [2, 1] == numbers(index, branch=main)
    at_rest()
    runs.add(make(3, code=CodeRef(second, trees[1], "elsewhere", True)))
    index.refresh()
    assert [3, 2, 1] == numbers(index, branch=main)
    at_rest()
    git(runs.path, "reset", "-q", "--hard", first)
    assert [1] == numbers(index, branch=main)
    at_rest()
    runs.live.append(live(5, code=CodeRef(first, trees[0], None, False)))
    index.refresh()
    assert [5, 1] == numbers(index, branch=main)
