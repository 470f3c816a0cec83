"""Editing runs that are only in the ledger, that have several heads, and many at once."""

from __future__ import annotations

import pytest
from tests.ledger_runs.kit import Clone

from ledgit.errors import InvalidValue, RefMoved, RunNotFound
from ledgit.git import Objects, read_ref
from ledgit.records import decode_entry, encode_entry, make_entry
from ledgit.store import Edit, edit_run, edit_runs, run_ref
from ledgit.store.chain import read_base, read_entry
from ledgit.store.ledger import compact


def test_a_compacted_run_is_edited_and_compacted_again(clone: Clone) -> None:
    """The edit is a loose run until the next compaction; the ledger then has it in the old line's place."""
    run_id = clone.add_run()
    first = clone.run(run_id).commit
    assert (run_id,) == clone.compact()
    assert {} == clone.loose()

    clone.run(run_id).set_tags({"good": "yes"})

    run = clone.run(run_id)
    assert {run_id: run.head} == clone.loose()
    assert (("good", "yes"), first) == (*run.tags.items(), run.commit)
    assert [first] == clone.git("rev-list", "-1", "--parents", str(run.head)).split()[1:]
    clone.compact()
    again = clone.run(run_id)
    assert (again.heads, {}) == (run.heads, clone.loose())
    assert 1 == len(clone.git("grep", "-h", run_id, "refs/ledgit/ledger", "--", "segments").splitlines())
    clone.check()


def test_edits_of_two_clones_are_joined_by_the_next_one(clone: Clone, other: Clone) -> None:
    """Whose parents are both, and whose tree holds what both say."""
    run_id = clone.add_run()
    other.pull(clone)
    clone.run(run_id).set_tags({"mine": "1", "both": "here"})
    other.run(run_id).set_tags({"yours": "2", "both": "there"})
    other.run(run_id).rename("eagle")
    other.pull(clone)
    run = other.run(run_id)
    heads = run.heads
    assert 2 == len(heads)
    assert {"mine": "1", "yours": "2"} == {key: run.tags[key] for key in ("mine", "yours")}

    run.delete_tag("mine")

    assert [*heads] == other.git("rev-list", "-1", "--parents", str(run.head)).split()[1:]
    assert (run.head,) == run.heads
    after = other.run(run_id)
    assert ("eagle", {"yours": "2", "both": run.tags["both"]}) == (after.name, dict(after.tags))
    record = after.record()
    assert (after.tags, after.name, after.params) == (record.tags, record.info.name, record.params)
    entry = read_entry(Objects.of(other.repository.repo), str(after.head))
    assert after.commit == entry.past[0]
    assert {*heads} < {*entry.past}
    clone.pull(other)
    other.pull(clone)
    assert clone.ledger_tree() == other.ledger_tree()
    assert (after.head,) == clone.run(run_id).heads
    clone.check()
    other.check()


def test_the_log_shows_both_branches_of_edits(clone: Clone, other: Clone) -> None:
    run_id = clone.add_run()
    other.pull(clone)
    clone.run(run_id).set_tags({"mine": "1"})
    other.run(run_id).set_tags({"yours": "2"})
    clone.pull(other)

    forked = [entry.subject for entry in clone.run(run_id).log()]
    heads = clone.run(run_id).heads
    clone.run(run_id).set_tags({"joined": "3"})
    joined = clone.run(run_id).log()

    assert ["tag mine=1: owl", "tag yours=2: owl"] == sorted(forked[:2])
    assert ["run: owl (owls)"] == forked[2:]
    assert ["tag joined=3: owl", *sorted(forked[:2])] == [joined[0].subject, *sorted(e.subject for e in joined[1:3])]
    assert f"join {', '.join(head[:8] for head in heads)}" == joined[0].changes[1]
    assert [entry.when for entry in joined] == sorted((entry.when for entry in joined), reverse=True)


def test_params_that_two_machines_logged_differently_are_told_in_the_edit_that_joins_them(
    clone: Clone, other: Clone
) -> None:
    run_id = clone.add_run()
    other.pull(clone)
    for here, value in ((clone, 1), (other, 2)):
        session = here.resume(run_id)
        session.log_params({"late": value})
        session.finish()
    clone.pull(other)
    conflict = clone.run(run_id).conflicts["late"]
    assert {1, 2} == {*conflict}

    clone.run(run_id).set_tags({"seen": "yes"})

    run = clone.run(run_id)
    assert (conflict[0], {}) == (run.params["late"], run.conflicts)
    assert f"param late: {conflict[0]} and {conflict[1]}; the first one counts" in run.log()[0].changes


def test_deleting_a_compacted_run_and_restoring_it(clone: Clone) -> None:
    run_id = clone.add_run()
    clone.compact()

    clone.run(run_id).delete()
    clone.compact()

    assert [] == list(clone.repository.runs)
    clone.run(run_id).restore()
    assert [run_id] == [run.id for run in clone.repository.runs]


def test_an_edit_here_and_a_deletion_there_both_count(clone: Clone, other: Clone) -> None:
    run_id = clone.add_run()
    other.pull(clone)
    clone.run(run_id).set_tags({"good": "yes"})
    other.run(run_id).delete()

    clone.pull(other)

    run = clone.run(run_id)
    assert (True, {"good": "yes"}) == (run.deleted, dict(run.tags))
    run.restore()
    other.pull(clone)
    assert (False, {"good": "yes"}) == (other.run(run_id).deleted, dict(other.run(run_id).tags))


def test_nothing_is_written_when_an_edit_changes_nothing(clone: Clone) -> None:
    run_id = clone.add_run()
    clone.compact()
    run = clone.run(run_id)
    run.set_tags({"a": "1"})
    clone.compact()

    clone.run(run_id).set_tags({"a": "1"})

    assert {} == clone.loose()


def test_a_run_that_is_only_in_the_ledger_needs_its_heads(clone: Clone) -> None:
    """Without them nobody knows where it is; the object API asks the index."""
    run_id = clone.add_run()
    clone.compact()
    repository = clone.repository

    with pytest.raises(RunNotFound):
        edit_run(repository.repo, repository.folder, run_id, Edit(deleted=True))


def test_a_loose_head_that_the_ledger_passed_is_no_parent(clone: Clone, other: Clone) -> None:
    """It stands below the ledger's head; the edit is on top of that one, and moves the loose ref."""
    run_id = clone.add_run()
    first = clone.run(run_id).head
    other.pull(clone)
    other.run(run_id).set_tags({"newer": "yes"})
    newer = other.run(run_id).head
    clone.pull(other)
    clone.git("update-ref", f"refs/ledgit/runs/{run_id}", str(first))
    assert (newer,) == clone.run(run_id).heads

    clone.run(run_id).set_tags({"newest": "yes"})

    assert [newer] == clone.git("rev-list", "-1", "--parents", str(clone.run(run_id).head)).split()[1:]
    assert {"newer": "yes", "newest": "yes"} == dict(clone.run(run_id).tags)


def test_an_edit_of_a_run_that_was_compacted_meanwhile_is_tried_again(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loose ref was read and is gone; nothing is lost, and the edit stands on the same head."""
    run_id = clone.add_run()
    clone.run(run_id).set_tags({"before": "1"})
    run = clone.run(run_id)
    head = run.head
    monkeypatch.setattr("ledgit.store.edit._Draft.update", compacting(clone))

    run.set_tags({"after": "2"})

    assert {"before": "1", "after": "2"} == dict(run.tags)
    assert [head] == clone.git("rev-list", "-1", "--parents", str(run.head)).split()[1:]
    clone.check()


def compacting(clone: Clone) -> object:
    """Compact between the reading of a loose ref and its moving, the first time."""
    from ledgit.store.edit import _Draft

    real, done = _Draft.update, []

    def update(self: _Draft, commit: str) -> object:
        found = real(self, commit)
        if not done:
            done.append(commit)
            compact(clone.repository.repo, clone.repository.folder)
        return found

    return update


def test_many_runs_are_edited_at_once(clone: Clone) -> None:
    """Loose ones and compacted ones: one pack, one commit each, all or none."""
    ids = [clone.add_run(f"run-{number}") for number in range(3)]
    clone.compact()
    ids += [clone.add_run(f"run-{number}") for number in range(3, 6)]
    repository = clone.repository
    runs = [repository.run(run_id) for run_id in ids]
    before = len(packs(clone))

    repository.tag_runs(runs, {"batch": "7"})

    assert before + 1 >= len(packs(clone))
    assert {*ids} == {*clone.loose()}
    assert ["7"] * 6 == [run.tags["batch"] for run in runs]
    assert ["7"] * 6 == [clone.run(run_id).tags["batch"] for run_id in ids]
    heads = [(run_id, run.heads) for run_id, run in zip(ids, runs, strict=True)]
    with pytest.raises(InvalidValue, match="nothing"):
        edit_runs(repository.repo, repository.folder, heads, Edit(deleted=True, delete_tags=("nothing",)))
    assert 6 == len(list(repository.runs))
    clone.check()


def test_of_many_runs_none_is_edited_when_one_moved(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [clone.add_run(f"run-{number}") for number in range(3)]
    repository = clone.repository
    heads = [(run_id, repository.run(run_id).heads) for run_id in ids]
    monkeypatch.setattr("ledgit.store.edit._Draft.update", compacting(clone))

    with pytest.raises(RefMoved):
        edit_runs(repository.repo, repository.folder, heads, Edit(set_tags={"a": "1"}))

    assert [{}] * 3 == [dict(clone.run(run_id).tags) for run_id in ids]


def packs(clone: Clone) -> list[str]:
    return [path.name for path in (clone.path / ".git/objects/pack").glob("*.pack")]


def test_a_line_made_from_the_last_one_is_the_line_made_from_the_whole_record(clone: Clone) -> None:
    """An edit reads no histories; its line must be the same as if it had."""
    run_id = clone.add_run()
    run = clone.run(run_id)
    run.set_tags({"b": "é", "a": "1"})
    run.delete_tag("b")
    run.rename("eagle")
    run.move("birds")
    run.delete()

    objects = Objects.of(clone.repository.repo)
    base = read_base(objects, run_id, run.heads)

    [entry] = base.entries
    assert entry.raw == decode_entry(encode_entry(make_entry(base.record, entry.past))).raw.replace(
        b'",', b'","head":"%b",' % str(run.head).encode(), 1
    )


def test_an_edit_is_never_dated_before_what_it_stands_on(clone: Clone) -> None:
    """A clock that was set back must not make Git's walks slow."""
    run_id = clone.add_run()
    repository = clone.repository

    edit_run(repository.repo, repository.folder, run_id, Edit(set_tags={"a": "1"}), when=1000)

    head = read_ref(repository.repo, run_ref(run_id))
    dates = [int(date) for date in clone.git("log", "-2", "--format=%ct", str(head)).split()]
    assert dates[0] >= dates[1] > 1
