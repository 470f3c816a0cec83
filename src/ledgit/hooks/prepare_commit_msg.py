"""Before a commit's message is edited: a trailer for each run of exactly the files to be committed. Opt-in."""

from __future__ import annotations

from ledgit.hooks.belonging import has_runs, open_quietly, runs_of_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]

_MOST = 10


def run(call: Call) -> int:
    """Add ``Ledgit-Run: ID`` where ``ledgit.trailer`` is set; merges and squashes keep their message."""
    repo = call.repo
    source = call.words[1] if len(call.words) > 1 else ""
    if not call.words or source in ("merge", "squash") or repo.operation or not has_runs(repo):
        return 0
    if not repo.config().get_bool("ledgit.trailer", False):
        return 0
    from ledgit.git import run_git

    env = {"GIT_INDEX_FILE": call.index_file} if call.index_file else None
    tree = run_git(repo, "write-tree", env=env).decode("ascii").strip()
    runs = runs_of_tree(open_quietly(repo), tree)[:_MOST]
    if runs:
        trailers = [word for one in runs for word in ("--trailer", f"Ledgit-Run: {one.id}")]
        run_git(repo, "interpret-trailers", "--in-place", "--if-exists=addIfDifferent", *trailers, "--", call.words[0])
    return 0
