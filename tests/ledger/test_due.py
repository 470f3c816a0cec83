"""Automatic compaction: when it is time, in the background, and never in anybody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.background import wait_for
from tests.conftest import run_git
from tests.ledger.kit import DAY, make_runs, run_id

from ledgit.git import Repo, list_refs
from ledgit.git.background import start_quietly
from ledgit.repository import open_repository
from ledgit.store import Edit, Folder
from ledgit.store.ledger import DUE, LedgerLock, compact_if_due, every_line, local_ledger
from ledgit.store.ledger.graph import write_graph

IDS = [run_id(number) for number in range(300)]
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(autouse=True)
def _wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEDGIT_AUTO_COMPACT")


def loose(opened: Repo) -> int:
    return len(list_refs(opened, "refs/ledgit/runs/"))


def test_it_is_time_at_256_loose_runs(repo: Path, opened: Repo, folder: Folder) -> None:
    """Counted by name, loose or packed."""
    make_runs(opened, IDS[: DUE - 1])
    assert not compact_if_due(opened, folder, background=False)
    run_git(repo, "pack-refs", "--all")
    assert not compact_if_due(opened, folder, background=False)
    make_runs(opened, [IDS[DUE]])

    assert compact_if_due(opened, folder, background=False)
    assert 0 == loose(opened)
    assert not compact_if_due(opened, folder, background=False)


def test_in_the_background_it_happens_soon(opened: Repo, folder: Folder) -> None:
    make_runs(opened, IDS, step=DAY // 30)

    assert compact_if_due(opened, folder)

    wait_for(lambda: loose(opened) == 0)
    from ledgit.git import Objects

    tip = local_ledger(opened)
    with Objects(opened) as objects:
        assert set(IDS) == {line.id for _, line in every_line(objects, objects.commit(tip or "").tree)}


def test_it_is_not_started_twice_in_a_row(opened: Repo, folder: Folder) -> None:
    """Runs that end meanwhile would each start another."""
    make_runs(opened, IDS)
    with LedgerLock(folder):  # so that it finds nothing to do
        assert compact_if_due(opened, folder)
        assert not compact_if_due(opened, folder)
        mark = os.path.join(folder.path, "compacting")
        os.utime(mark, (1, 1))
        assert compact_if_due(opened, folder)


@pytest.mark.parametrize("value", ["0", "false", "off"])
def test_the_environment_or_the_configuration_turns_it_off(
    repo: Path, opened: Repo, folder: Folder, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    make_runs(opened, IDS)
    with monkeypatch.context() as off:
        off.setenv("LEDGIT_AUTO_COMPACT", value)
        assert not compact_if_due(opened, folder, background=False)
    run_git(repo, "config", "ledgit.autoCompact", "false")

    assert not compact_if_due(Repo.discover(str(repo)), folder, background=False)
    assert len(IDS) == loose(opened)


def test_what_has_to_stay_loose_is_not_tried_again_each_time(opened: Repo, folder: Folder) -> None:
    make_runs(opened, IDS)
    for one in IDS:
        os.makedirs(folder.active_dir(one))

    assert compact_if_due(opened, folder, background=False)
    assert not compact_if_due(opened, folder, background=False)
    assert len(IDS) == loose(opened)


def test_what_stays_for_a_moment_is_tried_again(opened: Repo, folder: Folder) -> None:
    """Hundreds of runs whose commits are being synced, on a slow disk: the next 256 must not wait for them."""
    made = list(make_runs(opened, IDS[:DUE]))
    for one in made[:230]:
        os.makedirs(os.path.join(folder.settling, f"{one}-session-pack"))
    assert compact_if_due(opened, folder, background=False)
    assert 230 == loose(opened)
    for name in os.listdir(folder.settling):
        os.rmdir(os.path.join(folder.settling, name))

    make_runs(opened, IDS[DUE:])

    assert compact_if_due(opened, folder, background=False)
    assert 0 == loose(opened)


def test_whoever_has_the_ledger_is_not_waited_for(
    opened: Repo, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runs(opened, IDS)
    import threading

    waited: list[float] = []
    monkeypatch.setattr(LedgerLock, "_waits", lambda _self, seconds: waited.append(seconds))
    with LedgerLock(folder):
        thread = threading.Thread(target=compact_if_due, args=(opened, folder), kwargs={"background": False})
        thread.start()
        thread.join()
    assert [] == waited
    assert len(IDS) == loose(opened)


def test_what_ends_meanwhile_goes_too(opened: Repo, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes for it finds the ledger taken: where that lasts long, nobody else would come for long."""
    make_runs(opened, IDS)
    more = [run_id(number) for number in range(1000, 1000 + DUE)]

    def meanwhile(_name: str) -> None:
        if more:
            make_runs(opened, more)
            more.clear()

    monkeypatch.setattr("ledgit.store.ledger.local.checkpoint", meanwhile)

    assert compact_if_due(opened, folder, background=False)

    assert 0 == loose(opened)


def test_an_edit_and_the_end_of_a_run_start_it(repo: Path, opened: Repo) -> None:
    """Wherever runs become commits."""
    repository = open_repository(str(repo))
    run = _log(repo)
    make_runs(opened, IDS[: DUE - 2])
    state = repository.run(run).state
    repository.edit(state, Edit(set_tags={"a": "b"}))
    assert DUE - 1 == loose(opened)

    _log(repo)

    wait_for(lambda: loose(opened) == 0)
    folder = Folder.of(opened)
    os.utime(os.path.join(folder.path, "compacting"), (1, 1))
    make_runs(opened, IDS[: DUE - 1])
    repository.edit(repository.run(run).state, Edit(set_tags={"a": "c"}))
    wait_for(lambda: loose(opened) == 0)
    assert "c" == repository.run(run).state.tags["a"]


def _log(repo: Path) -> str:
    code = "import ledgit\nwith ledgit.start_run() as run: ledgit.log_param('a', 1)\nprint(run.info.run_id)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_background_outlives_who_started_it_and_holds_nothing(repo: Path, tmp_path: Path) -> None:
    """No pipe, no terminal, no child that somebody would have to wait for, low priority."""
    told = tmp_path / "told"
    module = tmp_path / "lib" / "slow_module.py"
    module.parent.mkdir()
    module.write_text(
        "import os, sys, time\n"
        "while not os.path.exists(sys.argv[2] + '.asked'):\n    time.sleep(0.02)\n"
        "with open(sys.argv[2] + '.new', 'w') as file:\n"
        "    file.write(f'{os.getsid(0)} {os.getpid()} {os.nice(0)} {sys.argv[1]} {os.environ.get(\"GIT_DIR\")}')\n"
        "os.rename(sys.argv[2] + '.new', sys.argv[2])\n"
    )
    (repo / "runpy.py").write_text("raise SystemExit('the user has a file of this name')\n")
    code = (
        "import os, sys\nfrom ledgit.git import Repo\nfrom ledgit.git.background import start_quietly\n"
        f"assert start_quietly(Repo.discover(), 'slow_module', {str(told)!r})\n"
        "try:\n    os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError:\n    print(os.getsid(0))\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{module.parent}:{SOURCE}", "GIT_DIR": str(repo / ".git")}

    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=repo, env=env, capture_output=True, text=True, check=True, timeout=200
    )
    assert not told.exists()
    told.with_suffix(".asked").touch()
    wait_for(told.exists)

    session, pid, nice, path, git_dir = told.read_text().split(" ", 4)
    assert "" == done.stderr
    assert done.stdout.strip() not in (session, "")
    assert pid != session  # started by a shell that led it and is gone
    assert int(nice) >= 10
    assert (str(repo / ".git"), "None") == (path, git_dir)


def test_a_program_that_embeds_python_starts_nothing(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("/usr/sbin/uwsgi", "", None):
        monkeypatch.setattr(sys, "executable", name)
        assert not start_quietly(opened, "ledgit.store.ledger")


def test_counting_costs_next_to_nothing(opened: Repo, folder: Folder) -> None:
    """Every short script does it at its end."""
    make_runs(opened, IDS[: DUE - 1])
    compact_if_due(opened, folder)

    started = time.process_time()
    for _ in range(50):
        assert not compact_if_due(opened, folder)
    assert 0.01 > (time.process_time() - started) / 50


def test_the_background_writes_the_commit_graph(repo: Path, opened: Repo, folder: Folder) -> None:
    """Git's fetch would parse every run otherwise; what was written is in order, and a gc replaces it."""
    make_runs(opened, IDS, step=DAY // 30)
    chain = repo / ".git" / "objects" / "info" / "commit-graphs" / "commit-graph-chain"

    assert compact_if_due(opened, folder)

    wait_for(chain.exists)
    run_git(repo, "commit-graph", "verify", "--no-progress")
    run_git(repo, "fsck", "--no-progress")
    run_git(repo, "gc", "-q", "--prune=now")
    run_git(repo, "commit-graph", "verify", "--no-progress")


def test_no_commit_graph_is_written_where_none_is_wanted_or_git_has_none(repo: Path, tmp_path: Path) -> None:
    for name, config, depth in (
        ("unwanted", "core.commitGraph=false", "--no-single-branch"),
        ("shallow", "a.b=1", "--depth=1"),
    ):
        run_git(repo, "clone", "-q", "-c", config, depth, repo.as_uri(), str(tmp_path / name))
        assert not write_graph(Repo.discover(str(tmp_path / name)))
        assert not list((tmp_path / name / ".git/objects/info").glob("commit-graph*"))
    run_git(repo, "clone", "-q", repo.as_uri(), str(tmp_path / "whole"))
    assert write_graph(Repo.discover(str(tmp_path / "whole")))
