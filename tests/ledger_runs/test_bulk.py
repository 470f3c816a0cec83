"""Many runs at once: exports, imports and records, straight into the ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.kit import check_objects
from tests.ledger_runs.kit import Clone

from ledgit.errors import RunPurged, RunStateError
from ledgit.git import Objects, ObjectSet
from ledgit.records import ArtifactRecord, Clocks, CodeInfo, Points, RunInfo, RunRecord, encode_tombstone
from ledgit.records.table import parse_line
from ledgit.store import Bulk
from ledgit.store.ledger import add_lines, commit_ledger, local, local_ledger, set_local

START = 1_795_392_000_000


def record(number: int, **values: object) -> RunRecord:
    """A finished run of three metrics."""
    start = START + number * 60_000
    made = RunRecord(
        RunInfo(f"{number:032x}", f"run-{number}", "bulk", "FINISHED", start, start + 1, "Ada"),
        params={"lr": 0.1, "layers": number % 7}, metrics={"loss": 1.0 / (number + 1), "acc": 0.5, "time": 3.0},
        histories={"loss": Points.of([(0, START, 2.0), (1, START + 1, 1.0 / (number + 1))])},
        tags={"batch": str(number % 3)}, clocks=Clocks((1, "c" * 16)),
    )  # fmt: skip
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_many_runs_are_one_pack_a_thousand_and_no_ref(clone: Clone) -> None:
    """And plain Git finds each: the ledger's history carries them."""
    repository = clone.repository

    with repository.bulk() as bulk:
        commits = [bulk.add(record(number)) for number in range(2500)]

    assert 2500 == len(bulk.stored) == len(repository.runs)
    assert {} == clone.loose()
    assert 4 >= len([*(clone.path / ".git/objects/pack").glob("*.pack")])
    assert [] == [*(clone.path / ".git/objects/pack").glob("*.keep")]
    assert 30 > len([*(clone.path / ".git/objects").glob("??/*")])
    carried = {*clone.git("rev-list", "refs/ledgit/ledger").split()}
    assert {*commits} <= carried
    run = clone.run("run-7")
    assert (commits[7], {"lr": 0.1, "layers": 0}, {"batch": "1"}) == (run.head, run.params, run.tags)
    assert [2.0, 0.125] == list(run.history("loss").values)
    check_objects(clone.path)


def test_a_run_in_bulk_stands_on_its_code(clone: Clone) -> None:
    """Where that is here; and has its artifacts, in places that every system tells apart."""
    head, tree = clone.git("rev-parse", "HEAD"), clone.git("rev-parse", "HEAD^{tree}")
    here = record(1)
    here.info = RunInfo(here.info.id, "here", "bulk", "FINISHED", START, START + 1, code=CodeInfo(head, tree, "main"))
    artifacts = [ArtifactRecord("b.txt", 1, "md5:1"), ArtifactRecord("B.txt", 1, "md5:2")]
    gone = record(2, artifacts=artifacts)
    gone.info = RunInfo(gone.info.id, "gone", "bulk", "KILLED", START, START + 1, code=CodeInfo("e" * 40, "f" * 40))

    with clone.repository.bulk() as bulk:
        first = bulk.add(here, author=("Grace", "grace@example.org"))
        second = bulk.add(gone, {"b.txt": b"small", "B.txt": b"large"})

    assert head == clone.git("rev-parse", f"{first}^")
    assert "print('train')" == clone.git("show", f"{first}:train.py")
    assert "Grace <grace@example.org> 1795392000" == clone.git("log", "-1", "--format=%an <%ae> %at", first)
    assert "" == clone.git("log", "-1", "--format=%P", second)
    run = clone.run("gone")
    assert [b"large", b"small"] == [run.read_artifact(name) for name in ("B.txt", "b.txt")]
    assert artifacts == gone.artifacts
    check_objects(clone.path)


def test_what_is_not_stored_when_something_goes_wrong_is_dropped(clone: Clone) -> None:
    repository = clone.repository

    with pytest.raises(KeyError), Bulk(repository.repo, repository.folder, at_once=2) as bulk:  # noqa: PT012
        for number in range(3):
            bulk.add(record(number))
        raise KeyError

    assert ["run-0", "run-1"] == sorted(run.name for run in repository.runs)


def test_only_ended_runs_are_stored_and_each_once(clone: Clone) -> None:
    running = record(1)
    running.info = RunInfo(running.info.id, status="RUNNING")

    with clone.repository.bulk() as bulk:
        bulk.add(record(2))
        with pytest.raises(RunStateError, match="RUNNING"):
            bulk.add(running)
        with pytest.raises(RunStateError, match="already"):
            bulk.add(record(2))

    assert ["run-2"] == [run.name for run in clone.repository.runs]


@pytest.mark.parametrize("point", ["pack", "ledger", "noted"])
def test_a_batch_is_there_whole_or_not_at_all(clone: Clone, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Whatever happens between its steps; repeated, it changes nothing."""

    class Stopped(BaseException):
        pass

    def reached(name: str) -> None:
        if name == point:
            raise Stopped

    with clone.repository.bulk() as bulk:
        bulk.add(record(1))
    records = [record(number) for number in range(2, 5)]
    with monkeypatch.context() as patched:
        patched.setattr(local, "checkpoint", reached)
        with pytest.raises(Stopped), clone.repository.bulk() as bulk:  # noqa: PT012
            for one in records:
                bulk.add(one)

    assert (1 if point == "pack" else 4) == len(clone.repository.runs)
    with clone.repository.bulk() as bulk:
        for one in records:
            bulk.add(one)
    assert 4 == len(clone.repository.runs)
    tip = clone.git("rev-parse", "refs/ledgit/ledger")
    with clone.repository.bulk() as bulk:
        bulk.add(records[0])
    assert tip == clone.git("rev-parse", "refs/ledgit/ledger")
    check_objects(clone.path)


def purge(clone: Clone, run_id: str, start: int) -> None:
    """Put a tombstone into the ledger."""
    repository = clone.repository
    with Objects(repository.repo) as objects:
        tip = local_ledger(repository.repo)
        fresh = ObjectSet()
        line = parse_line(encode_tombstone(run_id, start))
        union = add_lines(objects, fresh, objects.commit(tip).tree if tip else None, [line])
        new = commit_ledger(objects, fresh, union.tree, tip, [], who=("Ada", ""), when=START // 1000)
        set_local(repository.repo, repository.folder, objects, fresh, new, tip)


def test_a_purged_run_comes_back_only_under_another_id(clone: Clone, tmp_path: Path) -> None:
    """Its tombstone would absorb it without a word."""
    keep, gone = clone.add_run("keep"), clone.add_run("gone")
    repository = clone.repository
    start = repository.run(gone).start
    repository.export_runs([repository.run(keep), repository.run(gone)], str(tmp_path / "x.tar"))
    clone.compact()
    purge(clone, gone, start)
    assert [keep] == [run.id for run in clone.repository.runs]

    with pytest.raises(RunPurged, match=rf"run {gone[:8]} was purged .* --new-ids"):
        clone.repository.import_runs(str(tmp_path / "x.tar"))
    with pytest.raises(RunPurged), clone.repository.bulk() as bulk:
        bulk.add(RunRecord(RunInfo(gone, "gone", status="FINISHED", start=start)))
    done = clone.repository.import_runs(str(tmp_path / "x.tar"), new_ids=True)

    assert ([keep], [done.renewed[gone]]) == (done.known, done.ids)
    run = clone.run("gone")
    assert (done.renewed[gone], [3.0, 2.0]) == (run.id, list(run.history("loss").values))
    assert 1 == len(run.log())


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_a_purged_run_does_not_come_back_under_another_day(clone: Clone, asked: bool, before: int) -> None:
    """Its tombstone stands where it started, and a copy may say another start; whether the index knows it or not."""
    gone = clone.add_run("gone")
    repository = clone.repository
    start = repository.run(gone).start
    clone.compact()
    purge(clone, gone, start)
    if asked:
        assert 0 == len(clone.repository.runs)

    bulk = clone.repository.bulk()
    for number in range(before):
        bulk.add(record(number))
        bulk.flush()
    bulk.add(RunRecord(RunInfo(gone, "gone", status="FINISHED", start=start + 5 * 86_400_000)))
    with pytest.raises(RunPurged):
        bulk.flush()

    assert {record(number).info.id for number in range(before)} == {run.id for run in clone.repository.runs}


def test_a_run_with_two_heads_is_exported_as_one_and_read_elsewhere(clone: Clone, other: Clone, tmp_path: Path) -> None:
    """With everything that both hold; it has no history there."""
    run_id = clone.add_run()
    other.pull(clone)
    for number, here in enumerate((clone, other)):
        session = here.resume(run_id)
        session.log_metric("loss", 10.0 + number, 5 + number)
        session.add_artifact_bytes(f"file{number}.txt", b"%d" % number)
        session.finish()
    clone.pull(other)
    run = clone.run(run_id)
    assert 2 == len(run.heads)

    clone.repository.export_runs([run], str(tmp_path / "out"))
    clone.git("clone", "-q", ".", str(tmp_path / "third"))
    third = Clone(tmp_path / "third")
    done = third.repository.import_runs(str(tmp_path / "out"))

    assert [run_id] == done.ids
    read = third.run(run_id)
    assert (1, {}) == (len(read.heads), third.loose())
    assert list(run.history("loss").values) == list(read.history("loss").values)
    assert (run.name, run.status, run.params, run.metrics) == (read.name, read.status, read.params, read.metrics)
    names = ["file0.txt", "file1.txt", "model.txt"]
    assert [b"0", b"1", b"first"] == [read.read_artifact(name) for name in names]
    again = third.repository.import_runs(str(tmp_path / "out"))
    assert ([], [run_id]) == (again.ids, again.known)
    check_objects(third.path)


@pytest.mark.slow
def test_storing_a_run_takes_a_millisecond(clone: Clone) -> None:
    """1.5 ms of work are allowed; a slow machine, and a first run that loads libraries, get five times that."""
    script = (
        "import time\n"
        "from tests.ledger_runs.test_bulk import record\n"
        "from ledgit.repository import open_repository\n"
        "records = [record(number) for number in range(2000)]\n"
        "begun = time.process_time()\n"
        "with open_repository().bulk() as bulk:\n"
        "    for one in records:\n"
        "        bulk.add(one)\n"
        "print((time.process_time() - begun) / 2)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{script}"],
        cwd=clone.path, capture_output=True, check=True,
    )  # fmt: skip

    assert 7.5 > float(done.stdout)
