"""After history was rewritten, runs point to the new commits and nothing of the old ones is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.doctor.kit import Clinic

from ledgit.errors import UsageError
from ledgit.query import Query
from ledgit.records import RunState
from ledgit.records.table import parse_line
from ledgit.repository import Repository
from ledgit.store import Index
from ledgit.store.doctor import Rewritten, follow

SECRET = "the-password-is-swordfish"


@pytest.fixture
def leaky(clinic: Clinic) -> Clinic:
    """Three commits; the second brings a secret in."""
    (clinic.path / "secret.txt").write_text(SECRET)
    clinic.git("add", ".")
    clinic.git("commit", "-q", "-m", "oops")
    (clinic.path / "train.py").write_text("print('better')\n")
    clinic.git("commit", "-q", "-am", "better")
    return clinic


def rewrite(clinic: Clinic, what: str) -> None:
    """Take the secret out of *what*, leave the list that ``git filter-repo`` leaves, and forget the old commits."""
    old = clinic.git("rev-list", "--topo-order", "--reverse", "HEAD").split()
    refs = clinic.git("for-each-ref", "--format=%(objectname)", "refs/ledgit").split() if what == "--all" else []
    chains = {ref: clinic.git("rev-list", "--topo-order", "--reverse", ref).split() for ref in refs}
    names = clinic.git("for-each-ref", "--format=%(refname)", "refs/ledgit").split() if what == "--all" else []
    subprocess.run(
        ["git", "filter-branch", "--index-filter", "git rm -q --cached --ignore-unmatch secret.txt", "--", what],
        cwd=clinic.path,
        env={**os.environ, "FILTER_BRANCH_SQUELCH_WARNING": "1"},
        check=True,
        capture_output=True,
    )
    new = clinic.git("rev-list", "--topo-order", "--reverse", "HEAD").split()
    pairs = dict(zip(old, new, strict=True))
    for name, chain in zip(names, chains.values(), strict=True):
        pairs |= dict(zip(chain, clinic.git("rev-list", "--topo-order", "--reverse", name).split(), strict=True))
    for name in clinic.git("for-each-ref", "--format=%(refname)", "refs/original").split():
        clinic.git("update-ref", "-d", name)
    path = clinic.path / ".git" / "filter-repo" / "commit-map"
    path.parent.mkdir()
    path.write_text("old                                      new\n" + "".join(f"{o} {n}\n" for o, n in pairs.items()))
    (clinic.path / "secret.txt").unlink(missing_ok=True)


def doctor(clinic: Clinic, path: Path | None = None) -> Rewritten:
    index = Index(clinic.repo, clinic.folder)
    try:
        return follow(clinic.repo, clinic.folder, index, None if path is None else str(path))
    finally:
        index.close()


def states(clinic: Clinic) -> dict[str, RunState]:
    index = Index(clinic.repo, clinic.folder)
    try:
        index.refresh()
        return {state.id: state for state in index.search(Query(view="all")).runs}
    finally:
        index.close()


def forget(clinic: Clinic) -> None:
    clinic.git("reflog", "expire", "--expire=now", "--all")
    clinic.git("gc", "-q", "--prune=now")


def leaks(clinic: Clinic) -> bool:
    """Whether any object of the repository has the secret."""
    objects = clinic.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)").splitlines()
    blobs = [line.split()[0] for line in objects if line.endswith("blob")]
    return any(SECRET in clinic.git("cat-file", "blob", oid) for oid in blobs)


@pytest.mark.parametrize("what", ["--branches", "--all"])
def test_loose_runs_point_to_the_new_commits_and_the_secret_is_gone(leaky: Clinic, what: str) -> None:
    """Whether the tool rewrote runs with the rest, or branches alone."""
    run = leaky.run(model="forest")
    leaky.edit(run, set_tags={"team": "vision"})
    before = states(leaky)[run]
    rewrite(leaky, what)

    done = doctor(leaky)
    after = states(leaky)[run]

    assert [run] == [one for one, _, _ in done.runs]
    assert ({}, []) == (done.failed, done.changed)
    assert leaky.git("rev-parse", "HEAD") == after.code.commit
    assert leaky.git("rev-parse", "HEAD^{tree}") == after.code.tree
    assert (before.params, before.metrics, before.tags, before.start) == (
        after.params,
        after.metrics,
        after.tags,
        after.start,
    )
    assert "" == after.problem
    subjects = leaky.git("log", "--format=%s", "--first-parent", f"refs/ledgit/runs/{run}").splitlines()
    assert ["follow a rewrite: owl", "tag team=vision: owl"] == subjects[:2]
    assert leaky.git("rev-parse", "HEAD") in leaky.git("rev-list", f"refs/ledgit/runs/{run}").split()
    forget(leaky)
    assert not leaks(leaky)
    assert [] == leaky.findings()


@pytest.mark.parametrize("what", ["--branches", "--all"])
def test_runs_of_the_ledger_get_new_lines_that_replace_the_old_ones(leaky: Clinic, what: str) -> None:
    """Also in the tables of others: the new line names the old heads as its past."""
    first, second = leaky.run("owl"), leaky.run("elk")
    ledger = leaky.compact()
    table = leaky.git("ls-tree", "-r", ledger, "segments").splitlines()
    old = "\n".join(leaky.git("cat-file", "blob", line.split()[2]) for line in table).splitlines()
    rewrite(leaky, what)
    done = doctor(leaky)

    assert {first, second} == {run for run, _, _ in done.runs}
    assert {leaky.git("rev-parse", "HEAD")} == {state.code.commit for state in states(leaky).values()}
    assert {1} == {len(state.heads) for state in states(leaky).values()}
    tree = leaky.git("rev-parse", "refs/ledgit/ledger^{tree}")
    leaky.add_lines(*(parse_line(line.encode()) for line in old))
    assert tree == leaky.git("rev-parse", "refs/ledgit/ledger^{tree}")
    assert "run" not in {key for _, key in leaky.found()}


def test_once_the_ledger_begins_anew_the_secret_is_gone(leaky: Clinic) -> None:
    """Until then its history has the old commits."""
    leaky.run()
    leaky.compact()
    rewrite(leaky, "--branches")
    doctor(leaky)
    forget(leaky)
    assert leaks(leaky)
    owed = [finding.mend for finding in leaky.findings()]
    done = Repository(leaky.repo).purge()
    forget(leaky)

    assert ["ledgit push, then ledgit gc --purge"] == owed
    assert {} == done.failed == done.owed
    assert 1 == len(states(leaky))
    assert not leaks(leaky)
    assert [] == leaky.findings()


def test_what_was_changed_by_hand_stays_and_is_told(leaky: Clinic) -> None:
    """Nobody but the user can say whether the secret is in there, too."""
    (leaky.path / "train.py").write_text("print('uncommitted')\n")
    (leaky.path / "secret.txt").write_text(SECRET + "\nand more\n")
    run = leaky.run()
    leaky.git("checkout", "-q", ".")
    rewrite(leaky, "--branches")

    done = doctor(leaky)
    assert [run] == done.changed
    files = leaky.git("ls-tree", "--name-only", f"refs/ledgit/runs/{run}").split()
    assert {"secret.txt", "train.py", "data.csv"} <= set(files)
    assert "print('uncommitted')" == leaky.git("show", f"refs/ledgit/runs/{run}:train.py")


def test_a_dirty_run_loses_what_the_rewrite_removed(leaky: Clinic) -> None:
    (leaky.path / "train.py").write_text("print('uncommitted')\n")
    run = leaky.run()
    leaky.git("checkout", "-q", ".")
    rewrite(leaky, "--branches")
    doctor(leaky)

    assert "secret.txt" not in leaky.git("ls-tree", "--name-only", f"refs/ledgit/runs/{run}").split()
    assert "print('uncommitted')" == leaky.git("show", f"refs/ledgit/runs/{run}:train.py")
    assert states(leaky)[run].code.dirty
    forget(leaky)
    assert not leaks(leaky)


def test_nothing_is_done_twice(leaky: Clinic) -> None:
    leaky.run()
    rewrite(leaky, "--branches")
    doctor(leaky)
    refs = leaky.git("for-each-ref")

    assert [] == doctor(leaky).runs
    assert refs == leaky.git("for-each-ref")


def test_runs_of_code_that_was_not_rewritten_stay_as_they_are(leaky: Clinic) -> None:
    leaky.git("checkout", "-q", "HEAD~2")
    kept = leaky.run("elk")
    leaky.git("checkout", "-q", "main")
    moved = leaky.run("owl")
    head = leaky.git("rev-parse", f"refs/ledgit/runs/{kept}")
    rewrite(leaky, "--branches")

    assert [moved] == [run for run, _, _ in doctor(leaky).runs]
    assert head == leaky.git("rev-parse", f"refs/ledgit/runs/{kept}")


def test_doctor_says_that_history_was_rewritten(leaky: Clinic) -> None:
    leaky.git("config", "ledgit.snapshot", "none")
    leaky.run()
    rewrite(leaky, "--branches")
    forget(leaky)

    assert ["ledgit doctor --rewritten"] == [finding.mend for finding in leaky.findings()]
    doctor(leaky)
    assert [] == leaky.findings()


def test_a_dropped_commit_leaves_the_run_without_one(leaky: Clinic, tmp_path: Path) -> None:
    run = leaky.run()
    path = tmp_path / "object-id-map.old-new.txt"
    path.write_text(f"{leaky.git('rev-parse', 'HEAD')} {'0' * 40}\n")
    doctor(leaky, path)

    state = states(leaky)[run]
    assert (None, "") == (state.code.commit, state.problem)
    assert "" == leaky.git("log", "--format=%P", "-1", f"refs/ledgit/runs/{run}~1")


@pytest.mark.parametrize("text", ["old new\nabc def\n", "not a list", "ab" * 20 + "\n"])
def test_a_file_that_is_no_list_is_refused(leaky: Clinic, tmp_path: Path, text: str) -> None:
    path = tmp_path / "map"
    path.write_text(text)

    with pytest.raises(UsageError, match="line"):
        doctor(leaky, path)
    with pytest.raises(UsageError, match="filter-repo"):
        doctor(leaky)
