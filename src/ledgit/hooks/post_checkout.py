"""After a branch was checked out: which runs it has. Opt-in, for it says something each time."""

from __future__ import annotations

from ledgit.hooks.belonging import has_runs, one_line, open_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]


def run(call: Call) -> int:
    """Say it with ``ledgit.hints``; a checkout of single files (flag 0) is none of a branch."""
    repo = call.repo
    if call.words[2:3] != ["1"] or repo.operation or not has_runs(repo):
        return 0
    if not repo.config().get_bool("ledgit.hints", False):
        return 0
    from ledgit.git import run_git

    tree = run_git(repo, "rev-parse", "HEAD^{tree}").decode("ascii").strip()
    runs = list(open_quietly(repo).runs.filter(f"code.tree = '{tree}'").limit(50))
    if runs:
        call.say(f"ledgit: this code was run: {one_line(runs)}")
    return 0
