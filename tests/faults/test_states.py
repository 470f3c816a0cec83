"""Whatever state a repository is in, a run is recorded and nothing of the user's is touched."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import GitFunction, run_git
from tests.faults.kit import (
    Forks,
    check_objects,
    fingerprint,
    leftovers,
    read_run,
    run_refs,
    tree_files,
    work_tree_as_git_sees_it,
)

State = Callable[[Path], Path]


def fails(path: Path, *args: str) -> None:
    """Run a git command that stops in the middle of its work."""
    done = subprocess.run(["git", *args], cwd=path, capture_output=True, check=False)
    assert done.returncode != 0


def _diverged(repo: Path) -> Path:
    run_git(repo, "checkout", "-q", "-b", "topic")
    (repo / "train.py").write_text("topic\n")
    run_git(repo, "commit", "-q", "-a", "-m", "topic")
    run_git(repo, "checkout", "-q", "main")
    (repo / "train.py").write_text("main\n")
    run_git(repo, "commit", "-q", "-a", "-m", "main")
    return repo


def merging(repo: Path) -> Path:
    fails(_diverged(repo), "merge", "topic")
    return repo


def rebasing(repo: Path) -> Path:
    fails(_diverged(repo), "rebase", "topic")
    return repo


def picking(repo: Path) -> Path:
    fails(_diverged(repo), "cherry-pick", "topic")
    return repo


def reverting(repo: Path) -> Path:
    _diverged(repo)
    (repo / "train.py").write_text("again\n")
    run_git(repo, "commit", "-q", "-a", "-m", "again")
    fails(repo, "revert", "HEAD~1")
    return repo


def bisecting(repo: Path) -> Path:
    for number in range(4):
        run_git(repo, "commit", "-q", "--allow-empty", "-m", str(number))
    run_git(repo, "bisect", "start", "-q", "HEAD", "HEAD~4")
    return repo


def changed(repo: Path) -> Path:
    """Staged, unstaged, deleted, untracked, stashed and ignored files, and odd names."""
    (repo / "train.py").write_text("stashed\n")
    run_git(repo, "stash", "-q")
    (repo / ".gitignore").write_text("ignored\n")
    (repo / "ignored").write_text("secret\n")
    (repo / "train.py").write_text("staged\n")
    run_git(repo, "add", "train.py")
    (repo / "train.py").write_text("and changed again\n")
    (repo / "data.csv").unlink()
    (repo / "new 🦉 file\nwith a line break").write_text("x")
    (repo / "link").symlink_to("nowhere")
    (repo / "script").write_text("#!/bin/sh\n")
    (repo / "script").chmod(0o755)
    with open(bytes(repo) + b"/not-utf8-\xff\xfe", "wb") as file:
        file.write(b"bytes")
    (repo / "folder").mkdir()
    (repo / "folder" / "trap.py").write_text("x")
    return repo


def detached(repo: Path) -> Path:
    run_git(repo, "checkout", "-q", "--detach")
    (repo / "train.py").write_text("detached\n")
    return repo


def unborn(repo: Path) -> Path:
    path = repo.parent / "unborn"
    run_git(repo.parent, "init", "-q", "unborn")
    (path / "first.py").write_text("first\n")
    return path


def linked(repo: Path) -> Path:
    run_git(repo, "worktree", "add", "-q", str(repo.parent / "linked"), "-b", "other")
    (repo.parent / "linked" / "train.py").write_text("linked\n")
    return repo.parent / "linked"


def nested(repo: Path) -> Path:
    """A submodule that moved on, and a repository inside that nobody declared."""
    run_git(repo.parent, "clone", "-q", str(repo), "library")
    run_git(repo, "submodule", "-q", "add", str(repo.parent / "library"), "lib")
    run_git(repo, "commit", "-q", "-m", "lib")
    run_git(repo / "lib", "commit", "-q", "--allow-empty", "-m", "moved")
    return repo


def sparse(repo: Path) -> Path:
    for name in ("a", "b"):
        (repo / name).mkdir()
        (repo / name / "file").write_text(name)
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "folders")
    run_git(repo, "sparse-checkout", "set", "a")
    (repo / "a" / "file").write_text("changed")
    return repo


def _clone(repo: Path, *options: str) -> Path:
    run_git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    run_git(repo.parent, "clone", "-q", *options, "clone")
    (repo.parent / "clone" / "train.py").write_text("in the clone\n")
    return repo.parent / "clone"


def shallow(repo: Path) -> Path:
    return _clone(repo, "--depth=1", f"file://{repo}")


def partial(repo: Path) -> Path:
    run_git(repo, "config", "uploadpack.allowFilter", "true")
    return _clone(repo, "--filter=blob:none", f"file://{repo}")


def borrowing(repo: Path) -> Path:
    return _clone(repo, "--shared", str(repo))


def filtered(repo: Path) -> Path:
    """A clean and smudge filter, as Git LFS and git-crypt have them, and ``text=auto``."""
    run_git(repo, "config", "filter.rot.clean", "tr a-z n-za-m")
    run_git(repo, "config", "filter.rot.smudge", "tr a-z n-za-m")
    run_git(repo, "config", "filter.rot.required", "true")
    (repo / ".gitattributes").write_text("*.secret filter=rot\n*.txt text=auto\n")
    (repo / "one.secret").write_text("plain words\n")
    (repo / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "filters")
    (repo / "two.secret").write_text("more plain words\n")
    (repo / "more.txt").write_bytes(b"three\r\n")
    return repo


STATES = (
    merging, rebasing, picking, reverting, bisecting, changed, detached, unborn, linked, nested, sparse,
    shallow, partial, borrowing, filtered,
)  # fmt: skip


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_run_records_the_work_tree_and_touches_nothing(repo: Path, forks: Forks, state: State) -> None:
    """Work tree, index, HEAD, stash, configuration, branches and reflogs are the same, byte for byte."""
    path = state(repo)
    expected = work_tree_as_git_sees_it(path)
    before = fingerprint(repo.parent)

    made = forks.run("make_run", cwd=path)

    assert [] == made["problems"]
    assert before == fingerprint(repo.parent)
    assert expected == tree_files(path, made["commit"])
    head = read_run(path, made["id"])
    assert ("FINISHED", {"lr": 0.1}) == (head.record.info.status, head.record.params)
    assert b"model" == head.files["artifacts/model.txt"]
    if state is not partial:  # there fsck tells of what was never fetched
        check_objects(path)
    assert [] == leftovers(path)


def test_a_linked_work_tree_and_the_main_one_see_each_others_runs(repo: Path, forks: Forks) -> None:
    """Journals and refs are in the common folder."""
    path = linked(repo)
    made = forks.run("make_run", cwd=path)
    child = forks.start("hold", cwd=path)
    run_id = next(child.listen())

    for place in (repo, path):
        assert [[run_id, "RUNNING"], [made["id"], "FINISHED"]] == forks.run("read_runs", str(place), 0)
    assert (repo / ".git/ledgit/active" / run_id).is_dir()
    child.kill()
    child.close()


def test_a_bare_repository_records_what_is_committed(repo: Path, git: GitFunction, forks: Forks) -> None:
    git(repo.parent, "clone", "-q", "--bare", str(repo), "bare.git")
    bare = repo.parent / "bare.git"
    before = fingerprint(bare)

    made = forks.run("make_run", cwd=bare)

    assert [] == made["problems"]
    assert before == fingerprint(bare)
    assert tree_files(bare, "main") == tree_files(bare, made["commit"])
    check_objects(bare)


def test_an_undeclared_repository_inside_is_left_alone(repo: Path, git: GitFunction, forks: Forks) -> None:
    """Its files are no part of this repository's; the run is recorded without them."""
    git(repo, "init", "-q", "inner")
    (repo / "inner" / "file").write_text("x")
    git(repo / "inner", "add", ".")
    git(repo / "inner", "commit", "-q", "-m", "inner")
    before = fingerprint(repo)

    made = forks.run("make_run")

    assert [] == made["problems"]
    assert before == fingerprint(repo)
    assert {"train.py", "data.csv"} <= set(tree_files(repo, made["commit"]))
    assert "inner/file" not in tree_files(repo, made["commit"])
    check_objects(repo)


def test_a_change_hidden_by_assume_unchanged_is_recorded(repo: Path, git: GitFunction, forks: Forks) -> None:
    """The run read the file as it was, whatever its user promised to Git; the promise stays."""
    git(repo, "update-index", "--assume-unchanged", "train.py")
    (repo / "train.py").write_text("hidden change\n")
    before = fingerprint(repo)

    made = forks.run("make_run")

    assert before == fingerprint(repo)
    assert "hidden change" == git(repo, "show", f"{made['commit']}:train.py")


def test_a_hook_can_log_a_run(repo: Path, git: GitFunction, forks: Forks) -> None:
    """Inside a hook GIT_DIR, GIT_INDEX_FILE and more are set, and mean the commit being made."""
    import sys

    from tests.faults.kit import ROOT

    hook = repo / ".git/hooks/post-commit"
    hook.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={ROOT / 'src'}\nexec {sys.executable} -c '"
        "from ledgit.git import Repo\nfrom ledgit.store import ActiveRun, RunStart\n"
        'run = ActiveRun.create(Repo.discover(), RunStart())\nrun.log_metric("loss", 1.0)\n'
        "assert run.finish() and not run.problems, run.problems'\n"
    )
    hook.chmod(0o755)
    (repo / "train.py").write_text("committed\n")
    (repo / "other.py").write_text("not committed\n")

    git(repo, "commit", "-q", "-m", "with a hook", "train.py")

    [run_id] = run_refs(repo)
    head = read_run(repo, run_id).head
    assert git(repo, "rev-parse", "HEAD") == git(repo, "rev-parse", f"{head}^")
    assert "committed" == git(repo, "show", f"{head}:train.py")
    assert "not committed" == git(repo, "show", f"{head}:other.py")
    assert "?? other.py" == git(repo, "status", "--porcelain")
    check_objects(repo)
