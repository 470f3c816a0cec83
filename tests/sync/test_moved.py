"""A remote that is pointed elsewhere: nothing goes there because something was at the old address."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, inboxes, lines_of, make_host, tree_of
from tests.sync.test_commands import ledgit
from tests.sync.test_refused import refuse

from ledgit.errors import Unreachable
from ledgit.store.sync.held import UNPUSHED, read_held


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A repository with nothing in it."""
    path = tmp_path / "elsewhere.git"
    run_git(tmp_path, "init", "-q", "--bare", str(path))
    return path


def shared(ada: Clone) -> str:
    """Push a run with its code, and return its id."""
    run_id = ledgit(ada, "record", "--name", "calm-owl").strip()
    ada.push()
    return run_id


def test_a_ledger_is_not_put_back_where_it_never_was(ada: Clone, empty: Path) -> None:
    """Its runs are looked at like any others: their code is not there, and nobody can be asked."""
    run_id = shared(ada)
    ada.git("remote", "set-url", "origin", str(empty))

    done = ada.push(policy="ask")

    assert ([], [run_id]) == (done.sent.new, list(done.held))
    assert {UNPUSHED} == {held.kind for held in read_held(ada.folder).values()}
    assert "" == run_git(empty, "for-each-ref")


def test_another_ledger_on_the_same_host_is_another_place(ada: Clone, ben: Clone, host: Path) -> None:
    """What was seen under the old name of the ledger says nothing of the new one."""
    first = shared(ada)
    old = ada.refs()["refs/ledgit/remotes/origin/ledger"]
    ada.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")

    ada.pull()
    between = ada.refs()
    second = ada.log("second")
    sent = ada.push().sent.new
    ben.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")
    ben.pull()

    assert "refs/ledgit/remotes/origin/ledger" not in between
    assert {first, second} == set(sent) == ben.listed() == lines_of(host, "refs/heads/ledgit")
    assert old == run_git(host, "rev-parse", LEDGER)


def test_branches_count_again_once_they_were_pushed(ada: Clone, empty: Path) -> None:
    """Git's own note of the branch is the same before and after; so the remote is asked."""
    run_id = shared(ada)
    ada.git("remote", "set-url", "origin", str(empty))
    ada.push(policy="pushed-code")
    ada.git("push", "-q", "origin", "HEAD")

    done = ada.push(policy="pushed-code")

    assert [run_id] == done.sent.new
    assert {run_id} == lines_of(empty)


def test_a_host_that_moved_with_all_it_has_is_no_news(ada: Clone, ben: Clone, host: Path, tmp_path: Path) -> None:
    shared(ada)
    run_git(tmp_path, "clone", "-q", "--mirror", str(host), str(tmp_path / "new.git"))
    ada.git("remote", "set-url", "origin", str(tmp_path / "new.git"))
    mine = ledgit(ada, "record").strip()

    done = ada.push(policy="pushed-code")

    assert ([mine], {}) == (done.sent.new, done.held)
    assert tree_of(ada.path, LEDGER) == tree_of(tmp_path / "new.git", LEDGER)
    assert [] == inboxes(tmp_path / "new.git")


def test_what_one_host_refused_is_offered_to_the_next(ada: Clone, host: Path, tmp_path: Path) -> None:
    bad, good = ada.log(), ada.log()
    refuse(host, bad)
    ada.push()
    other = make_host(tmp_path / "others" / "runs.git")
    ada.git("remote", "set-url", "origin", str(other))

    done = ada.push(policy="all")

    assert {} == done.held
    assert {bad, good} == lines_of(other)


def test_a_new_address_that_does_not_answer_changes_nothing(ada: Clone, empty: Path) -> None:
    """The old notes go only once the new place was seen."""
    run_id = shared(ada)
    before = ada.refs()
    ada.git("remote", "set-url", "origin", "git://127.0.0.1:1/runs.git")
    with pytest.raises(Unreachable):
        ada.push()
    unchanged = ada.refs()
    ada.git("remote", "set-url", "origin", str(empty))

    done = ada.push(policy="ask")

    assert before == unchanged
    assert [run_id] == list(done.held)


def test_credentials_that_a_job_gets_anew_are_no_other_address(ada: Clone) -> None:
    """An access token in the address of a CI job changes with every job."""
    notes = []
    for token in ("one", "two"):
        ada.git("remote", "set-url", "origin", f"http://job:{token}@127.0.0.1:1/runs.git")
        with pytest.raises(Unreachable):
            ada.push()
        notes.append((Path(ada.folder.path) / "remotes.json").read_bytes())

    assert notes[0] == notes[1]
    assert b"one" not in notes[0]
