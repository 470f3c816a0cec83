"""Verbs of a repository that clean it up."""

from __future__ import annotations

from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledgit.store.gc import Plan, Selection, Survey, Swept
    from ledgit.store.sync.exchange import Purge

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Cleaning"]

_AT_ONCE = 1000


class Cleaning(Opened):
    """Plan, and purge. Planning changes nothing, purging can't be taken back."""

    def survey_garbage(self, *, older_than: int = 0) -> Survey:
        """Say what could go: deleted and orphaned runs, what purges left undone, caches.

        Args:
            older_than: Of deleted and orphaned runs only those that nobody touched for so many ms.
        """
        from ledgit.store.gc import survey

        return survey(self.repo, self.folder, self.index, older_than=older_than)

    def plan_purge(self, selection: Selection, directions: Mapping[str, str] | None = None) -> Plan:
        """Find out which runs *selection* would take, and what keeps the others alive.

        Args:
            selection: Which runs (``ledgit.store.gc.Selection``).
            directions: Which way metrics are better, for rules such as ``best 5 by metrics.loss``.

        Raises:
            RunNotFound: A run is not here, or has not ended yet.
            UsageError, InvalidValue, FilterError: A rule can't be followed, or a commit is none.
        """
        from ledgit.store.gc import make_plan
        from ledgit.store.settle import wait_settled

        wait_settled(self.repo, self.folder)
        return make_plan(self.repo, self.folder, self.index, selection, directions=directions)

    def purge(
        self,
        plan: Plan | None = None,
        *,
        remote: str | None = None,
        local: bool = False,
        confirm: Callable[[Purge], bool] | None = None,
        prompt: bool = False,
        progress: Progress | None = None,
    ) -> Swept:
        """Remove the runs of *plan* for good, here and on the remotes; complete what earlier purges left undone.

        Large artifacts that no other run needs go as well, from the cache and from the artifact remote.

        Args:
            plan: From :meth:`plan_purge`; None: only what is owed.
            remote: Only this one; default: all that runs were shared through.
            local: No remote now: their halves are owed until the next purge.
            confirm: Asked before runs go here that others purged; None: nobody can be asked.
            prompt: Git may ask for a password.
            progress: Is told (what, done, total or None).

        Returns:
            What was done, and what a remote did not let happen.

        Raises:
            Conflict: A run that was named is held by something else; nothing has changed.
            NotHere: This clone has the list of runs alone; nothing has changed.
            RunStateError: A run is being written; nothing has changed.
        """
        from ledgit.errors import Conflict, NotHere
        from ledgit.store.artifacts.owed import forget_purged
        from ledgit.store.artifacts.purging import note_objects, purge_objects
        from ledgit.store.gc import refusal, sweep
        from ledgit.store.settle import wait_settled
        from ledgit.store.sync import find_remote

        wait_settled(self.repo, self.folder)
        remotes = None if remote is None else [find_remote(self.repo, remote)]
        noted: set[str] = set()
        if plan is not None:
            refusal(plan)
            noted = note_objects(self.repo, self.folder, [item.run.id for item in plan.going])
        try:
            done = sweep(
                self.repo,
                self.folder,
                plan,
                remotes=[] if local else remotes,
                confirm=confirm,
                prompt=prompt,
                progress=progress,
            )
        except (Conflict, NotHere):  # nothing has changed
            forget_purged(self.folder, noted)
            raise
        self.index.close()  # its file was removed: deleted rows stay readable in one
        done.artifacts = purge_objects(
            self.repo,
            self.folder,
            remotes[0] if remotes else None,
            local=local,
            prompt=prompt,
            progress=progress,
        )
        return done

    def artifacts_to_purge(self, plan: Plan) -> dict[str, int | None]:
        """Return the large artifacts that go with the runs of *plan*, as no other run needs them: id → bytes."""
        from ledgit.store.artifacts.purging import objects_of_purged

        return objects_of_purged(self.repo, self.folder, [item.run.id for item in plan.going])

    def artifacts_owed_to_purges(self) -> set[str]:
        """Return the large artifacts of purged runs that may still be in the cache, or on the artifact remote."""
        from ledgit.store.artifacts.owed import purged_objects

        return purged_objects(self.folder)

    def delete_ids(self, ids: Sequence[str]) -> list[str]:
        """Mark the finished runs of these ids as deleted, a thousand at a time; return the ids of those that were."""
        from ledgit.query import Query
        from ledgit.store import Edit, edit_runs
        from ledgit.store.ledger import compact_if_due

        done: list[str] = []
        for at in range(0, len(ids), _AT_ONCE):
            query = Query(ids=tuple(ids[at : at + _AT_ONCE]), view="all")
            states = [state for state in self.index.search(query).runs if not state.deleted and state.heads]
            edit_runs(self.repo, self.folder, [(state.id, state.heads) for state in states], Edit(deleted=True))
            done += [state.id for state in states]
        compact_if_due(self.repo, self.folder)
        return done

    def clear_caches(self) -> dict[str, int]:
        """Remove what is made again when it is needed; return what there was → its bytes."""
        from ledgit.store.gc import clear_caches

        return clear_caches(self.repo, self.folder, self.index)
