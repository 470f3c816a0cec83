"""A push soon after another sync: one connection, and all guarantees of one that fetches first."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, inboxes, lines_of, make_clone, tree_of
from tests.sync.test_faults import CHECKPOINTS, finish, start
from tests.sync.test_refused import refuse
from tests.sync.test_share import always_first

from ledgit.errors import Unreachable
from ledgit.store.sync import lately
from ledgit.store.sync.purging import PurgeOptions, purge_remote


@pytest.fixture
def fetches(ada: Clone, tmp_path: Path) -> Counter:
    """What Ada's clone is asked with: counts the connections that fetch."""
    return Counter(ada, tmp_path / "fetches")


class Counter:
    """Tells how often a clone has fetched since it was asked last."""

    def __init__(self, clone: Clone, log: Path) -> None:
        self.log = log
        script = log.with_suffix(".sh")
        script.write_text(f'#!/bin/sh\necho x >> {log}\nexec git-upload-pack "$@"\n')
        script.chmod(0o755)
        clone.git("config", "remote.origin.uploadpack", str(script))

    def count(self) -> int:
        found = len(self.log.read_text().split()) if self.log.exists() else 0
        self.log.write_text("")
        return found


def test_a_push_soon_after_another_one_does_not_fetch(ada: Clone, ben: Clone, host: Path, fetches: Counter) -> None:
    first = ada.log()
    ada.push()
    fetches.count()
    second = ada.log()

    done = ada.push()

    assert 0 == fetches.count()
    assert ([second], [], 1) == (done.sent.new, done.received.new, done.attempts)
    assert {first, second} == lines_of(host) == set(ben.pull().changes.new)
    assert ada.ledger == run_git(host, "rev-parse", LEDGER) == ada.refs()["refs/ledgit/remotes/origin/ledger"]
    assert set() == ada.loose()
    run_git(host, "fsck", "--strict")


def test_a_push_soon_after_a_pull_does_not_fetch(ada: Clone, ben: Clone, host: Path, fetches: Counter) -> None:
    theirs = ben.log()
    ben.push()
    ada.pull()
    fetches.count()
    ada.edit(theirs, set_tags={"seen": "yes"})
    ada.compact()  # it is not loose any more

    done = ada.push()

    assert 0 == fetches.count()
    assert [theirs] == done.sent.edited
    assert ada.tree == tree_of(host, LEDGER)


def test_where_somebody_else_has_pushed_everything_arrives_all_the_same(
    ada: Clone, ben: Clone, host: Path, fetches: Counter, shared: tuple[str, ...]
) -> None:
    """The host says so, and the push goes on with a fetch."""
    ada.pull()
    theirs, mine = ben.log(), ada.log()
    ben.edit(shared[0], set_tags={"by": "ben"})
    ben.push()
    ada.edit(shared[0], set_tags={"by": "ada"})
    fetches.count()

    done = ada.push()
    ben.pull()

    assert 1 == fetches.count()
    assert 2 == done.attempts
    assert ([mine], [shared[0]], [theirs]) == (done.sent.new, done.sent.edited, done.received.new)
    assert {*shared, theirs, mine} == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert 2 == len(ada.heads(shared[0]))


def test_a_push_that_did_not_look_is_no_lost_race(ada: Clone, ben: Clone, host: Path) -> None:
    """A job in CI goes into an inbox after one; it had no chance yet."""
    ada.log()
    ada.push()
    ben.log()
    ben.push()
    mine = ada.log()

    done = ada.push(losses=1)

    assert done.inbox is None
    assert mine in lines_of(host)
    assert [] == inboxes(host)


def test_races_are_bounded_as_ever(ada: Clone, ben: Clone, host: Path) -> None:
    ada.log()
    ada.push()
    late = ada.log()
    hook = always_first(host, LEDGER)

    done = ada.push(losses=2)
    hook.unlink()
    ben.pull()
    ben.push()

    assert done.inbox is not None
    assert 1 + 2 + 1 == done.attempts
    assert late in lines_of(host)
    assert [] == inboxes(host)


def test_inboxes_are_taken_in_after_some_pushes(ada: Clone, host: Path, shared: tuple[str, ...]) -> None:
    """The host does not tell of them where nobody asks."""
    run_git(host, "update-ref", "refs/ledgit/inbox/0123456789abcdef-00000000", LEDGER)
    counts = []
    for _ in range(lately.MOST_PUSHES + 1):
        ada.log()
        ada.push()
        counts.append(len(inboxes(host)))

    assert 1 == counts[0]
    assert 0 == counts[-1]


@pytest.mark.parametrize("minutes", [11, -1])
def test_inboxes_are_taken_in_after_some_minutes(
    ada: Clone, host: Path, shared: tuple[str, ...], minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where the clock was set back, so that nobody knows how long ago it was."""
    ada.pull()
    run_git(host, "update-ref", "refs/ledgit/inbox/0123456789abcdef-00000000", LEDGER)
    ada.log()
    now = lately.now_ms()
    monkeypatch.setattr(lately, "now_ms", lambda: now + minutes * 60_000)

    ada.push()

    assert [] == inboxes(host)


def test_an_inbox_that_is_known_is_taken_in_at_once(ada: Clone, host: Path, shared: tuple[str, ...]) -> None:
    run_git(host, "update-ref", "refs/ledgit/inbox/0123456789abcdef-00000000", LEDGER)
    ada.pull()
    ada.log()

    ada.push()

    assert [] == inboxes(host)


def test_a_push_of_nothing_brings_what_is_new(ada: Clone, ben: Clone, host: Path, shared: tuple[str, ...]) -> None:
    """Nothing is pushed, so the host would not say that there is something; also where a run is held back."""
    ada.pull()
    first = ben.log()
    ben.push()
    found = ada.push().received.new
    held = ada.log()
    hook = refuse(host, held)
    ada.push()
    hook.unlink()
    second = ben.log()
    ben.push()

    done = ada.push()

    assert [first] == found
    assert ([held], [second], 0) == (list(done.held), done.received.new, done.attempts)


def test_a_dry_run_says_what_is_so_now(ada: Clone, ben: Clone, shared: tuple[str, ...]) -> None:
    """A run that somebody else has deleted for good would not go."""
    ada.pull()
    ada.edit(shared[0], set_tags={"a": "b"})
    ben.purge(shared[0])
    ben.push()

    assert not ada.push(dry_run=True, confirm=lambda _: True).sent


def test_a_purge_elsewhere_is_not_undone(ada: Clone, ben: Clone, host: Path) -> None:
    """The remote's ledger began anew after it was seen; what was purged does not come back."""
    kept, leaked = ada.log("kept"), ada.log("leaked")
    ada.push()
    ben.pull()
    secret = ada.heads(leaked)[0]
    ada.purge(leaked)
    purge_remote(ada.repo, ada.folder, ada.remote, PurgeOptions())
    mine = ben.log("mine")

    done = ben.push(accept_purges=False)

    for path in (host, ben.path):
        run_git(path, "reflog", "expire", "--expire=now", "--all")
        run_git(path, "gc", "-q", "--prune=now")
        assert "missing" in run_git(path, "cat-file", "--batch-check", stdin=secret.encode())
    assert [mine] == done.sent.new
    assert {kept, mine} == lines_of(host) == ben.listed()


def test_a_refused_run_is_found_and_the_others_arrive(ada: Clone, host: Path) -> None:
    ada.log()
    ada.push()
    bad, good = ada.log(), ada.log()
    refuse(host, bad)

    done = ada.push()

    assert ([bad], [good]) == (list(done.held), done.sent.new)
    assert bad not in lines_of(host)
    assert good in lines_of(host)
    assert {bad} == ada.loose()


def test_a_host_that_is_gone_is_one_error_and_costs_nothing(ada: Clone, host: Path) -> None:
    ada.log()
    ada.push()
    mine = ada.log()
    ada.git("config", "remote.origin.receivepack", "false")
    before = ada.refs()

    with pytest.raises(Unreachable):
        ada.push()
    unchanged = ada.refs()
    ada.git("config", "--unset", "remote.origin.receivepack")

    assert before == unchanged
    assert [mine] == ada.push().sent.new


POINTS = [f"{when} {step}" for step in ("push", "track", "adopt") for when in ("before", "after")]


@pytest.mark.parametrize("point", [*POINTS, *(f"at {name}" for name in CHECKPOINTS)])
def test_one_that_is_killed_anywhere_is_made_good_by_the_next(ada: Clone, ben: Clone, host: Path, point: str) -> None:
    """Composed, pushed or noted, or not: nothing has been fetched in any case."""
    runs = {ada.log()}
    ada.push()
    runs |= {ada.log(), ada.log()}

    code, _ = finish(start(ada, "push", point))
    between = ben.pull()
    runs.add(ada.log())
    ada.push()
    ben.pull()

    assert -signal.SIGKILL == code
    assert not between.notes
    assert runs == ada.listed() == ben.listed() == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert set() == ada.loose()
    ada.git("fsck", "--strict", "--connectivity-only")


def test_a_clone_with_the_tip_alone_looks_first(host: Path, tmp_path: Path, ada: Clone) -> None:
    """What it knows is what the remote had; its pushes are composed elsewhere."""
    ada.log()
    ada.push()
    tip = make_clone(str(host), tmp_path / "tip")
    tip.git("config", "ledgit.fetch", "tip")
    counter = Counter(tip, tmp_path / "tips")
    tip.log()
    tip.push()
    counter.count()
    tip.log()

    tip.push()

    assert counter.count()
    assert 3 == len(lines_of(host))


@pytest.mark.parametrize("note", [b"", b"x", b"0 0 0 \n", b"\xff" * 300, None])
def test_a_note_that_says_nothing_costs_a_fetch(ada: Clone, fetches: Counter, note: bytes | None) -> None:
    ada.log()
    ada.push()
    path = Path(ada.folder.path, "fetched", "origin")
    path.unlink()
    if note is None:
        path.mkdir()  # nor can it be written
    else:
        path.write_bytes(note)
    fetches.count()
    ada.log()

    done = ada.push()

    assert 1 == fetches.count()
    assert 1 == len(done.sent.new)


def test_a_ledger_that_was_moved_by_others_is_not_trusted(ada: Clone, fetches: Counter, host: Path) -> None:
    """A tracking ref that somebody fetched by hand was not checked."""
    ada.log()
    ada.push()
    ada.git("update-ref", "refs/ledgit/remotes/origin/ledger", ada.git("rev-parse", "HEAD"))
    fetches.count()
    run = ada.log()

    ada.push()

    assert fetches.count()
    assert run in lines_of(host)
