"""Which run belongs to which commit.

A run remembers the commit and trees it ran with. Rebasing, amending and squash-merging replace
that commit, so a run belongs to a commit of a branch by the first of these that holds: it is
the same commit; it has the same tree; the declared code paths have the same subtrees; the
changes since the branch left its base are the same (patch-id). Looked up when read: nothing is
rewritten, and which one held is part of the answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from ledgit.errors import GitFailed, NotFound
from ledgit.git.command import run_git, start_git, try_git
from ledgit.git.refs import read_ref
from ledgit.git.repo import Repo

__all__ = [
    "Branch",
    "CodeFacts",
    "Link",
    "base_ref",
    "code_patch_ids",
    "find_base",
    "merge_base",
    "patch_id",
    "reachable",
    "resolve_links",
]

K = TypeVar("K")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_DIFF = (
    "diff-tree",
    "-p",
    "-r",
    "-U3",
    "--full-index",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-color",
    "--ignore-submodules=none",
)
_CODE_ONLY = ("--", ".", ":(exclude).ledgit/run")
_CHUNK = 100  # requests a process gets at once: less than a pipe holds, so nobody waits for ever


class CodeFacts(NamedTuple):
    """What a run knows about its code; the fields of :class:`ledgit.git.Snapshot`.

    Attributes:
        commit: The commit that was checked out.
        tree: The work tree's tree.
        subtrees: Declared code path → tree id.
        patch_id: Of the changes between the merge base and *tree*.
    """

    commit: str | None = None
    tree: str | None = None
    subtrees: Mapping[str, str] = {}
    patch_id: str | None = None


class Link(NamedTuple):
    """The commit a run belongs to, and what they have in common."""

    commit: str
    by: Literal["commit", "tree", "subtree", "patch-id"]


class _CommitTree(NamedTuple):
    commit: str
    tree: str


def reachable(repo: Repo, rev: str) -> set[str]:
    """Return the ids of the commits that *rev* (a revision, or a range ``A..B``) contains.

    Raises:
        NotFound: There is no such revision.
    """
    return {row.commit for row in _history(repo, rev)}


def merge_base(repo: Repo, one: str, other: str) -> str | None:
    """Return the commit where two histories part, or ``None`` when they have nothing in common."""
    code, out, _ = try_git(repo, "merge-base", "--end-of-options", one, other)
    return out.decode("ascii").split("\n")[0] if code == 0 else None


def base_ref(repo: Repo) -> tuple[str, str] | None:
    """Return (full name, commit) of the branch that others start from: the remote's default, else main or master.

    Read from Git's files, without a process: a run's start asks for it.
    """
    names = ["refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/main", "refs/heads/master"]
    try:
        with open(os.path.join(repo.common_dir, "refs/remotes/origin/HEAD"), "rb") as file:
            target = file.read(4096).strip().decode("utf-8", "surrogateescape")
    except OSError:
        target = ""
    if target.startswith("ref: refs/remotes/origin/") and ".." not in target:
        names.insert(0, target.removeprefix("ref: "))
    for name in names:
        commit = read_ref(repo, name)
        if commit is not None:
            return name, commit
    return None


def find_base(repo: Repo) -> str | None:
    """Return the commit of the branch that others start from; see :func:`base_ref`."""
    found = base_ref(repo)
    return None if found is None else found[1]


def patch_id(repo: Repo, base: str | None, tree: str) -> str | None:
    """Return an id of the change from *base* to *tree* that doesn't depend on where it is made.

    Args:
        repo: Where both are.
        base: A commit or tree; ``None`` for the empty tree.
        tree: A commit or tree. Run files in it don't count.

    Returns:
        40 hex digits, or ``None`` when nothing differs.

    Raises:
        GitFailed: One of them isn't here.
    """
    found = _patch_ids(repo, [], (base or EMPTY_TREE, tree))
    return found[0][0] if found else None


def code_patch_ids(repo: Repo, codes: Iterable[tuple[str, str]], base: str | None) -> dict[tuple[str, str], str | None]:
    """Return the cumulative patch-id of each (commit, tree), as a run started there would have recorded it.

    Args:
        repo: Where.
        codes: A commit that was checked out, and the tree of the files as they were.
        base: Where branches start from: a commit, such as :func:`find_base` returns.

    Returns:
        By (commit, tree): the patch-id, None where nothing was changed. Those are missing of which
        not all is in this clone.
    """
    wanted = list(dict.fromkeys(codes))
    here = _present(repo, {oid for code in wanted for oid in code})
    by_start: dict[str, list[tuple[str, str]]] = {}
    starts: dict[str, str | None] = {}
    for commit, tree in wanted:
        if commit not in here or tree not in here:
            continue
        if commit not in starts:
            starts[commit] = _start(repo, commit, base)
        start = starts[commit]
        if start is not None:
            by_start.setdefault(start, []).append((commit, tree))
    found: dict[tuple[str, str], str | None] = {}
    for start, own in by_start.items():
        start_tree = _tree_id(repo, start)
        trees = {tree for _, tree in own if tree != start_tree}
        try:
            rows = _patch_ids(repo, [f"{tree} {start_tree}" for tree in sorted(trees)])
        except GitFailed:
            continue  # a file's content is not in this clone
        patches = {tree: patch for patch, tree in rows}
        found |= {(commit, tree): patches.get(tree) for commit, tree in own}
    return found


class Branch:
    """What runs are recognised by in one history; each part is read when it is first needed.

    Args:
        repo: Where.
        rev: A revision or a range ``A..B``.
        base: Where *rev*'s branch started from, for cumulative patch-ids; default: :func:`find_base`.
        limit: How many of the newest commits are compared by subtree and by patch-id, which
            costs a look at each (0.1-1 ms).
        patches: :attr:`patches` from an earlier look at the same history.
    """

    def __init__(
        self,
        repo: Repo,
        rev: str,
        *,
        base: str | None = None,
        limit: int = 1000,
        patches: Mapping[str, str] | None = None,
    ) -> None:
        self._repo, self._rev, self._base, self._limit = repo, rev, base, limit
        self._rows: list[_CommitTree] | None = None
        self._patches = patches
        self._whole = True

    @property
    def patches(self) -> Mapping[str, str]:
        """Patch-id → commit; of a partial clone, where files would have to be fetched, none."""
        if self._patches is None:
            try:
                self._patches = _changes(self._repo, self._history()[: self._limit], self._base)
            except GitFailed:
                self._patches, self._whole = {}, False
        return self._patches

    @property
    def read_patches(self) -> bool:
        """Whether :attr:`patches` is known whole."""
        return self._patches is not None and self._whole

    def links(self, wanted: Mapping[K, CodeFacts]) -> dict[K, Link]:
        """Say which commit each run belongs to; see :func:`resolve_links`."""
        history = self._history()
        commits = {row.commit for row in history}
        trees = {row.tree: row.commit for row in history}  # newest first: the oldest stays
        links: dict[K, Link] = {}
        for run, facts in wanted.items():
            if facts.commit in commits:
                assert facts.commit is not None
                links[run] = Link(facts.commit, "commit")
            elif facts.tree in trees and facts.tree != EMPTY_TREE:
                assert facts.tree is not None
                links[run] = Link(trees[facts.tree], "tree")
        by_subtree = {run: facts for run, facts in wanted.items() if run not in links and facts.subtrees}
        if by_subtree:
            links |= _by_subtree(self._repo, history[: self._limit], by_subtree)
        by_patch = {run: facts.patch_id for run, facts in wanted.items() if run not in links and facts.patch_id}
        for run, patch in by_patch.items():
            if patch in self.patches:
                links[run] = Link(self.patches[patch], "patch-id")
        return links

    def _history(self) -> list[_CommitTree]:
        if self._rows is None:
            self._rows = _history(self._repo, self._rev)
        return self._rows


def resolve_links(
    repo: Repo, rev: str, wanted: Mapping[K, CodeFacts], *, base: str | None = None, limit: int = 1000
) -> dict[K, Link]:
    """Say which commit of *rev* each run belongs to.

    Args:
        repo: Where.
        rev: A revision or a range ``A..B``.
        wanted: Run id → what it knows about its code.
        base: As for :class:`Branch`.
        limit: As for :class:`Branch`.

    Returns:
        Run id → link, for the runs that belong. Of several commits that match, the oldest:
        the one that brought the code in.

    Raises:
        NotFound: There is no such revision.
    """
    return Branch(repo, rev, base=base, limit=limit).links(wanted)


def _start(repo: Repo, commit: str, base: str | None) -> str | None:
    """Return where *commit*'s changes begin; None if that part of the history is not in this clone."""
    if base is None:
        return EMPTY_TREE
    code, out, _ = try_git(repo, "merge-base", "--end-of-options", commit, base)
    if code == 0:
        return out.decode("ascii").split("\n")[0]
    return EMPTY_TREE if code == 1 else None


def _present(repo: Repo, oids: Iterable[str]) -> set[str]:
    """Return those of *oids* that are in this clone."""
    data = "".join(f"{oid}\n" for oid in sorted(oids)).encode("ascii", "replace")
    if not data:
        return set()
    out = run_git(repo, "cat-file", "--batch-check=%(objectname)", stdin=data)
    return {line for line in out.decode("ascii", "replace").splitlines() if " " not in line}


def _tree_id(repo: Repo, oid: str) -> str:
    if oid == EMPTY_TREE:
        return oid
    return run_git(repo, "rev-parse", f"{oid}^{{tree}}").decode("ascii").strip()


def _history(repo: Repo, rev: str) -> list[_CommitTree]:
    """The commits of *rev* with their trees, newest first."""
    args = ("log", "--format=%H %T", "--no-show-signature", "--no-color", "--topo-order", "--end-of-options", rev, "--")
    try:
        out = run_git(repo, *args)
    except GitFailed as err:
        if "unknown revision" in err.stderr or "bad revision" in err.stderr or "ambiguous" in err.stderr:
            raise NotFound(rev) from err
        raise
    return [_CommitTree(line[:40], line[41:81]) for line in out.decode("ascii").splitlines()]


def _by_subtree(repo: Repo, history: Sequence[_CommitTree], wanted: Mapping[K, CodeFacts]) -> dict[K, Link]:
    paths = sorted({path for facts in wanted.values() for path in facts.subtrees if "\n" not in path})
    request = "".join(f"{row.tree}:{path.strip('/')}\n" for row in history for path in paths)
    data = request.encode("utf-8", "surrogateescape")
    lines = iter(
        run_git(repo, "cat-file", "--batch-check=%(objectname)", stdin=data).decode("utf-8", "replace").splitlines()
    )
    have = [(row, {path: next(lines, "") for path in paths}) for row in history]
    links: dict[K, Link] = {}
    for run, facts in wanted.items():
        for row, subtrees in reversed(have):
            if all(subtrees.get(path) == oid for path, oid in facts.subtrees.items()):
                links[run] = Link(row.commit, "subtree")
                break
    return links


def _changes(repo: Repo, newest: Sequence[_CommitTree], base: str | None) -> dict[str, str]:
    """Patch-id → commit: of each commit by itself (a squash merge), and of all since the base (a rebase)."""
    # Newest first: of several commits with the same patch the oldest stays.
    found = dict(_patch_ids(repo, [row.commit for row in newest]))
    base = base or find_base(repo)
    start = merge_base(repo, newest[0].commit, base) if base and newest else None
    if start is not None:
        known = set(newest)
        since = [row for row in _history(repo, f"{start}..{newest[0].commit}") if row in known]
        start_tree = _tree_id(repo, start)
        by_tree = {row.tree: row.commit for row in since}
        # Asked for backwards: git patch-id names a patch by the first of the two ids.
        for patch, tree in _patch_ids(repo, [f"{row.tree} {start_tree}" for row in since]):
            found[patch] = by_tree[tree]
    return found


def _patch_ids(repo: Repo, requests: Iterable[str], pair: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """(patch-id, object) of commits (``<id>``) or of two trees (``<new> <old>``), or of one *pair* (old, new)."""
    if pair is not None:
        return _pipeline(repo, (*pair, *_CODE_ONLY), None)
    requests = list(requests)
    found: list[tuple[str, str]] = []
    backwards = ("-R", "--src-prefix=b/", "--dst-prefix=a/") if requests and " " in requests[0] else ("--root",)
    for at in range(0, len(requests), _CHUNK):
        data = "".join(f"{request}\n" for request in requests[at : at + _CHUNK]).encode("ascii")
        found += _pipeline(repo, (*backwards, "--stdin", *_CODE_ONLY), data)
    return found


def _pipeline(repo: Repo, args: tuple[str, ...], data: bytes | None) -> list[tuple[str, str]]:
    """``git diff-tree | git patch-id``, without the diff passing through Python."""
    diff = start_git(repo, *_DIFF, *args, stdin=data is not None)
    with diff:
        assert diff.stdout is not None
        assert diff.stderr is not None
        digest = start_git(repo, "patch-id", "--stable", stdin=diff.stdout)
        diff.stdout.close()
        if diff.stdin is not None:
            diff.stdin.write(data or b"")
            diff.stdin.close()
        out, err = digest.communicate()
        said = diff.stderr.read()
    if diff.returncode != 0:
        raise GitFailed(_DIFF[:1], diff.returncode, said.decode("utf-8", "replace"))
    if digest.returncode != 0:
        raise GitFailed(("patch-id",), digest.returncode, err.decode("utf-8", "replace"))
    rows = [line.split(" ") for line in out.decode("ascii").splitlines()]
    return [(row[0], row[1]) for row in rows]
