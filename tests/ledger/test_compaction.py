"""Loose runs become lines of the clone's ledger, and nothing else changes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.faults.kit import check_objects
from tests.ledger.kit import DAY, START, entry_of, make_commit, make_runs, run_id, tombstone

from ledgit.errors import Conflict, RefMoved
from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, list_refs, read_ref, stamp, update_refs
from ledgit.records.table import Line
from ledgit.store import Folder
from ledgit.store.ledger import (
    LedgerLock,
    add_lines,
    check_heads,
    check_tree,
    commit_ledger,
    compact,
    every_line,
    local_ledger,
    move_ledger,
    set_local,
    union_trees,
)

WHO = ("Ada", "ada@example.org")
RUNS = "refs/ledgit/runs/"
IDS = [run_id(number) for number in range(400)]


def listed(opened: Repo) -> dict[str, list[Line]]:
    """The runs of the clone's ledger; they must be what their commits say, and reachable."""
    objects = Objects(opened)
    tip = local_ledger(opened)
    if tip is None:
        return {}
    tree = objects.commit(tip).tree
    check_tree(objects, tree)
    lines = [line for _, line in every_line(objects, tree)]
    check_heads(objects, lines)
    reached = set(run_git(Path(opened.common_dir), "rev-list", tip).split())
    assert {line.head for line in lines if line.head} <= reached
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.id, []).append(line)
    return found


def loose(opened: Repo) -> dict[str, str]:
    return {name.removeprefix(RUNS): head for name, head in list_refs(opened, RUNS).items()}


def edit(opened: Repo, line: Line, name: str) -> Line:
    """Edit a run by hand: a loose ref again."""
    fresh = ObjectSet()
    entry = entry_of(line.id, line.start or 0, [*line.past, line.head], name)
    head, made = make_commit(fresh, entry, [line.head], START // 1000 + 99)
    fresh.write(opened, keep=False)
    update_refs(opened, [RefUpdate(RUNS + line.id, head, RefUpdate.ANY)])
    return made


@pytest.mark.parametrize("count", [1, 30, 400])
@pytest.mark.parametrize("packed", [False, True])
def test_loose_runs_become_lines(repo: Path, opened: Repo, folder: Folder, count: int, packed: bool) -> None:
    made = make_runs(opened, IDS[:count], step=DAY // 100)
    if packed:
        run_git(repo, "pack-refs", "--all", "--prune")
    others = run_git(repo, "for-each-ref", "refs/heads", "refs/tags")
    status = run_git(repo, "status", "--porcelain=v2", "--branch")

    done = compact(opened, folder)

    assert (local_ledger(opened), sorted(made), {}) == (done.commit, sorted(done.runs), done.left)
    assert {} == loose(opened)
    assert {one: [line] for one, line in made.items()} == listed(opened)
    assert (others, status) == (
        run_git(repo, "for-each-ref", "refs/heads", "refs/tags"),
        run_git(repo, "status", "--porcelain=v2", "--branch"),
    )
    assert [] == list((repo / ".git").rglob("*.keep"))
    check_objects(repo)
    shown = run_git(repo, "show", "refs/ledgit/ledger:README.md")
    assert shown.startswith("# Ledgit's ledger")


def test_nothing_to_do_writes_nothing(repo: Path, opened: Repo, folder: Folder) -> None:
    assert None is compact(opened, folder).commit
    make_runs(opened, IDS[:3])
    before = compact(opened, folder).commit
    objects = run_git(repo, "count-objects", "-v")

    assert (before, ()) == (compact(opened, folder).commit, compact(opened, folder).runs)
    assert objects == run_git(repo, "count-objects", "-v")


def test_an_edit_of_a_listed_run_replaces_its_line(repo: Path, opened: Repo, folder: Folder) -> None:
    made = make_runs(opened, IDS[:100])
    compact(opened, folder)
    edited = edit(opened, made[IDS[7]], "edited")

    done = compact(opened, folder)

    assert (IDS[7],) == done.runs
    assert {**{one: [line] for one, line in made.items()}, IDS[7]: [edited]} == listed(opened)
    first = local_ledger(opened)
    assert 2 == len(run_git(repo, "rev-parse", f"{first}^@").split())
    assert f"Ledgit-Root: {run_git(repo, 'rev-parse', f'{first}^')}" in run_git(
        repo, "log", "-1", "--format=%B", first or ""
    )


def test_only_what_is_named_is_taken_and_what_is_held_stays(opened: Repo, folder: Folder) -> None:
    made = make_runs(opened, IDS[:6])

    done = compact(opened, folder, only=IDS[:4], hold=IDS[3:5])

    assert sorted(IDS[:3]) == sorted(done.runs) == sorted(listed(opened))
    assert {IDS[3]: "is held back"} == done.left
    assert {one: made[one].head for one in IDS[3:6]} == loose(opened)


def test_runs_that_are_being_written_stay(opened: Repo, folder: Folder) -> None:
    """A resumed one, and one whose commit is not on disk for sure."""
    make_runs(opened, IDS[:4])
    os.makedirs(folder.active_dir(IDS[0]))
    os.makedirs(os.path.join(folder.settling, f"{IDS[1]}-0123-abcdef"))

    done = compact(opened, folder)

    assert {IDS[0]: "is being written", IDS[1]: "is being written"} == done.left
    assert {IDS[0], IDS[1]} == set(loose(opened))


def test_a_run_that_does_not_read_stays_and_the_others_go(repo: Path, opened: Repo, folder: Folder) -> None:
    make_runs(opened, IDS[:2])
    code = run_git(repo, "rev-parse", "HEAD")
    other = make_runs(opened, [IDS[5]])[IDS[5]].head
    update_refs(opened, [RefUpdate(RUNS + IDS[3], code), RefUpdate(RUNS + IDS[4], other)])

    done = compact(opened, folder)

    assert {IDS[0], IDS[1], IDS[5]} == set(done.runs) == set(listed(opened))
    assert {IDS[3]: code, IDS[4]: other} == loose(opened)
    assert "its commit is damaged, or no run's" == done.left[IDS[3]]
    assert f"its commit is another run's, {IDS[5][:8]}" == done.left[IDS[4]]


def test_a_run_that_moves_meanwhile_stays_loose(opened: Repo, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare-and-swap: the edit is not lost, the older head is in the ledger."""
    from ledgit.store.ledger import local

    made = make_runs(opened, IDS[:100])
    edited: list[Line] = []

    def meanwhile(point: str) -> None:
        if point == "ledger":
            edited.append(edit(opened, made[IDS[0]], "meanwhile"))

    monkeypatch.setattr(local, "checkpoint", meanwhile)
    done = compact(opened, folder)

    assert 99 == len(done.runs)
    assert {IDS[0]: edited[0].head} == loose(opened)
    monkeypatch.undo()
    assert (IDS[0],) == compact(opened, folder).runs
    assert edited == listed(opened)[IDS[0]]


def test_a_ledger_that_somebody_moves_meanwhile_is_read_again(
    opened: Repo, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledgit.store.ledger import local

    make_runs(opened, IDS[:2])
    compact(opened, folder)
    make_runs(opened, IDS[2:4])
    tip = local_ledger(opened)
    fresh = ObjectSet()
    objects = Objects(opened)
    other = commit_ledger(objects, fresh, objects.commit(tip or "").tree, tip, [], who=WHO, when=5, subject="other")
    fresh.write(opened, keep=False)
    turns = []

    def meanwhile(point: str) -> None:
        turns.append(point)
        if turns == ["pack"]:
            update_refs(opened, [RefUpdate(local.LEDGER_REF, other, tip)])

    monkeypatch.setattr(local, "checkpoint", meanwhile)
    compact(opened, folder)

    assert ["pack", "pack", "ledger", "noted", "loose"] == turns
    assert set(IDS[:4]) == set(listed(opened))
    assert other in objects.commit(local_ledger(opened) or "").parents


def test_a_purged_run_is_dropped(opened: Repo, folder: Folder) -> None:
    """The clone took the tombstone in; what is loose of the run goes."""
    made = make_runs(opened, IDS[:3])
    objects, fresh = Objects(opened), ObjectSet()
    tree = add_lines(objects, fresh, None, [tombstone(IDS[1], made[IDS[1]].start or 0)]).tree
    move_ledger(opened, folder, fresh, commit_ledger(objects, fresh, tree, None, [], who=WHO, when=1), None)

    done = compact(opened, folder)

    assert ((IDS[1],), {IDS[0], IDS[2]}, {}) == (done.purged, set(done.runs), loose(opened))
    assert listed(opened)[IDS[1]][0].purged


def test_a_head_that_a_line_merely_claims_stays_loose(opened: Repo, folder: Folder) -> None:
    """A forged past must not make this clone throw its run away."""
    made = make_runs(opened, IDS[:2])
    objects, fresh = Objects(opened), ObjectSet()
    line = made[IDS[0]]
    head, forged = make_commit(fresh, entry_of(line.id, line.start or 0, [line.head]))  # without the parent
    tree = add_lines(objects, fresh, None, [forged]).tree
    tip = commit_ledger(objects, fresh, tree, None, [head], who=WHO, when=1)

    landed = set_local(opened, folder, objects, fresh, tip, None)
    done = compact(opened, folder)

    assert ((), ()) == (landed.dropped, landed.purged)
    assert (IDS[1],) == done.runs
    assert "the ledger has newer heads of it, whose commits are not here" == done.left[IDS[0]]
    assert {IDS[0]: line.head} == loose(opened)


def test_a_head_that_the_table_lists_and_history_lacks_is_linked(opened: Repo, folder: Folder) -> None:
    """As after a pull of the tip alone: the loose ref is all that keeps the commit."""
    made = make_runs(opened, IDS[:2])
    objects, fresh = Objects(opened), ObjectSet()
    tree = add_lines(objects, fresh, None, made.values()).tree
    landed = set_local(
        opened, folder, objects, fresh, commit_ledger(objects, fresh, tree, None, [], who=WHO, when=1), None
    )
    assert () == landed.dropped

    done = compact(opened, folder)

    assert set(IDS[:2]) == set(done.runs) == set(listed(opened))


def test_adopting_a_ledger_drops_the_loose_runs_it_holds(opened: Repo, folder: Folder) -> None:
    made = make_runs(opened, IDS[:5])
    edited = edit(opened, made[IDS[0]], "edited")
    objects, fresh = Objects(opened), ObjectSet()
    lines = [edited, *(made[one] for one in IDS[1:4]), tombstone(IDS[4], made[IDS[4]].start or 0)]
    update_refs(opened, [RefUpdate(RUNS + IDS[0], made[IDS[0]].head, edited.head)])  # an older head than the ledger's
    os.makedirs(folder.active_dir(IDS[2]))
    tree = add_lines(objects, fresh, None, lines).tree
    tip = commit_ledger(objects, fresh, tree, None, [line.head for line in lines[:4]], who=WHO, when=1)

    landed = set_local(opened, folder, objects, fresh, tip, None)

    assert ({IDS[0], IDS[1], IDS[3]}, (IDS[4],)) == (set(landed.dropped), landed.purged)
    assert {IDS[2]} == set(loose(opened))
    with pytest.raises(RefMoved):
        set_local(opened, folder, objects, ObjectSet(), tip, None)


def test_a_union_of_two_clones_lands_in_both(opened: Repo, folder: Folder) -> None:
    """What pull does: the other's tip, or one commit on top of it."""
    mine = make_runs(opened, IDS[:70])
    compact(opened, folder)
    objects, fresh = Objects(opened), ObjectSet()
    theirs = dict(make_commit(fresh, entry_of(one, START)) for one in IDS[70:140])
    other = add_lines(objects, fresh, None, theirs.values()).tree
    tip = commit_ledger(objects, fresh, other, None, theirs, who=WHO, when=1)
    old = local_ledger(opened)

    united = union_trees(objects, fresh, other, objects.commit(old or "").tree)
    new = commit_ledger(objects, fresh, united.tree, tip, [line.head for line in united.added], who=WHO, when=2)
    set_local(opened, folder, objects, fresh, new, old)

    assert {*IDS[:140]} == set(listed(opened))
    assert {line.head for line in mine.values()} == {line.head for line in united.added}


def test_many_packs_are_merged(repo: Path, opened: Repo, folder: Folder) -> None:
    """Git's own gc starts at 50 packs; a compaction a run must not bring them."""
    for number in range(30):
        make_runs(opened, [IDS[number]])
        compact(opened, folder)

    packs = list((repo / ".git/objects/pack").glob("*.pack"))
    assert 30 + 8 + 8 > len(packs)  # the runs' own are the test's, and nobody merges them
    assert 30 == len(listed(opened))
    assert 31 * 2 >= int(run_git(repo, "count-objects").split()[0])


@pytest.mark.parametrize("command", [["gc", "--prune=now", "-q"], ["pack-refs", "--all"], ["repack", "-adq"]])
def test_gits_housekeeping_at_the_same_time_loses_nothing(
    repo: Path, opened: Repo, folder: Folder, command: list[str]
) -> None:
    ended = threading.Event()
    turns = 0

    def keep_house() -> None:
        nonlocal turns
        while not ended.is_set():
            # Git may find a ref locked, or gone since it looked: that is for its next turn.
            subprocess.run(["git", *command], cwd=repo, capture_output=True, check=False)
            turns += 1

    thread = threading.Thread(target=keep_house)
    thread.start()
    made: dict[str, Line] = {}
    try:
        deadline = time.monotonic() + 20
        for number in range(10):
            fresh = ObjectSet()
            some = IDS[number * 20 : number * 20 + 20]
            new = {one: make_commit(fresh, entry_of(one, START + number * DAY // 3)) for one in some}
            pack = fresh.write(opened, keep=True)
            update_refs(opened, [RefUpdate(RUNS + one, head) for one, (head, _) in new.items()])
            pack.release()
            made.update((one, line) for one, (_, line) in new.items())
            compact(opened, folder)
            if time.monotonic() > deadline:
                break
    finally:
        ended.set()
        thread.join()
    compact(opened, folder)

    assert turns
    assert {} == loose(opened)
    assert {one: [line] for one, line in made.items()} == listed(opened)
    check_objects(repo)


def test_two_compactions_do_not_meet(opened: Repo, folder: Folder) -> None:
    made = make_runs(opened, IDS[:10])
    with LedgerLock(folder), LedgerLock(folder):
        refused: list[BaseException] = []

        def other() -> None:
            try:
                with LedgerLock(folder, wait=0.05):
                    pass
            except Conflict as error:
                refused.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert ["another ledgit process is working on the ledger of this repository"] == [
            str(error).partition(";")[0] for error in refused
        ]
        assert set(made) == set(compact(opened, folder).runs)
    with LedgerLock(folder, wait=0.0):
        pass


def test_the_stamp_of_refs_tells_that_runs_went(opened: Repo, folder: Folder) -> None:
    """What the index looks at, so that it reads the ledger's news."""
    make_runs(opened, IDS[:20])
    time.sleep(0.1)
    before = stamp(opened)
    compact(opened, folder)
    time.sleep(0.1)

    assert None is not before != stamp(opened)
    assert None is read_ref(opened, RUNS + IDS[0])


def test_a_reader_sees_every_run_at_every_moment(opened: Repo, folder: Folder) -> None:
    """Loose runs are read before the ledger, and dropped after it moved."""
    from ledgit.store.index_source import run_refs

    made: set[str] = set()
    objects = Objects(opened)
    looks = 0
    for number in range(8):
        made.update(make_runs(opened, IDS[number * 40 : number * 40 + 40]))
        thread = threading.Thread(target=compact, args=(opened, folder))
        thread.start()
        while thread.is_alive():
            refs = run_refs(opened)
            tip = refs.pop("refs/ledgit/ledger", None)
            seen = {name.removeprefix(RUNS) for name in refs}
            if tip is not None:
                seen |= {line.id for _, line in every_line(objects, objects.commit(tip).tree)}
            assert made == seen
            looks += 1
        thread.join()
    assert looks > 8


def test_runs_keep_their_refs_while_a_gc_may_have_read_the_ledger_too_early(opened: Repo, folder: Folder) -> None:
    """Git reads refs one by one: the ledger's before it took the runs over, the runs' own when they are gone."""
    mark = Path(opened.common_dir) / "gc.pid"
    made = make_runs(opened, IDS[:3])
    mark.write_text(f"{os.getpid()} {os.uname().nodename}")
    done = compact(opened, folder)
    assert done.runs == ()
    assert set(done.left) == set(made)
    assert set(listed(opened)) == set(made)
    assert set(loose(opened)) == set(made)
    mark.unlink()
    assert set(compact(opened, folder).runs) == set(made)
    assert loose(opened) == {}


def test_what_a_killed_gc_left_behind_stops_nothing(opened: Repo, folder: Folder) -> None:
    """As for Git itself, a dead process's gc.pid counts for nothing."""
    child = subprocess.Popen(["true"])
    child.wait()
    (Path(opened.common_dir) / "gc.pid").write_text(f"{child.pid} {os.uname().nodename}")
    made = make_runs(opened, IDS[:3])
    assert set(compact(opened, folder).runs) == set(made)
    assert loose(opened) == {}


@pytest.mark.parametrize("command", [["-c", "gc.packRefs=false", "gc", "-q", "--prune=now"], ["repack", "-adq"]])
def test_a_real_gc_in_the_middle_of_reading_refs_loses_no_run(
    opened: Repo, folder: Folder, repo: Path, tmp_path: Path, command: list[str]
) -> None:
    """A named pipe among the refs stops git between the ledger's ref and the runs' own.

    A gc leaves a lock file, a repack does not.
    """
    make_runs(opened, IDS[:2])
    compact(opened, folder)
    made = make_runs(opened, IDS[2:8])
    pipe = repo / ".git" / "refs" / "ledgit" / "aaa" / "pipe"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    head = run_git(repo, "rev-parse", "HEAD").strip()
    trace = tmp_path / "trace"
    gc = subprocess.Popen(
        ["git", *command],
        cwd=repo,
        env={**os.environ, "GIT_TRACE": str(trace)},
    )
    compacted = False
    while gc.poll() is None:
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)  # fails while nobody reads
        except OSError:
            time.sleep(0.005)
            continue
        if not compacted and "git pack-objects" in trace.read_text():
            compact(opened, folder)
            compacted = True
        os.write(writer, head.encode() + b"\n")
        os.close(writer)
        time.sleep(0.02)  # until the reader has closed it
    pipe.unlink()
    assert compacted
    assert gc.returncode == 0
    check_objects(repo)
    assert set(made) <= set(listed(opened))
