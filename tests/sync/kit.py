"""Clones that share runs: what people, CI jobs and hosts do in these tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.conftest import run_git

from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, build, list_refs, read_ref, update_refs
from ledgit.records import RunInfo, encode_entry, encode_tombstone
from ledgit.records.clock import Clocks
from ledgit.records.record import RunRecord, make_entry, run_files
from ledgit.records.table import parse_line
from ledgit.store import Edit, Folder, edit_run
from ledgit.store.ledger import add_lines, commit_ledger, compact, every_line, local_ledger, set_local
from ledgit.store.sync import Pulled, PullOptions, Pushed, PushOptions, Remote, find_remote
from ledgit.store.sync.pull import pull
from ledgit.store.sync.push import push

LEDGER = "refs/ledgit/ledger"
START = 1_790_000_000_000  # 2026-09-21
DAY = 86_400_000


class Clone:
    """One clone, as its user has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.twin: Clone | None = None  # has the same clone id

    @property
    def repo(self) -> Repo:
        return Repo.discover(str(self.path))

    @property
    def folder(self) -> Folder:
        folder = Folder.of(self.repo)
        if self.twin is not None:
            folder._clone = self.twin.folder.clone_id
        return folder

    @property
    def remote(self) -> Remote:
        return find_remote(self.repo)

    def git(self, *args: str) -> str:
        return run_git(self.path, *args)

    def log(
        self,
        name: str = "run",
        *,
        start: int | None = None,
        run_id: str | None = None,
        tags: dict[str, str] | None = None,
        version: int = 1,
    ) -> str:
        """Finish a run, with the commit that finalizing writes but without code, and return its id."""
        run_id = run_id or os.urandom(16).hex()
        begun = START + int(run_id[:6], 16) % 3 * DAY if start is None else start
        info = RunInfo(run_id, name, status="FINISHED", start=begun, end=begun + 1000, user="Ada")
        record = RunRecord(info, params={"lr": 0.1}, tags=tags or {}, clocks=Clocks((1, self.folder.clone_id)))
        entry = make_entry(record)
        entry.v = version
        files = run_files(record, encode_entry(entry))
        fresh = ObjectSet()
        tree = build(fresh, {f".ledgit/run/{path}": data for path, data in files.items()})
        who = ("Ada Lovelace", "ada@example.org", begun // 1000, "+0000")
        head = fresh.commit(tree, [], who, who, f"run {name}\n\nLedgit-Run: {run_id}\n")
        pack = fresh.write(self.repo, durable=False)
        update_refs(self.repo, [RefUpdate(f"refs/ledgit/runs/{run_id}", head)], durable=False)
        pack.release()
        return run_id

    def heads(self, run_id: str) -> list[str]:
        """The run's heads in the clone's ledger."""
        objects = Objects(self.repo)
        return [line.head for _, line in every_line(objects, self.tree) if line.id == run_id and line.head]

    def edit(self, run_id: str, **changes: object) -> None:
        """Edit a run as the API does; `set_tags`, `deleted`, `name` …"""
        edit_run(self.repo, self.folder, run_id, Edit(**changes), heads=self.heads(run_id))  # type: ignore[arg-type]

    def purge(self, *ids: str) -> None:
        """Put tombstones into the clone's ledger."""
        repo, fresh, objects = self.repo, ObjectSet(), Objects(self.repo)
        starts = {line.id: line.start for _, line in every_line(objects, self.tree)}
        stones = [parse_line(encode_tombstone(run_id, starts[run_id] or 0)) for run_id in ids]
        tree = add_lines(objects, fresh, self.tree, stones).tree
        who = ("Ada Lovelace", "ada@example.org")
        new = commit_ledger(objects, fresh, tree, self.ledger, [], who=who, when=START // 1000)
        set_local(repo, self.folder, objects, fresh, new, self.ledger)

    def compact(self) -> None:
        compact(self.repo, self.folder)

    def push(self, **options: object) -> Pushed:
        options = {"policy": "all", **options}
        return push(self.repo, self.folder, self.remote, PushOptions(**options))  # type: ignore[arg-type]

    def pull(self, **options: object) -> Pulled:
        return pull(self.repo, self.folder, self.remote, PullOptions(**options))  # type: ignore[arg-type]

    def forget_fetches(self) -> None:
        """Let the last fetch be so long ago that the next push fetches first."""
        shutil.rmtree(Path(self.folder.path, "fetched"), ignore_errors=True)

    # ------------------------------------------------------------------ what is there

    @property
    def ledger(self) -> str | None:
        return local_ledger(self.repo)

    @property
    def tree(self) -> str | None:
        """Tree id of the clone's ledger."""
        return tree_of(self.path, LEDGER)

    def loose(self) -> set[str]:
        return {name.removeprefix("refs/ledgit/runs/") for name in list_refs(self.repo, "refs/ledgit/runs/")}

    def listed(self) -> set[str]:
        """Ids of the runs in the clone's ledger."""
        return lines_of(self.path, LEDGER)

    def refs(self) -> dict[str, str]:
        return list_refs(self.repo)


def tree_of(path: Path, ref: str) -> str | None:
    repo = Repo.discover(str(path))
    tip = read_ref(repo, ref)
    return None if tip is None else Objects(repo).commit(tip).tree


def lines_of(path: Path, ref: str = LEDGER) -> set[str]:
    """Ids of the runs that a ledger lists, without purged ones."""
    repo = Repo.discover(str(path))
    tip = read_ref(repo, ref)
    if tip is None:
        return set()
    objects = Objects(repo)
    return {line.id for _, line in every_line(objects, objects.commit(tip).tree) if not line.purged}


def inboxes(path: Path) -> list[str]:
    return run_git(path, "for-each-ref", "--format=%(refname)", "refs/ledgit/inbox").split()


def make_host(path: Path) -> Path:
    """A bare repository with one branch."""
    path.mkdir(parents=True)
    run_git(path, "init", "-q", "--bare")
    run_git(path, "config", "http.receivepack", "true")
    seed = path.parent / f"{path.name}-seed"
    seed.mkdir()
    run_git(seed, "init", "-q")
    (seed / "train.py").write_text("print('train')\n")
    run_git(seed, "add", ".")
    run_git(seed, "commit", "-q", "-m", "first")
    run_git(seed, "push", "-q", str(path), "HEAD:refs/heads/main")
    return path


def make_clone(url: str, path: Path) -> Clone:
    run_git(path.parent, "clone", "-q", url, str(path))
    return Clone(path)
