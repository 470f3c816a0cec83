"""A ledger from elsewhere is not trusted: it is refused whole, and nothing here has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.sync.hostile_kit import WHO, Mallory, entry_of
from tests.sync.kit import LEDGER, START, Clone, lines_of, make_clone

from ledgit.errors import Conflict, LedgitError, NewerFormat, RecordError
from ledgit.git import FILE, SYMLINK, BatchReader, Objects, build, edit_tree
from ledgit.records import encode_tombstone, with_head
from ledgit.records.table import day_of, parse_line
from ledgit.store.journal import now_ms
from ledgit.store.ledger import add_lines, every_line
from ledgit.store.sync import PullOptions, find_remote
from ledgit.store.sync.exchange import Purge
from ledgit.store.sync.pull import pull


def other_run(m: Mallory) -> str:
    """The head of one run as that of another."""
    first, second = m.lines[:2]
    forged = with_head(entry_of(first.raw), second.head)
    return add_lines(m.objects, m.fresh, m.tree, [parse_line(forged)]).tree


def forged_values(m: Mallory) -> str:
    """A line that says what its commit doesn't."""
    line = m.lines[0]
    data = m.objects.read(m.objects.find(m.tree, _path(m, line.raw)).oid)[1]  # type: ignore[union-attr]
    return m.edit(_path(m, line.raw), data.replace(b'"lr":0.1', b'"lr":0.9'))


def _path(m: Mallory, raw: bytes) -> str:
    return next(path for path, line in every_line(m.objects, m.tree) if line.raw == raw)


def wrong_day(m: Mallory) -> str:
    line = m.lines[0]
    return m.edit("segments/2001-01/01.jsonl", line.raw + b"\n")


def claiming_each_other(m: Mallory) -> str:
    one, two = "1" * 40, "2" * 40
    run = m.lines[0].id
    start = m.lines[0].start or 0
    rows = [f'{{"id":"{run}","head":"{a}","v":1,"start":{start},"past":["{b}"]}}' for a, b in ((one, two), (two, one))]
    return m.edit(f"segments/{day_of(start)}.jsonl", "".join(row + "\n" for row in rows).encode())


CASES: dict[str, tuple[Callable[[Mallory], str], str]] = {
    "a path that leads out": (lambda m: m.raw_tree("experiments", ".."), "name"),
    "a spelling of .git": (lambda m: m.raw_tree("experiments", ".GIT"), "name"),
    "a name with a line break": (lambda m: m.raw_tree("models", "a\nb.yaml"), "name"),
    "a day that is none": (lambda m: m.raw_tree("segments/2026-09", "99.jsonl"), "no day"),
    "a month that is none": (lambda m: m.raw_tree("segments", "x"), "month"),
    "a symbolic link": (lambda m: m.edit("experiments/a.yaml", b"/etc/passwd", SYMLINK), "mode"),
    "segments that are a file": (lambda m: edit_file(m, "segments"), "must be a folder"),
    "a giant line": (lambda m: m.leaf(b'{"id":"' + b"a" * 100_000 + b'"}\n'), "bytes"),
    "lines out of order": (lambda m: m.leaf(b"b\na\n"), "sorted"),
    "a run under another day": (wrong_day, "day"),
    "a head that is another run's": (other_run, "head of two runs"),
    "a line that was changed": (forged_values, "forged"),
    "heads that claim each other": (claiming_each_other, "claim each other"),
    "no format": (lambda m: edit_tree(m.objects, m.fresh, m.tree, {"format": None}), "no ledger"),
    "nonsense for a format": (lambda m: m.edit("format", b"\xff\xfe: [\n"), "format"),
    "a tree that is no ledger": (lambda m: build(m.fresh, {"README.md": b"hello\n"}), "no ledger"),
}


def edit_file(m: Mallory, name: str) -> str:
    without = edit_tree(m.objects, m.fresh, m.tree, {name: None})
    return edit_tree(m.objects, m.fresh, without, {name: (FILE, m.fresh.blob(b"x"))})


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_ledger_is_refused_whole(ada: Clone, host: Path, tmp_path: Path, case: str, shared: object) -> None:
    """By pull and push, in a clone that knows the ledger and in one that does not."""
    make, said = CASES[case]
    mallory = Mallory(host)
    mallory.push(make(mallory))
    newcomer = make_clone(str(host), tmp_path / "newcomer")
    loose = newcomer.log(), ada.log()
    before = [clone.refs() for clone in (ada, newcomer)]

    for clone in (ada, newcomer):
        for verb in (clone.pull, clone.push):
            with pytest.raises(RecordError, match=said) as caught:
                verb()
            assert "refused" in str(caught.value)

    assert before == [clone.refs() for clone in (ada, newcomer)]
    assert {loose[0]} == newcomer.loose()


def test_a_root_that_carries_nothing_is_refused(ada: Clone, ben: Clone, host: Path, shared: tuple[str, ...]) -> None:
    """Same table, no history: clones that followed would lose every run at the next gc."""
    mallory = Mallory(host)
    mallory.push(mallory.tree, parents=[], message="ledger\n")

    with pytest.raises(RecordError, match="does not carry"):
        ben.pull()

    ben.git("gc", "-q", "--prune=now")
    assert set(shared) == ben.listed()
    for run in shared:
        ben.git("cat-file", "-e", ben.heads(run)[0])


def test_tombstones_for_runs_made_here_are_asked_about(
    ada: Clone, ben: Clone, host: Path, shared: tuple[str, ...]
) -> None:
    """One of our own is enough; of others' more than ten."""
    mallory = Mallory(host)
    line = next(line for line in mallory.lines if line.id == shared[0])
    stone = parse_line(encode_tombstone(line.id, line.start or 0))
    mallory.push(add_lines(mallory.objects, mallory.fresh, mallory.tree, [stone]).tree)
    asked: list[Purge] = []
    before = ada.refs()

    with pytest.raises(Conflict, match=r"takes away 1 run for good, 1 of them made in this clone.*--accept-purges"):
        ada.pull()
    with pytest.raises(Conflict):
        ada.pull(confirm=lambda purge: asked.append(purge))
    unchanged = ada.refs()
    others = ben.pull()
    agreed = ada.pull(accept_purges=True)

    assert before == unchanged
    assert [(shared[0],)] == [purge.own for purge in asked]
    assert [shared[0]] == list(others.changes.purged) == list(agreed.changes.purged)
    assert set(shared[1:]) == ada.listed() == ben.listed()


def test_a_wipe_is_asked_about_also_where_nothing_is_ours(ada: Clone, ben: Clone, host: Path) -> None:
    runs = [ada.log(start=START + n) for n in range(11)]
    ada.push()
    ben.pull()
    mallory = Mallory(host)
    stones = [parse_line(encode_tombstone(line.id, line.start or 0)) for line in mallory.lines]
    mallory.push(add_lines(mallory.objects, mallory.fresh, mallory.tree, stones).tree)

    with pytest.raises(Conflict, match="takes away 11 runs for good"):
        ben.push()

    assert set(runs) == ben.listed()


def test_a_run_edited_here_and_purged_elsewhere_goes_with_a_notice(ada: Clone, ben: Clone) -> None:
    run, other = ada.log(), ada.log()
    ada.push()
    ben.pull()
    ben.edit(run, set_tags={"a": "b"})
    ada.purge(run)
    ada.push()

    with pytest.raises(Conflict):
        ben.pull()
    done = ben.pull(accept_purges=True)

    assert (run,) == done.purged
    assert set() == ben.loose()
    assert {other} == ben.listed()
    assert ada.tree == ben.tree


@pytest.mark.parametrize("key", ["min_reader", "min_writer"])
def test_a_newer_ledger_is_left_alone(ada: Clone, host: Path, shared: tuple[str, ...], key: str) -> None:
    """One that newer versions alone may write can still be read."""
    mallory = Mallory(host)
    data = {"min_reader": 1, "min_writer": 1, key: 9}
    mallory.push(mallory.edit("format", "".join(f"{name}: {value}\n" for name, value in data.items()).encode()))
    mine = ada.log()
    tip = run_git(host, "rev-parse", LEDGER)

    if key == "min_reader":
        with pytest.raises(NewerFormat, match="upgrade Ledgit"):
            ada.pull()
    else:
        ada.pull()
    with pytest.raises(NewerFormat, match="upgrade Ledgit"):
        ada.push()

    assert tip == run_git(host, "rev-parse", LEDGER)
    assert {mine} == ada.loose()
    assert set(shared) == ada.listed()


def test_a_line_that_does_not_decode_is_kept_byte_for_byte(ada: Clone, ben: Clone, host: Path, shared: object) -> None:
    """One damaged or newer line does not lock out the team."""
    mallory = Mallory(host)
    odd = b'{"id":"not JSON at all'
    path = next(iter(every_line(mallory.objects, mallory.tree)))[0]
    old = mallory.objects.read(mallory.objects.find(mallory.tree, path).oid)[1]  # type: ignore[union-attr]
    mallory.push(mallory.edit(path, b"".join(sorted([*old.splitlines(keepends=True), odd + b"\n"]))))

    ada.log()
    ada.push()
    ben.pull()

    for clone in (ada, ben):
        objects = Objects(clone.repo)
        assert odd in {line.raw for _, line in every_line(objects, clone.tree)}


def test_a_hostile_inbox_is_passed_over(ada: Clone, host: Path, shared: tuple[str, ...]) -> None:
    """Whoever may only leave runs somewhere can't stop the others."""
    mallory = Mallory(host)
    bad = mallory.fresh.commit(CASES["a giant line"][0](mallory), [], WHO, WHO, "inbox\n")
    mallory.fresh.write(mallory.repo).release()
    run_git(host, "update-ref", "refs/ledgit/inbox/mallory-1", bad)
    run = ada.log()
    ada.forget_fetches()

    done = ada.push()

    assert [run] == done.sent.new
    assert any("refs/ledgit/inbox/mallory-1" in note and "passed over" in note for note in done.notes)
    assert {*shared, run} == lines_of(host)
    assert "refs/ledgit/inbox/mallory-1" in run_git(host, "for-each-ref")


def test_a_ref_that_is_no_commit_is_refused(ada: Clone, host: Path) -> None:
    blob = run_git(host, "hash-object", "-w", "--stdin", stdin=b"hello")
    run_git(host, "update-ref", LEDGER, blob)

    with pytest.raises(LedgitError, match="not a commit"):
        pull(ada.repo, ada.folder, find_remote(ada.repo), PullOptions())

    assert {} == ada.refs()


@pytest.mark.parametrize("vast", ["ledger", "commit", "entry"])
def test_what_unpacks_to_more_than_any_run_has_is_refused_unread(
    ada: Clone, ben: Clone, host: Path, vast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few KB of a fetch can be gigabytes in memory."""
    ada.log()
    ada.push()
    mallory = Mallory(host)
    fresh, raw = mallory.fresh, entry_of(mallory.lines[0].raw)
    new = raw.replace(mallory.lines[0].id.encode(), b"0123456789abcdef" * 2)
    entry = new + b" " * (8 << 20 if vast == "entry" else 0)
    message = "x" * (8 << 20 if vast == "commit" else 1)
    head = fresh.commit(build(fresh, {".ledgit/run/entry.json": entry}), [], WHO, WHO, message)
    tree = add_lines(mallory.objects, fresh, mallory.tree, [parse_line(with_head(new.rstrip(b"\n"), head))]).tree
    mallory.push(
        tree, [mallory.tip, head], f"{'x' * (8 << 20 if vast == 'ledger' else 1)}\n\nLedgit-Root: {mallory.tip}\n"
    )
    largest = 0
    real = Objects._read
    stream = BatchReader._receive

    def read(objects: Objects, oid: str) -> tuple[str, bytes] | None:
        nonlocal largest
        found = real(objects, oid)
        largest = max(largest, len(found[1]) if found else 0)
        return found

    def receive(reader: BatchReader, source: Any) -> tuple[tuple[str, str, bytes] | None, bool]:
        nonlocal largest
        found = stream(reader, source)
        largest = max(largest, len(found[0][2]) if found[0] else 0)
        return found

    monkeypatch.setattr(Objects, "_read", read)
    monkeypatch.setattr(BatchReader, "_receive", receive)

    with pytest.raises(RecordError, match="larger than any"):
        ben.pull()

    assert largest < 4 << 20
    assert ben.ledger is None


def test_many_small_wipes_are_asked_about_as_one_large_one(
    ada: Clone, ben: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten with each pull would be all of them in the end; a day later it is another matter."""
    ids = [ada.log() for _ in range(18)]
    ada.push()
    ben.pull()
    ada.purge(*ids[:6])
    ada.push()
    few = ben.pull()
    ada.purge(*ids[6:12])
    ada.push()

    with pytest.raises(Conflict, match="takes away 6 runs"):
        ben.pull()
    kept = ben.listed()
    ben.pull(confirm=lambda purge: len(purge.runs) == 6)
    ada.purge(*ids[12:])
    ada.push()
    later = now_ms() + 25 * 3_600_000
    monkeypatch.setattr("ledgit.store.journal.now_ms", lambda: later)
    ben.pull()

    assert 6 == len(few.changes.purged)
    assert set(ids[6:]) == kept
    assert set() == ben.listed()
