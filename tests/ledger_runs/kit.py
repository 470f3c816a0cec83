"""Clones that exchange their ledgers by plain git, and runs that are only there."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git

from ledgit.git import Objects, ObjectSet, list_refs
from ledgit.repository import Repository, Run, open_repository
from ledgit.store import ActiveRun, RunStart
from ledgit.store.ledger import commit_ledger, compact, local_ledger, set_local, union_trees

INCOMING = "refs/ledgit/incoming"


class Clone:
    """One clone of the project, opened anew for each question, as each command does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def repository(self) -> Repository:
        return open_repository(self.path)

    def git(self, *args: str) -> str:
        return run_git(self.path, *args)

    def run(self, ref: str) -> Run:
        return self.repository.run(ref)

    def add_run(self, name: str = "owl", **metrics: list[tuple[int, float]]) -> str:
        """Log a run with these histories and return its id."""
        active = ActiveRun.create(self.repository.repo, RunStart(name=name, experiment="owls"))
        active.log_params({"lr": 0.1})
        for key, points in (metrics or {"loss": [(0, 3.0), (1, 2.0)]}).items():
            for step, value in points:
                active.log_metric(key, value, step, timestamp=1000 + step)
        active.add_artifact_bytes("model.txt", b"first")
        assert active.finish() is not None
        settle()
        return active.id

    def resume(self, run_id: str) -> ActiveRun:
        run = self.run(run_id)
        return ActiveRun.resume(self.repository.repo, run.id, run.heads)

    def compact(self) -> tuple[str, ...]:
        """Move all loose runs into the ledger."""
        settle()
        repository = self.repository
        return compact(repository.repo, repository.folder).runs

    def loose(self) -> dict[str, str]:
        found = list_refs(self.repository.repo, "refs/ledgit/runs/")
        return {name.rpartition("/")[2]: head for name, head in found.items()}

    def pull(self, other: Clone) -> None:
        """Unite this clone's ledger with the other's, and drop the loose runs that it holds."""
        other.compact()
        self.compact()
        self.git("fetch", "-q", str(other.path), f"+refs/ledgit/ledger:{INCOMING}")
        repository = self.repository
        repo, folder = repository.repo, repository.folder
        with Objects(repo) as objects:
            theirs = objects.commit(self.git("rev-parse", INCOMING)).tree
            tip = local_ledger(repo)
            fresh = ObjectSet()
            union = union_trees(objects, fresh, objects.commit(tip).tree if tip else None, theirs)
            heads = [line.head for line in union.added if line.head and not line.purged]
            if union.added:
                who = ("Ada", "ada@example.org")
                new = commit_ledger(objects, fresh, union.tree, tip, heads, who=who, when=1_800_000_000)
                set_local(repo, folder, objects, fresh, new, tip)
        self.git("update-ref", "-d", INCOMING)

    def ledger_tree(self) -> str:
        return self.git("rev-parse", "refs/ledgit/ledger^{tree}")

    def check(self) -> None:
        """Everything that refs reach is there and whole."""
        said = self.git("fsck", "--strict", "--no-dangling")
        assert "" == said


def settle() -> None:
    from ledgit.store.settle import settle_all

    settle_all()
