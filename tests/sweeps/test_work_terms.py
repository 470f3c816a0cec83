"""How code gets to workers and runs get back, where a sweep says so: remotes of the repository, and DVC's."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import GitFunction
from tests.sweeps.ordering import TRAIN, Coordinator

from ledgit.errors import ConfigError, NoRemote, RemoteError
from ledgit.projects.executors import run_trial, take_in
from ledgit.projects.executors.orders import TrialOrder
from ledgit.projects.executors.protocol import RemoteExecutor
from ledgit.projects.executors.terms import Terms


@pytest.fixture
def project(repo: Path, tmp_path: Path, git: GitFunction) -> Path:
    """A repository with a remote that has its commits."""
    (repo / "train.py").write_text(TRAIN)
    git(repo, "commit", "-q", "-a", "-m", "Train")
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", f"file://{tmp_path / 'remote.git'}")
    git(repo, "push", "-q", "origin", "main")
    return repo


def _under(terms: Terms, coordinator: Coordinator, order: TrialOrder) -> TrialOrder:
    executor = RemoteExecutor()
    executor.terms = terms
    site: Any = SimpleNamespace(repository=coordinator.repository)
    executor.open(site)
    return executor.accept(True, (order,), {})


def test_code_is_fetched_from_its_remote_and_what_is_not_there_comes_along(
    project: Path, tmp_path: Path, git: GitFunction
) -> None:
    """The pack has the uncommitted changes alone."""
    (project / "train.py").write_text(TRAIN + "print('changed')\n")
    (project / "data.csv").write_bytes(bytes(100_000))
    git(project, "commit", "-q", "-m", "Data", "data.csv")
    git(project, "push", "-q", "origin", "main")
    coordinator = Coordinator(project)
    order = _under(Terms(code="origin"), coordinator, coordinator.order(0, scratch=str(tmp_path / "worker")))

    report = run_trial(order)
    taken = take_in(coordinator.repository, report)

    assert len(order.code.pack) < 2000
    assert "complete" == report.state
    log = git(project, "show", f"{taken.new[order.run_id]}:.ledgit/run/artifacts/output.log")
    assert "training 0.1\nchanged" == log


def test_code_that_its_remote_lacks_is_named(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """With what to do."""
    git(project, "commit", "-q", "--allow-empty", "-m", "Not pushed")
    coordinator = Coordinator(project)
    order = _under(Terms(code="origin"), coordinator, coordinator.order(0, scratch=str(tmp_path / "worker")))

    with pytest.raises(RemoteError, match="push the code"):
        run_trial(order)
    with pytest.raises(NoRemote):
        _under(Terms(push="nowhere"), coordinator, order)


def test_a_worker_pushes_its_run_and_the_coordinator_pulls_it(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """Nothing but its name comes back by the executor."""
    coordinator = Coordinator(project)
    order = _under(Terms(push="origin"), coordinator, coordinator.order(0, scratch=str(tmp_path / "worker")))

    report = run_trial(order)
    taken = take_in(coordinator.repository, report)
    again = take_in(coordinator.repository, report)

    assert (b"", ()) == (report.pack, report.problems)
    assert report.pushed.endswith("remote.git")
    assert ({order.run_id: report.runs[order.run_id]}, [order.run_id]) == (taken.new, again.known)
    assert {"loss": 0.1 / 3} == dict(coordinator.repository.run(order.run_id).metrics)


def test_a_run_that_can_not_be_pushed_comes_back_with_its_report(
    project: Path, tmp_path: Path, git: GitFunction
) -> None:
    """And the report says why."""
    coordinator = Coordinator(project)
    order = _under(Terms(push="origin"), coordinator, coordinator.order(0, scratch=str(tmp_path / "worker")))
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")

    report = run_trial(order)

    assert ("", [order.run_id]) == (report.pushed, list(take_in(coordinator.repository, report).new))
    assert ["the run was not pushed"] == [text[:22] for text in report.problems]


def test_the_repositorys_settings_hold_on_workers(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """How large an artifact is kept in Git, and where others go."""
    git(project, "config", "ledgit.artifactThreshold", "3k")
    git(project, "config", "ledgit.artifactRemote", str(tmp_path / "artifacts"))
    coordinator = Coordinator(project)

    order = _under(Terms.taken_from({"limit": "1k"}), coordinator, coordinator.order(0))

    assert (3072, str(tmp_path / "artifacts"), 1024) == (order.threshold, order.remote, order.limit)
    with pytest.raises(ConfigError, match="limit"):
        Terms.taken_from({"limit": "much"})


def test_an_order_has_no_secret_of_the_coordinators(
    project: Path, git: GitFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what stands in its environment, nor what stands in the addresses of its remotes."""
    monkeypatch.setenv("MY_TOKEN", "swordfish")
    git(project, "remote", "set-url", "origin", "https://ada:swordfish@host.invalid/search.git")
    git(project, "config", "ledgit.artifactRemote", "https://ada:swordfish@store.invalid/search")
    coordinator = Coordinator(project)

    order = _under(Terms(code="origin", push="origin"), coordinator, coordinator.order(0))

    assert ("host.invalid" in order.push, "host.invalid" in order.code.address, "store.invalid" in order.remote) == (
        (True,) * 3
    )
    assert b"swordfish" not in pickle.dumps(order)


def test_a_project_in_a_repository_without_commits_runs(
    tmp_path: Path, git: GitFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own folder below the top; its runs stand on nothing."""
    path = tmp_path / "new one"
    (path / "sub folder").mkdir(parents=True)
    (path / "sub folder" / "train.py").write_text("import os; print(os.path.basename(os.getcwd()))")
    git(path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    coordinator = Coordinator(path)

    order = coordinator.order(0, scratch=str(tmp_path / "worker"), directory="sub folder")
    commit = take_in(coordinator.repository, run_trial(order)).new[order.run_id]

    assert "sub folder" == git(path, "show", f"{commit}:.ledgit/run/artifacts/output.log")
    assert "" == git(path, "log", "-1", "--format=%P", commit)


@pytest.mark.slow
def test_data_that_dvc_tracks_is_fetched_from_its_remote_once(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """Files and folders; a worker has no other copy of them."""

    def dvc(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *words, "-q"], cwd=project, check=True)

    dvc("init")
    dvc("remote", "add", "-d", "store", str(tmp_path / "dvc"))
    (project / "raw.bin").write_bytes(b"raw")
    (project / "parts").mkdir()
    for name in "ab":
        (project / "parts" / name).write_text(name * 10)
    dvc("add", "raw.bin", "parts")
    dvc("push")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Data")
    (project / "train.py").write_text(
        "import os, pathlib\nprint(open('raw.bin').read(), [open(f'parts/{n}').read() for n in 'ab'])\n"
        "os.unlink('raw.bin'); pathlib.Path('parts/a').write_text('changed')\n"
    )
    coordinator = Coordinator(project)

    logs = []
    for number in range(2):
        order = coordinator.order(number, scratch=str(tmp_path / "worker"), command=(sys.executable, "train.py"))
        report = run_trial(order)
        commit = take_in(coordinator.repository, report).new[order.run_id]
        logs.append(git(project, "show", f"{commit}:.ledgit/run/artifacts/output.log"))
        if not number:
            (tmp_path / "dvc").rename(tmp_path / "gone")

    assert ["raw ['aaaaaaaaaa', 'bbbbbbbbbb']"] * 2 == logs
