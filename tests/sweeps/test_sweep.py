"""A sweep from its start to its end: its runs, its rules, what it leaves behind."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sweeps.kit import begin, counted, left_behind, newest, put, sweep, trial_runs, words

from ledgit.errors import Conflict, StorageError, UsageError
from ledgit.projects.sweeps import Event, Sweep, SweepPlan, stop
from ledgit.repository import open_repository
from ledgit.store import ActiveRun


@pytest.fixture(autouse=True)
def _journals(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNALS", str(repo / ".git" / "ledgit" / "active"))


def run_plan(repo: Path, plan: SweepPlan) -> list[Event]:
    """Run a sweep in this process; return what happened, but for ticks."""
    events: list[Event] = []
    Sweep.start(open_repository(repo), plan).run(on_event=events.append)
    return [event for event in events if event.kind != "tick"]


def test_a_grid_is_a_run_with_a_run_a_point(repo: Path) -> None:
    """Params, metric, output, code and parent of each; the user's folder stays as it is."""
    put(repo, 'log("loss", float(args["a"]) + float(args["b"]), 3); print("hello", args)')
    (repo / "data.csv").write_text("changed\n")
    (repo / "fresh.txt").write_text("untracked\n")
    before = run_git(repo, "status", "--porcelain")

    said = sweep(repo, "-P", "a=1,2", "-P", "b=0.5,0.25", "--metric", "loss", "-j", "2", "--", *words("a", "b"))

    runs = trial_runs(repo)
    parent = open_repository(repo).run(newest(repo).run)
    assert [(run.params["a"], run.params["b"]) for run in runs] == [(1, 0.5), (1, 0.25), (2, 0.5), (2, 0.25)]
    assert [run.metrics["loss"] for run in runs] == [1.5, 1.25, 2.5, 2.25]
    assert {run.parent_run for run in runs} == {parent.id}
    assert {run.status for run in [*runs, parent]} == {"FINISHED"}
    assert {run.code.tree for run in runs} == {parent.code.tree}
    assert run_git(repo, "show", f"{runs[0].commit}:fresh.txt") == "untracked"
    assert [item.path for item in runs[0].artifacts()] == ["output.log"]
    assert runs[0].read_artifact("output.log").startswith(b"hello {")
    assert runs[0].tags["ledgit.sweep.state"] == "complete"
    assert json.loads(parent.read_artifact("sweep.json"))["space"] == {"a": "1,2", "b": "0.5,0.25"}
    assert parent.tags["ledgit.sweep.best"] == runs[1].id
    assert "best: 1.25 loss, trial 1" in said
    assert "once more: ledgit run -- " in said
    assert before == run_git(repo, "status", "--porcelain")
    assert left_behind(repo) == []


def test_what_a_trial_leaves_in_its_folder_the_next_one_does_not_see(repo: Path) -> None:
    """Files that it wrote are gone, changed and deleted ones are back; what the user changes meanwhile is not there."""
    put(
        repo,
        "print(sorted(os.listdir('.')), open('data.csv').read())\n"
        "open('new', 'w').close(); os.unlink('data.csv')\n"
        f"open({str(repo / 'data.csv')!r}, 'w').write('other')\n",
    )

    sweep(repo, "-P", "a=1,2,3", "--", *words("a"))

    outputs = {run.read_artifact("output.log") for run in trial_runs(repo)}
    assert len(trial_runs(repo)) == 3
    assert outputs == {b"['.git', 'data.csv', 'train.py'] x,y\n1,2\n\n"}


def test_in_place_trials_run_in_the_users_folder(repo: Path) -> None:
    put(repo, "open('made', 'a').write(args['a'])")

    sweep(repo, "-P", "a=1,2", "--in-place", "--", *words("a"))

    assert (repo / "made").read_text() == "12"


def test_a_failing_trial_counts_and_the_rest_goes_on(repo: Path) -> None:
    """Its exit code is kept, it is not tried again, and it is no error of the sweep's."""
    put(repo, 'log("loss", 1.0); print("so", end=" "); sys.exit("3" if args["a"] == "2" else 0)')

    said = sweep(repo, "-P", "a=1,2,3", "--metric", "loss", "--", *words("a"))

    assert counted(newest(repo)) == [(0, "complete"), (1, "failed"), (2, "complete")]
    assert [run.tags["ledgit.exit_code"] for run in trial_runs(repo)] == ["0", "1", "0"]
    assert "trial 1  failed  loss 1  a=2" in said
    assert "exit code 1: so 3\n" in said


def test_a_trial_that_logs_no_metric_has_failed(repo: Path) -> None:
    put(repo, "")

    said = sweep(repo, "-P", "a=1", "--metric", "loss", "--", *words("a"), code=1)

    assert counted(newest(repo)) == [(0, "failed")]
    assert "it logged no metric 'loss'" in said


@pytest.mark.parametrize(
    ("options", "reason", "ended"),
    [
        (["--stop-after-failures", "2"], "failures", 5),
        (["--patience", "2"], "patience", 4),
        (["--target", "2"], "target", 2),
    ],
)
def test_a_rule_ends_a_sweep_and_more_can_be_asked_for(repo: Path, options: list[str], reason: str, ended: int) -> None:
    """The status names the rule; going on begins to count anew."""
    put(repo, 'v = [3.0, 2.0, 2.5, 2.0, None, None, 1.0][int(args["n"])]; v is None and sys.exit(1); log("loss", v)')
    code = 1 if reason == "failures" else 0
    known = 6 if reason == "failures" else ended

    sweep(repo, "-P", "n=range(0,6)", "--metric", "loss", *options, "--", *words("n"), code=code)
    first = newest(repo)
    sweep(repo, "resume", "--stop-after-failures", "9", "--patience", "9", "--target", "-1")

    assert (first.state, first.reason, first.ended) == ("finished", reason, known)
    assert counted(newest(repo)) == [(n, "failed" if n in (4, 5) else "complete") for n in range(7)]
    assert newest(repo).reason == ""


def test_a_trial_that_hangs_ends_with_all_that_it_started(repo: Path) -> None:
    """After --timeout it is asked to end; what does not listen is killed when the grace is over."""
    put(
        repo,
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '98765.4321'])\n"
        "time.sleep(98765)\n",
    )

    sweep(repo, "-P", "a=1", "--timeout", "1.5", "--grace", "0.2", "--", *words("a"), code=1)

    assert counted(newest(repo)) == [(0, "failed")]
    assert trial_runs(repo)[0].status == "KILLED"
    assert left_behind(repo, "98765.4321") == []


def test_the_disk_is_full_and_later_it_is_not(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error ends the sweep; what ended counts, the rest is tried when somebody goes on."""
    put(repo, "")
    create = ActiveRun.create
    names: list[str] = []

    def full(repo: object, start: object) -> ActiveRun:
        names.append(str(start.name))  # type: ignore[attr-defined]
        if len(names) > 3:
            raise StorageError("a new run", "No space left on device")
        return create(repo, start)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ActiveRun, "create", full)
        with pytest.raises(StorageError, match="No space left"):
            run_plan(repo, SweepPlan({"a": "1,2,3,4"}, command=words("a")))

    assert newest(repo).ended == 2
    result = Sweep.resume(open_repository(repo), newest(repo).run).run()
    assert counted(result.status) == [(n, "complete") for n in range(4)]
    assert left_behind(repo) == []


def test_two_processes_never_work_on_one_sweep(repo: Path) -> None:
    """The second one is told who does, and how to end that."""
    put(repo, "")
    repository = open_repository(repo)
    sweep = Sweep.start(repository, SweepPlan({"a": "1,2"}, command=words("a")))

    with pytest.raises(Conflict, match="runs in another process here; 'ledgit sweep stop"):
        Sweep.resume(open_repository(repo), sweep.run_id)
    assert newest(repo).state == "running"
    assert sweep.run().status.state == "finished"
    with pytest.raises(UsageError, match="all 2 trials of this sweep have ended; the grid has no more points"):
        Sweep.resume(open_repository(repo), sweep.run_id)


@pytest.mark.parametrize("in_place", [False, True])
def test_gc_takes_nothing_of_the_code_while_a_sweep_runs(repo: Path, in_place: bool) -> None:
    """Neither at its start nor when somebody goes on with it: no branch has these files."""
    put(repo, "")
    (repo / "data.csv").write_text("on no branch\n")
    plan = SweepPlan({"a": "1,2,3,4"}, command=words("a"), in_place=in_place)
    sweep = Sweep.start(open_repository(repo), plan)
    if not in_place:
        run_git(repo, "checkout", "-q", "--", ".")

    kept = set()
    for again in range(2):
        for event in sweep.events():
            if event.kind == "started":
                kept.add(run_git(repo, "rev-parse", f"refs/ledgit/active/{sweep.run_id}^{{tree}}"))
                run_git(repo, "-c", "gc.worktreePruneExpire=now", "gc", "-q", "--prune=now")
                if again == 0 and event.trial is not None and event.trial.number == 1:
                    break
        if again == 0:
            sweep = Sweep.resume(open_repository(repo), sweep.run_id)

    assert counted(newest(repo)) == [(number, "complete") for number in range(4)]
    assert {run_git(repo, "show", f"{run.commit}:data.csv") for run in trial_runs(repo)} == {"on no branch"}
    assert kept == {run.code.tree for run in trial_runs(repo)}
    assert "Problem" not in run_git(repo, "log", "--no-walk", *(str(run.commit) for run in trial_runs(repo)))
    run_git(repo, "fsck", "--strict")
    assert run_git(repo, "for-each-ref", "refs/ledgit/active") == ""


def test_events_tell_each_trial_twice_and_may_be_left_at_any_time(repo: Path) -> None:
    """Whoever goes away in the middle leaves a sweep that was stopped, and nothing running."""
    put(repo, "args['a'] == '3' and time.sleep(98765.25)")
    sweep = Sweep.start(open_repository(repo), SweepPlan({"a": "1,2,3"}, command=words("a"), grace=0.5))
    seen: list[tuple[str, int]] = []

    for event in sweep.events():
        if event.trial is not None:
            seen.append((event.kind, event.trial.number))
        if seen[-1:] == [("started", 2)]:
            break

    assert seen == [("started", 0), ("ended", 0), ("started", 1), ("ended", 1), ("started", 2)]
    assert (newest(repo).state, newest(repo).ended) == ("stopped", 2)
    assert left_behind(repo) == []


@pytest.mark.parametrize("word", ["stop", "finish", "kill"])
def test_a_sweep_is_ended_from_another_terminal(repo: Path, word: str) -> None:
    """Stopped and killed trials are tried again, finished ones count."""
    put(repo, "open(os.environ['UP'], 'a').write('x')\nwhile not os.path.exists(os.environ['GO']): time.sleep(0.02)")
    up, go = repo.parent / "up", repo.parent / "go"
    process = begin(repo, "-P", "a=1,2,3", "--grace", "5", "--", *words("a"), UP=str(up), GO=str(go))
    while not up.exists() and process.poll() is None:
        time.sleep(0.02)

    assert not stop(open_repository(repo), "", word, wait=0.0)
    if word == "finish":
        go.touch()
    said = process.communicate(timeout=60)[0]

    assert "stopped" in said
    assert (newest(repo).state, newest(repo).ended) == ("stopped", 1 if word == "finish" else 0)
    go.touch()
    sweep(repo, "resume", UP=str(up), GO=str(go))
    assert counted(newest(repo)) == [(n, "complete") for n in range(3)]
    assert left_behind(repo) == []


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_asks_the_trials_to_end_and_again_kills_them(repo: Path, times: int) -> None:
    """What they do when asked is theirs to say; the second time nobody is asked."""
    up, told = repo.parent / "up", repo.parent / "told"
    put(
        repo,
        "import signal\n"
        "def tell(*_):\n"
        f"    open({str(told)!r}, 'w').close()\n"
        f"    {times} == 1 and sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, tell)\n"
        f"open({str(up)!r}, 'w').close()\n"
        "while True: time.sleep(0.02)\n",
    )
    process = begin(repo, "-P", "a=1,2,3", "--grace", "1000", "--", *words("a"))
    for path in (up, told)[:times]:
        while not path.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]

    assert process.returncode == 130
    assert "asking the trials that run to end; again kills them" in said
    assert told.exists()
    assert newest(repo).state == "stopped"
    assert [run.status for run in trial_runs(repo)] == ["KILLED"]
    assert left_behind(repo) == []
