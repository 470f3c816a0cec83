"""Which run belongs to which commit.

A run remembers the commit and trees it ran with. Rebasing, amending and squash-merging replace
that commit, so a run belongs to a commit of a branch by the first of these that holds: it is
the same commit; it has the same tree; the declared code paths have the same subtrees; the
changes since the branch left its base are the same (patch-id). Looked up when read: nothing is
rewritten, and which one held is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from ledgit.errors import GitFailed, NotFound
from ledgit.git.command import run_git, try_git
from ledgit.git.patches import EMPTY_TREE, find_base, patch_ids, tree_id
from ledgit.git.repo import Repo

__all__ = [
    "Branch",
    "CodeFacts",
    "Link",
    "merge_base",
    "reachable",
    "resolve_links",
]

K = TypeVar("K")


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
    found = dict(patch_ids(repo, [row.commit for row in newest]))
    base = base or find_base(repo)
    if base is None or not newest or base == newest[0].commit:
        return found  # nothing is since the base
    since, start_tree = _since(repo, base, newest[0].commit)
    if start_tree:
        known = set(newest)
        by_tree = {row.tree: row.commit for row in since if row in known}
        # Asked for backwards: git patch-id names a patch by the first of the two ids.
        for patch, tree in patch_ids(repo, [f"{tree} {start_tree}" for tree in by_tree]):
            found[patch] = by_tree[tree]
    return found


def _since(repo: Repo, base: str, tip: str) -> tuple[list[_CommitTree], str]:
    """Return the commits of *tip* since it left *base*, newest first, and the tree there; "" where there is none."""
    args = ("log", "--boundary", "--format=%m%H %T", "--no-show-signature", "--no-color", "--topo-order")
    lines = run_git(repo, *args, "--end-of-options", f"{base}..{tip}", "--").decode("ascii").splitlines()
    starts = [line[42:82] for line in lines if line[0] == "-"]
    if len(starts) < 2:
        return [_CommitTree(line[1:41], line[42:82]) for line in lines if line[0] == ">"], "".join(starts)
    # It was merged in between: where they parted last is not the only commit that stands below.
    start = merge_base(repo, tip, base)
    return ([], "") if start is None else (_history(repo, f"{start}..{tip}"), tree_id(repo, start))
