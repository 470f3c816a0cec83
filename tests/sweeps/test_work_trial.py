"""A trial on a worker: run in a clone of the worker's own, handed back as bytes, taken in."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.sweeps.ordering import TRAIN, Coordinator

from ledgit.errors import RecordError
from ledgit.projects.executors import run_trial, take_in
from ledgit.projects.executors.orders import Code
from ledgit.projects.executors.protocol import CodeWanted, WorkerLost


@pytest.fixture
def project(repo: Path, git: GitFunction) -> Path:
    """A repository whose work tree is ahead of its commit."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    (repo / "train.py").write_text(TRAIN)
    return repo


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A worker's scratch folder; nothing else is known to it."""
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "worker")


def test_a_trial_is_run_from_what_its_order_carries_and_its_run_comes_back_whole(
    project: Path, scratch: str, git: GitFunction
) -> None:
    """The worker's commit is the coordinator's: same id, on the code's commit, with the tree that was to run."""
    coordinator = Coordinator(project)
    order = coordinator.order(4, scratch=scratch, tags={"who": "ada"})
    refs = git(project, "for-each-ref")

    report = run_trial(order)
    taken = take_in(coordinator.repository, report)

    assert ("FINISHED", "complete", 0, ()) == (report.status, report.state, report.exit_code, report.problems)
    assert report.runs == taken.new
    run = coordinator.repository.run(order.run_id)
    assert (report.runs[order.run_id], coordinator.parent, "search") == (run.commit, run.parent_run, run.experiment)
    assert ({"lr": 0.5}, {"loss": 0.5 / 3}) == (dict(run.params), dict(run.metrics))
    assert [0.5, 0.25, 0.5 / 3] == list(run.history("loss").values)
    assert ("4", "0", "complete", "ada", "0") == tuple(
        run.tags[name]
        for name in (*("ledgit.sweep.trial", "ledgit.sweep.attempt", "ledgit.sweep.state", "who", "ledgit.exit_code"),)
    )
    assert run.tags["ledgit.sweep.worker"].startswith(os.uname().nodename)
    assert "training 0.5\n" == git(project, "show", f"{run.commit}:.ledgit/run/artifacts/output.log") + "\n"
    assert git(project, "rev-parse", "HEAD") == git(project, "rev-parse", f"{run.commit}^")
    assert TRAIN.rstrip("\n") == git(project, "show", f"{run.commit}:train.py")
    assert "" == git(project, "fsck", "--strict", "--no-dangling", "--no-progress")
    assert refs == "\n".join(
        line for line in git(project, "for-each-ref").splitlines() if "refs/ledgit/runs/" not in line
    )


def test_taking_a_report_in_twice_changes_nothing(project: Path, scratch: str, git: GitFunction) -> None:
    """As a report may come twice."""
    coordinator = Coordinator(project)
    report = run_trial(coordinator.order(0, scratch=scratch))
    take_in(coordinator.repository, report)
    before = git(project, "for-each-ref")

    again = take_in(coordinator.repository, report)

    assert ({}, [report.run_id], {}) == (again.new, again.known, again.refused)
    assert before == git(project, "for-each-ref")


def test_a_report_of_an_attempt_that_ran_twice_is_refused(project: Path, tmp_path: Path) -> None:
    """One run has one commit: the first that came."""
    coordinator = Coordinator(project)
    order = coordinator.order(0)
    first, second = (
        run_trial(coordinator.order(0, run_id=order.run_id, scratch=str(tmp_path / name))) for name in ("a", "b")
    )
    take_in(coordinator.repository, first)

    taken = take_in(coordinator.repository, second)

    assert "another commit" in taken.refused[order.run_id]
    assert first.runs[order.run_id] == coordinator.repository.run(order.run_id).commit


def test_a_run_that_was_edited_here_since_is_known(project: Path, scratch: str) -> None:
    """An edit is a commit on top of the worker's."""
    coordinator = Coordinator(project)
    report = run_trial(coordinator.order(0, scratch=scratch))
    take_in(coordinator.repository, report)
    coordinator.repository.run(report.run_id).set_tags({"seen": "yes"})

    assert [report.run_id] == take_in(coordinator.repository, report).known


def test_a_damaged_or_foreign_report_is_refused_whole(project: Path, scratch: str, git: GitFunction) -> None:
    """Nothing of it is stored where something of it is not what it says."""
    import dataclasses

    coordinator = Coordinator(project)
    report = run_trial(coordinator.order(0, scratch=scratch))
    [(run_id, commit)] = report.runs.items()
    flipped = bytearray(report.pack)
    flipped[len(flipped) // 2] ^= 1
    refs = git(project, "for-each-ref")

    for changed in (
        {"pack": bytes(flipped)},
        {"pack": b""},
        {"pack": report.pack[:-30]},
        {"runs": {"0" * 32: commit}},
        {"runs": {run_id: "0" * 40}},
        {"runs": {"../x": commit}},
        {"objects": {"0" * 32: b"something else"}},
    ):
        with pytest.raises(RecordError):
            take_in(coordinator.repository, dataclasses.replace(report, **changed))

    assert refs == git(project, "for-each-ref")


def test_trials_of_one_worker_share_its_clone_and_its_folder_is_clean_for_each(
    project: Path, scratch: str, git: GitFunction
) -> None:
    """What a trial leaves in its work folder is not there for the next; the code is sent once."""
    (project / "train.py").write_text(
        "import os; print(sorted(os.listdir())); open('left', 'w'); open('data.csv', 'w')"
    )
    coordinator = Coordinator(project)
    first = run_trial(coordinator.order(0, scratch=scratch))

    second = run_trial(coordinator.order(1, scratch=scratch, code=coordinator.code.bare()))

    logs = []
    for report in (first, second):
        take_in(coordinator.repository, report)
        logs.append(git(project, "show", f"{report.runs[report.run_id]}:.ledgit/run/artifacts/output.log"))
    assert ["['.git', 'data.csv', 'train.py']"] * 2 == logs
    assert [f"{coordinator.code.key}.git"] == [name for name in os.listdir(scratch) if not name.startswith(".")]


def test_a_worker_without_the_code_says_so(project: Path, scratch: str) -> None:
    """It is not sent with each trial; whoever sends none has to be asked for it."""
    coordinator = Coordinator(project)

    with pytest.raises(CodeWanted):
        run_trial(coordinator.order(0, scratch=scratch, code=coordinator.code.bare()))


def test_a_command_that_fails_is_a_result(project: Path, scratch: str, git: GitFunction) -> None:
    """Its run comes back with what it printed."""
    (project / "train.py").write_text("raise SystemExit('no data')")
    coordinator = Coordinator(project)

    report = run_trial(coordinator.order(0, scratch=scratch))
    absent = run_trial(coordinator.order(1, scratch=scratch, command=("no-such-program",)))

    assert ("FAILED", "failed", 1) == (report.status, report.state, report.exit_code)
    assert ("FAILED", "failed", 127) == (absent.status, absent.state, absent.exit_code)
    commit = take_in(coordinator.repository, report).new[report.run_id]
    assert "no data" == git(project, "show", f"{commit}:.ledgit/run/artifacts/output.log")


def test_large_artifacts_come_by_value_up_to_the_limit_then_by_their_remote_or_are_named(
    project: Path, scratch: str, tmp_path: Path
) -> None:
    """Nothing is lost without a word."""
    (project / "train.py").write_text(
        "import ledgit, os, pathlib\n"
        "pathlib.Path('small.bin').write_bytes(bytes(2000)); pathlib.Path('large.bin').write_bytes(b'x' * 5000)\n"
        "with ledgit.start_run():\n    ledgit.log_artifact('small.bin'); ledgit.log_artifact('large.bin')\n"
    )
    coordinator = Coordinator(project)
    remote = tmp_path / "remote"
    common = {"scratch": scratch, "threshold": 1000, "limit": 3000}

    kept = run_trial(coordinator.order(0, **common))
    sent = run_trial(coordinator.order(1, **common, remote=str(remote)))

    assert [2000] == [len(data) for data in kept.objects.values()]
    assert ["large.bin"] == [text.split()[0] for text in kept.missing]
    assert () == sent.missing
    assert [5000] == [path.stat().st_size for path in remote.rglob("*") if path.is_file()]
    take_in(coordinator.repository, kept)
    assert bytes(2000) == coordinator.repository.run(kept.run_id).read_artifact("small.bin")


def test_an_attempt_that_was_claimed_before_does_not_run_again(project: Path, scratch: str) -> None:
    """Executors that start lost tasks again would make two commits of one run."""

    class Claimed:
        def claim(self, run_id: str) -> bool:
            return False

        def code(self, key: str) -> Code | None:
            return None

        def tell(self, run_id: str, points: object) -> None: ...

        def asked(self, run_id: str) -> str:
            return ""

    with pytest.raises(WorkerLost):
        run_trial(Coordinator(project).order(0, scratch=scratch), Claimed())


def test_a_trial_is_heard_while_it_runs_and_pruned_when_asked(project: Path, scratch: str) -> None:
    """Its points come in their order, each once; a pruned trial is a finished run."""
    (project / "train.py").write_text(
        "import ledgit, time\n"
        "with ledgit.start_run():\n"
        "    for step in range(10_000):\n"
        "        ledgit.log_metric('loss', 1 / (step + 1), step=step); time.sleep(0.05)\n"
    )
    told: list[tuple[int, float]] = []

    class Hearing:
        def claim(self, run_id: str) -> bool:
            return True

        def code(self, key: str) -> Code | None:
            return None

        def tell(self, run_id: str, points: list[tuple[int, float]]) -> None:
            told.extend(points)

        def asked(self, run_id: str) -> str:
            return "prune" if len(told) > 3 else ""

    coordinator = Coordinator(project)
    report = run_trial(coordinator.order(0, scratch=scratch, metric="loss"), Hearing())
    take_in(coordinator.repository, report)

    assert [(step, 1 / (step + 1)) for step in range(len(told))] == told
    assert ("FINISHED", "pruned") == (report.status, report.state)
    assert "pruned" == coordinator.repository.run(report.run_id).tags["ledgit.sweep.state"]


@pytest.mark.slow
def test_processes_of_a_pool_are_workers_too(project: Path, scratch: str) -> None:
    """Any executor of concurrent.futures will do: orders and reports are plain values."""
    coordinator = Coordinator(project)
    orders = [coordinator.order(number, scratch=scratch) for number in range(4)]

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for report in pool.map(run_trial, orders):
            take_in(coordinator.repository, report)

    runs = coordinator.repository.runs.filter("tags.`ledgit.sweep.state` = 'complete'")
    assert [0.1, 0.2, 0.3, 0.4] == sorted(run.params["lr"] for run in runs)
    assert {order.run_id for order in orders} == {run.id for run in runs}


def test_what_a_lost_worker_had_recorded_comes_with_the_next_report(project: Path, scratch: str) -> None:
    """The run ends KILLED, with the points it had logged; the trial is not done by it."""
    import subprocess
    import sys
    import time

    (project / "train.py").write_text(
        "import ledgit, time, sys\n"
        "with ledgit.start_run() as run:\n    ledgit.log_metric('loss', 1.0, step=0)\n"
        "    open(sys.argv[1], 'w').write('begun')\n    time.sleep(1000)\n"
    )
    coordinator = Coordinator(project)
    begun = Path(scratch).parent / "begun"
    lost = coordinator.order(0, scratch=scratch, command=(sys.executable, "train.py", str(begun)))
    script = (
        "import pickle, sys; order = pickle.load(sys.stdin.buffer); from ledgit.projects.executors import run_trial; "
    )
    process = subprocess.Popen([sys.executable, "-c", script + "run_trial(order)"], stdin=subprocess.PIPE)
    import pickle

    assert process.stdin is not None
    process.stdin.write(pickle.dumps(lost))
    process.stdin.close()
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()

    until = time.monotonic() + 60
    while True:  # its child may hold the run a moment longer
        report = run_trial(coordinator.order(1, scratch=scratch, command=("true",)))
        if lost.run_id in report.runs or time.monotonic() > until:
            break
    take_in(coordinator.repository, report)

    run = coordinator.repository.run(lost.run_id)
    assert ("KILLED", {"loss": 1.0}, False) == (run.status, dict(run.metrics), "ledgit.sweep.state" in run.tags)
    assert lost.run_id not in run_trial(coordinator.order(2, scratch=scratch, command=("true",))).runs


@pytest.mark.slow
def test_threads_of_a_worker_run_trials_side_by_side(project: Path, scratch: str) -> None:
    """Each in a folder of its own, in one clone that is made once."""
    from concurrent.futures import ThreadPoolExecutor

    coordinator = Coordinator(project)
    orders = [coordinator.order(number, scratch=scratch) for number in range(8)]

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(run_trial, orders))

    assert ["complete"] * 8 == [report.state for report in reports]
    for report in reports:  # one may have the run of another that ended a moment before
        take_in(coordinator.repository, report)
    runs = {run.id: run.commit for run in coordinator.repository.runs}
    assert {report.run_id: report.runs[report.run_id] for report in reports} == runs
    assert [f"{coordinator.code.key}.git"] == [name for name in os.listdir(scratch) if not name.startswith(".")]


@pytest.mark.slow
def test_a_worker_makes_the_environment_that_the_project_declares(
    project: Path, scratch: str, git: GitFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own cache; the run says which, and what is in it."""
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    (project / "MLproject").write_text(
        "name: search\npython_env: python_env.yaml\nentry_points:\n  main:\n    parameters:\n"
        "      lr: float\n    command: python show.py {lr}\n"
    )
    (project / "python_env.yaml").write_text("dependencies: []\n")
    (project / "show.py").write_text("import sys; print(sys.prefix, sys.argv[1])")
    coordinator = Coordinator(project)
    order = coordinator.order(
        0, scratch=scratch, manager="uv", command=(), entry_point="main", given={"lr": 0.5}, params=None
    )

    report = run_trial(order)
    commit = take_in(coordinator.repository, report).new[order.run_id]

    prefix, lr = git(project, "show", f"{commit}:.ledgit/run/artifacts/output.log").split()
    assert (True, "0.5") == (prefix.startswith(str(tmp_path / "cache")), lr)
    run = coordinator.repository.run(order.run_id)
    assert ({"lr": 0.5}, "uv") == (dict(run.params), run.tags["ledgit.project.env"].split()[0])
