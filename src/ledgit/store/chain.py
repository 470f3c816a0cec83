"""The commits of one finalized run: its heads, what they say together, what is below them.

A run's heads are a loose ref, lines in the ledger, or several of these: whoever asks the index
knows them all. What an edit or a resumed session goes on from is all of them, read as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import NotFound, RecordError, RunNotFound
from ledgit.records.entry import Entry, decode_entry, union_entries, with_head
from ledgit.records.merge import merge_records
from ledgit.records.record import RUN_FOLDER, RunRecord, decode_record

if TYPE_CHECKING:
    from ledgit.git import Commit, Objects, Repo, TreeEntry

__all__ = [
    "RUN_FOLDER",
    "Base",
    "Head",
    "active_ref",
    "join_past",
    "read_base",
    "read_commit",
    "read_entry",
    "read_head",
    "resumed_heads",
    "run_commits",
    "run_ref",
    "run_texts",
    "sessions",
]

_RUN = "Ledgit-Run: "
_SESSION = "Ledgit-Session: "
_ARTIFACTS = "artifacts"
#: Digits of a commit id by which lines name the older commits of a run that was edited often.
_SHORT = 16


def run_ref(run_id: str) -> str:
    """Return the ref that a finalized run has until it is compacted, and again after an edit."""
    return f"refs/ledgit/runs/{run_id}"


def active_ref(run_id: str) -> str:
    """Return the ref that keeps an active run's snapshot from ``git gc``."""
    return f"refs/ledgit/active/{run_id}"


@dataclass(frozen=True, slots=True)
class Head:
    """One commit of a run, read whole.

    Attributes:
        head: Commit id.
        entry: Its ledger line.
        record: Everything in its tree.
        files: The raw files below ``.ledgit/run/``.
    """

    head: str
    entry: Entry
    record: RunRecord
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Base:
    """All heads of a run, read as one: what the next commit goes on from.

    Attributes:
        heads: The commits that count, in the order they were named; the next one's parents.
        entries: Their ledger lines, in the same order.
        records: Everything in their trees, in the same order.
        record: What they hold together.
        past: What the next commit's line says is below it: the run's commits, oldest first.
        tree: Root tree of the first head.
        date: Newest commit date, in seconds since the epoch; no later commit is dated before.
        blobs: Artifact path → id of its content, or of its pointer.
    """

    heads: tuple[str, ...]
    entries: tuple[Entry, ...]
    records: tuple[RunRecord, ...]
    record: RunRecord
    past: tuple[str, ...]
    tree: str
    date: int
    blobs: dict[str, str]


def read_commit(objects: Objects, head: str) -> Head:
    """Read the run commit *head* whole, with the contents of its artifacts."""
    files = objects.files(head, RUN_FOLDER)
    return Head(head, _entry(files.get("entry.json"), head), decode_record(files), files)


def read_head(repo: Repo, run_id: str) -> Head:
    """Read the newest commit of a finalized run that has a ref.

    Raises:
        RunNotFound: There is no ref for it.
    """
    from ledgit.git import Objects, read_ref

    head = read_ref(repo, run_ref(run_id))
    if head is None:
        raise RunNotFound(run_id)
    return read_commit(Objects(repo), head)


def read_entry(objects: Objects, head: str) -> Entry:
    """Return the ledger line of the run commit *head*.

    Raises:
        NotFound: The commit is not here.
        RecordError: It is no run's commit.
    """
    found = objects.find(head, f"{RUN_FOLDER}/entry.json")
    return _entry(None if found is None else objects.read(found.oid)[1], head)


def _entry(line: bytes | None, head: str) -> Entry:
    if line is None:
        raise RecordError(head[:12], "is not a run commit")
    return decode_entry(with_head(line, head), head[:12])


def read_base(objects: Objects, run_id: str, heads: Iterable[str]) -> Base:
    """Read all *heads* of a run; one that is below another is left out.

    Raises:
        NotFound: One of them is not in this clone.
        RecordError: One of them does not decode, or is another run's.
    """
    entries = [read_entry(objects, head) for head in dict.fromkeys(heads)]
    if not entries or any(entry.id != run_id for entry in entries):
        raise RecordError(f"run {run_id[:8]}", "has no heads" if not entries else "has a head that is another run's")
    counting = {entry.head for entry in union_entries(entries)}
    entries = [entry for entry in entries if entry.head in counting]
    commits = [objects.commit(entry.head) for entry in entries]
    trees = [_read_tree(objects, commit.tree) for commit in commits]
    records = [decode_record(files) for files, _ in trees]
    record = merge_records(records)
    return Base(
        heads=tuple(entry.head for entry in entries),
        entries=tuple(entries),
        records=tuple(records),
        record=record,
        past=tuple(join_past(entries)),
        tree=commits[0].tree,
        date=max(commit.committer[2] for commit in commits),
        blobs=_blobs(record, records, [blobs for _, blobs in trees]),
    )


def _read_tree(objects: Objects, tree: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the run's files but for the artifacts, and of those the ids by their place."""
    from ledgit.git import TREE

    top = objects.find(tree, RUN_FOLDER)
    files: dict[str, bytes] = {}
    blobs: dict[str, str] = {}
    for entry in _entries(objects, top.oid) if top is not None else ():
        if entry.name == _ARTIFACTS and entry.mode == TREE:
            blobs.update(_places(objects, entry.oid, "", 0))
        elif entry.mode == TREE:
            files.update((f"{entry.name}/{path}", data) for path, data in objects.files(entry.oid).items())
        else:
            files[entry.name] = objects.read(entry.oid)[1]
    return files, blobs


def _entries(objects: Objects, tree: str) -> Iterator[TreeEntry]:
    """Yield a tree's entries; Git takes trees from remotes whose paths lead out of their folder."""
    for entry in objects.tree(tree):
        if entry.name in ("", ".", "..") or "/" in entry.name:
            raise RecordError(tree, f"has an entry called {entry.name!r}")
        yield entry


def run_texts(objects: Objects, tree: str) -> dict[str, bytes]:
    """Return the run's files in the root tree *tree*, but for the artifacts."""
    return _read_tree(objects, tree)[0]


def _places(objects: Objects, tree: str, below: str, depth: int) -> Iterator[tuple[str, str]]:
    from ledgit.git import GITLINK, TREE

    if depth > 100:
        raise RecordError(tree, "is a tree more than 100 folders deep")
    for entry in _entries(objects, tree):
        if entry.mode == TREE:
            yield from _places(objects, entry.oid, f"{below}{entry.name}/", depth + 1)
        elif entry.mode != GITLINK:
            yield below + entry.name, entry.oid


def _blobs(record: RunRecord, records: Sequence[RunRecord], places: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return where the content of each artifact of *record* is: in whichever head has it."""
    found: dict[tuple[str, str], str] = {}
    for one, blobs in zip(records, places, strict=True):
        for artifact in one.artifacts:
            blob = blobs.get(artifact.tree_path)
            if blob is not None:
                found.setdefault((artifact.path, artifact.digest), blob)
    wanted = ((artifact.path, artifact.digest) for artifact in record.artifacts)
    return {key[0]: found[key] for key in wanted if key in found}


def join_past(entries: Sequence[Entry]) -> list[str]:
    """Return the run's commits below one on top of *entries*, oldest first, the run's own commit leading.

    The heads themselves come last, however old they are: of a long past a line has no room for the
    first ones, and a head that it didn't name would stay beside it for ever.
    """
    known: dict[str, str] = {}
    ordered = sorted(entries, key=lambda entry: (entry.greatest_clock(), entry.head))
    for oid in (oid for entry in ordered for oid in entry.past):
        if len(oid) > len(known.get(oid[:_SHORT], "")):
            known[oid[:_SHORT]] = oid
    heads = [entry.head for entry in ordered]
    for head in heads:
        known.pop(head[:_SHORT], None)
    first = min(entry.commit for entry in entries)
    return [first, *(oid for oid in (*known.values(), *heads) if oid != first)]


def resumed_heads(start: Mapping[str, Any]) -> list[str]:
    """Return the heads that a journal's start record says its session goes on from."""
    resumed = start.get("resumed") or []
    return [resumed] if isinstance(resumed, str) else list(resumed)  # one, as Ledgit 0.1 wrote it


def run_commits(objects: Objects, heads: Iterable[str], run_id: str) -> list[Commit]:
    """Return the run's own commits from *heads* down that are here: newest first, none before those on top of it."""
    import heapq

    found: dict[str, Commit] = {}
    todo = list(heads)
    while todo:
        oid = todo.pop()
        if oid in found:
            continue
        try:
            commit = objects.commit(oid)
        except NotFound:
            continue
        if _RUN + run_id in commit.message.splitlines():  # else the code commit below the run
            found[oid] = commit
            todo.extend(commit.parents)
    above = dict.fromkeys(found, 0)
    for commit in found.values():
        for parent in commit.parents:
            if parent in above:
                above[parent] += 1
    ready = [(-found[oid].committer[2], oid) for oid in found if not above[oid]]
    heapq.heapify(ready)
    ordered: list[Commit] = []
    while ready:
        commit = found[heapq.heappop(ready)[1]]
        ordered.append(commit)
        for parent in commit.parents:
            if parent in above:
                above[parent] -= 1
                if not above[parent]:
                    heapq.heappush(ready, (-found[parent].committer[2], parent))
    return ordered


def sessions(objects: Objects, heads: Iterable[str], run_id: str) -> set[str]:
    """Return the journal sessions that the run's commits were made from (their message trailers)."""
    found: set[str] = set()
    for commit in run_commits(objects, heads, run_id):
        lines = commit.message.splitlines()
        found.update(line.removeprefix(_SESSION) for line in lines if line.startswith(_SESSION))
    return found
