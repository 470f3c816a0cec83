"""After ``git filter-repo`` or BFG: runs that point to commits which were replaced point to the new ones.

Both tools leave a list of what became what. A run's own commits may have been rewritten with the rest (they
were reachable from some ref), or only the code below them was. In either case each is made again: same
author, date and message, parents and files as the list says. On top comes one commit more, whose line names
all the old ones as its past: so the old lines go from every table that is united with this one, on
every clone, as after an edit; and nothing reaches the old commits from the new ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, NotFound, StorageError, UsageError
from ledgit.records.entry import CodeRef, Entry, with_head
from ledgit.records.run import CodeInfo, decode_run, encode_run
from ledgit.records.table import Line, parse_line
from ledgit.store.chain import RUN_FOLDER, read_entry, run_commits, run_ref
from ledgit.store.lines import run_line
from ledgit.store.packs import note_pack

if TYPE_CHECKING:
    from ledgit.git import Commit, Objects, ObjectSet, Repo, TreeEntry
    from ledgit.records import RunState
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["Rewritten", "find_map", "follow_rewrite", "read_map"]

Map = Mapping[str, "str | None"]
"""Old id → new id; None where the commit was dropped."""

_NOTHING = "0" * 40
_HEX = frozenset("0123456789abcdef")
_PAGE = 1000
_SHORT = 16


@dataclass(slots=True)
class Rewritten:
    """What :func:`follow_rewrite` did.

    Attributes:
        runs: (run id, its old heads, its new ones) of each run that points to new commits now.
        failed: Run id → why it still points to the old ones.
        changed: Runs with uncommitted changes, whose own versions of files were kept: what the
            rewrite was to remove may still be in them.
    """

    runs: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)


def find_map(repo: Repo) -> str:
    """Return the path of the list that the last rewrite left.

    Raises:
        UsageError: There is none; name it.
    """
    places = [os.path.join(repo.common_dir, "filter-repo", "commit-map")]
    report = (repo.common_dir if repo.bare else os.path.dirname(repo.common_dir)) + ".bfg-report"
    for folder, _, names in os.walk(report):
        places += [os.path.join(folder, name) for name in names if name == "object-id-map.old-new.txt"]
    found = [path for path in places if os.path.isfile(path)]
    if not found:
        raise UsageError(
            "there is no list of rewritten commits; 'git filter-repo' leaves .git/filter-repo/commit-map, BFG"
            " object-id-map.old-new.txt: name the file"
        )
    return max(found, key=os.path.getmtime)


def read_map(path: str) -> dict[str, str | None]:
    """Read a list of ``old new`` lines; a new id of zeros says that the commit is gone.

    Raises:
        UsageError: The file is no such list.
        StorageError: It can't be read.
    """
    found: dict[str, str | None] = {}
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for number, line in enumerate(file):
                words = line.split()
                if not words or words == ["old", "new"]:
                    continue
                if len(words) != 2 or not all(len(word) == 40 and _HEX.issuperset(word) for word in words):
                    raise UsageError(f"{path}, line {number + 1}, is not 'OLD NEW' with two commit ids")
                old, new = words
                if old != new:
                    found[old] = None if new == _NOTHING else new
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return found


def follow_rewrite(repo: Repo, folder: Folder, index: Index, mapping: Map) -> Rewritten:
    """Make every run point to the new commits, and put the new lines where the old ones are.

    The old commits stay in the history of the ledger until that begins anew.

    Raises:
        Conflict: Another process is working on the ledger.
        StorageError: The disk is full or failing.
    """
    from ledgit.git import Objects, ObjectSet

    objects, fresh, done = Objects.of(repo), ObjectSet(), Rewritten()
    lines: list[Line] = []
    for state in _affected(index, mapping):
        try:
            work = _Work(objects, fresh, state, mapping)
            new = [work.again(head) for head in state.heads]
        except LedgitError as error:
            done.failed[state.id] = str(error)
            continue
        done.runs.append((state.id, state.heads, tuple(line.head for line in new)))
        lines += new
        if work.kept_changes:
            done.changed.append(state.id)
    objects.rest()
    if done.runs:
        _store(repo, folder, objects, fresh, done, lines)
    return done


def _affected(index: Index, mapping: Map) -> Iterator[RunState]:
    from ledgit.query import Query

    index.refresh()
    token = ""
    while True:
        page = index.search(Query(view="all", limit=_PAGE, page_token=token))
        for state in page.runs:
            if state.heads and (state.code.commit in mapping or any(head in mapping for head in state.heads)):
                yield state
        if page.next_token is None:
            return
        token = page.next_token


class _Work:
    """One run, made again."""

    def __init__(self, objects: Objects, fresh: ObjectSet, state: RunState, mapping: Map) -> None:
        self.objects, self.fresh, self.state, self.map = objects, fresh, state, mapping
        self.old_of = {new: old for old, new in mapping.items() if new is not None}
        self.new: dict[str, str] = {}  # an old commit of the run, or what the tool made of it → ours
        self.made: dict[str, tuple[CodeInfo, str]] = {}  # ours → its code and tree
        self.kept_changes = False

    def here(self, oid: str) -> str:
        """Return what the commit *oid* is now: the tool may have rewritten the run's own commits, too."""
        new = self.map.get(oid, oid)
        if new is None:
            raise NotFound(oid)
        return oid if new != oid and not self.objects.exists(new) else new

    def again(self, head: str) -> Line:
        """Make the run's commits from *head* down again, and one on top; return the line of that one."""
        start = self.here(head)
        chain = run_commits(self.objects, [start], self.state.id)
        if not chain or chain[0].oid != start:
            raise NotFound(head)
        for commit in reversed(chain):
            if commit.oid not in self.new:
                self.new[commit.oid] = self._commit(commit)
        return self._top(head, chain)

    def _commit(self, commit: Commit) -> str:
        from ledgit.git import FILE, edit_tree, graft, users_dvc_files

        entry = read_entry(self.objects, commit.oid)
        info = decode_run(self._file(commit, "run.yaml"))
        code_tree = self._code(commit, info.code)
        code = self._code_info(info.code, code_tree)
        run = self.objects.find(commit.oid, RUN_FOLDER)
        assert run is not None
        tree = graft(self.objects, self.fresh, code_tree, RUN_FOLDER, run.oid)
        entry = replace(entry, head="", raw=b"", code=_ref(entry, code), past=self._past(entry.past))
        files = {"run.yaml": encode_run(replace(info, code=code)), "entry.json": run_line(self.objects, None, entry)}
        changes = {f"{RUN_FOLDER}/{name}": (FILE, self.fresh.blob(data)) for name, data in files.items()}
        for path in users_dvc_files(self.objects, commit.oid):  # Ledgit's own stay with the run
            own = self.objects.find(commit.oid, path)
            if own is not None:
                changes[path] = (own.mode, own.oid)
        tree = edit_tree(self.objects, self.fresh, tree, changes)
        parents = self._parents(commit)
        oid = self.fresh.commit(tree, parents, commit.author, commit.committer, commit.message)
        self.made[oid] = code, tree
        return oid

    def _parents(self, commit: Commit) -> list[str]:
        found = []
        for parent in commit.parents:
            new = self.new.get(parent) or self.map.get(parent, parent)
            if new is not None:
                found.append(new)
        return found

    def _past(self, past: tuple[str, ...]) -> tuple[str, ...]:
        """Return the commits below one as they are now; those that are not here by their old ids."""
        known = {oid[:_SHORT]: new for oid, new in self.new.items()}
        known |= {self.old_of[oid][:_SHORT]: new for oid, new in self.new.items() if oid in self.old_of}
        return tuple(known.get(oid[:_SHORT], oid) for oid in past)

    def _top(self, head: str, chain: list[Commit]) -> Line:
        """Make the commit whose line says that all the old ones are below it."""
        from ledgit.git import FILE, edit_tree

        entry = read_entry(self.objects, chain[0].oid)
        below = self.new[chain[0].oid]
        code, tree = self.made[below]
        old = [oid for commit in reversed(chain) for oid in (self.old_of.get(commit.oid), commit.oid) if oid]
        mine = [self.new[commit.oid] for commit in reversed(chain)]
        past = dict.fromkeys([*mine, *old, *(oid for oid in entry.past if oid not in self.new), head])
        entry = replace(entry, head="", raw=b"", code=_ref(entry, code), past=tuple(past))
        line = run_line(self.objects, None, entry)
        top = edit_tree(self.objects, self.fresh, tree, {f"{RUN_FOLDER}/entry.json": (FILE, self.fresh.blob(line))})
        told = f"code {(self.state.code.commit or '-')[:12]} is {(code.commit or 'gone')[:12]} now"
        message = f"follow a rewrite: {entry.name}\n\n{told}\n\nLedgit-Run: {self.state.id}\n"
        name, address, seconds, _ = chain[0].committer
        who = (name, address, max(int(time.time()), seconds), "+0000")
        return parse_line(with_head(line, self.fresh.commit(top, [below], who, who, message)))

    def _file(self, commit: Commit, name: str) -> bytes:
        found = self.objects.find(commit.oid, f"{RUN_FOLDER}/{name}")
        if found is None:
            raise NotFound(f"{commit.oid}:{RUN_FOLDER}/{name}")
        return self.objects.read(found.oid)[1]

    # ------------------------------------------------------------------ code

    def _code(self, commit: Commit, code: CodeInfo) -> str:
        """Return the tree of the code as it is now, without the run's files."""
        from ledgit.git import code_tree_without_run

        mine = code_tree_without_run(self.objects, self.fresh, commit.oid)
        if commit.oid in self.old_of or code.commit is None:
            return mine  # by the tool itself
        new = self.map.get(code.commit, code.commit)
        new_tree = self.objects.commit(new).tree if new is not None else None
        try:
            old_tree = self.objects.commit(code.commit).tree
        except NotFound:
            if not code.dirty and new_tree is not None:
                return new_tree
            self.kept_changes = True
            return mine
        return self._merge(old_tree, new_tree, mine)

    def _merge(self, old: str | None, new: str | None, mine: str) -> str:
        """Return *mine* with what is as in *old* replaced by what *new* has: what was changed by hand stays."""
        before, after, entries = self._entries(old), self._entries(new), self._entries(mine)
        found: list[TreeEntry] = []
        for name in {**entries, **after}:
            one, other, own = before.get(name), after.get(name), entries.get(name)
            if own == one:
                chosen = other
            elif own is None or own == other:
                chosen = own
            else:
                chosen = self._changed(one, other, own)
            if chosen is not None:
                found.append(chosen)
        return self.fresh.tree(found)

    def _changed(self, old: TreeEntry | None, new: TreeEntry | None, mine: TreeEntry) -> TreeEntry | None:
        from ledgit.git import TREE, TreeEntry

        replaced = self.map.get(mine.oid, mine.oid)  # BFG lists files and folders, too
        if replaced != mine.oid and replaced is not None:
            return TreeEntry(mine.name, mine.mode, replaced)
        if mine.mode != TREE:
            self.kept_changes = True
            return mine
        below = [entry.oid if entry is not None and entry.mode == TREE else None for entry in (old, new)]
        return TreeEntry(mine.name, TREE, self._merge(below[0], below[1], mine.oid))

    def _entries(self, tree: str | None) -> dict[str, TreeEntry]:
        from ledgit.git import parse_tree

        if tree is None:
            return {}
        stored = self.fresh.get(tree)
        entries = parse_tree(stored[1], tree) if stored is not None else self.objects.tree(tree)
        return {entry.name: entry for entry in entries}

    def _code_info(self, code: CodeInfo, tree: str) -> CodeInfo:
        """Return what the run says of its code, which is *tree* now; a patch-id is found out again when asked for."""
        commit = None if code.commit is None else self.map.get(code.commit, code.commit)
        subtrees = {path: self._at(tree, path) for path in code.subtrees}
        return replace(
            code,
            commit=commit,
            tree=tree if code.tree is not None else None,
            patch_id=None,
            subtrees={path: oid for path, oid in subtrees.items() if oid is not None},
        )

    def _at(self, tree: str, path: str) -> str | None:
        found: str | None = tree
        for name in path.strip("/").split("/"):
            entry = self._entries(found).get(name)
            found = None if entry is None else entry.oid
            if entry is None:
                return None
        return found


def _ref(entry: Entry, code: CodeInfo) -> CodeRef:
    return replace(entry.code, commit=code.commit, tree=code.tree, patch_id=code.patch_id, subtrees=dict(code.subtrees))


def _store(repo: Repo, folder: Folder, objects: Objects, fresh: ObjectSet, done: Rewritten, lines: list[Line]) -> None:
    """Move loose runs' refs; put the others' lines into the clone's ledger."""
    from ledgit.git import ObjectSet, RefUpdate, identity, list_refs, update_refs
    from ledgit.store.ledger import LedgerLock, add_lines, commit_ledger, local_ledger, move_ledger, note_owed, noted
    from ledgit.store.ledger.loose import RUNS

    with LedgerLock(folder):
        tip = local_ledger(repo)
        if tip is not None:  # its history has the old commits, and no tombstone tells
            note_owed(folder, "runs point to rewritten commits", noted(folder).tags)
        refs = list_refs(repo, RUNS)
        loose = {run: new[0] for run, old, new in done.runs if len(old) == 1 and refs.get(run_ref(run)) == old[0]}
        tree = None if tip is None else objects.commit(tip).tree
        union = add_lines(objects, fresh, tree, [line for line in lines if line.id not in loose])
        new = tip
        if union.added:
            new = commit_ledger(
                objects,
                fresh,
                union.tree,
                tip,
                [line.head for line in union.added],
                who=identity(repo),
                when=int(time.time()),
                subject=f"Follow a rewrite of {len(union.added)} runs",
            )
        updates = [RefUpdate(run_ref(run), head, refs[run_ref(run)]) for run, head in loose.items()]
        # One with several heads is in the ledger whole.
        rest = [run_ref(run) for run, _, _ in done.runs if run not in loose]
        updates += [RefUpdate(ref, None, refs[ref]) for ref in rest if ref in refs]
        pack = fresh.write(repo, keep=True)
        try:
            if new is not None:
                move_ledger(repo, folder, ObjectSet(), new, tip)
            update_refs(repo, updates)
        finally:
            pack.release()
    note_pack(repo, folder, os.path.basename(pack.path))
