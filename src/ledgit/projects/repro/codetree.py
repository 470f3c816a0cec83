"""The code of a run as a tree that a work folder can be made of, wherever the run came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, NotHere, RevisionNotFound, RunStateError

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.git.pack import Pack
    from ledgit.projects.repro.recipe import Recipe

__all__ = ["CodeTree", "code_tree", "tree_at"]


@dataclass(slots=True)
class CodeTree:
    """A tree that is in the user's repository.

    Attributes:
        tree: Its id.
        commit: The commit that it stands on; None where that is not in this clone, or there is none.
        whole: Whether it is exactly what ran: a run without a snapshot has its commit alone.
        packs: Objects written for it, kept from ``git gc`` until :meth:`release`.
    """

    tree: str
    commit: str | None
    whole: bool = True
    packs: list[Pack] = field(default_factory=list)

    def release(self) -> None:
        """Let go of the objects: what runs need of them their commits have."""
        while self.packs:
            self.packs.pop().release()


def code_tree(repo: Repo, recipe: Recipe) -> CodeTree:
    """Bring the code of a run into *repo*: the run's tree without what Ledgit put into it.

    The run's commit may be one that was fetched beside the clone; the user's clone never becomes shallow by us.

    Raises:
        NotHere: The run's commit, or its code's, is not in this clone.
        RunStateError: It recorded no code.
    """
    from ledgit.git import Objects, ObjectSet, code_tree_without_run
    from ledgit.git.copying import copy_objects, lacking

    objects, own = Objects(repo), Objects(repo, own=True)
    commit = recipe.commit if recipe.commit is not None and own.exists(recipe.commit) else None
    head = recipe.head
    if recipe.tree is None:
        if commit is None:
            what = f"commit {(recipe.commit or '')[:12]}, which run {recipe.name} was made from,"
            raise NotHere(
                what,
                reason="the run has no snapshot of its code; 'git fetch' may bring it, --code REV names another",
            )
        return CodeTree(objects.commit(commit).tree, commit, whole=False)
    if head is None or not objects.exists(head):
        raise NotHere(f"the commit of run {recipe.name}", recipe.run_id[:8])
    _refuse_without_code(repo, recipe, head)
    fresh = ObjectSet()
    tree = code_tree_without_run(objects, fresh, head)
    found = CodeTree(tree, commit)
    try:
        if not own.exists(head):
            here = own.commit(commit).tree if commit else None
            needed = dict.fromkeys(lacking(objects, fresh, here, tree))
            found.packs.append(copy_objects(objects, repo, [oid for oid in needed if oid not in fresh]))
        found.packs.append(fresh.write(repo, keep=True, durable=False))
    except BaseException:
        found.release()
        raise
    return found


def _refuse_without_code(repo: Repo, recipe: Recipe, head: str) -> None:
    from ledgit.store.checkout import needs_code

    try:
        needs_code(repo, recipe.name, head)
    except RunStateError as error:
        raise RunStateError(f"{error}; --code REV names the code to run") from None


def tree_at(repo: Repo, rev: str) -> CodeTree:
    """Return the tree of the revision *rev*.

    Raises:
        RevisionNotFound: There is no such commit.
        NotHere: Its files are not in this clone.
    """
    from ledgit.git import Objects, try_git

    code, out, _ = try_git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    commit = out.decode("ascii", "replace").strip()
    if code != 0 or not commit:
        raise RevisionNotFound(rev)
    try:
        return CodeTree(Objects(repo).commit(commit).tree, commit)
    except LedgitError as error:
        raise NotHere(f"the code of {rev}", reason=str(error)) from error
