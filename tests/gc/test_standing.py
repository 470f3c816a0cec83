"""Runs that stand on a purged run's commits, of which the one who purged it knew nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gc.kit import Clone, gc, left, lines_of, tombstones
from tests.ledger_runs.kit import settle

from ledgit.repository import open_repository
from ledgit.store import RunStart
from ledgit.store.sync.held import PURGED, read_held


def standing(clone: Clone, on: str, name: str = "on top", change: str | None = None) -> str:
    """Finish a run on the code of another, with *change* committed on top of it before."""
    clone.git("checkout", "-q", clone.heads(on)[0] if clone.heads(on) else f"refs/ledgit/runs/{on}")
    if change is not None:
        (clone.path / "train.py").write_text(change)
        clone.git("add", "train.py")
        clone.git("commit", "-q", "-m", "on top of a run")
    run = open_repository(clone.path).start_run(RunStart(name=name))
    run.finish()
    settle()
    assert not run.problems
    clone.git("checkout", "-q", "main")
    return run.id


def test_a_run_on_a_purged_run_s_code_brings_nothing_back(ada: Clone, ben: Clone, host: Path) -> None:
    """Straight on its commit, on a commit on top of it, and on such a run; a run of its own goes."""
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    ben.git("fetch", "-q", "origin")
    on_it = standing(ben, secret)
    above = standing(ben, secret, change="print('more')\n")
    ben.compact()
    further = standing(ben, on_it)
    free = ben.log("free")
    own = ada.own_objects(secret) - ben.objects_of(free)
    assert len(own) > 3

    ada.gc_purge(secret)
    ben.pull(accept_purges=True)
    pushed = ben.push()

    assert {on_it, above, further} == set(pushed.held)
    assert {PURGED} == {held.kind for held in pushed.held.values()}
    assert f"it stands on run {secret[:8]}, which was purged" in pushed.held[above].reason
    assert [free] == pushed.sent.new
    gc(host)
    assert set() == left(host, own)
    assert {free} == lines_of(host)
    assert {on_it, above, further} <= ben.loose() | ben.listed()

    again = ben.push()

    assert {on_it, above, further} == set(again.held) == again.known == set(read_held(ben.folder))
    gc(host)
    assert set() == left(host, own)
    assert {secret} == tombstones(host)


@pytest.mark.parametrize("asked", [True, False], ids=["fetched", "as last seen"])
def test_a_purge_that_comes_between_two_attempts_is_noticed(ada: Clone, ben: Clone, host: Path, asked: bool) -> None:
    """Ben's push has looked at his runs already when it loses the race against the purge."""
    from ledgit.store.sync.lately import known_lately
    from ledgit.store.sync.opening import open_line
    from ledgit.store.sync.push import PushOptions
    from ledgit.store.sync.pushing import Push

    secret = ada.log("secret")
    ada.push()
    ben.pull()
    on_it = standing(ben, secret)
    own = ada.own_objects(secret)
    line = open_line(ben.repo, ben.folder, ben.remote)
    known = known_lately(line)
    assert known
    work = Push(line, PushOptions(policy="all", accept_purges=True), None, None if asked else known)
    attempt, tried = work.attempt, []

    def after_the_purge(plan, **how):  # type: ignore[no-untyped-def]
        if not tried:
            ada.gc_purge(secret)
        tried.append(plan.going)
        return attempt(plan, **how)

    work.attempt = after_the_purge  # type: ignore[method-assign]
    pushed = work.run()

    assert [[on_it], []] == tried
    assert {on_it} == set(pushed.held)
    gc(host)
    assert set() == left(host, own)
    assert set() == lines_of(host)


def test_code_of_a_purged_run_that_was_published_as_a_branch_holds_nothing(ada: Clone, ben: Clone) -> None:
    """Whoever pushes the code as code has decided that it is public."""
    secret = ada.log("secret")
    ada.push()
    ben.pull()
    on_it = standing(ben, secret)
    ada.gc_purge(secret)
    ben.pull(accept_purges=True)
    assert {on_it} == set(ben.push().held)

    ben.git("push", "-q", "origin", f"{on_it_base(ben, on_it)}:refs/heads/published")
    ben.git("fetch", "-q", "origin")

    assert [on_it] == ben.push().sent.new


def on_it_base(clone: Clone, run_id: str) -> str:
    """The code commit that a run stands on."""
    return clone.git("rev-parse", f"refs/ledgit/runs/{run_id}^")
