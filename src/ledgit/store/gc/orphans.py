"""Runs whose code no branch or tag has any more: what is left of work that was thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledgit.store.gc.holds import BRANCH, foreign_refs

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.gc.facts import RunFacts
    from ledgit.store.index import Index

__all__ = ["find_orphans"]

_MOST_BRANCHES = 100  # that are asked by patch-id, which takes longer than by commit
_CHUNK = 5000


def find_orphans(repo: Repo, index: Index, runs: Mapping[str, RunFacts]) -> set[str]:
    """Return the ids of the runs whose code is on no branch, tag, remote-tracking branch, stash or checkout.

    Neither by its commit nor, after a rebase or squash, by its tree or its changes. Runs without a
    code commit are none: nobody can say.
    """
    known, trees = _reachable(repo)
    left = {run.id for run in runs.values() if run.code is not None and run.code not in known and run.tree not in trees}
    if left:
        left -= _linked(repo, index, left)
    return left


def _reachable(repo: Repo) -> tuple[set[str], set[str]]:
    """Return all commits that refs of the user's reach, and their trees."""
    from ledgit.git import run_git

    tips = {ref.commit for ref in foreign_refs(repo)}
    head = run_git(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False).decode("ascii").strip()
    tips |= {head} - {""}
    if not tips:
        return set(), set()
    asked = "".join(f"{tip}\n" for tip in sorted(tips)).encode("ascii")
    out = run_git(repo, "log", "--format=%H %T", "--ignore-missing", "--stdin", stdin=asked)
    commits, trees = set(), set()
    for line in out.decode("ascii").splitlines():
        commit, _, tree = line.partition(" ")
        commits.add(commit)
        trees.add(tree)
    return commits, trees


def _linked(repo: Repo, index: Index, runs: set[str]) -> set[str]:
    """Return those of *runs* that belong to a branch by what they changed."""
    from ledgit.errors import LedgitError
    from ledgit.query import Query

    branches = [ref.tie.name for ref in foreign_refs(repo) if ref.tie.kind == BRANCH]
    ids = sorted(runs)
    found: set[str] = set()
    for branch in branches[:_MOST_BRANCHES]:
        for at in range(0, len(ids), _CHUNK):
            query = Query(branch=branch, ids=tuple(ids[at : at + _CHUNK]), view="all")
            try:
                found.update(state.id for state in index.search(query).runs)
            except LedgitError:
                break  # such as a branch deleted at this moment
    return found
