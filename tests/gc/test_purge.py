"""A purged run is gone: here, on the remote, and in every clone that pulls."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.gc.kit import Clone, gc, left, lines_of, make_clone, tombstones
from tests.sync.kit import LEDGER, inboxes, tree_of
from tests.sync.servers import git_daemon
from tests.sync.test_share import always_first

from ledgit.errors import Conflict, NotHere, PushRefused, RunStateError
from ledgit.git import Objects
from ledgit.store.ledger.purging import purge
from ledgit.store.ledger.rerooting import owing


def test_without_a_remote_the_run_is_gone_at_once(repo: Path) -> None:
    ada = Clone(repo)
    secret, other = ada.log("secret"), ada.log("other")
    ada.compact()
    loose = ada.log("loose")
    own = ada.own_objects(secret) | ada.own_objects(loose)

    done = ada.purge_here(secret, loose)
    gc(repo)

    assert {secret, loose} == set(done.runs) == tombstones(repo)
    assert (loose,) == done.dropped
    assert set() == left(repo, own)
    assert {other} == ada.listed()
    assert "" == run_git(repo, "log", "-1", "--format=%(trailers:key=Ledgit-Root)", LEDGER)
    assert set(ada.heads(other)) <= set(run_git(repo, "rev-list", LEDGER).split())
    assert {} == owing(ada.repo, Objects(ada.repo))
    run_git(repo, "fsck", "--strict")


@pytest.mark.parametrize("daemon", [False, True])
def test_nothing_of_a_purged_run_is_left_anywhere(ada: Clone, ben: Clone, host: Path, daemon: bool) -> None:
    """Ada purges; Ben, who held the old ledger, pulls and pushes; then everybody collects garbage."""
    import contextlib

    with git_daemon(host.parent) if daemon else contextlib.nullcontext() as url:
        for clone in (ada, ben) if daemon else ():
            clone.git("remote", "set-url", "origin", f"{url}/{host.name}")
        secret, kept = ada.log("secret"), ada.log("kept")
        ada.push()
        ben.pull()
        ben.edit(secret, set_tags={"seen": "yes"})
        ben.push()
        ada.pull()
        mine = ben.log("ben's")
        ben.compact()
        own = ada.own_objects(secret) | ben.own_objects(secret)

        done = ada.gc_purge(secret)
        pulled = ben.pull(accept_purges=True)
        pushed = ben.push()
        ada.pull()

    assert (secret,) == done.runs
    assert 1 == done.attempts
    assert [secret] == list(pulled.changes.purged)
    assert [mine] == pushed.sent.new
    for path in (host, ada.path, ben.path):
        gc(path)
        assert set() == left(path, own), path
        assert {kept, mine} == lines_of(path)
        assert {secret} == tombstones(path)
        run_git(path, "fsck", "--strict")
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert {} == owing(ada.repo, Objects(ada.repo)) == owing(ben.repo, Objects(ben.repo))


def test_a_purge_takes_in_and_deletes_an_inbox(ada: Clone, ben: Clone, host: Path) -> None:
    """Ben's edit of the run and his own one wait in an inbox."""
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    ben.edit(secret, set_tags={"seen": "yes"})
    mine = ben.log("ben's")
    hook = always_first(host, LEDGER)
    ben.push(losses=1)
    hook.unlink()
    assert 1 == len(inboxes(host))
    ada.pull()
    own = ada.own_objects(secret) | ben.own_objects(secret)

    done = ada.gc_purge(secret)
    ben.pull(accept_purges=True)

    assert 1 == len(done.inboxes)
    assert [] == inboxes(host)
    for path in (host, ada.path, ben.path):
        gc(path)
        assert set() == left(path, own), path
        assert {mine} == lines_of(path)


def test_an_inbox_that_the_host_kept_goes_when_the_purge_is_repeated(ada: Clone, ben: Clone, host: Path) -> None:
    """The host changes one ref after the other: the new ledger is in, and then it deletes nothing."""
    run_git(host, "config", "receive.advertiseAtomic", "false")
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    ben.edit(secret, set_tags={"seen": "yes"})
    hook = always_first(host, LEDGER)
    ben.push(losses=1)
    hook.unlink()
    ada.pull()
    own = ada.own_objects(secret) | ben.own_objects(secret)
    stubborn = host / "hooks" / "update"
    stubborn.write_text("#!/bin/sh\ncase $3 in 0000*) exit 1;; esac\n")
    stubborn.chmod(0o755)
    with pytest.raises(PushRefused):
        ada.gc_purge(secret)
    assert {secret} == tombstones(host)
    assert 1 == len(inboxes(host))
    stubborn.unlink()

    done = ada.purge_there()

    assert (secret,) == done.runs
    assert [] == inboxes(host)
    gc(host)
    assert set() == left(host, own)
    assert () == ada.purge_there().runs


def test_an_inbox_that_comes_after_the_purge_brings_nothing_back(ada: Clone, ben: Clone, host: Path) -> None:
    """Ben has not seen the purge when his push loses its races."""
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    ben.edit(secret, set_tags={"seen": "yes"})
    hook = always_first(host, LEDGER)
    ben.push(losses=1)
    hook.unlink()
    run_git(host, "update-ref", "refs/keep/inbox", inboxes(host)[0])
    own = ada.own_objects(secret) | ben.own_objects(secret)
    ada.gc_purge(secret)
    run_git(host, "update-ref", "refs/ledgit/inbox/0123456789abcdef-00000000", "refs/keep/inbox")
    run_git(host, "update-ref", "-d", "refs/keep/inbox")

    ada.push()

    assert [] == inboxes(host)
    for path in (host, ada.path):
        gc(path)
        assert set() == left(path, own), path


def test_two_purges_at_once_both_hold(ada: Clone, ben: Clone, host: Path) -> None:
    """The lease lets one win; the other composes onto it and begins anew once more."""
    first, second, kept = ada.log("first"), ada.log("second"), ada.log("kept")
    ada.push()
    ben.pull()
    own = ada.own_objects(first) | ada.own_objects(second)
    ada.purge_here(first)
    ben.purge_here(second)
    ada.purge_there()

    done = ben.purge_there(accept_purges=True)
    ada.pull(accept_purges=True)

    assert {first, second} == tombstones(host)
    assert (second,) == done.runs
    for path in (host, ada.path, ben.path):
        gc(path)
        assert set() == left(path, own), path
        assert {kept} == lines_of(path)


def test_a_lost_lease_is_tried_again(ada: Clone, ben: Clone, host: Path) -> None:
    """Somebody pushes between the look and the push: their run is kept."""
    from ledgit.store.sync import purging

    secret = ada.log("secret")
    ada.push()
    mine = ben.log("ben's")
    own = ada.own_objects(secret, ben)
    ada.purge_here(secret)
    pushed: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "before push" and not pushed:
            pushed.append(mine)
            ben.push()

    before, purging.checkpoint = purging.checkpoint, meanwhile
    try:
        done = ada.purge_there()
    finally:
        purging.checkpoint = before

    assert 2 == done.attempts
    assert {mine} == lines_of(host) == ada.listed()
    gc(host)
    assert set() == left(host, own)


def test_a_purge_wins_over_edits_made_meanwhile(ada: Clone, ben: Clone, host: Path) -> None:
    """The edit's ref goes with a notice, and stays gone."""
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    ada.gc_purge(secret)
    ben.edit(secret, set_tags={"mine": "yes"})
    own = ben.own_objects(secret)

    with pytest.raises(Conflict, match="takes away 1 run for good"):
        ben.pull()
    pushed = ben.push(accept_purges=True)

    assert (secret,) == pushed.purged
    assert set() == ben.loose() == ben.listed() == lines_of(host)
    for path in (host, ben.path):
        gc(path)
        assert set() == left(path, own)


def test_what_could_not_be_pushed_is_owed_and_completed_later(ada: Clone, host: Path, tmp_path: Path) -> None:
    secret = ada.log("secret")
    ada.push()
    own = ada.own_objects(secret)
    ada.purge_here(secret)
    owed = owing(ada.repo, Objects(ada.repo))
    ada.push()
    still = owing(ada.repo, Objects(ada.repo))

    done = ada.gc_purge()
    again = ada.gc_purge()

    assert {"refs/ledgit/remotes/origin/ledger": {secret}} == owed
    assert {"refs/ledgit/remotes/origin/ledger", LEDGER} == set(still)
    assert (secret,) == done.runs
    assert (None, 0) == (again.commit, again.attempts)
    for path in (host, ada.path):
        gc(path)
        assert set() == left(path, own)


def test_a_run_that_was_never_pushed_leaves_only_its_tombstone(ada: Clone, host: Path) -> None:
    kept = ada.log("kept")
    ada.push()
    secret = ada.log("secret")
    own = ada.own_objects(secret)

    ada.gc_purge(secret)

    assert {kept} == lines_of(host)
    assert set() == left(host, own)
    gc(ada.path)
    assert set() == left(ada.path, own)


def test_runs_that_were_not_pushed_stay_here(ada: Clone, host: Path) -> None:
    """A purge publishes nothing."""
    secret = ada.log("secret")
    ada.push()
    private = ada.log("private")
    ada.compact()

    ada.gc_purge(secret)

    assert set() == lines_of(host)
    assert {private} == ada.listed()
    assert set(ada.heads(private)) <= set(ada.git("rev-list", LEDGER).split())


def test_a_run_that_is_being_written_is_refused(repo: Path) -> None:
    from ledgit.store import ActiveRun, RunStart

    ada = Clone(repo)
    active = ActiveRun.create(ada.repo, RunStart(name="busy"))

    with pytest.raises(RunStateError, match="being written"):
        purge(ada.repo, ada.folder, {active.id: 1_790_000_000_000})

    assert ada.ledger is None
    active.finish()


def test_a_clone_of_the_tip_alone_refuses(ada: Clone, host: Path, tmp_path: Path) -> None:
    ada.log("secret")
    ada.push()
    ben = make_clone(str(host), tmp_path / "ben")
    ben.git("config", "ledgit.fetch", "tip")
    ben.pull()
    before = (ben.refs(), run_git(host, "for-each-ref"))

    with pytest.raises(NotHere, match="do it in a full clone"):
        ben.purge_there()

    assert before == (ben.refs(), run_git(host, "for-each-ref"))


def test_a_host_that_forbids_it_is_told(ada: Clone, host: Path) -> None:
    """The ledger is a branch there, and branches move forward only."""
    ada.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")
    secret = ada.log("secret")
    ada.push()
    run_git(host, "config", "receive.denyNonFastForwards", "true")

    with pytest.raises(PushRefused, match="allow a forced push"):
        ada.gc_purge(secret)
    run_git(host, "config", "--unset", "receive.denyNonFastForwards")
    done = ada.gc_purge()

    assert (secret,) == done.runs


def test_git_logs_of_our_refs_go(ada: Clone, host: Path) -> None:
    """core.logAllRefUpdates=always: what a user's own git command on our refs left."""
    ada.git("config", "core.logAllRefUpdates", "always")
    secret = ada.log("secret")
    ada.push()
    ada.git("update-ref", "-m", "by hand", "refs/ledgit/mine", ada.heads(secret)[0])
    ada.git("update-ref", "-d", "refs/ledgit/mine")
    ada.git("update-ref", "-m", "by hand", LEDGER, LEDGER)
    own = ada.own_objects(secret)

    ada.gc_purge(secret)
    gc(ada.path)

    assert set() == left(ada.path, own)
