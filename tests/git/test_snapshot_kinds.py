"""Recording the work tree of every kind of repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.git.kit import files, reasons, shot

from ledgit.git import Snapshot, Submodule

Git = Callable[..., str]
Fingerprint = Callable[[Path], dict[str, str]]
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.fixture
def filtered(repo: Path, git: Git) -> Path:
    """A clean filter that stores text in upper case, as LFS stores pointers and git-crypt ciphers."""
    git(repo, "config", "filter.shout.clean", "tr a-z A-Z")
    git(repo, "config", "filter.shout.smudge", "tr A-Z a-z")
    git(repo, "config", "filter.shout.required", "true")
    (repo / ".gitattributes").write_text("*.secret filter=shout\n")
    (repo / "old.secret").write_text("old\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "filtered")
    return repo


def test_clean_filters_apply(filtered: Path) -> None:
    """What git-crypt encrypts must never be stored in plain."""
    (filtered / "old.secret").write_text("changed\n")
    (filtered / "new.secret").write_text("new\n")

    found = files(filtered, shot(filtered).tree)

    assert (found["old.secret"], found["new.secret"]) == ("CHANGED\n", "NEW\n")


def test_a_large_file_that_a_filter_makes_small_is_taken(filtered: Path) -> None:
    (filtered / "old.secret").write_bytes(b"x" * 2000)

    snapshot = shot(filtered, max_file=1000)

    assert files(filtered, snapshot.tree)["old.secret"] == "X" * 2000
    assert snapshot.left_out == ()


def test_a_filter_that_fails_leaves_only_its_files_out(filtered: Path, git: Git) -> None:
    os.utime(filtered / "old.secret", (1, 1))
    git(filtered, "update-index", "-q", "--refresh")
    git(filtered, "config", "filter.shout.clean", "false")
    (filtered / "new.secret").write_text("new\n")
    (filtered / "new.txt").write_text("new\n")

    snapshot = shot(filtered)

    assert "new.secret" not in files(filtered, snapshot.tree)
    assert "new.txt" in files(filtered, snapshot.tree)
    assert "new.secret" in reasons(snapshot)


def test_where_git_itself_gives_up_the_commit_is_recorded(filtered: Path, git: Git) -> None:
    """As on a machine without git-lfs: ``git status`` fails, but the run still belongs to its commit."""
    git(filtered, "config", "filter.shout.clean", "false")
    (filtered / "old.secret").write_text("odd\n")  # as long as before: Git has to compare
    assert subprocess.run(["git", "status"], cwd=filtered, capture_output=True, check=False).returncode != 0

    snapshot = shot(filtered)

    assert snapshot.commit == git(filtered, "rev-parse", "HEAD")
    assert snapshot.tree == git(filtered, "rev-parse", "HEAD^{tree}")
    assert (snapshot.dirty, snapshot.branch) == (True, "main")
    assert "external filter 'false' failed" in reasons(snapshot)["."]


def test_line_ends_are_stored_as_git_would(repo: Path, git: Git) -> None:
    (repo / ".gitattributes").write_text("* text=auto\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "text")
    git(repo, "config", "core.safecrlf", "true")
    (repo / "windows.txt").write_bytes(b"a\r\nb\r\n")
    (repo / "binary").write_bytes(b"\0\r\n")

    found = files(repo, shot(repo).tree)

    assert (found["windows.txt"], found["binary"]) == ("a\nb\n", "\0\r\n")


def test_a_file_marked_assume_unchanged_is_looked_at(repo: Path, git: Git) -> None:
    git(repo, "update-index", "--assume-unchanged", "train.py")
    assert not shot(repo).dirty
    assert shot(repo).tree == git(repo, "rev-parse", "HEAD^{tree}")
    (repo / "train.py").write_text("hidden change\n")

    snapshot = shot(repo)

    assert files(repo, snapshot.tree)["train.py"] == "hidden change\n"
    assert snapshot.dirty
    assert git(repo, "ls-files", "-v", "train.py") == "h train.py"


def test_a_file_marked_skip_worktree_stays_as_committed(repo: Path, git: Git) -> None:
    git(repo, "update-index", "--skip-worktree", "train.py")
    (repo / "train.py").write_text("local setting\n")
    (repo / "new").write_text("new\n")

    assert files(repo, shot(repo).tree) == {"train.py": "print('train')\n", "data.csv": "x,y\n1,2\n", "new": "new\n"}


@pytest.mark.parametrize("index", ["false", "true"])
@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_what_a_sparse_checkout_leaves_out_stays_in_the_tree(repo: Path, git: Git, cone: str, index: str) -> None:
    for folder in ("in", "out/deep"):
        (repo / folder).mkdir(parents=True)
        (repo / folder / "file").write_text(f"{folder}\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "two folders")
    git(repo, "sparse-checkout", "init", cone)
    git(repo, "config", "index.sparse", index)
    git(repo, "sparse-checkout", "set", "in")
    assert not (repo / "out").exists()
    assert shot(repo).tree == git(repo, "rev-parse", "HEAD^{tree}")
    assert not shot(repo).dirty
    (repo / "in" / "file").write_text("changed\n")
    (repo / "in" / "new").write_text("new\n")

    found = files(repo, shot(repo).tree)

    assert found["out/deep/file"] == "out/deep\n"
    assert (found["in/file"], found["in/new"]) == ("changed\n", "new\n")


def test_a_file_written_outside_of_the_sparse_checkout_is_recorded(repo: Path, git: Git) -> None:
    (repo / "out").mkdir()
    (repo / "out" / "file").write_text("out\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "out")
    git(repo, "sparse-checkout", "set", "in")
    (repo / "out").mkdir(exist_ok=True)
    (repo / "out" / "file").write_text("written again\n")

    assert files(repo, shot(repo).tree)["out/file"] == "written again\n"


@pytest.fixture
def super_repo(repo: Path, git: Git, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", str(repo), "library")
    git(repo, "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git(repo, "commit", "-qm", "submodule")
    return repo


def test_a_clean_submodule_is_nothing_special(super_repo: Path, git: Git) -> None:
    snapshot = shot(super_repo)

    assert (snapshot.dirty, snapshot.submodules) == (False, ())
    assert files(super_repo, snapshot.tree)["lib"] == git(super_repo / "lib", "rev-parse", "HEAD")


def test_changes_in_a_submodule_are_flagged(super_repo: Path, git: Git) -> None:
    (super_repo / "lib" / "train.py").write_text("changed\n")
    (super_repo / "lib" / "new").write_text("new\n")

    snapshot = shot(super_repo)

    assert snapshot.submodules == (Submodule("lib", moved=False, modified=True, untracked=True),)
    assert snapshot.dirty
    assert snapshot.tree == snapshot.head_tree


def test_a_submodule_at_another_commit_is_recorded_there(super_repo: Path, git: Git) -> None:
    git(super_repo / "lib", "commit", "-q", "--allow-empty", "-m", "moved")

    snapshot = shot(super_repo)

    assert snapshot.submodules == (Submodule("lib", moved=True, modified=False, untracked=False),)
    assert files(super_repo, snapshot.tree)["lib"] == git(super_repo / "lib", "rev-parse", "HEAD")


def test_a_submodule_that_is_not_checked_out_stays(super_repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(super_repo), "fresh")

    snapshot = shot(tmp_path / "fresh")

    assert (snapshot.dirty, snapshot.tree) == (False, git(super_repo, "rev-parse", "HEAD^{tree}"))


def test_before_the_first_commit_there_is_a_tree_but_no_commit(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "r")
    repo = tmp_path / "r"
    assert shot(repo) == Snapshot(commit=None, head_tree=None, tree=EMPTY, branch="main")
    (repo / "a").write_text("a")
    (repo / "b").write_text("b")
    git(repo, "add", "a")

    snapshot = shot(repo)

    assert files(repo, snapshot.tree) == {"a": "a", "b": "b"}
    assert (snapshot.commit, snapshot.branch, snapshot.dirty) == (None, "main", True)


def test_an_empty_commit_is_clean(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "r")
    git(tmp_path / "r", "commit", "-q", "--allow-empty", "-m", "x")

    snapshot = shot(tmp_path / "r")

    assert (snapshot.tree, snapshot.head_tree, snapshot.dirty) == (EMPTY, EMPTY, False)


def test_a_detached_head_has_no_branch(repo: Path, git: Git) -> None:
    git(repo, "checkout", "-q", "--detach")

    snapshot = shot(repo)

    assert (snapshot.branch, snapshot.commit) == (None, git(repo, "rev-parse", "HEAD"))


def test_the_upstream_is_named(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "clone")
    git(tmp_path / "clone", "checkout", "-q", "-b", "feature/x", "--track", "origin/main")

    snapshot = shot(tmp_path / "clone")

    assert (snapshot.branch, snapshot.upstream) == ("feature/x", "origin/main")
    (tmp_path / "clone" / "new").touch()
    assert shot(tmp_path / "clone").upstream == "origin/main"


def test_a_bare_repository_has_what_is_committed(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    commit, tree = git(repo, "rev-parse", "HEAD", "HEAD^{tree}").split()

    assert shot(tmp_path / "bare.git") == Snapshot(commit=commit, head_tree=tree, tree=tree, branch="main")
    assert shot(tmp_path / "empty.git") == Snapshot(commit=None, head_tree=None, tree=EMPTY, branch="main")


def test_a_linked_work_tree_is_recorded_by_itself(repo: Path, git: Git, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    (tmp_path / "linked" / "train.py").write_text("in the linked one\n")
    (repo / "data.csv").write_text("in the main one\n")

    snapshot = shot(tmp_path / "linked")

    assert snapshot.branch == "other"
    assert files(repo, snapshot.tree) == {"train.py": "in the linked one\n", "data.csv": "x,y\n1,2\n"}


def conflict(repo: Path, git: Git) -> None:
    """Two branches that change the same line, and one that deletes the other file."""
    git(repo, "checkout", "-q", "-b", "other")
    (repo / "train.py").write_text("other\n")
    git(repo, "rm", "-q", "data.csv")
    git(repo, "commit", "-qam", "other")
    git(repo, "checkout", "-q", "main")
    (repo / "train.py").write_text("main\n")
    (repo / "data.csv").write_text("changed\n")
    git(repo, "commit", "-qam", "main")


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        (["merge", "other"], "merge"),
        (["rebase", "other"], "rebase"),
        (["rebase", "--apply", "other"], "rebase"),
        (["cherry-pick", "other"], "cherry-pick"),
    ],
)
def test_in_the_middle_of_an_operation_the_work_tree_is_recorded_as_it_is(
    repo: Path, git: Git, fingerprint: Fingerprint, command: list[str], operation: str
) -> None:
    """Conflict markers and all: that is what the run ran."""
    conflict(repo, git)
    subprocess.run(["git", *command], cwd=repo, capture_output=True, check=False)
    assert git(repo, "ls-files", "-u") != ""
    before = fingerprint(repo)

    snapshot = shot(repo)

    assert snapshot.operation == operation
    assert snapshot.branch == "main"
    assert snapshot.dirty
    assert files(repo, snapshot.tree) == {path.name: path.read_text() for path in repo.iterdir() if path.is_file()}
    assert "<<<<<<<" in files(repo, snapshot.tree)["train.py"]
    assert fingerprint(repo) == before


def test_in_the_middle_of_a_bisection_the_commit_under_test_is_named(repo: Path, git: Git) -> None:
    for number in range(4):
        git(repo, "commit", "-q", "--allow-empty", "-m", str(number))
    git(repo, "bisect", "start", "HEAD", "HEAD~4")

    snapshot = shot(repo)

    assert (snapshot.operation, snapshot.branch) == ("bisect", None)
    assert snapshot.commit == git(repo, "rev-parse", "HEAD")


def test_shallow_clones_are_fine(repo: Path, git: Git, tmp_path: Path) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    (tmp_path / "shallow" / "new").write_text("new\n")

    assert "new" in files(tmp_path / "shallow", shot(tmp_path / "shallow").tree)


def test_in_a_partial_clone_nothing_is_fetched(repo: Path, git: Git, tmp_path: Path) -> None:
    """Blobs that were never downloaded are named by the tree all the same."""
    (repo / "out").mkdir()
    (repo / "out" / "file").write_text("elsewhere\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "out")
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--sparse", f"file://{repo}", "partial")
    partial = tmp_path / "partial"
    (repo / ".git").rename(repo / "gone")
    (partial / "train.py").write_text("changed\n")

    snapshot = shot(partial)

    listed = git(partial, "ls-tree", "-r", "--name-only", snapshot.tree or "").split()
    assert listed == ["data.csv", "out/file", "train.py"]
    assert git(partial, "cat-file", "blob", f"{snapshot.tree}:train.py") == "changed"


def test_objects_borrowed_from_another_repository_are_fine(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(repo), "borrower")
    (tmp_path / "borrower" / "new").write_text("new\n")

    assert len(files(tmp_path / "borrower", shot(tmp_path / "borrower").tree)) == 3


def test_a_split_index_is_read_and_left_alone(repo: Path, git: Git, fingerprint: Fingerprint) -> None:
    git(repo, "config", "core.splitIndex", "true")
    git(repo, "update-index", "--split-index")
    git(repo, "update-index", "--assume-unchanged", "data.csv")
    (repo / "data.csv").write_text("hidden\n")
    (repo / "train.py").write_text("changed\n")
    before = fingerprint(repo)

    assert files(repo, shot(repo).tree) == {"data.csv": "hidden\n", "train.py": "changed\n"}
    assert fingerprint(repo) == before


@pytest.mark.parametrize("version", ["3", "4"])
def test_other_index_versions_are_read(repo: Path, git: Git, version: str) -> None:
    (repo / "intended").write_text("x")
    git(repo, "add", "-N", "intended")
    git(repo, "update-index", "--index-version", version)
    git(repo, "update-index", "--assume-unchanged", "data.csv")
    (repo / "data.csv").write_text("hidden\n")

    assert files(repo, shot(repo).tree) == {"data.csv": "hidden\n", "train.py": "print('train')\n", "intended": "x"}


def test_without_an_index_the_files_are_recorded(repo: Path) -> None:
    (repo / ".git/index").unlink()

    snapshot = shot(repo)

    assert snapshot.tree == snapshot.head_tree
    assert not (repo / ".git/index").exists()
