"""Runs that are given their facts: no git command, and the same record as one that collected them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import GitFunction

from ledgit.git import Objects, Repo
from ledgit.git import command as git_command
from ledgit.store import ActiveRun, RunStart, take_facts
from ledgit.store.chain import read_base


def record_of(repo: Repo, run: ActiveRun) -> Any:
    return read_base(Objects.of(repo), run.id, [str(run.commit)]).record


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The git commands that are started from now on."""
    started: list[tuple[str, ...]] = []
    real = git_command.git_environment

    def note(*args: Any, **kwargs: Any) -> dict[str, str]:
        started.append(tuple(map(str, args[1:])))
        return real(*args, **kwargs)

    monkeypatch.setattr(git_command, "git_environment", note)
    return started


def test_a_run_with_facts_records_the_same_as_one_that_collected_them(repo: Path, git: GitFunction) -> None:
    """Branch, commit, tree and environment, with what is not committed."""
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("x = 1\n")
    found = Repo.discover()
    with take_facts(found) as facts:
        given = ActiveRun.create(found, RunStart(facts=facts, command=("python", "train.py"), directory="sub"))
        given.finish()
    collected = ActiveRun.create(found, RunStart(command=("python", "train.py")))
    collected.finish()

    one, other = record_of(found, given), record_of(found, collected)
    assert other.info.code == one.info.code
    assert one.info.code.dirty
    assert other.environment == one.environment
    assert ("sub", "") == (one.info.directory, other.info.directory)
    assert git(repo, "log", "-1", "--format=%P %an %ae", str(collected.commit)) == git(
        repo, "log", "-1", "--format=%P %an %ae", str(given.commit)
    )
    assert "print('changed')" == git(repo, "show", f"{given.commit}:train.py")


def test_starting_and_ending_with_facts_runs_no_git_command(repo: Path, commands: list[tuple[str, ...]]) -> None:
    """A sweep starts thousands of such runs."""
    found = Repo.discover()
    facts = take_facts(found)
    ActiveRun.create(found, RunStart(facts=facts)).finish()  # settings are read once
    commands.clear()

    for number in range(3):
        run = ActiveRun.create(found, RunStart(facts=facts, name=f"trial-{number}"))
        run.log_params({"lr": 0.1})
        run.log_metric("loss", 0.5)
        assert run.finish()

    assert [] == commands


def test_the_code_stays_until_the_first_run_holds_it(repo: Path, git: GitFunction) -> None:
    """A git gc between taking the facts and ending the run takes nothing away."""
    (repo / "train.py").write_text("print('changed')\n")
    found = Repo.discover()
    facts = take_facts(found)
    run = ActiveRun.create(found, RunStart(facts=facts))
    git(repo, "gc", "-q", "--prune=now")
    run.finish()
    facts.release()
    git(repo, "gc", "-q", "--prune=now")

    assert "print('changed')" == git(repo, "show", f"{run.commit}:train.py")
    assert facts.pack
    assert not (repo / f".git/objects/pack/{facts.pack}.keep").exists()


def test_a_tree_that_was_never_checked_out_can_be_what_runs(repo: Path, git: GitFunction) -> None:
    """With a commit it stands on that, without one on nothing: another repository's history is not ours."""
    old = git(repo, "rev-parse", "HEAD")
    (repo / "train.py").write_text("print('second')\n")
    git(repo, "commit", "-qam", "second")
    found = Repo.discover()
    tree = git(repo, "rev-parse", f"{old}^{{tree}}")

    with take_facts(found, tree=tree, commit=old) as facts, take_facts(found, tree=tree) as foreign:
        here = ActiveRun.create(found, RunStart(facts=facts))
        there = ActiveRun.create(
            found, RunStart(facts=foreign, source="https://example.org/p.git", source_type="PROJECT")
        )
        here.finish()
        there.finish()

    assert old == git(repo, "log", "-1", "--format=%P", str(here.commit))
    assert "" == git(repo, "log", "-1", "--format=%P", str(there.commit))
    assert not record_of(found, here).info.code.dirty
    info = record_of(found, there).info
    assert ("https://example.org/p.git", "PROJECT", tree) == (info.source, info.source_type, info.code.tree)
    assert Objects.of(found).find(str(there.commit), "train.py")


def test_a_run_that_lasts_gets_a_ref_of_its_own(repo: Path, git: GitFunction) -> None:
    """An hour later nothing else would keep its code."""
    (repo / "train.py").write_text("print('changed')\n")
    found = Repo.discover()
    facts = take_facts(found)
    run = ActiveRun.create(found, RunStart(facts=facts))
    assert run._facts is not None
    run._facts.join()
    facts.release()

    assert "print('changed')" == git(repo, "show", f"refs/ledgit/active/{run.id}:train.py")
    run.finish()
    assert "" == git(repo, "for-each-ref", "refs/ledgit/active")
