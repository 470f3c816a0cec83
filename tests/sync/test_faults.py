"""Pushes that meet, die, and lose their line: every run arrives, once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, inboxes, lines_of, make_clone, tree_of
from tests.sync.pusher import CHECKPOINTS, STEPS
from tests.sync.servers import cable, git_daemon, http_backend

from ledgit.errors import Unreachable
from ledgit.repository import open_repository
from ledgit.store.ledger import note_going
from ledgit.store.sync.opening import SyncLock

PUSHER = Path(__file__).with_name("pusher.py")
POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")] + [f"at {name}" for name in CHECKPOINTS]


def start(clone: Clone, verb: str = "push", point: str = "", **env: str) -> subprocess.Popen[str]:
    """Start a process that pushes or pulls when it hears a word."""
    process = subprocess.Popen(
        [sys.executable, str(PUSHER), verb, str(clone.path), point],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate("go\n", timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), err
    return process.returncode, out


@pytest.fixture(params=["daemon", "http"])
def base(request: pytest.FixtureRequest, host: Path) -> Iterator[str]:
    """The address of the host over the network."""
    serve = git_daemon if request.param == "daemon" else http_backend
    with serve(host.parent) as found:
        yield f"{found}/{host.name}"


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_sixteen_processes_push_at_once(host: Path, tmp_path: Path, known: bool) -> None:
    """A clone each, half of them in CI. Every run arrives, in a bounded number of tries, some by an inbox.

    Where all know the ledger, all push onto it at once without a fetch, and all but one come too late.
    """
    with git_daemon(host.parent) as found:
        clones = [make_clone(f"{found}/{host.name}", tmp_path / f"clone-{n}") for n in range(16)]
        if known:
            clones[0].log("first")
            clones[0].push()
            for clone in clones[1:]:
                clone.pull()
        old = lines_of(host)
        runs = {clone.log(clone.path.name) for clone in clones}
        processes = [start(clone, **({"CI": "1"} if n % 2 else {})) for n, clone in enumerate(clones)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = [json.loads(finish(process)[1]) for process in processes]

        by_inbox = [result for result in results if result["inbox"]]
        reader = make_clone(f"{found}/{host.name}", tmp_path / "reader")
        seen = reader.pull().changes.new
        reader.push()
        for clone in clones:
            clone.pull()

    assert runs | old == set(seen) == lines_of(host)
    assert runs == {run for result in results for run in result["new"]}
    assert by_inbox
    assert max(result["attempts"] for result in results) <= 13 + known
    assert [] == inboxes(host)
    assert {tree_of(host, LEDGER)} == {clone.tree for clone in (*clones, reader)}
    assert set() == set().union(*(clone.loose() for clone in clones))
    run_git(host, "fsck", "--strict")


@pytest.mark.parametrize("point", POINTS)
def test_a_push_that_is_killed_anywhere_is_made_good_by_the_next(
    ada: Clone, ben: Clone, host: Path, point: str
) -> None:
    """Whoever comes next, and whether it was before or after the runs had arrived."""
    old = ada.log()
    ada.push()
    theirs = ben.log()
    ben.push()
    runs = {old, theirs, ada.log(), ada.log()}
    ada.edit(old, set_tags={"a": "b"})

    code, _ = finish(start(ada, "push", point))
    between = ben.pull()
    ada.push()
    ben.pull()

    assert -signal.SIGKILL == code
    assert not between.notes
    assert runs == ada.listed() == ben.listed() == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert 1 == len(ada.heads(old))
    assert set() == ada.loose()
    assert {} == {name: oid for name, oid in ada.refs().items() if "incoming" in name}
    ada.git("fsck", "--strict", "--connectivity-only")


@pytest.mark.parametrize("point", [point for point in POINTS if " push" not in point])
def test_a_pull_that_is_killed_anywhere_is_made_good_by_the_next(ada: Clone, ben: Clone, point: str) -> None:
    runs = {ada.log() for _ in range(3)}
    ada.push()
    mine = ben.log()

    finish(start(ben, "pull", point))
    ben.pull()
    ben.push()

    assert {*runs, mine} == ben.listed()
    assert set() == ben.loose()
    ben.git("fsck", "--strict", "--connectivity-only")


PURGE_POINTS = ["before adopt", "at ledger", "at noted", "at loose", "after adopt"]


@pytest.mark.parametrize("verb", ["pull", "push"])
@pytest.mark.parametrize("point", PURGE_POINTS)
def test_nothing_of_a_purged_run_stays_in_a_file_where_a_pull_was_killed(
    ada: Clone, ben: Clone, point: str, verb: str
) -> None:
    """The ledger has moved, and what cleans up after it was not reached; rows that SQLite deletes stay readable."""
    name = "sphinx-of-black-quartz"
    run = ada.log(name)
    ada.push()
    ben.pull()
    assert open_repository(ben.path).run(name).id == run
    ada.purge(run)
    ada.push(accept_purges=True)
    ben.log()

    assert -signal.SIGKILL == finish(start(ben, verb, point))[0]
    before = set(found_in(ben, name))
    if point == "before adopt":
        ben.pull()
    else:
        open_repository(ben.path).recover()  # what every command that writes begins with

    assert before
    assert [] == found_in(ben, name)
    assert run not in ben.listed()
    assert [] == list((ben.path / ".git/ledgit/going").iterdir())


def found_in(clone: Clone, text: str) -> list[str]:
    """Ledgit's own files that have *text* in them."""
    files = [path for path in (clone.path / ".git/ledgit").rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_notes_of_a_purge_that_is_at_work_are_left_alone(ada: Clone) -> None:
    """They are no leftovers: whoever wrote them cleans up."""
    with SyncLock(ada.folder):
        note = note_going(ada.folder, ["0" * 32])
        done = subprocess.run(
            [sys.executable, "-c", "from ledgit import open; open().recover()"], cwd=ada.path, check=False, timeout=60
        )
        assert done.returncode == 0
        assert os.path.exists(note)
    open_repository(ada.path).recover()

    assert not os.path.exists(note)


def test_a_line_that_is_cut_anywhere_loses_nothing(ada: Clone, ben: Clone, base: str) -> None:
    """In the greeting, in the list of refs, in the pack, or just before the answer."""
    with cable(base) as (url, line):
        ada.git("remote", "set-url", "origin", url)
        runs = [ada.log("a" * 2000) for _ in range(5)]
        ada.push()
        line.cut_after(None)
        runs.append(ada.log("b"))
        before = ada.refs()
        ada.push()
        whole = line.carried
        assert before != ada.refs()
        for share in range(1, 12):
            runs.append(ada.log(os.urandom(500).hex()))
            line.cut_after(whole * share // 10)
            with contextlib.suppress(Unreachable):
                ada.push()
            line.cut_after(None)
        ada.push()
    ben.pull()

    assert set(runs) == ada.listed() == ben.listed()
    assert ada.tree == ben.tree


def test_ctrl_c_in_the_middle_of_a_push_leaves_nothing_half_done(ada: Clone, host: Path, tmp_path: Path) -> None:
    run = ada.log()
    hook = host / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/there\nsleep 60\n")
    hook.chmod(0o755)
    process = start(ada)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while not (tmp_path / "there").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    hook.unlink()

    done = ada.push()

    assert [run] == done.sent.new
    assert {run} == lines_of(host)


def test_a_plain_clone_shares_over_each_transport(host: Path, base: str, tmp_path: Path) -> None:
    first, second = (make_clone(base, tmp_path / name) for name in ("first", "second"))
    run = first.log()

    first.push()

    assert [run] == second.pull().changes.new


def test_two_pushes_of_one_clone_wait_for_each_other(ada: Clone, host: Path) -> None:
    """Two scripts that end at the same time; the second finds nothing left to do, or what came meanwhile."""
    runs = {ada.log() for _ in range(5)}
    processes = [start(ada) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(finish(process)[1]) for process in processes]

    assert 1 == sum(result["attempts"] for result in results)
    assert runs == lines_of(host)
