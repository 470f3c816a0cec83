"""What is as it should be by itself, and not beside what is known: days, roots, inboxes without end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.hostile_kit import WHO, Mallory, entry_of
from tests.sync.kit import DAY, START, Clone, inboxes, lines_of, make_clone

from ledgit.errors import RecordError
from ledgit.git import Objects, ObjectSet, build
from ledgit.records import encode_tombstone, with_head
from ledgit.records.table import Line, parse_line
from ledgit.repository import open_repository
from ledgit.store.ledger import add_lines, check_heads, every_line
from ledgit.store.ledger.purging import purge
from ledgit.store.sync import exchange
from ledgit.store.sync.purging import purge_remote


def second_day(m: Mallory) -> str:
    """The first run with a commit of its own, bearing out all it says, that started three days later."""
    line = m.lines[0]
    start = (line.start or 0) + 3 * DAY
    entry = entry_of(line.raw).replace(b'"start":%d' % (line.start or 0), b'"start":%d' % start)
    head = m.fresh.commit(build(m.fresh, {".ledgit/run/entry.json": entry}), [], WHO, WHO, "run\n")
    m.heads.append(head)
    return add_lines(m.objects, m.fresh, m.tree, [parse_line(with_head(entry.rstrip(b"\n"), head))]).tree


def second_tombstone(m: Mallory) -> str:
    line = m.lines[0]
    stone = parse_line(encode_tombstone(line.id, (line.start or 0) + 3 * DAY))
    return add_lines(m.objects, m.fresh, m.tree, [stone]).tree


@pytest.mark.parametrize("make", [second_day, second_tombstone])
@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_a_known_run_on_a_second_day_is_refused_by_those_who_know_it(
    ada: Clone, ben: Clone, host: Path, make: Callable[[Mallory], str], many: bool, indexed: bool
) -> None:
    """Only the file of the other day is new to them. The index knows where runs are, if somebody has asked it."""
    run = ada.log(start=START)
    others = [ada.log(start=START + n) for n in range(40 if many else 0)]  # whose days are all looked at at once
    ada.push()
    ben.pull()
    if indexed:
        assert len(open_repository(ben.path).runs) == len(others) + 1
    mallory = Mallory(host)
    mallory.lines.sort(key=lambda line: line.id != run)
    if others:
        mallory.tree = add_lines(mallory.objects, mallory.fresh, mallory.tree, mallory.more(20)).tree
    mallory.push(make(mallory), [mallory.tip, *mallory.heads])
    before = ben.refs()

    for verb in (ben.pull, ben.push):
        with pytest.raises(RecordError, match="under another day too"):
            verb()

    assert before == ben.refs()
    assert 1 == len(ben.heads(run))


def test_an_inbox_with_a_known_run_on_a_second_day_is_passed_over(ada: Clone, host: Path, shared: object) -> None:
    mallory = Mallory(host)
    mallory.tree = build(mallory.fresh, {"format": b"min_reader: 1\nmin_writer: 1\n"})
    bad = mallory.fresh.commit(second_day(mallory), mallory.heads, WHO, WHO, "inbox\n")  # as it should be, by itself
    mallory.fresh.write(mallory.repo).release()
    run_git(host, "update-ref", "refs/ledgit/inbox/mallory-1", bad)
    before = ada.tree

    done = ada.pull()

    assert before == ada.tree
    assert ["another day" in note for note in done.notes] == [True]


def test_two_inboxes_with_one_run_on_two_days_are_not_both_taken(ada: Clone, host: Path, shared: object) -> None:
    mallory = Mallory(host)
    line = mallory.lines[0]
    empty = build(mallory.fresh, {"format": b"min_reader: 1\nmin_writer: 1\n"})
    run_id = os.urandom(16).hex()
    for number, start in enumerate((START, START + DAY)):
        entry = entry_of(line.raw).replace(line.id.encode(), run_id.encode())
        entry = entry.replace(b'"start":%d' % (line.start or 0), b'"start":%d' % start)
        head = mallory.fresh.commit(build(mallory.fresh, {".ledgit/run/entry.json": entry}), [], WHO, WHO, "run\n")
        said = parse_line(with_head(entry.rstrip(b"\n"), head))
        tree = add_lines(mallory.objects, mallory.fresh, empty, [said]).tree
        commit = mallory.fresh.commit(tree, [head], WHO, WHO, "inbox\n")
        mallory.fresh.write(mallory.repo).release()
        run_git(host, "update-ref", f"refs/ledgit/inbox/mallory-{number}", commit)

    done = ada.pull()

    assert 1 == len(ada.heads(run_id))
    assert ["another day" in note for note in done.notes] == [True]


def test_thousands_of_inboxes_are_looked_at_some_at_a_time(
    ada: Clone, ben: Clone, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who only pull come to the end of them, too."""
    monkeypatch.setattr(exchange, "MOST_INBOXES", 2)
    ada.log()
    ada.push()
    runs = []
    for _ in range(5):
        runs.append(ada.log())
        ada.compact()
        fresh, objects = ObjectSet(), Objects(ada.repo)
        lines = [line for _, line in every_line(objects, ada.tree) if line.id == runs[-1]]
        empty = build(fresh, {"format": b"min_reader: 1\nmin_writer: 1\n"})
        commit = fresh.commit(add_lines(objects, fresh, empty, lines).tree, [lines[0].head], WHO, WHO, "inbox\n")
        fresh.write(ada.repo).release()
        ada.git("push", "-q", "origin", f"{commit}:refs/ledgit/inbox/{os.urandom(8).hex()}")
    there = inboxes(host)

    first, second, third = (ben.pull() for _ in range(3))

    assert ["3 inboxes on origin left for later: 2 are looked at with each pull or push"] == list(first.notes)
    assert [2, 2, 1] == [len(done.changes.new) - (done is first) for done in (first, second, third)]
    assert set(runs) < ben.listed()
    assert there == inboxes(host)
    for left in (3, 1, 0):
        ben.push()
        assert left == len(inboxes(host))
    assert set(runs) < lines_of(host)


@pytest.mark.parametrize("known", [True, False])
def test_a_root_that_is_none_is_refused(
    ada: Clone, ben: Clone, host: Path, tmp_path: Path, shared: tuple[str, ...], known: bool
) -> None:
    """Named as the root, a commit that has the tombstones already hides that a purge is owed."""
    ada.purge(shared[0])
    ada.push()
    mallory = Mallory(host)
    assert run_git(host, "log", "-1", "--format=%P", mallory.tip)
    mallory.push(mallory.tree)  # its tip is no root
    reader = ben if known else make_clone(str(host), tmp_path / "newcomer")

    with pytest.raises(RecordError, match="its history does not bear out"):
        reader.pull(accept_purges=True)


def test_after_a_new_root_only_what_is_new_is_compared_with_its_commits(
    ada: Clone, ben: Clone, host: Path, shared: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 lines that takes 14 s; they say what they said, and so do their commits."""
    purge(ada.repo, ada.folder, {shared[0]: START})
    purge_remote(ada.repo, ada.folder, ada.remote)
    new = ada.log()
    ada.push()
    looked: list[str] = []

    def noted(objects: Objects, lines: Iterable[Line]) -> None:
        lines = list(lines)
        looked.extend(line.id for line in lines)
        check_heads(objects, lines)

    monkeypatch.setattr("ledgit.store.ledger.check_heads", noted)
    ben.pull()

    assert [new] == looked
    assert {*shared[1:], new} == ben.listed()
