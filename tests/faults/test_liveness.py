"""Who is alive: a live job is never declared dead, a dead one is found at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.background import wait_for
from tests.faults.kit import ROOT, Child, Forks, check_objects, read_run, recover_all, run_refs

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.lock import ALIVE, DEAD, HEARTBEAT_LIMIT, LOST, REMOTE, liveness


@pytest.fixture
def job(repo: Path, forks: Forks) -> Iterator[tuple[Child, str]]:
    """A process with an active run, and the run's id."""
    child = forks.start("stay")
    yield child, next(child.listen())
    child.kill()
    child.close()


def journal(repo: Path, run_id: str) -> str:
    return Folder.of(Repo.discover(str(repo))).active_dir(run_id)


def here(repo: Path, run_id: str, now: float | None = None) -> str:
    from ledgit.store.folder import boot_id

    return liveness(journal(repo, run_id), os.uname().nodename, boot_id(), now)


def test_a_process_is_alive_until_it_is_killed(repo: Path, forks: Forks, job: tuple[Child, str]) -> None:
    child, run_id = job
    assert ALIVE == here(repo, run_id)
    assert {run_id: ["RUNNING", False]} == forks.run("live")
    assert {} == recover_all(repo).commits

    child.kill()
    child.close()

    wait_for(lambda: here(repo, run_id) != ALIVE)  # what it had just forked holds the lock until it execs
    assert DEAD == here(repo, run_id)
    assert {run_id: ["KILLED", False]} == forks.run("live")
    assert {run_id} == set(recover_all(repo).commits) == set(run_refs(repo))
    assert "KILLED" == read_run(repo, run_id).record.info.status


def test_a_stopped_process_is_alive_however_old_its_heartbeat(repo: Path, forks: Forks, job: tuple[Child, str]) -> None:
    """SIGSTOP, a suspended laptop, a debugger: the kernel knows better than the clock."""
    child, run_id = job
    child.kill(signal.SIGSTOP)
    os.utime(Path(journal(repo, run_id)) / "lock", (1, 1))

    assert ALIVE == here(repo, run_id)
    assert {run_id: ["RUNNING", False]} == forks.run("live")
    assert {} == recover_all(repo, force=(run_id,)).commits

    child.kill(signal.SIGCONT)
    assert {} == run_refs(repo)


def test_another_pid_namespace_is_no_reason_to_declare_a_job_dead(
    repo: Path, forks: Forks, job: tuple[Child, str]
) -> None:
    """In a container the process number means nothing; the lock does."""
    _, run_id = job
    code = (
        "import json; from tests.faults.tasks import live, recover_here;"
        "print(json.dumps([live(print), recover_here(print)]))"
    )
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        capture_output=True,
        check=True,
    )

    seen, recovered = json.loads(done.stdout)
    assert {run_id: ["RUNNING", False]} == seen
    assert {} == recovered["commits"]
    assert {} == run_refs(repo)


def _move_to_another_host(folder: Path) -> None:
    """Make the journal look as if another machine were writing it."""
    from ledgit.store.journal import encode, parse_lines

    [part] = folder.glob("*.log")
    events, _, _ = parse_lines(part.read_bytes(), {})
    start = next(item for _, kind, item in events if kind == "start")
    rest = b"".join(b"\n" + line for line in part.read_bytes().split(b"\n") if line and b"\t" in line)
    rest = b"".join(b"\n" + line for line in rest.split(b"\n") if line and not line[9:].startswith(b"start\t"))
    part.write_bytes(encode("start", {**start, "host": "elsewhere", "boot": "another-boot"}) + rest)


def test_a_job_of_another_host_is_shown_as_lost_and_finalized_only_on_request(
    repo: Path, forks: Forks, job: tuple[Child, str]
) -> None:
    """Over a network file system nobody here can know; only the heartbeat speaks."""
    child, run_id = job
    child.kill()
    child.close()
    folder = Path(journal(repo, run_id))
    _move_to_another_host(folder)
    now = time.time()

    os.utime(folder / "lock", (now, now))
    # What it had just forked holds the lock until it becomes another program.
    wait_for(lambda: liveness(str(folder), "elsewhere", "another-boot", now) != ALIVE)
    assert REMOTE == liveness(str(folder), "elsewhere", "another-boot", now + HEARTBEAT_LIMIT - 1)
    assert LOST == liveness(str(folder), "elsewhere", "another-boot", now + HEARTBEAT_LIMIT + 1)
    assert {run_id: ["RUNNING", False]} == forks.run("live")
    os.utime(folder / "lock", (1, 1))
    assert {run_id: ["RUNNING", True]} == forks.run("live")
    assert {} == recover_all(repo).commits

    recover_all(repo, force=(run_id,))

    assert "KILLED" == read_run(repo, run_id).record.info.status
    check_objects(repo)


@pytest.fixture(scope="session")
def lockless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library that, loaded before others, makes flock fail as on a file system without locks (needs cc)."""
    folder = tmp_path_factory.mktemp("lockless")
    (folder / "no.c").write_text(
        "#include <errno.h>\nint flock(int fd, int how) { (void)fd; (void)how; errno = ENOLCK; return -1; }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "no.so", folder / "no.c"], check=True)
    return str(folder / "no.so")


def test_without_file_locks_runs_are_made_and_never_taken_for_dead(repo: Path, lockless: str) -> None:
    """A run ends by itself; one that was killed is lost after a while, and finalized on request."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "LD_PRELOAD": lockless}

    def there(code: str) -> subprocess.CompletedProcess[bytes]:
        head = "import json, tests.faults.tasks as t;"
        return subprocess.run([sys.executable, "-c", head + code], env=env, capture_output=True, check=False)

    made = json.loads(there("print(json.dumps(t.make_run(print)))").stdout)
    assert ([], made["commit"]) == (made["problems"], run_refs(repo)[made["id"]])

    assert -signal.SIGKILL == there("t.leave(lambda said: print(said, flush=True))").returncode
    [run_id] = os.listdir(repo / ".git/ledgit/active")
    seen, recovered = json.loads(there("print(json.dumps([t.live(print), t.recover_here(print)]))").stdout)
    assert {run_id: ["RUNNING", False]} == seen
    assert {} == recovered["commits"]
    os.utime(repo / ".git/ledgit/active" / run_id / "lock", (1, 1))
    seen = json.loads(there("print(json.dumps(t.live(print)))").stdout)
    assert {run_id: ["RUNNING", True]} == seen

    recovered = json.loads(there(f"print(json.dumps(t.recover_here(print, '{run_id}')))").stdout)

    assert {run_id} == set(recovered["commits"])
    assert "KILLED" == read_run(repo, run_id).record.info.status
    check_objects(repo)


def test_a_clock_that_goes_backwards_harms_nothing(repo: Path, forks: Forks) -> None:
    """The order of what was logged is that of the journal; a run does not end before it began."""
    made = forks.run("backwards")

    assert [] == made["problems"]
    head = read_run(repo, made["id"])
    record = head.record
    assert [0, 1, 2, 3, 4] == [step for step, _, _ in record.histories["loss"]]
    assert 4.0 == record.metrics["loss"]
    assert "second" == record.tags["stage"]
    assert record.info.end is not None
    assert record.info.start <= record.info.end
    check_objects(repo)


def test_a_journal_that_is_removed_under_its_writer_goes_on_in_a_new_one(repo: Path, forks: Forks) -> None:
    """Somebody finalized or deleted it; what follows is not lost, and becomes a further commit."""
    from ledgit.store import ActiveRun, RunStart, finalizing

    opened = Repo.discover(str(repo))
    run = ActiveRun.create(opened, RunStart())
    run.log_metric("loss", 1.0, 1)
    assert run._facts is not None
    run._facts.join()
    first = finalizing.finalize_locked(opened, run.folder, run.id)

    run.tick()
    run.log_metric("loss", 2.0, 2)
    commit = run.finish()

    recover_all(repo)
    head = read_run(repo, run.id)
    assert (commit, (first,)) == (head.head, head.entry.past)
    assert [1.0, 2.0] == [value for _, _, value in head.record.histories["loss"]]
    assert "FINISHED" == head.record.info.status
    check_objects(repo)
