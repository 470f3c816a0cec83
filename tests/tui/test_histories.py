"""Histories of runs that are being written: what was appended is read, nothing twice, nothing lost."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tui.conftest import log_runs

from ledgit.records.history import Points
from ledgit.repository import Repository, Run, open_repository
from ledgit.store import ActiveRun, RunStart
from ledgit.store.folder import Folder
from ledgit.store.journal import encode, encode_metric
from ledgit.store.tailing import Tail
from ledgit.tui.data.histories import Histories


@given(st.lists(st.tuples(st.sampled_from(["loss", "acc"]), st.floats(allow_nan=False)), max_size=40), st.data())
@settings(max_examples=60)
def test_a_journal_read_in_pieces_says_what_it_says_at_once(
    tmp_path: Path, points: list[tuple[str, float]], data: st.DataObject
) -> None:
    """Wherever a record is cut by the moment of reading, and whenever a metric is asked for first."""
    folder = Folder(str(tmp_path))
    directory = folder.active_dir("a" * 32)
    os.makedirs(directory, exist_ok=True)
    whole = b"".join(
        encode_metric(key, value, step, step) + (encode("note", {"at": 1}) if step % 7 == 3 else b"")
        for step, (key, value) in enumerate(points)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    tail, found = Tail(folder, "a" * 32), {"loss": Points(), "acc": Points()}
    for place, cut in enumerate([*cuts, len(whole)]):
        Path(directory, "0.log").write_bytes(whole[:cut])
        for key, fresh in tail.read(["loss"] if place < 2 and cuts else ["loss", "acc"]).items():
            found[key].extend(fresh)
    for key, fresh in tail.read(["acc"]).items():
        found[key].extend(fresh)

    for name, read in found.items():
        assert Points.of((step, step, value) for step, (key, value) in enumerate(points) if key == name) == read


def test_a_record_cut_within_its_checksum_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    """The checksum of nothing is 0, and so may be the first digit of a record's."""
    folder = Folder(str(tmp_path))
    os.makedirs(folder.active_dir("a" * 32))
    journal = Path(folder.active_dir("a" * 32), "0.log")
    value = next(value for value in range(100) if encode_metric("loss", value, 1, 1)[1:2] == b"0")
    whole = encode_metric("loss", 0.5, 0, 0) + encode_metric("loss", value, 1, 1)
    begun = len(encode_metric("loss", 0.5, 0, 0)) + 2
    tail = Tail(folder, "a" * 32)

    journal.write_bytes(whole[:begun])
    assert list(tail.read(["loss"])["loss"]) == [(0, 0, 0.5)]
    journal.write_bytes(whole)
    assert list(tail.read()["loss"]) == [(1, 1, float(value))]


def test_only_what_was_appended_is_read(repo: Path) -> None:
    """The second look at a run with 5,000 points reads the 10 new ones."""
    repository = open_repository(repo)
    active = repository.start_run(RunStart())
    for step in range(5_000):
        active.log_metric("loss", float(step), step)
    histories = Histories(repository)
    run = _only(repository)
    assert histories.drawn(run, ["loss"])["loss"].total == 5_000
    live = histories._live[run.id]
    before = live.tail.bytes_read

    for step in range(5_000, 5_010):
        active.log_metric("loss", float(step), step)
    drawn = histories.drawn(run, ["loss"])["loss"]

    assert (drawn.total, drawn.latest) == (5_010, 5_009.0)
    assert live.tail.bytes_read - before < 1_000
    active.finish()
    ended = repository.run(run.id)
    assert histories.drawn(ended, ["loss"])["loss"].points.values[-1] == 5_009.0
    assert run.id not in histories._live


def test_a_run_that_was_resumed_shows_both_sessions(repo: Path) -> None:
    """What stands in its commit, and what is appended now."""
    (run_id,) = log_runs(repo, 1)
    repository = open_repository(repo)

    before = Histories(repository).drawn(repository.run(run_id), ["loss"])["loss"].total
    active = ActiveRun.resume(repository.repo, run_id, repository.run(run_id).heads)
    active.log_metric("loss", 0.25, 9)

    drawn = Histories(repository).drawn(repository.run(run_id), ["loss"])["loss"]

    assert (before, drawn.total, drawn.latest) == (5, 6, 0.25)
    active.finish()


def test_memory_is_bounded(repo: Path) -> None:
    """Histories unused for longest are forgotten, and read again when asked for."""
    ids = log_runs(repo, 6)
    repository = open_repository(repo)
    histories = Histories(repository, most=40)
    runs = [repository.run(one) for one in ids]

    drawn = [histories.drawn(run, ["loss", "accuracy"])["loss"].total for run in runs]

    assert drawn == [5] * 6
    assert histories.size <= 40
    assert histories.drawn(runs[0], ["loss"])["loss"].total == 5


def test_a_metric_that_a_run_lacks_is_empty(repo: Path) -> None:
    """It is no error: other runs of the chart have it."""
    (run_id,) = log_runs(repo, 1)
    repository = open_repository(repo)

    assert Histories(repository).drawn(repository.run(run_id), ["nothing"])["nothing"].total == 0


def _only(repository: Repository) -> Run:
    (run,) = list(repository.runs)
    return run
