"""Verbs of a repository that clean up and check artifacts."""

from __future__ import annotations

from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledgit.run import Run
    from ledgit.store.artifacts.sweeping import SweepOptions, SweptThere
    from ledgit.store.artifacts.tidying import Tidied, TidyOptions
    from ledgit.store.artifacts.verifying import Verified, VerifyOptions

    Progress = Callable[[str, int, int | None], None]

__all__ = ["ArtifactUpkeep"]


class ArtifactUpkeep(Opened):
    """What a repository can do so that artifacts are whole, and no more than are needed."""

    def sweep_artifacts(
        self, remote: str | None = None, options: SweepOptions | None = None, progress: Progress | None = None
    ) -> SweptThere:
        """Announce objects on the artifact remote that no run needs, and delete those announced long enough.

        Args:
            remote: Whose ledger announces them: name or address; default: where runs are shared.
            options: How (``ledgit.store.artifacts.sweeping.SweepOptions``); by default nothing is changed.
            progress: Is told (what, done, total or None).

        Raises:
            ConfigError: There is no artifact remote.
            NoRemote: Runs are shared nowhere, so nobody knows what others need.
            NotHere: This clone has the list of runs alone.
            ArtifactsMissing, Conflict: Something can't be read, so nobody knows what is needed; nothing was deleted.
            RemoteError: One of the two remotes can't be used.
        """
        from ledgit.errors import ConfigError
        from ledgit.store.artifacts.setting import place_of
        from ledgit.store.artifacts.sweeping import sweep_remote
        from ledgit.store.settle import wait_settled
        from ledgit.store.sync import find_remote

        place = place_of(self.repo)
        if place is None:
            raise ConfigError("the artifact remote", "", "an address; 'ledgit artifacts remote URL' sets one")
        wait_settled(self.repo, self.folder)
        return sweep_remote(self.repo, self.folder, find_remote(self.repo, remote), place, options, progress)

    def tidy_artifacts(self, options: TidyOptions | None = None, progress: Progress | None = None) -> Tidied:
        """Remove from this clone's cache what no run of it needs, or what the artifact remote has as well.

        Args:
            options: How (``ledgit.store.artifacts.tidying.TidyOptions``); by default nothing is changed.
            progress: Is told (what, done, total or None).

        Raises:
            ArtifactsMissing, Conflict, NotHere: Something can't be read, so nobody knows what is needed.
            RemoteError: The artifact remote can't be asked.
        """
        from ledgit.store.artifacts.tidying import tidy_cache
        from ledgit.store.settle import wait_settled

        wait_settled(self.repo, self.folder)
        return tidy_cache(self.repo, self.folder, options, progress)

    def verify(
        self, runs: Sequence[Run], options: VerifyOptions | None = None, progress: Progress | None = None
    ) -> Verified:
        """Hash every byte of *runs* again: what is in Git, in the cache and, if asked for, on the artifact remote.

        Args:
            runs: Finished runs.
            options: How (``ledgit.store.artifacts.verifying.VerifyOptions``).
            progress: Is told (what, done, total or None); counts bytes.

        Raises:
            RemoteError, MissingDependency: The artifact remote can't be used.
        """
        from ledgit.store.artifacts.verifying import verify_runs

        heads = {run.id: run.heads for run in runs}
        return verify_runs(self.repo, self.folder, heads, options, progress)

    def owed_artifacts(self) -> dict[str, int]:
        """Return the runs whose artifacts were sent while somebody deleted them: id → when to look again (ms)."""
        from ledgit.store.artifacts.owed import owed_again

        return {run_id: when for run_id, (_, when) in owed_again(self.folder).items()}
