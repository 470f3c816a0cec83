"""Before a push: the runs of what is pushed are shared, too; in the background, after the push itself.

The runs travel in a push of their own, so that they can neither hold up nor fail the user's. Only with
``ledgit.pushGate`` may a failing gate stop a push.
"""

from __future__ import annotations

from ledgit.hooks.belonging import has_runs, open_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.hooks.dispatch import Call

__all__ = ["run"]

_NOTHING = "0" * 40


def run(call: Call) -> int:
    """Return 1 where a gate forbids the push, else 0."""
    repo = call.repo
    heads = [
        words[1]
        for words in (line.split() for line in call.stdin.decode("utf-8", "replace").splitlines())
        if len(words) == 4 and words[2].startswith("refs/heads/") and words[1].strip("0")
    ]
    if not heads or not has_runs(repo):
        return 0
    config = repo.config()
    if config.get_bool("ledgit.pushGate", False) and not _pass(call, heads):
        return 1
    if config.get_bool("ledgit.pushRuns", True):
        from ledgit.git.background import start_quietly

        # Git waits for this hook, so the push comes after it: the process in the background waits for Git.
        where = repo.work_tree or repo.git_dir  # a remote's address may be a path from there
        remote = call.words[0] if call.words else ""
        start_quietly(repo, "ledgit.hooks.sharing", where, str(call.parent), remote)
        _tell_last(call)
    return 0


def _tell_last(call: Call) -> None:
    """Say what kept the last push in the background from sharing, once."""
    from ledgit.hooks.sharing import take_report

    said = take_report(call.repo)
    if said:
        call.say(f"ledgit: runs were not shared with the last push: {said}")


def _pass(call: Call, heads: list[str]) -> bool:
    """Whether the gates let all *heads* go; a head without runs, or a repository without gates, may."""
    from ledgit.review import parse_range, review
    from ledgit.review.settings import read_committed

    repository = open_quietly(call.repo)
    settings = read_committed(call.repo)
    if not settings.gates:
        return True
    good = True
    for head in dict.fromkeys(heads):
        found = review(repository, parse_range(repository, head, settings), settings, details=False)
        if found.head.runs and found.failed:
            good = False
            for reason in found.counts.reasons:
                call.say(f"ledgit: {reason}")
    if not good:
        call.say("ledgit: the gates of .ledgit/config.yaml forbid this; 'git push --no-verify' pushes all the same")
    return good
