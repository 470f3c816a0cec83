"""The short way to a clean snapshot notices whatever git status would."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.background import PATIENCE

from ledgit.git import Repo, cleancheck, take_snapshot
from ledgit.git.changes import QUIET


def git(path: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=path, check=True, capture_output=True)


@pytest.fixture
def proven(repo: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Repo]:
    """A repository whose work tree this process has seen to be clean, with a folder that is ignored."""
    (repo / ".gitignore").write_text("*.log\ncache/\n")
    (repo / "sub").mkdir()
    (repo / "sub" / "code.py").write_text("x = 1\n")
    (repo / "cache").mkdir()
    (repo / "empty").mkdir()
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "more")
    monkeypatch.setattr(cleancheck, "_RACY", -(1 << 62))  # what was written just now counts as old
    found = Repo.discover(str(repo))
    assert cleancheck.clean_head(found, QUIET) is not None
    return repo, found


def count_git_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []
    real = cleancheck.try_git

    def counted(repo: Repo | None, *args: str, **kwargs: object) -> object:
        calls.append(args)
        return real(repo, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(cleancheck, "try_git", counted)
    return calls


def test_an_unchanged_work_tree_needs_no_second_git_command(
    proven: tuple[Path, Repo], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_git_calls(monkeypatch)

    found = cleancheck.clean_head(proven[1], QUIET)

    assert found is not None
    assert calls == []


def same_size_and_time(path: Path) -> None:
    info = path.stat()
    path.write_text("x = 2\n")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda p: (p / "train.py").write_text("print('other')\n"),
    "edited in a folder": lambda p: (p / "sub" / "code.py").write_text("x = 100\n"),
    "edited, time put back": lambda p: same_size_and_time(p / "sub" / "code.py"),
    "deleted": lambda p: (p / "data.csv").unlink(),
    "new": lambda p: (p / "new.py").write_text(""),
    "new in a folder": lambda p: (p / "sub" / "new.py").write_text(""),
    "new in a folder that was empty": lambda p: (p / "empty" / "new.py").write_text(""),
    "new folder": lambda p: ((p / "deep" / "er").mkdir(parents=True), (p / "deep" / "er" / "a").write_text("")),
    "made executable": lambda p: (p / "train.py").chmod(0o755),
    "renamed": lambda p: (p / "train.py").rename(p / "main.py"),
    "staged": lambda p: ((p / "train.py").write_text("staged\n"), git(p, "add", "train.py")),
    "staged and put back": lambda p: (
        (p / "train.py").write_text("staged\n"),
        git(p, "add", "train.py"),
        (p / "train.py").write_text("print('train')\n"),
    ),
    "no longer tracked": lambda p: git(p, "rm", "-q", "--cached", "data.csv"),
    "no longer ignored": lambda p: ((p / "a.log").write_text("x"), (p / ".gitignore").write_text("cache/\n")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(proven: tuple[Path, Repo], change: str) -> None:
    path, repo = proven

    CHANGES[change](path)

    assert cleancheck.clean_head(repo, QUIET) is None
    snapshot = take_snapshot(repo)
    assert snapshot.dirty
    assert snapshot.tree is not None


def test_what_only_an_exclude_file_hid_is_noticed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleancheck, "_RACY", -(1 << 62))
    exclude = repo / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("hidden.txt\n")
    (repo / "hidden.txt").write_text("x")
    found = Repo.discover(str(repo))
    assert cleancheck.clean_head(found, QUIET) is not None

    exclude.write_text("# nothing any more\n")

    assert cleancheck.clean_head(found, QUIET) is None


def test_a_new_commit_is_seen_with_its_own_tree(proven: tuple[Path, Repo]) -> None:
    path, repo = proven
    (path / "train.py").write_text("print('second')\n")
    git(path, "commit", "-qam", "second")

    found = cleancheck.clean_head(repo, QUIET)

    head = subprocess.run(
        ["git", "rev-parse", "HEAD", "HEAD^{tree}"], cwd=path, capture_output=True, text=True, check=True
    )
    assert found is not None
    assert [found.commit, found.tree] == head.stdout.split()


def test_files_changed_this_moment_are_not_trusted(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second change within the clock's step would leave the same marks."""
    found = Repo.discover(str(repo))
    (repo / "train.py").touch()
    assert cleancheck.clean_head(found, QUIET) is not None
    calls = count_git_calls(monkeypatch)

    cleancheck.clean_head(found, QUIET)

    assert len(calls) == 1


def test_it_is_trusted_once_the_files_are_older(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Repo.discover(str(repo))
    deadline = time.monotonic() + PATIENCE
    calls = count_git_calls(monkeypatch)
    while time.monotonic() < deadline:
        del calls[:]
        assert cleancheck.clean_head(found, QUIET) is not None
        if not calls:
            break

    assert calls == []
