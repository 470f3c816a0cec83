"""What the purge's tests do: clones that purge, and what is left of a run anywhere."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git
from tests.sync.kit import Clone as Shared
from tests.sync.kit import lines_of

from ledgit.git import Objects, Repo
from ledgit.store.ledger import every_line
from ledgit.store.ledger.loose import loose_runs, read_loose
from ledgit.store.ledger.purging import PurgedHere, purge
from ledgit.store.sync.purging import PurgedThere, PurgeOptions, purge_remote


class Clone(Shared):
    """One clone, whose user purges."""

    def starts(self, *ids: str) -> dict[str, int]:
        """Run id → start, of runs in the ledger and loose ones."""
        repo = self.repo
        objects = Objects(repo)
        found = {line.id: line.start or 0 for _, line in every_line(objects, self.tree)}
        for run in read_loose(repo, loose_runs(repo)):
            assert run.line is not None
            found[run.id] = run.line.start or 0
        return {run_id: found[run_id] for run_id in ids}

    def purge_here(self, *ids: str) -> PurgedHere:
        return purge(self.repo, self.folder, self.starts(*ids))

    def purge_there(self, **options: object) -> PurgedThere:
        return purge_remote(self.repo, self.folder, self.remote, PurgeOptions(**options))  # type: ignore[arg-type]

    def gc_purge(self, *ids: str) -> PurgedThere:
        """Both halves."""
        self.purge_here(*ids)
        return self.purge_there()

    def objects_of(self, *ids: str) -> set[str]:
        """Ids of the runs' commits, trees and files, without the code below them."""
        refs = [oid for name, oid in self.refs().items() if name.startswith("refs/ledgit/")]
        commits = [oid for run_id in ids for oid in self.git("rev-list", f"--grep=Ledgit-Run: {run_id}", *refs).split()]
        if not commits:
            return set()
        return {line.split()[0] for line in self.git("rev-list", "--objects", "--no-walk", *commits).splitlines()}

    def own_objects(self, run_id: str, *others: Clone) -> set[str]:
        """Ids of all that only this run has, and of every table with its line; *others* have further runs."""
        refs = [oid for name, oid in self.refs().items() if name.startswith("refs/ledgit/")]
        found = self.objects_of(run_id)
        for clone in (self, *others):
            found -= clone.objects_of(*((clone.listed() | clone.loose()) - {run_id}))
        found -= {line.split()[0] for line in self.git("rev-list", "--objects", "--branches", "--remotes").splitlines()}
        objects = Objects(self.repo)
        for line in self.git("rev-list", "--objects", *refs).splitlines():
            oid, _, path = line.partition(" ")
            if path.endswith(".jsonl") and f'{{"id":"{run_id}","head"'.encode() in objects.read(oid)[1]:
                found.add(oid)
        assert found
        return found


def gc(path: Path) -> None:
    run_git(path, "gc", "-q", "--prune=now")


def left(path: Path, oids: set[str]) -> set[str]:
    """Those of *oids* that still are in the repository."""
    said = run_git(path, "cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in sorted(oids)).encode())
    return {line.split()[0] for line in said.splitlines() if not line.endswith("missing")}


def tombstones(path: Path, ref: str = "refs/ledgit/ledger") -> set[str]:
    repo = Repo.discover(str(path))
    objects = Objects(repo)
    tip = run_git(path, "rev-parse", ref)
    return {line.id for _, line in every_line(objects, objects.commit(tip).tree) if line.purged}


def make_clone(url: str, path: Path) -> Clone:
    run_git(path.parent, "clone", "-q", url, str(path))
    return Clone(path)


__all__ = ["Clone", "gc", "left", "lines_of", "make_clone", "tombstones"]
