"""What leads to a run besides refs that everybody sees: stashes, other work trees, fetches that were killed."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git
from tests.gc.kit import Clone, gc, left
from tests.gc.test_plan import going, held, log, plan

from ledgit.repository import open_repository


def test_an_older_stash_holds_a_run(repo: Path) -> None:
    """Only the newest one is a ref; Git keeps the others for ever as well."""
    run_id = log(repo)
    run_git(repo, "checkout", "-q", open_repository(repo).run(run_id).state.heads[0])
    (repo / "train.py").write_text("print('on top')\n")
    run_git(repo, "stash", "-q")
    run_git(repo, "checkout", "-q", "main")
    (repo / "train.py").write_text("print('on main')\n")
    run_git(repo, "stash", "-q")

    assert [("ref", "stash@{1}")] == held(plan(repo, runs=(run_id,)))[run_id]


def test_a_bisection_in_another_work_tree_holds_a_run(repo: Path, tmp_path: Path) -> None:
    run_id = log(repo)
    head = open_repository(repo).run(run_id).state.heads[0]
    run_git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
    run_git(tmp_path / "tree", "update-ref", "refs/bisect/bad", head)

    found = plan(repo, runs=(run_id,))

    assert set() == going(found)
    assert {"ref"} == {kind for kind, _ in held(found)[run_id]}


def test_what_a_killed_fetch_or_a_removed_remote_left_keeps_no_purged_run(ada: Clone) -> None:
    run_id = ada.log("secret")
    ada.push()
    own = ada.own_objects(run_id)
    tip = ada.refs()["refs/ledgit/remotes/origin/ledger"]
    ada.git("update-ref", "refs/ledgit/incoming/origin/ledger", tip)
    ada.git("remote", "remove", "origin")

    open_repository(ada.path).purge(plan(ada.path, runs=(run_id,)))
    gc(ada.path)

    assert set() == left(ada.path, own)
    assert not [name for name in ada.refs() if name.startswith(("refs/ledgit/incoming/", "refs/ledgit/remotes/"))]


def test_the_words_about_removing_data_take_no_stash(repo: Path) -> None:
    """The command that the purge names is tried."""
    import shlex

    from ledgit.cli.cleaning import _what_stays
    from ledgit.store.gc import Swept
    from ledgit.store.ledger import PurgedHere

    for text in ("one", "two"):
        (repo / "train.py").write_text(f"print({text!r})\n")
        run_git(repo, "stash", "-q")
    said = next(iter(_what_stays(Swept(PurgedHere(None)))))

    for command in said.partition(": ")[2].split("&&"):
        run_git(repo, *shlex.split(command)[1:])

    assert 2 == len(run_git(repo, "stash", "list").splitlines())
