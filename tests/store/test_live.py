"""What readers show of a run that is being written is what its commit will say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults.kit import Died, Forks

from ledgit.errors import ParamConflict
from ledgit.git import Repo
from ledgit.records import input_refs
from ledgit.repository import Repository, open_repository
from ledgit.store import ActiveRun, Folder, RunStart, live_runs, recover, summarize
from ledgit.store.build import build_record
from ledgit.store.journal import encode, encode_metric, read_parts


@pytest.fixture
def repository(repo: Path) -> Repository:
    return open_repository(repo)


def test_the_last_of_two_processes_to_set_a_tag_is_shown(repository: Repository) -> None:
    """Also when it is not the one whose part of the journal is read last."""
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    other = ActiveRun.join(Repo.discover(), run.id)
    run.set_tags({"stage": "begun"})
    other.set_tags({"stage": "half"})
    other.tick()
    assert "half" == repository.run(run.id).tags["stage"]
    while repository.run(run.id).tags["stage"] == "half":  # until the clock has moved on
        run.set_tags({"stage": "done"})

    shown = repository.run(run.id).tags
    other.detach()
    run.finish()

    assert {"stage": "done"} == shown == repository.run(run.id).tags


def test_a_resumed_run_shows_what_its_session_removed_and_what_was_edited_meanwhile(repository: Repository) -> None:
    run = ActiveRun.create(repository.repo, RunStart(name="first", snapshot=False, tags={"old": "1", "kept": "2"}))
    run.finish()
    again = ActiveRun.resume(repository.repo, run.id)
    again.delete_tag("old")
    repository.run(run.id).rename("renamed")
    repository.run(run.id).move("elsewhere")

    during = repository.run(run.id)
    again.finish()

    after = repository.run(run.id)
    assert ({"kept": "2"}, "renamed", "elsewhere") == (during.tags, during.name, during.experiment)
    assert ({"kept": "2"}, "renamed", "elsewhere") == (after.tags, after.name, after.experiment)


START = {
    "at": 0, "id": "0" * 32, "name": "n", "experiment": "e", "start": 0, "session": "s", "clone": "c" * 16,
    "host": "", "boot": "",
}  # fmt: skip
moments = st.integers(1, 6)
words = st.sampled_from("xyz")
events = st.one_of(
    st.builds(lambda at, value: ("tags", {"at": at, "values": {"a": value}}), moments, words),
    st.builds(lambda at: ("untag", {"at": at, "key": "a"}), moments),
    st.builds(lambda at, value: ("params", {"at": at, "values": {"p": value}}), moments, st.integers(0, 3)),
    st.builds(lambda at, value: ("field", {"at": at, "field": "name", "value": value}), moments, words),
    st.builds(lambda at, name: ("input", {"at": at, "input": {"name": name, "context": "c"}}), moments, words),
    st.builds(lambda at, value: ("m", (at, value)), moments, st.integers(0, 3)),
)


@settings(max_examples=200)
@given(
    writes=st.lists(st.tuples(st.integers(0, 2), events), max_size=12),
    looks=st.sets(st.integers(0, 12)),
)
def test_looking_often_shows_the_same_as_reading_the_journal_at_the_end(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, tuple[str, object]]], looks: set[int]
) -> None:
    """Three processes write, each with a clock that goes forward; a reader looks whenever it likes."""
    place = tmp_path_factory.mktemp("run")
    (place / "lock").touch()
    parts = [place / f"{number:019d}.log" for number in range(3)]
    parts[0].write_bytes(encode("start", START))
    clocks = [0, 0, 0]
    summary = None
    for number, (part, (kind, data)) in enumerate(writes):
        if number in looks:
            _, summary = summarize(str(place), summary)
        with parts[part].open("ab") as file:
            if kind == "m":
                file.write(encode_metric("m", float(data[1]), data[0], data[0]))  # type: ignore[index]
                continue
            item = dict(data)  # type: ignore[call-overload]
            clocks[part] = item["at"] = max(clocks[part], item["at"])
            file.write(encode(kind, item))

    shown, _ = summarize(str(place), summary)

    record = build_record(read_parts(str(place)), None).record
    assert shown is not None
    assert (input_refs(record.inputs), record.tags, record.params, record.info.name, record.metrics) == (
        shown.inputs,
        shown.tags,
        shown.params,
        shown.name,
        shown.metrics,
    )


def test_an_edit_of_a_resumed_run_wins_over_what_its_session_said_before(repository: Repository) -> None:
    """And removes tags that the run had before it was resumed."""
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False, tags={"old": "1", "stage": "first"}))
    run.finish()
    again = ActiveRun.resume(repository.repo, run.id)
    again.set_tags({"stage": "session"})
    while repository.run(run.id).tags["stage"] == "session":  # until the clock has moved on
        repository.run(run.id).set_tags({"stage": "edited"})
    repository.run(run.id).delete_tag("old")

    during = repository.run(run.id).tags
    again.finish()

    assert {"stage": "edited"} == during == repository.run(run.id).tags


def test_an_edit_comes_after_what_a_killed_session_said(repository: Repository, forks: Forks) -> None:
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    run.finish()
    with pytest.raises(Died):
        forks.run("die_while_resuming", "pack", "kill", run.id)

    repository.run(run.id).set_tags({"seen": "yes"})

    found = repository.run(run.id)
    assert ({"seen": "yes"}, {"late": 1}) == (found.tags, found.params)
    assert 3 == len(found.log())


def test_a_process_that_joins_a_resumed_run_knows_its_params(repository: Repository) -> None:
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    run.log_params({"rate": 0.5})
    run.finish()
    again = ActiveRun.resume(repository.repo, run.id)

    other = ActiveRun.join(Repo.discover(), run.id)

    with pytest.raises(ParamConflict):
        other.log_params({"rate": 0.25})
    other.detach()
    again.finish()


def test_a_number_that_a_launcher_gave_is_the_same_number_in_the_program(repository: Repository) -> None:
    """It gives the word 1, and the program logs 1.0; within one process that is a conflict, as in MLflow."""
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    run.log_params({"alpha": 1, "rate": "1e-3", "fast": "true", "name": "a"})
    program = ActiveRun.join(Repo.discover(), run.id)

    program.log_params({"alpha": 1.0, "rate": 0.001, "fast": True})
    for other in ({"alpha": 1.5}, {"rate": "x"}, {"fast": False}, {"name": "A"}):
        with pytest.raises(ParamConflict):
            program.log_params(other)
    with pytest.raises(ParamConflict):
        run.log_params({"alpha": 1.0})
    program.detach()
    run.finish()

    assert {"alpha": 1, "rate": "1e-3", "fast": "true", "name": "a"} == repository.run(run.id).params


def test_a_run_whose_metrics_are_called_like_a_trailer_is_found_by_its_commit(repository: Repository) -> None:
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    run.log_metric("Ledgit-Run: x", 1.0)
    commit = run.finish()

    assert commit is not None
    assert run.id == repository.run(commit).id


def test_a_run_whose_journal_was_removed_says_so_at_its_end(repository: Repository) -> None:
    run = ActiveRun.create(repository.repo, RunStart(snapshot=False))
    run.log_metric("m", 1.0)
    shutil.rmtree(run.directory)

    assert run.finish() is None

    assert [f"the journal of run {run.id[:8]} was removed while it was written"] == run.problems


def test_a_journal_that_says_what_none_of_ours_does_hides_no_other_run(repo: Path) -> None:
    """A newer Ledgit's, or one that a disk mixed up: the checksums are right, the words are not."""
    folder = Folder.of(Repo.discover())
    with_run = ActiveRun.create(Repo.discover(), RunStart(name="ours"))
    start = {"at": 1, "id": "b" * 32, "name": "odd", "experiment": "x", "start": 1, "session": "s", "clone": "c"}
    odd = {
        "a": [encode("start", {"a": 1}), b"\nd87f7e0c test"],
        "b": [encode("start", start), encode("params", {"at": 1})],
        "c": [encode("start", {**start, "id": "c" * 32}), encode_metric("m", 1.0, 0, 1 << 70)],
    }
    for name, records in odd.items():
        path = Path(folder.active_dir(name * 32))
        path.mkdir()
        (path / "lock").touch()
        (path / "1-1-a.log").write_bytes(b"".join(records))

    found = {state.name for state in live_runs(folder)}
    recovered = recover(Repo.discover(), folder)
    with_run.finish()

    assert {"ours", "odd"} == found
    assert ["c" * 32] == list(recovered.commits)
