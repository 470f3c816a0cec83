"""A remote that is fetched from at one address and pushed to at another, as ``pushurl`` has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, lines_of, make_host, tree_of
from tests.sync.test_commands import ledgit
from tests.sync.test_refused import refuse

from ledgit.errors import RemoteError
from ledgit.store.sync.ask import ALWAYS, NO, Answer, Question
from ledgit.store.sync.held import UNPUSHED
from ledgit.store.sync.purging import PurgeOptions, purge_remote


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another repository, with a branch that has other commits."""
    path = tmp_path / "elsewhere" / "runs.git"
    path.parent.mkdir()
    run_git(tmp_path, "init", "-q", "--bare", str(path))
    return path


def by_two_names(clone: Clone, host: Path) -> None:
    """One repository by two protocols."""
    clone.git("remote", "set-url", "--push", "origin", f"file://{host}")


def test_two_addresses_of_one_repository_share_as_one_does(ada: Clone, ben: Clone, host: Path) -> None:
    """The code is on a branch there, so nobody need be asked."""
    by_two_names(ada, host)
    theirs = ben.log()
    ben.push()
    run = ledgit(ada, "record").strip()

    first = ada.push(policy="pushed-code")
    second = ledgit(ada, "record").strip()
    again = ada.push(policy="pushed-code")
    ben.pull()

    assert ([run], [theirs], {}) == (first.sent.new, first.received.new, first.held)
    assert ([second], 1) == (again.sent.new, again.attempts)
    assert {theirs, run, second} == lines_of(host) == ben.listed()
    assert ada.tree == ben.tree == tree_of(host, LEDGER)


def test_a_branch_that_others_moved_still_counts(ada: Clone, ben: Clone, host: Path) -> None:
    """What is seen here is older than what is there; both addresses say the same."""
    by_two_names(ada, host)
    run = ledgit(ada, "record").strip()
    (ben.path / "new.py").write_text("x = 1\n")
    ben.git("add", "new.py")
    ben.git("commit", "-q", "-m", "new")
    ben.git("push", "-q", "origin", "HEAD:main")

    assert [run] == ada.push(policy="pushed-code").sent.new


def test_a_ledger_that_was_lost_comes_back(ada: Clone, host: Path) -> None:
    by_two_names(ada, host)
    runs = {ada.log(), ada.log()}
    ada.push()
    run_git(host, "update-ref", "-d", LEDGER)

    ada.push()

    assert runs == lines_of(host)
    assert ada.tree == tree_of(host, LEDGER)


def test_of_two_repositories_the_one_pushed_to_is_what_runs_are_judged_by(
    ada: Clone, ben: Clone, host: Path, other: Path
) -> None:
    """Private code, of which only a part was pushed on: what the first has is not what the second has."""
    theirs = ledgit(ben, "record").strip()
    ben.push()
    ada.pull()
    ada.git("remote", "set-url", "--push", "origin", str(other))
    mine = ledgit(ada, "record").strip()

    done = ada.push(policy="pushed-code")
    nothing = run_git(other, "for-each-ref")
    ada.git("push", "-q", str(other), "HEAD:refs/heads/main")
    after = ada.push(policy="pushed-code")

    assert [] == done.sent.new
    assert {theirs, mine} == set(done.held)
    assert {UNPUSHED} == {held.kind for held in done.held.values()}
    assert "" == nothing
    assert {theirs, mine} == set(after.sent.new) == lines_of(other)
    assert {theirs} == lines_of(host)


def test_of_two_repositories_runs_are_pulled_from_one_and_pushed_to_the_other(
    ada: Clone, ben: Clone, host: Path, tmp_path: Path
) -> None:
    """As often as wanted, with what either gets meanwhile; nothing ever goes to the first."""
    second = make_host(tmp_path / "more" / "runs.git")
    ada.git("remote", "set-url", "--push", "origin", str(second))
    mine, theirs = [], []
    for _ in range(3):
        theirs.append(ben.log())
        ben.push()
        ada.pull()
        mine.append(ada.log())
        ada.push()

    assert set(theirs) == lines_of(host)
    assert {*mine, *theirs} == lines_of(second) == ada.listed()
    for path in (host, second, ada.path):
        run_git(path, "fsck", "--strict", "--connectivity-only")


def test_the_question_and_its_answer_are_about_the_place_that_is_pushed_to(ada: Clone, host: Path, other: Path) -> None:
    """Who agreed for one place was not asked about another."""
    asked: list[str] = []

    def ask(question: Question, answer: Answer) -> Answer:
        asked.append(question.url)
        return answer

    by_two_names(ada, host)
    (ada.path / "train.py").write_text("print('changed')\n")
    ledgit(ada, "record")
    ada.push(policy=None, ask=lambda question: ask(question, ALWAYS))
    ada.git("remote", "set-url", "--push", "origin", str(other))
    ledgit(ada, "record")
    declined = ada.push(policy=None, ask=lambda question: ask(question, NO))

    assert [f"file://{host}", str(other)] == asked
    assert declined.declined
    assert "" == run_git(other, "for-each-ref")


def test_errors_name_the_place_that_is_pushed_to(ada: Clone, tmp_path: Path) -> None:
    ada.git("remote", "set-url", "--push", "origin", str(tmp_path / "nowhere.git"))
    ada.log()

    with pytest.raises(RemoteError, match=r"nowhere\.git"):
        ada.push()


def test_a_refused_run_is_held_and_a_purge_goes_there_too(ada: Clone, host: Path) -> None:
    by_two_names(ada, host)
    bad, good, leaked = ada.log(), ada.log(), ada.log()
    hook = refuse(host, bad)
    done = ada.push()
    hook.unlink()
    ada.purge(leaked)

    there = purge_remote(ada.repo, ada.folder, ada.remote, PurgeOptions())

    assert ([bad], {good, leaked}) == (list(done.held), set(done.sent.new))
    assert (leaked,) == there.runs
    assert {good} == lines_of(host)
