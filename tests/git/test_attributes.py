"""The lines in ``info/attributes``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import StorageError
from ledgit.git import ensure_attributes

Git = Callable[..., str]


def test_histories_and_artifacts_get_their_attributes(repo: Path, git: Git) -> None:
    assert ensure_attributes(str(repo / ".git"))

    listed = git(
        repo, "check-attr", "diff", "delta", "text", "filter", "--",
        ".ledgit/run/history/a.tsv", ".ledgit/run/artifacts/deep/x", "train.py",
    ).splitlines()  # fmt: skip
    assert [line.rsplit(": ", 1)[1] for line in listed] == [
        *("unset", "unset", "unspecified", "unspecified"),
        *("unspecified", "unspecified", "unset", "unset"),
        *["unspecified"] * 4,
    ]


@pytest.mark.parametrize("before", [b"*.bin binary\n", b"*.bin binary", b"# \xff\n\n"])
def test_the_users_lines_stay_and_ours_are_added_once(repo: Path, before: bytes) -> None:
    path = repo / ".git/info/attributes"
    path.write_bytes(before)

    assert ensure_attributes(str(repo / ".git"))
    once = path.read_bytes()
    assert not ensure_attributes(str(repo / ".git"))

    assert once == path.read_bytes()
    assert once.startswith(before)
    assert once.count(b".ledgit/run/") == 2


def test_the_folder_is_made(repo: Path) -> None:
    for path in (repo / ".git/info").iterdir():
        path.unlink()
    (repo / ".git/info").rmdir()

    assert ensure_attributes(str(repo / ".git"))


def test_a_file_that_can_not_be_written_is_an_error(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(src: str, dst: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(StorageError, match="No space left"):
        ensure_attributes(str(repo / ".git"))
    assert os.listdir(repo / ".git/info") == ["exclude"]
