"""A clone with a remote, and the review of its runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledgit.git import Repo, list_refs
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.sync.ask import Answer, Question
from ledgit.store.sync.publish import Candidate, Review, review
from ledgit.store.sync.remote import find_remote

Git = Callable[..., str]
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iLx5y6"


class Clone:
    """One clone with a remote called origin that has its branch ``main``."""

    def __init__(self, path: Path, git: Git) -> None:
        self.path, self.git = path, git

    @property
    def repo(self) -> Repo:
        """The repository, its settings read afresh."""
        return Repo.discover(str(self.path))

    @property
    def folder(self) -> Folder:
        return Folder.of(self.repo)

    def commit(self, message: str, **files: str) -> str:
        """Commit *files* (``__`` in a name is a dot) and return the commit."""
        self.write(**files)
        self.git(self.path, "add", "-A")
        self.git(self.path, "commit", "-q", "--allow-empty", "-m", message)
        return self.git(self.path, "rev-parse", "HEAD")

    def write(self, **files: str) -> None:
        for name, content in files.items():
            (self.path / name.replace("__", ".")).write_text(content)

    def run(
        self,
        name: str,
        params: dict[str, object] | None = None,
        tags: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        **start: Any,
    ) -> str:
        """Log a finished run and return its id."""
        active: ActiveRun = open_repository(self.path).start_run(RunStart(name=name, **start))
        active.log_params(params or {})
        active.set_tags(tags or {})
        for path, content in (files or {}).items():
            active.add_artifact_bytes(path, content.encode())
        active.finish()
        assert not active.problems
        return active.id

    def candidates(self) -> list[Candidate]:
        """Return every finalized run that has a ref, oldest first."""
        names = {run.id: (run.name, run.start) for run in open_repository(self.path).runs}
        refs = list_refs(self.repo, "refs/ledgit/runs/")
        found = [
            Candidate(ref.rpartition("/")[2], names[ref.rpartition("/")[2]][0], (oid,), 0) for ref, oid in refs.items()
        ]
        return sorted(found, key=lambda run: (names[run.id][1], run.name))

    def review(self, candidates: Sequence[Candidate] | None = None, **options: Any) -> Review:
        """Review *candidates*, by default all runs."""
        runs = self.candidates() if candidates is None else candidates
        return review(self.repo, self.folder, find_remote(self.repo), runs, **options)

    def publish(self) -> None:
        """Put all runs on the remote, as a push does: one ledger that has them as parents."""
        heads = [head for run in self.candidates() for head in run.heads]
        tree = self.git(self.path, "mktree", stdin=b"")
        parents = [word for head in heads for word in ("-p", head)]
        ledger = self.git(self.path, "commit-tree", tree, *parents, "-m", "ledger")
        self.git(self.path, "push", "-q", "origin", f"{ledger}:refs/ledgit/ledger")
        self.git(self.path, "update-ref", "refs/ledgit/remotes/origin/ledger", ledger)


class Asked:
    """Answers the question, and remembers what it was."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.questions: list[Question] = []

    def __call__(self, question: Question) -> Answer:
        self.questions.append(question)
        return self.answer


@pytest.fixture
def clone(repo: Path, git: Git, tmp_path: Path) -> Clone:
    """A clone whose branch is on its remote."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(repo, "remote", "add", "origin", str(remote))
    git(repo, "push", "-q", "-u", "origin", "main")
    return Clone(repo, git)
