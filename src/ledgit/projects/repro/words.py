"""A recorded command line, made fit for another folder, another interpreter and another machine."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from ledgit.errors import UsageError
from ledgit.projects.repro.recipe import REDACTED, Recipe, python_script

__all__ = ["refit", "with_secrets"]

_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


def with_secrets(recipe: Recipe, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the recorded command with the values that were left out.

    Args:
        recipe: What the run recorded.
        given: Values by the names that :attr:`Recipe.redacted` has, or by the word's number from 0.

    Raises:
        UsageError: A value is missing, or a name is none of those.
    """
    words = list(recipe.command)
    left = dict(given)
    missing = []
    for one in recipe.redacted:
        value = given.get(one.name, given.get(str(one.place)))
        left.pop(one.name, None)
        left.pop(str(one.place), None)
        if value is None:
            missing.append(one.name)
        else:
            shell = one.place == 2 and words[1] == "-c" and os.path.basename(words[0]) in _SHELLS
            words[one.place] = words[one.place].replace(REDACTED, shlex.quote(value) if shell else value)
    if missing:
        asked = " ".join(f"--set {name}=VALUE" for name in missing)
        raise UsageError(
            f"run {recipe.name} was recorded without the secrets in its command"
            f" ({' '.join(recipe.command)[:200]}); give them again: {asked}"
        )
    if left:
        names = ", ".join(one.name for one in recipe.redacted) or "none"
        raise UsageError(f"--set {min(left)}: the command of run {recipe.name} lacks no such word (it lacks: {names})")
    return tuple(words)


def refit(words: Sequence[str], top: str | None, folder: str, python: str, is_file: Callable[[str], bool]) -> list[str]:
    """Return a command line for the work folder: this machine's interpreter, and no path into the user's work tree.

    Args:
        words: As recorded.
        top: The user's work tree, if there is one.
        folder: The work folder.
        python: The interpreter to use.
        is_file: Says whether a path below the top is in the run's tree.
    """
    if not words:
        return []
    script = python_script(words)
    if script is None and len(words) == 3 and words[1] == "-c" and os.path.basename(words[0]) in _SHELLS:
        return [words[0], "-c", _line(words[2], top, folder)]
    words = _anew(words)
    fitted = [words[0] if script is None else python]
    fitted += [_moved(word, top, folder, is_file) for word in words[1:]]
    if script is None:
        fitted[0] = _program(_moved(words[0], top, folder, is_file), python)
    elif script[0] not in ("", "-", "-c", "-m"):
        fitted[script[1]] = _program(fitted[script[1]], python)
    return fitted


def _anew(words: Sequence[str]) -> list[str]:
    """Return ``dvc repro`` so that it computes what it computed then: DVC remembers what came out of a stage."""
    found = list(words)
    dvc = next((place for place, word in enumerate(found[:4]) if os.path.basename(word) == "dvc"), None)
    if dvc is not None and found[dvc + 1 : dvc + 2] == ["repro"] and "--no-run-cache" not in found:
        found.insert(dvc + 2, "--no-run-cache")
    return found


def _line(line: str, top: str | None, folder: str) -> str:
    """Return a shell's line with the paths into the user's work tree leading into the work folder."""
    if top is None:
        return line
    return re.sub(rf"(?<![\w./~-]){re.escape(top)}(?=/|$|[\s'\";&|)])", lambda _: folder, line)


def _program(word: str, python: str) -> str:
    """Return a program of an environment that is not here as the same one of this environment."""
    if os.path.isabs(word) and os.path.basename(os.path.dirname(word)) in ("bin", "Scripts"):
        ours = os.path.join(os.path.dirname(python), os.path.basename(word))
        if os.path.isfile(ours):
            return ours
    return word


def _moved(word: str, top: str | None, folder: str, is_file: Callable[[str], bool]) -> str:
    """Return *word*, also behind ``--name=``, with an absolute path to the code pointing into the work folder."""
    name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if word.startswith("-") and not equals:
        return word
    return f"{name}{equals}{_path(value, top, folder, is_file)}"


def _path(value: str, top: str | None, folder: str, is_file: Callable[[str], bool]) -> str:
    if not os.path.isabs(value):
        return value
    plain = os.path.normpath(value)
    if top is not None and (plain == top or plain.startswith(top.rstrip("/") + "/")):
        inner = os.path.relpath(plain, top)
        return os.path.normpath(os.path.join(folder, inner))
    if os.path.lexists(value):
        return value
    # Another machine's work tree: the longest end of the path that is a file of the code.
    parts = plain.strip("/").split("/")
    for start in range(1, len(parts)):
        inner = "/".join(parts[start:])
        if is_file(inner):
            return os.path.join(folder, inner)
    return value
