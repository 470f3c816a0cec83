"""Many objects through one git process: every answer goes to who asked."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from tests.conftest import GitFunction

from ledgit.git import BatchReader, Repo


def test_a_question_within_another_is_an_error(repo: Path) -> None:
    """It would be given the other's answers."""
    with BatchReader(Repo.discover(str(repo))) as reader:
        outer = reader.read_many(["HEAD:train.py", "HEAD:data.csv", "HEAD"])
        next(outer)

        with pytest.raises(RuntimeError, match="another question"):
            reader.read("HEAD:data.csv")
        assert [b"x,y\n1,2\n", "commit"] == [found and found[2 - number] for number, found in enumerate(outer)]
        assert reader.read("HEAD:train.py") is not None


def test_who_leaves_early_leaves_no_answers_behind(repo: Path, git: GitFunction) -> None:
    """The next question gets its own answer."""
    with BatchReader(Repo.discover(str(repo))) as reader:
        for found in reader.read_many(["HEAD:train.py", "HEAD:data.csv", "HEAD"]):
            assert found is not None
            break
        else:
            raise AssertionError
        last = reader.read("HEAD")

    assert last is not None
    assert git(repo, "rev-parse", "HEAD") == last[0]


def test_git_may_be_a_megabyte_ahead_of_who_reads(repo: Path) -> None:
    """Asked for before the process runs or while it does; the answers are the same."""
    opened = Repo.discover(str(repo))
    with BatchReader(opened) as early, BatchReader(opened) as late:
        early.work_ahead()
        assert late.read("HEAD") is not None
        late.work_ahead()

        found = [list(reader.read_many(["HEAD", "no such thing", "HEAD^{tree}"])) for reader in (early, late)]
        for reader in (early, late):
            process = reader._process
            assert process is not None
            assert fcntl.fcntl(process.answers, fcntl.F_GETPIPE_SZ) >= 1 << 20

    assert found[0] == found[1]
    assert found[0][1] is None
