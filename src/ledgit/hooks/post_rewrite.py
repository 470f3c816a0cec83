"""After an amended commit or a rebase: notes go along. Runs need no help, they are found by what their code is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]


def run(call: Call) -> int:
    """Copy the notes of the commits on standard input; pre-commit hands on none of it, and then nothing is done."""
    repo = call.repo
    if not call.stdin.strip() or not repo.config().get_bool("ledgit.notes", False):
        return 0
    from ledgit.git import read_ref

    if read_ref(repo, "refs/notes/ledgit") is None:
        return 0
    from ledgit.hooks.notes import copy_notes
    from ledgit.records.shapes import is_commit_id

    pairs = []
    for line in call.stdin.decode("ascii", "replace").splitlines():
        old, _, rest = line.partition(" ")
        new = rest.split(" ")[0]
        if is_commit_id(old) and is_commit_id(new):
            pairs.append((old, new))
    copy_notes(repo, pairs)
    return 0
