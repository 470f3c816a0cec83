"""Whether a command is ``dvc repro`` (or ``dvc exp run``), and of what."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ledgit.records.values import Values

__all__ = ["Repro", "repro_of"]

# Options that another word belongs to.
_WITH_WORD = frozenset(("-n", "--name", "-S", "--set-param", "-j", "--jobs", "-m", "--message", "-C", "--copy-paths"))
_EVERYTHING = frozenset(("-P", "--all-pipelines", "-R", "--recursive", "--glob", "--downstream"))
# What runs elsewhere, or does not run.
_NOT_HERE = frozenset(("--queue", "--temp", "--dry", "-h", "--help"))


class Repro(Values):
    """What DVC is asked to reproduce.

    Attributes:
        targets: Stages and files, as they were given; none: all of the folder's ``dvc.yaml``.
        everything: All pipelines of the project.
        folder: What the command changes to first, relative to where it starts.
    """

    __slots__ = ("everything", "folder", "targets")

    def __init__(self, targets: Sequence[str] = (), everything: bool = False, folder: str = ".") -> None:
        self.targets, self.everything, self.folder = tuple(targets), everything, folder


def repro_of(command: Sequence[str]) -> Repro | None:
    """Return what *command* reproduces; None if it is none of DVC's commands that do.

    A shell's line that has ``dvc repro`` in it counts as one of everything.
    """
    words = list(command)
    for number, word in enumerate(words):
        if os.path.basename(word) == "dvc":
            return _dvc(words[number + 1 :])
        if "dvc repro" in word or "dvc exp run" in word:
            return Repro(everything=True)
    return None


def _dvc(words: list[str]) -> Repro | None:
    folder = "."
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--cd" and words:
            folder = words.pop(0)
        elif word.startswith("--cd="):
            folder = word[5:]
    if words[:1] == ["repro"]:
        words = words[1:]
    elif words[:2] == ["exp", "run"] or words[:2] == ["experiments", "run"]:
        words = words[2:]
    else:
        return None
    targets: list[str] = []
    everything = False
    while words:
        word = words.pop(0)
        if word in _NOT_HERE:
            return None
        if word in _WITH_WORD:
            del words[:1]
        elif word in _EVERYTHING:
            everything = True
        elif not word.startswith("-"):
            targets.append(word)
    return Repro(() if everything else targets, everything, folder)
