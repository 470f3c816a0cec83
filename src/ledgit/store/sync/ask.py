"""The one question before code becomes public, the answers to it, and what was answered before."""

from __future__ import annotations

import json
import os
from enum import Enum

from ledgit.records.values import Values
from ledgit.store.sync.held import update_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.store.folder import Folder
    from ledgit.store.sync.remote import Remote

__all__ = [
    "ALWAYS",
    "NO",
    "ONCE",
    "ONLY_PUSHED",
    "Answer",
    "CodeCommit",
    "Question",
    "forget",
    "remember",
    "remembered",
]

_MOST_SHOWN = 10
_LONGEST_SUBJECT = 72


class Answer(Enum):
    """What may become public."""

    ALWAYS = "always"  #: code too, now and in future, at this address
    ONCE = "once"  #: code too, this time
    ONLY_PUSHED = "only-pushed"  #: runs whose code is there already, now and in future
    NO = "no"  #: nothing, this time


ALWAYS, ONCE, ONLY_PUSHED, NO = Answer.ALWAYS, Answer.ONCE, Answer.ONLY_PUSHED, Answer.NO


class CodeCommit(Values):
    """A commit of the user's that becomes public.

    Attributes:
        oid: Its id.
        subject: The first line of its message. As it was written: clean it for a terminal.
    """

    __slots__ = ("oid", "subject")

    def __init__(self, oid: str, subject: str) -> None:
        self.oid, self.subject = oid, subject


class Question(Values):
    """May code that is not on the remote become public with its runs?

    Attributes:
        remote: The remote's name.
        url: Its address, without credentials.
        runs: How many runs are about to go.
        concerned: How many of them would publish code.
        uncommitted: How many of these carry uncommitted changes.
        commits: The commits that would become public, newest first.
    """

    __slots__ = ("commits", "concerned", "remote", "runs", "uncommitted", "url")

    def __init__(
        self, *, remote: str, url: str, runs: int, concerned: int, uncommitted: int, commits: tuple[CodeCommit, ...]
    ) -> None:
        self.remote, self.url, self.runs = remote, url, runs
        self.concerned, self.uncommitted, self.commits = concerned, uncommitted, commits

    def lines(self) -> list[str]:
        """Return the question as text, without the choices."""
        which = f"{self.concerned:,} of {self.runs:,} runs have" if self.runs > 1 else "this one has"
        where = self.remote if self.remote == self.url else f"{self.remote} ({self.url})"
        told = [f"A run carries the code it ran, and {which} code that is not on {where} yet:"]
        if self.commits:
            told.append(f"  {len(self.commits)} commit{'s' * (len(self.commits) > 1)}")
            for commit in self.commits[:_MOST_SHOWN]:
                subject = commit.subject
                short = subject if len(subject) <= _LONGEST_SUBJECT else subject[: _LONGEST_SUBJECT - 1] + "…"
                told.append(f"    {commit.oid[:8]} {short}")
            if len(self.commits) > _MOST_SHOWN:
                told.append(f"    … and {len(self.commits) - _MOST_SHOWN} more")
        if self.uncommitted:
            told.append(f"  uncommitted changes in {self.uncommitted} run{'s' * (self.uncommitted > 1)}")
        told.append("Publish this code with the runs?")
        return told

    @property
    def choices(self) -> tuple[tuple[Answer, str, str], ...]:
        """The answers: what it means, the key for it, what to say beside it."""
        rest = self.runs - self.concerned
        return (
            (ONCE, "y", "yes, this time"),
            (ALWAYS, "a", f"yes, and always to {self.remote}"),
            (
                ONLY_PUSHED,
                "p",
                f"only runs whose code is there already ({f'{rest:,} now' if rest else 'none yet'}), and always so",
            ),
            (NO, "n", "no, push nothing now"),
        )


def remembered(folder: Folder, remote: Remote) -> Answer | None:
    """Return the answer that was given for this address and meant for good, if any."""
    try:
        with open(_path(folder), "rb") as file:
            document = json.loads(file.read(1 << 20))
        value = document["remotes"][_key(remote)]["answer"]
        return next(answer for answer in (ALWAYS, ONLY_PUSHED) if answer.value == value)
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None


def remember(folder: Folder, remote: Remote, answer: Answer) -> None:
    """Write down an answer that is meant for good; the others are not.

    Raises:
        StorageError: The file can't be written.
    """
    if answer in (ALWAYS, ONLY_PUSHED):
        _change(folder, remote, {"answer": answer.value, "remote": remote.shown})


def forget(folder: Folder, remote: Remote) -> None:
    """Forget the answer for this address, so that the next push asks again."""
    if os.path.exists(_path(folder)):
        _change(folder, remote, None)


def _change(folder: Folder, remote: Remote, value: dict[str, Any] | None) -> None:
    def change(document: dict[str, Any]) -> None:
        known = document.get("remotes")
        remotes = known if isinstance(known, dict) else {}
        remotes.pop(_key(remote), None)
        if value is not None:
            remotes[_key(remote)] = value
        document["remotes"] = remotes

    update_json(folder, _path(folder), change)


def _path(folder: Folder) -> str:
    return os.path.join(folder.path, "publish.json")


def _key(remote: Remote) -> str:
    """Return what stands for the address: a remote that is pointed elsewhere is asked about again."""
    from hashlib import sha256

    return sha256(remote.url.push_url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
