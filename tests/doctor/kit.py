"""What the doctor's tests do: log runs, compact, examine, mend."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.conftest import run_git

from ledgit.git import Objects, ObjectSet, Repo
from ledgit.repository import Repository
from ledgit.store import ActiveRun, Edit, Folder, Index, RunStart
from ledgit.store.doctor import Finding, ask_remote, examine, mend
from ledgit.store.ledger import add_lines, commit_ledger, compact, local_ledger, set_local
from ledgit.store.settle import settle_all

WHO = ("Ada", "ada@example.org")
LONG_AGO = 7 * 24 * 3600


class Clinic:
    """One repository under examination."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def repo(self) -> Repo:
        """Looked at anew each time, as another process would."""
        return Repo.discover(str(self.path))

    @property
    def folder(self) -> Folder:
        return Folder.of(self.repo)

    def run(self, name: str = "owl", **values: Any) -> str:
        """Log a run and return its id."""
        active = ActiveRun.create(self.repo, RunStart(name=name))
        active.log_metric("acc", 0.5, 0, 1_700_000_000_000)
        active.log_params({"lr": 0.1, **values})
        active.finish("FINISHED")
        settle_all()  # what a process does when it ends
        return active.id

    def edit(self, run_id: str, **words: Any) -> None:
        """Edit a run, wherever it is."""
        repository = Repository(self.repo)
        repository.edit(repository.run(run_id).state, Edit(**words))

    def compact(self) -> str:
        """Move all runs into the ledger; return its commit."""
        found = compact(self.repo, self.folder).commit
        assert found is not None
        return found

    def add_lines(self, *lines: Any, heads: tuple[str, ...] = ()) -> str:
        """Make a ledger with these lines more, linking *heads*; return its commit."""
        repo, objects, fresh = self.repo, Objects(self.repo), ObjectSet()
        tip = local_ledger(repo)
        tree = None if tip is None else objects.commit(tip).tree
        union = add_lines(objects, fresh, tree, lines)
        new = commit_ledger(objects, fresh, union.tree, tip, heads, who=WHO, when=1_700_000_000)
        set_local(repo, self.folder, objects, fresh, new, tip)
        return new

    def findings(self) -> list[Finding]:
        """What the doctor says now."""
        index = Index(self.repo, self.folder)
        try:
            return examine(self.repo, self.folder, index)
        finally:
            index.close()

    def found(self) -> list[tuple[str, str]]:
        """(level, key) of each finding."""
        return [(finding.level, finding.key) for finding in self.findings()]

    def mend(self) -> list[str]:
        index = Index(self.repo, self.folder)
        try:
            return mend(self.repo, self.folder, index, examine(self.repo, self.folder, index))
        finally:
            index.close()

    def ask_remote(self, name: str | None = None) -> list[Finding]:
        return ask_remote(self.repo, self.folder, Index(self.repo, self.folder), name)

    def git(self, *args: str) -> str:
        return run_git(self.path, *args)


def age(path: Path | str) -> None:
    """Make a file or folder look as if nobody had touched it for a week."""
    when = time.time() - LONG_AGO
    os.utime(path, (when, when))
