"""Whether a commit is one of a run's own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git import Commit
    from ledgit.records.state import RunState
    from ledgit.repository import Repository

__all__ = ["belongs"]


def belongs(
    repository: Repository, state: RunState, commit: Commit, path: str, digest: str | None, env: Mapping[str, str]
) -> bool | None:
    """Whether *commit*, which a version was registered from, is one of the run's; None if that can't be told here.

    It is the run's commit, or below or above it in the run's chain. A version that was registered while the run was
    being written is from a checkpoint, which no chain has: then the run itself must have the very same model.

    Args:
        repository: Where.
        state: The run.
        commit: The commit.
        path: The model's path among the run's artifacts, as the version's tag says.
        digest: The digest of its files, as the tag says.
        env: Variables for git, as where objects are that a push brings.
    """
    if commit.oid == state.commit or commit.oid in state.heads:
        return True
    objects = repository.objects
    heads = [head for head in state.heads if objects.exists(head)]
    if _is_below(repository, commit.oid, heads, env):
        return True
    if not state.heads:  # it is being written here
        return None
    if not heads:
        return None
    from ledgit.store.registry import model_digest
    from ledgit.store.registry.digest import files_or_none

    for head in heads:
        files = files_or_none(objects, head, path)
        if files and model_digest(files, path) == digest:
            return True
    return False


def _is_below(repository: Repository, oid: str, heads: list[str], env: Mapping[str, str]) -> bool:
    from ledgit.git import try_git

    return any(try_git(repository.repo, "merge-base", "--is-ancestor", oid, head, env=env)[0] == 0 for head in heads)
