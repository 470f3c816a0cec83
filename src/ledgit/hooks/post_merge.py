"""After a merge or pull: which runs belong to what came."""

from __future__ import annotations

import os

from ledgit.hooks.belonging import has_runs, one_line, open_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]


def run(call: Call) -> int:
    """Say it, where there is anything."""
    repo = call.repo
    if not has_runs(repo):
        return 0
    from ledgit.git import read_ref

    before = read_ref(repo, "ORIG_HEAD")
    if before is None:
        return 0
    from ledgit.store import none_belongs

    if none_belongs(repo, os.path.join(repo.common_dir, "ledgit"), f"{before}..HEAD"):
        return 0
    runs = list(
        open_quietly(repo).runs.filter(f"code IN '{before}..HEAD' AND attributes.status = 'FINISHED'").limit(50)
    )
    if runs:
        call.say(f"ledgit: what was merged was run: {one_line(runs)}; 'ledgit report ORIG_HEAD..HEAD' compares")
    return 0
