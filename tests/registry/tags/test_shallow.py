"""Clones that have the list of runs alone, as CI jobs do: they read, register and push as others."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.registry.tags.kit import Shop


@pytest.fixture
def job(host: Path, ada: Shop, tmp_path: Path) -> Shop:
    """A shallow clone without tags, made after a version was pushed."""
    ada.register(ada.train(), version="1.0.0", reason="first")
    ada.assign("churn", "1", "prod")
    ada.push()
    path = tmp_path / "job"
    run_git(tmp_path, "clone", "-q", "--depth=1", "--no-tags", f"file://{host}", str(path))
    return Shop(path)


def test_a_pull_brings_tags_only_if_they_are_asked_for(job: Shop) -> None:
    """They bring the runs' code along."""
    shallow = (job.path / ".git" / "shallow").read_bytes()

    assert () == job.pull().tags
    assert {} == job.refs()
    assert {"churn@v1.0.0", "churn#prod#1"} == set(job.pull(tags=True).tags)

    assert "first" == job.read().version("churn", "@prod").event.reason
    assert [] == job.problems()
    assert shallow == (job.path / ".git" / "shallow").read_bytes()


def test_a_job_registers_a_run_that_is_only_listed_here(job: Shop, ada: Shop) -> None:
    job.pull()
    run = job.repository.runs.first()
    assert run is not None

    job.register(run.state, version="2.0.0")
    job.push()

    ada.pull()
    state = ada.read()
    assert {"v1.0.0": 1, "v2.0.0": 2} == {one.version: one.number for one in state.find("churn").active}


def test_a_job_registers_what_it_trained_and_others_get_it(job: Shop, ada: Shop) -> None:
    job.pull(tags=True)
    job.register(job.train("ci", content=b"newer"), version="1.1.0")
    job.assign("churn", "v1.1.0", "prod", previous="v1.0.0")

    done = job.push()

    assert done.tags is not None
    assert {} == done.tags.held
    ada.pull()
    version = ada.read().version("churn", "@prod")
    assert ("v1.1.0", 2) == (version.version, version.number)
    assert "newer" == ada.git("show", f"{version.commit}:.ledgit/run/artifacts/my_model/model.bin")
