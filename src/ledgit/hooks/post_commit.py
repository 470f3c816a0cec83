"""After a commit: which runs were made from exactly its files. Train, like it, commit: then it says so."""

from __future__ import annotations

from ledgit.hooks.belonging import has_runs, nothing_new, one_line, open_quietly, runs_of_commit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]


def run(call: Call) -> int:
    """Say it, and with ``ledgit.notes`` also write it into ``refs/notes/ledgit``."""
    repo = call.repo
    # Git calls this for each commit that a rebase, cherry-pick or revert makes again.
    if repo.operation or not has_runs(repo) or nothing_new(repo, "post-commit"):
        return 0
    from ledgit.git import run_git

    line = run_git(repo, "log", "-1", "--format=%H %T %P", "--no-show-signature").decode("ascii").split()
    head, tree, parents = line[0], line[1], line[2:]
    runs = runs_of_commit(open_quietly(repo), head, tree, parents[0] if len(parents) == 1 else None)
    if not runs:
        return 0
    said = one_line(runs)
    call.say(f"ledgit: this code was run: {said}")
    if repo.config().get_bool("ledgit.notes", False):
        from ledgit.hooks.notes import add_note

        add_note(repo, head, [f"ledgit: {one_line([one], 200)}" for one in runs])
    return 0
