"""What others do in the clone while a push or pull is at work: edits, purges, a `git gc`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.gc.kit import tombstones
from tests.sync.kit import LEDGER, Clone, inboxes, make_clone

from ledgit.git import PushResult, PushUpdate, read_ref
from ledgit.store.sync.exchange import open_line
from ledgit.store.sync.line import Line


def adopt(clone: Clone, given: dict[str, str]) -> None:
    """The last step of a push that holds the runs *given* (id → head) back."""
    line = open_line(clone.repo, clone.folder, clone.remote)
    line.adopt(read_ref(line.where, clone.remote.tracking), (), given)


@pytest.fixture(params=["whole", "tip"])
def clone(request: pytest.FixtureRequest, ada: Clone, host: Path, tmp_path: Path) -> Clone:
    """A clone with a ledger from its host, whole or the tip alone."""
    ada.log("theirs")
    ada.push()
    clone = make_clone(str(host), tmp_path / "clone")
    if request.param == "tip":
        run_git(clone.path, "config", "ledgit.fetch", "tip")
    clone.pull()
    return clone


def test_a_held_run_that_was_edited_meanwhile_keeps_its_edit(clone: Clone) -> None:
    run = clone.log("mine")
    clone.compact()
    (looked_at,) = clone.heads(run)
    clone.edit(run, set_tags={"note": "later"})
    clone.compact()
    (edited,) = clone.heads(run)
    assert edited != looked_at

    adopt(clone, {run: looked_at})

    found = [*clone.heads(run), *(oid for name, oid in clone.refs().items() if name.endswith(f"runs/{run}"))]
    assert [edited] == found


@pytest.mark.parametrize("compacted", [True, False])
def test_a_held_run_that_was_purged_meanwhile_stays_purged(clone: Clone, compacted: bool) -> None:
    run = clone.log("mine")
    head = clone.refs()[f"refs/ledgit/runs/{run}"]
    clone.compact()
    if not compacted:
        adopt(clone, {run: head})  # which gives it back
        assert {run} == clone.loose()
        clone.compact()
    clone.purge(run)

    adopt(clone, {run: head})

    assert set() == clone.loose()
    assert {run} == tombstones(clone.path)


def test_while_a_git_gc_is_at_work_what_was_fetched_keeps_its_refs(ada: Clone, ben: Clone) -> None:
    """Git reads refs one after the other: it may have read the tracking ref before it moved."""
    ada.log()
    ada.push()
    pid = ben.path / ".git" / "gc.pid"
    pid.write_text(f"{os.getpid()} {os.uname().nodename}")

    def incoming() -> set[str]:
        return {name for name in ben.refs() if name.startswith("refs/ledgit/incoming/")}

    for _ in range(2):  # the second time nothing is new, and the same gc may be at work
        ben.pull()
        assert {"refs/ledgit/incoming/origin/ledger"} == incoming()
    at_work = pid.read_text()
    pid.unlink()
    ben.pull()
    assert set() == incoming()

    pid.write_text(at_work)
    ben.pull()
    assert set() == incoming(), "nothing moved, so whatever is at work finds it by the tracking ref"


def test_an_inbox_that_was_replaced_after_it_was_looked_at_is_not_deleted(
    ada: Clone, ben: Clone, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in it now was not taken in."""
    ada.log()
    ada.push()
    inbox = "refs/ledgit/inbox/0123456789abcdef-00000000"
    run_git(host, "update-ref", inbox, LEDGER)
    late = run_git(host, "commit-tree", f"{LEDGER}^{{tree}}", "-m", "another")
    real = Line.push

    def push(line: Line, updates: Sequence[PushUpdate], _progress: object) -> list[PushResult]:
        if any(update.ref == inbox for update in updates):
            run_git(host, "update-ref", inbox, late)
        return real(line, updates, None)

    monkeypatch.setattr(Line, "push", push)

    ben.push()

    assert [inbox] == inboxes(host)
    assert late == run_git(host, "rev-parse", inbox)
