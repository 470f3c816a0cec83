"""A process that pushes when it is told to, and can be killed at a named point: ``python pusher.py CLONE [POINT]``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.ledger import local
from ledgit.store.sync import PullOptions, PushOptions, find_remote
from ledgit.store.sync.line import Line
from ledgit.store.sync.pull import pull
from ledgit.store.sync.push import push

#: Before and after each of these a process may die.
STEPS = ("fetch", "accept", "push", "track", "adopt")
#: The durable steps inside of `adopt`.
CHECKPOINTS = ("pack", "ledger", "noted", "loose")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Let the process die at *point*: ``before push``, ``after track``, ``at ledger``."""
    when, name = point.split(" ")
    if when == "at":
        local.checkpoint = lambda reached: kill() if reached == name else None
        return
    original: Callable[..., Any] = getattr(Line, name)

    def wrapped(*args: Any, **words: Any) -> Any:
        if when == "before":
            kill()
        result = original(*args, **words)
        kill()
        return result

    setattr(Line, name, wrapped)


def main(verb: str, path: str, point: str = "") -> None:
    repo = Repo.discover(path)
    folder, remote = Folder.of(repo), find_remote(repo)
    if point:
        arm(point)
    print("ready", flush=True)
    sys.stdin.readline()
    if verb == "pull":
        pull(repo, folder, remote, PullOptions())
        return
    losses = 1 if os.environ.get("CI") else 3
    done = push(repo, folder, remote, PushOptions(policy="all", losses=losses))
    print(json.dumps({"new": done.sent.new, "inbox": done.inbox, "attempts": done.attempts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
