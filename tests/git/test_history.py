"""Commits of all branches, as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import GitFunction

from ledgit.errors import GitFailed
from ledgit.git import History, Repo, ahead_behind, head_of, list_tips, resolve_commit
from ledgit.git.history import HistoryCommit, topological


def commit(git: GitFunction, repo: Path, subject: str) -> str:
    git(repo, "commit", "-q", "--allow-empty", "-m", subject)
    return git(repo, "rev-parse", "HEAD")


def test_a_history_is_read_in_pages_and_ends(repo: Path, git: GitFunction) -> None:
    """Every commit comes once, with what is said of it, however much is asked for at a time."""
    for number in range(5):
        commit(git, repo, f"change {number} \x1b[31m")
    found = Repo.discover(repo)

    with History(found, [git(repo, "rev-parse", "HEAD")]) as history:
        pages = [history.read(2) for _ in range(4)]

        assert [2, 2, 2, 0] == [len(page) for page in pages]
        assert history.ended
        assert "" == history.problem
    assert git(repo, "log", "--format=%H").split() == [one.oid for page in pages for one in page]
    newest = pages[0][0]
    assert ("change 4 \x1b[31m", "Ada Lovelace") == (newest.subject, newest.author)
    assert newest.parents == (pages[0][1].oid,)


def test_no_parent_stands_before_its_child_though_all_were_made_in_one_second(repo: Path, git: GitFunction) -> None:
    """A rebase makes commits of one second, and a branch may point into their middle."""
    for number in range(4):
        commit(git, repo, str(number))
    git(repo, "branch", "middle", "HEAD~2")

    with History(Repo.discover(repo), [git(repo, "rev-parse", name) for name in ("HEAD", "middle")]) as history:
        oids = [one.oid for one in history.read(100)]

    assert git(repo, "rev-list", "HEAD").split() == oids


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=30), st.randoms())
def test_any_order_is_put_right(links: list[list[int]], random: object) -> None:
    """Of any commits in any order, each stands before its parents, and none is lost."""
    commits = [
        HistoryCommit(f"{number}", tuple(str(parent) for parent in parents if parent < number), 0, "", "")
        for number, parents in enumerate(links)
    ]
    random.shuffle(commits)  # type: ignore[attr-defined]

    order = topological(commits)

    assert sorted(commits) == sorted(order)
    place = {one.oid: at for at, one in enumerate(order)}
    assert all(place[one.oid] < place[parent] for one in order for parent in one.parents)


def test_a_missing_commit_ends_a_history_with_the_reason(repo: Path, git: GitFunction) -> None:
    """What can be read is shown; the rest of the history is not."""
    lost = commit(git, repo, "lost")
    kept = commit(git, repo, "kept")
    (repo / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    with History(Repo.discover(repo), [kept]) as history, pytest.raises(GitFailed, match=lost):
        history.read(10)


def test_branches_and_tags_of_all_kinds_are_listed_with_the_commits_they_name(repo: Path, git: GitFunction) -> None:
    """An annotated tag names its commit; one of a file names none and is left out, as is the ledger's branch."""
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "-m", "x", "v1")
    git(repo, "tag", "blob", "HEAD:train.py")
    git(repo, "branch", "ledgit")
    git(repo, "update-ref", "refs/remotes/origin/main", head)
    git(repo, "update-ref", "refs/remotes/origin/ledgit", head)
    git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    tips = list_tips(Repo.discover(repo), ["refs/heads/ledgit"])

    assert [("main", "branch"), ("origin/main", "remote"), ("v1", "tag")] == [(tip.name, tip.kind) for tip in tips]
    assert {head} == {tip.oid for tip in tips}


def test_heads_and_distances(repo: Path, git: GitFunction) -> None:
    """How far two branches are apart, and what is checked out; a revision that is none is None."""
    found = Repo.discover(repo)
    git(repo, "branch", "old")
    newest = commit(git, repo, "more")

    assert ("main", newest) == head_of(found)
    assert (1, 0) == ahead_behind(found, "old", "main")
    assert (0, 1) == ahead_behind(found, "main", "old")
    assert ahead_behind(found, "main", "nowhere") is None
    assert resolve_commit(found, "nowhere") is None


def test_a_repository_without_commits_has_an_empty_history(tmp_path: Path, git: GitFunction) -> None:
    """Nothing is asked of git where there is nothing to be asked for."""
    git(tmp_path, "init", "-q")
    found = Repo.discover(tmp_path)

    assert ("main", "") == head_of(found)
    assert [] == list_tips(found)
    with History(found, []) as history:
        assert history.ended
        assert [] == history.read(10)


def test_a_tip_that_is_gone_is_passed_over(repo: Path, git: GitFunction) -> None:
    """Between two looks a branch may go, with its commits."""
    head = git(repo, "rev-parse", "HEAD")

    with History(Repo.discover(repo), ["0" * 39 + "1", head]) as history:
        assert [head] == [one.oid for one in history.read(10)]
