"""Verbs of a repository that make versions of models and let stages stand at them: as they are, under no policy."""

from __future__ import annotations

from ledgit.errors import RunNotFound
from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.records.registry import Event, ModelVersion
    from ledgit.run import Run
    from ledgit.store.registry import RegistryState

__all__ = ["Registering"]


class Registering(Opened):
    """The registry in the repository. Who may do what is :mod:`ledgit.registry`'s to say."""

    def registered(self) -> RegistryState:
        """Return all models, versions and stages, with what is wrong with them."""
        from ledgit.store.registry import read_registry

        return read_registry(self.repo, self.folder)

    def register(
        self,
        run: Run,
        model: str,
        path: str = "",
        *,
        version: str | None = None,
        bump: str = "patch",
        reason: str = "",
        sign: bool | None = None,
    ) -> ModelVersion:
        """Make a version of *model* from what *run* logged; also from a run that is being written.

        Args:
            run: The run.
            model: The model's name; a new one begins with this version.
            path: The model's folder among the run's artifacts; "" for all of them.
            version: ``v1.2.0``; None: *bump* says.
            bump: ``major``, ``minor`` or ``patch``: what of the greatest version so far goes one up.
            reason: Why; it stays with the tag.
            sign: Whether the tag is signed; None: as Git's configuration says.

        Raises:
            InvalidName, InvalidValue: The model or the version can't be called so.
            VersionExists: The version is taken; with the next one that is free.
            ArtifactNotFound: The run has nothing at *path*.
            RunStateError: The run was purged.
            NotHere: Its commit is not in this clone.
            StorageError, GitFailed: It could not be written, or not be signed; nothing has changed.
        """
        from ledgit.store.registry import Registration, register

        state = run.state
        while True:
            wanted = Registration(model, state, path, version=version, bump=bump, reason=reason, sign=sign)
            try:
                return register(self.repo, self.folder, wanted)
            except RunNotFound:  # it was being written a moment ago, and is a commit now
                self._refresh()
                now = self.index.get(state.id)
                if now is None or now.heads == state.heads:
                    raise
                state = now

    def assign(self, version: ModelVersion, stage: str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Let *stage* (MLflow's alias) stand at *version*, and nowhere else of the same model.

        Raises:
            InvalidName: It can't be a stage's name.
            RunStateError: The version was deregistered.
            StorageError, GitFailed: As for :meth:`register`.
        """
        from ledgit.store.registry import assign

        model = self.registered().models.get(version.model)
        before = model.stages.get(stage) if model is not None else None
        previous = None if before is None else before.version
        return assign(self.repo, self.folder, version, stage, reason=reason, previous=previous, sign=sign)

    def unassign(self, model: str, stage: str, *, reason: str = "", sign: bool | None = None) -> list[Event]:
        """Let *stage* of *model* stand nowhere.

        Raises:
            ModelNotFound, VersionNotFound: There is no such model, or the stage stands nowhere.
            StorageError, GitFailed: As for :meth:`register`.
        """
        from ledgit.store.registry import unassign

        return unassign(self.repo, self.folder, self.registered().find(model), stage, reason=reason, sign=sign)

    def deregister(self, version: ModelVersion, *, reason: str = "", sign: bool | None = None) -> Event:
        """End a version; its number and name never come back.

        Raises:
            RunStateError: It was deregistered already, or a stage stands at it.
            StorageError, GitFailed: As for :meth:`register`.
        """
        from ledgit.store.registry import deregister

        return deregister(self.repo, self.folder, version, reason=reason, sign=sign)

    def deprecate(self, model: str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Say that *model* is not to be used any more, until something is done to it.

        Raises:
            ModelNotFound, VersionNotFound: There is no such model, or it has no version.
            RunStateError: It is deprecated already.
            StorageError, GitFailed: As for :meth:`register`.
        """
        from ledgit.store.registry import deprecate

        return deprecate(self.repo, self.folder, self.registered().find(model), reason=reason, sign=sign)

    def edit_model(self, model: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set what is said about a model (``description``, ``tags.<key>``, ``version.<v1.2.0>.description`` …).

        None removes a key. Edits of two clones are joined key by key.

        Raises:
            InvalidName: It can't be a model's name.
        """
        from ledgit.store.registry import edit_model

        return edit_model(self.repo, self.folder, model, values)

    def restore_tags(self) -> list[str]:
        """Make tags of the registry again that were pruned or deleted here, as far as they can come back."""
        from ledgit.store.registry import lost_tags, restore_tags

        return restore_tags(self.repo, lost_tags(self.repo, self.objects))
