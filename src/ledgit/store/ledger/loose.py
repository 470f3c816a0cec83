"""Loose runs: finalized ones that have a ref of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from ledgit.errors import GitFailed, NotFound, RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

__all__ = ["RUNS", "Loose", "busy", "cover", "drop", "loose_runs", "read_loose"]

RUNS = "refs/ledgit/runs/"
MAX_LINE = 65_536
_FEW = 16  # runs that are read by who reads objects anyway


class Loose:
    """One loose run.

    Attributes:
        id: The run.
        head: What its ref names.
        line: Its ledger line; None if its commit doesn't read, then *problem* says why.
    """

    __slots__ = ("head", "id", "line", "problem")

    def __init__(self, run_id: str, head: str, line: Line | None, problem: str = "") -> None:
        self.id, self.head, self.line, self.problem = run_id, head, line, problem

    @property
    def ref(self) -> str:
        """Name of its ref."""
        return RUNS + self.id


def loose_runs(repo: Repo) -> dict[str, str]:
    """Return run id → head of all loose runs."""
    from ledgit.git import list_refs

    return {name.removeprefix(RUNS): head for name, head in list_refs(repo, RUNS).items()}


def busy(folder: Folder) -> Callable[[str], bool]:
    """Return what says of a run id whether the run has a journal: being written, or not yet on disk for sure."""
    # In this order: a journal moves from the one to the other.
    active = set(_names(folder.active))
    settling = _names(folder.settling)
    return lambda run_id: run_id in active or any(name.startswith(run_id + "-") for name in settling)


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def read_loose(repo: Repo, runs: Mapping[str, str], objects: Objects | None = None) -> list[Loose]:
    """Read the lines of loose runs (id → head).

    Args:
        repo: The clone.
        runs: The runs.
        objects: Reads them if they are few; otherwise a git process does.
    """
    from ledgit.records.names import RUN_FOLDER

    path = f"{RUN_FOLDER}/entry.json"
    if objects is not None and len(runs) <= _FEW:
        return [_loose(run_id, head, _entry(objects, head, path)) for run_id, head in runs.items()]
    from ledgit.git import BatchReader

    with BatchReader(repo) as reader:
        blobs = reader.read_many(f"{head}:{path}" for head in runs.values())
        return [
            _loose(run_id, head, blob[2] if blob is not None else None)
            for (run_id, head), blob in zip(runs.items(), blobs, strict=True)
        ]


def _entry(objects: Objects, head: str, path: str) -> bytes | None:
    try:
        return objects.at(head, path)
    except RecordError:
        return None  # it is damaged


def _loose(run_id: str, head: str, entry: bytes | None) -> Loose:
    try:
        return Loose(run_id, head, _line(run_id, head, entry))
    except RecordError as error:
        return Loose(run_id, head, None, error.reason)


def _line(run_id: str, head: str, entry: bytes | None) -> Line:
    from ledgit.records.table import parse_line, with_head

    if entry is None:
        raise RecordError(head[:12], "its commit is damaged, or no run's")
    entry = entry.rstrip(b"\n")
    if len(entry) > MAX_LINE or b"\n" in entry:
        raise RecordError(head[:12], "its entry.json is not one line, or too long")
    line = parse_line(with_head(entry, head))
    if line.opaque or line.head != head or line.purged or line.day is None:
        raise RecordError(head[:12], "its entry.json does not decode")
    if line.id != run_id:
        raise RecordError(head[:12], f"its commit is another run's, {line.id[:8]}")
    return line


class Cover:
    """What a table makes of loose runs.

    Attributes:
        listed: Their heads stand in the table.
        passed: The table has newer heads.
        purged: A tombstone stands for them.
    """

    __slots__ = ("listed", "passed", "purged")

    def __init__(self) -> None:
        self.listed: list[Loose] = []
        self.passed: list[Loose] = []
        self.purged: list[Loose] = []


def cover(objects: Objects, tree: str | None, loose: Iterable[Loose], fresh: ObjectSet | None = None) -> Cover:
    """Look *loose* runs up in a table, which may be in *fresh*; those it lacks are in no list."""
    from ledgit.records.table import claims
    from ledgit.store.ledger.tree import lines_of

    found = Cover()
    for run in loose:
        if run.line is None or run.line.day is None:
            continue
        lines = lines_of(objects, tree, run.id, run.line.day, fresh)
        if any(line.purged for line in lines):
            found.purged.append(run)
        elif any(line.head == run.head for line in lines):
            found.listed.append(run)
        elif any(claims(line.past, run.head) for line in lines):
            found.passed.append(run)
    return found


def reachable(repo: Repo, objects: Objects, tip: str | None, heads: Iterable[str]) -> set[str]:
    """Return those of *heads* that *tip* reaches: a table may say more than its history carries."""
    wanted = set(heads)
    if tip is None or not wanted:
        return set()
    found = wanted & _linked(objects, tip)
    if wanted == found:
        return found
    from ledgit.git import run_git

    rest = sorted(wanted - found)
    try:
        out = run_git(repo, "rev-list", "--stdin", stdin="\n".join([*rest, f"^{tip}", ""]).encode("ascii"))
    except GitFailed:
        return found  # something is missing: nobody can say
    return wanted - set(out.decode("ascii").split())


def _linked(objects: Objects, tip: str) -> set[str]:
    """Return the heads that the newest ledger commit itself carries."""
    found: set[str] = set()
    todo = list(objects.commit(tip).parents)
    while todo:
        oid = todo.pop()
        found.add(oid)
        try:
            commit = objects.commit(oid)
        except NotFound:
            continue
        if commit.message.startswith("carry ") and len(commit.parents) > 1:
            todo += commit.parents
    return found


def drop(repo: Repo, runs: Iterable[Loose]) -> list[Loose]:
    """Delete the refs of *runs* that have not moved; return those that are gone.

    None while a ``git gc`` or ``git repack`` is at work: it may have read the ledger's ref before that took the runs
    over, and would find their own refs gone. The next compaction drops them.
    """
    from ledgit.git import gc_is_running, repack_is_running
    from ledgit.git.refdrop import drop_refs

    dropped = list(runs)
    if not dropped or gc_is_running(repo) or repack_is_running(repo):
        return []
    stay = set(drop_refs(repo, {run.ref: run.head for run in dropped}))
    return [run for run in dropped if run.ref not in stay]
