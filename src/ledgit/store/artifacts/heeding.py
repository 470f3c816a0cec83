"""What a push does about the marks of somebody who sweeps the artifact remote: see :mod:`.sweeping`.

Objects that are being swept count as absent and are sent again; what a published run needs is no
candidate any more. A ledger without marks costs one look at its top folder.
"""

from __future__ import annotations

from ledgit.store.journal import now_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.store.folder import Folder

__all__ = ["Heed"]


class Heed:
    """What one push has seen of the marks.

    Attributes:
        swept: Objects that somebody may be deleting; only ever grows.
    """

    def __init__(self, repo: Repo, folder: Folder) -> None:
        self.repo, self.folder = repo, folder
        self.swept: set[str] = set()
        self._seen: str | None = None  # folder of the marks that were read

    def look(self, objects: Objects, tree: str | None) -> set[str]:
        """Read the marks in a ledger's tree; return the objects that are being swept and weren't known to be."""
        from ledgit.store.artifacts.marks import is_being_swept, marks_folder, read_marks

        seen = marks_folder(objects, tree)
        if seen is None or seen == self._seen:
            return set()
        self._seen = seen
        now = now_ms()
        new = {oid for oid, mark in read_marks(objects, tree).items() if is_being_swept(mark, now)} - self.swept
        self.swept |= new
        return new

    def without_candidates(
        self, objects: Objects, fresh: ObjectSet, tree: str, runs: Mapping[str, Iterable[str]]
    ) -> str:
        """Return the table *tree* in which no object that *runs* (id → heads) need is a candidate."""
        from ledgit.store.artifacts.marks import CANDIDATE, marks_folder, read_marks, write_marks
        from ledgit.store.artifacts.naming import objects_of

        if not runs or marks_folder(objects, tree, fresh) is None:
            return tree
        candidates = {oid for oid, mark in read_marks(objects, tree, fresh).items() if mark.state == CANDIDATE}
        if not candidates:
            return tree
        needed = candidates & objects_of(self.repo, self.folder, runs).keys()
        return write_marks(objects, fresh, tree, dict.fromkeys(needed), self.folder.clone_id)[0] if needed else tree
