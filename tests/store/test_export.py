"""Exports come from anywhere and go anywhere: what is in them can't harm a repository or a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import check_objects

from ledgit.errors import RecordError
from ledgit.git import Repo
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.export import export_runs, import_runs

OTHER = "ab" * 16


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def exported(opened: Repo, target: Path, old: str, new: str) -> Path:
    """Export a run under another id, with *new* instead of *old* in its run.yaml."""
    run = ActiveRun.create(opened, RunStart())
    export_runs(opened, Folder.of(opened), {run.id: [str(run.finish())]}, str(target))
    file = target / run.id / "run.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new).replace(run.id, OTHER))
    return target


def head_of(repo: Path) -> str:
    return str(open_repository(repo).run(OTHER).head)


@pytest.mark.parametrize("name", ["HEAD:train.py", "HEAD^{tree}"])
def test_an_imported_run_has_no_parent_that_is_no_commit(
    opened: Repo, repo: Path, git: GitFunction, tmp_path: Path, name: str
) -> None:
    """Such a commit would be corrupt, and so would the repository be for git gc."""
    head, wrong = git(repo, "rev-parse", "HEAD"), git(repo, "rev-parse", name)

    import_runs(opened, Folder.of(opened), str(exported(opened, tmp_path / "x", head, wrong)))

    assert "" == git(repo, "log", "-1", "--format=%P", head_of(repo))
    check_objects(repo)


@pytest.mark.parametrize("name", ["HEAD:train.py", "HEAD"])
def test_an_imported_run_stands_on_no_tree_that_is_none(
    opened: Repo, repo: Path, git: GitFunction, tmp_path: Path, name: str
) -> None:
    tree, wrong = git(repo, "rev-parse", "HEAD^{tree}"), git(repo, "rev-parse", name)

    import_runs(opened, Folder.of(opened), str(exported(opened, tmp_path / "x", tree, wrong)))

    assert ".ledgit" == git(repo, "ls-tree", "--name-only", head_of(repo))
    check_objects(repo)


@pytest.mark.parametrize("wrong", ["--output=x", "HEAD", "../../etc", "0" * 39])
def test_a_run_whose_code_is_no_object_id_is_refused_whole(
    opened: Repo, repo: Path, git: GitFunction, tmp_path: Path, wrong: str
) -> None:
    source = exported(opened, tmp_path / "x", git(repo, "rev-parse", "HEAD"), wrong)

    with pytest.raises(RecordError, match="is no object id"):
        import_runs(opened, Folder.of(opened), str(source))
    assert [] == list(open_repository(repo).runs.ids(OTHER))


@pytest.mark.parametrize("name", ["..", "."])
def test_a_run_whose_tree_leads_out_of_its_folder_is_not_exported(
    opened: Repo, repo: Path, git: GitFunction, tmp_path: Path, name: str
) -> None:
    """Git takes such trees from a remote as they are: it checks them when it checks out."""
    run = ActiveRun.create(opened, RunStart())
    head = run.finish()

    def tree(data: bytes) -> bytes:
        done = subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
            cwd=repo, input=data, capture_output=True, check=True,
        )  # fmt: skip
        return bytes.fromhex(done.stdout.decode().strip())

    files = subprocess.run(
        ["git", "cat-file", "tree", f"{head}:.ledgit/run"], cwd=repo, capture_output=True, check=True
    ).stdout
    blob = bytes.fromhex(git(repo, "rev-parse", "HEAD:train.py"))
    evil = tree(b"40000 " + name.encode() + b"\0" + tree(b"100644 evil\0" + blob) + files)
    root = tree(b"40000 .ledgit\0" + tree(b"40000 run\0" + evil))
    commit = git(repo, "commit-tree", root.hex(), "-m", git(repo, "log", "-1", "--format=%B", str(head)))

    with pytest.raises(RecordError, match="has an entry called"):
        export_runs(opened, Folder.of(opened), {run.id: [commit]}, str(tmp_path / "out" / "in"))
    assert [] == list(tmp_path.rglob("evil"))
