"""Which hook does what, and what none of them may do: stop Git for a fault of ours."""

from __future__ import annotations

import os

from ledgit.errors import LedgitError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledgit.git import Repo

__all__ = ["HOOKS", "REFUSED", "STOPPING", "Call", "run_hook"]

#: Name → what it is for, in a line.
HOOKS: Mapping[str, str] = {
    "pre-commit": "keeps large files, secrets and run folders out of commits",
    "prepare-commit-msg": "names the runs of exactly this code in the message (ledgit.trailer)",
    "post-commit": "says which runs were made from exactly this code",
    "post-merge": "says which runs came with what was merged",
    "post-checkout": "says which runs a branch has (ledgit.hints)",
    "post-rewrite": "takes Ledgit's notes along (ledgit.notes)",
    "pre-push": "shares the runs of what is pushed, in the background",
}
#: Those that may stop Git, by their exit code; all others end with 0 whatever happens.
STOPPING = ("pre-commit", "pre-push")
REFUSED = 12
"""Exit code of a hook that stops Git. A broken Python ends with 1, a missing one with 126 or 127: neither counts."""


class Call:
    """One call of a hook.

    Attributes:
        repo: The repository.
        words: What Git gives the hook.
        stdin: What Git tells it on standard input; b"" where that is nothing.
        index_file: The index that Git is about to commit, where that is another than usual.
        say: Shows a line to the person.
        parent: Id of the process whose end is Git's.
    """

    __slots__ = ("index_file", "parent", "repo", "say", "stdin", "words")

    def __init__(
        self,
        repo: Repo,
        words: Sequence[str],
        stdin: bytes = b"",
        index_file: str | None = None,
        say: Callable[[str], None] = lambda _line: None,
        parent: int = 0,
    ) -> None:
        self.parent = parent or os.getppid()
        self.repo, self.words, self.stdin, self.index_file, self.say = repo, list(words), stdin, index_file, say


def run_hook(name: str, call: Call) -> int:
    """Do what the hook *name* does, and return its exit code.

    Raises:
        UsageError: There is no such hook.
    """
    if name not in HOOKS:
        raise UsageError(f"there is no hook {name!r}; there are {', '.join(HOOKS)}")
    module = __import__(f"ledgit.hooks.{name.replace('-', '_')}", fromlist=["run"])
    try:
        code: int = module.run(call)
    except LedgitError as error:
        # Our own trouble is no reason to keep somebody from committing or pushing.
        call.say(f"ledgit: the hook {name} did nothing: {error}")
        return 0
    except OSError as error:
        call.say(f"ledgit: the hook {name} did nothing: {error.strerror or error}")
        return 0
    return REFUSED if code and name in STOPPING else 0
