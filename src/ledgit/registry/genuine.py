"""Whether a commit is one of a run's own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Commit
    from ledgit.records.registry_state import ModelVersion
    from ledgit.records.state import RunState
    from ledgit.repository import Repository

__all__ = ["belongs"]


def belongs(repository: Repository, state: RunState, commit: Commit, version: ModelVersion) -> bool | None:
    """Whether *commit*, which *version* was registered from, is one of the run's; None if that can't be told here.

    It is the run's commit, or below or above it in the run's chain. A version that was registered while the run was
    being written is from a checkpoint, which no chain has: then the run itself must have the very same model.
    """
    if commit.oid == state.commit or commit.oid in state.heads:
        return True
    objects = repository.objects
    heads = [head for head in state.heads if objects.exists(head)]
    if _is_below(repository, commit.oid, heads):
        return True
    if not state.heads:  # it is being written here
        return None
    if not heads:
        return None
    from ledgit.store.registry import model_digest
    from ledgit.store.registry.digest import files_or_none

    path = version.path or ""
    for head in heads:
        files = files_or_none(objects, head, path)
        if files and model_digest(files, path) == version.digest:
            return True
    return False


def _is_below(repository: Repository, oid: str, heads: list[str]) -> bool:
    from ledgit.git import try_git

    return any(try_git(repository.repo, "merge-base", "--is-ancestor", oid, head)[0] == 0 for head in heads)
