"""The data that a run saw: put into the work folder as far as it is here, and hashed before the command runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.projects.repro.findings import DATA, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.projects.repro.recipe import Recipe
    from ledgit.records import InputRecord

__all__ = ["InputCheck", "fetch_inputs", "fetch_tracked", "input_findings"]

_MD5 = "md5"
_SHOWN = 200
#: Bytes that are fetched without being known to be needed.
MOST_UNASKED = 1 << 30


@dataclass(frozen=True, slots=True)
class InputCheck:
    """One data set that the run recorded.

    Attributes:
        name: Its name.
        wanted: Its digest, as the run recorded it.
        got: That of what is here; None where it is not here, or can't be hashed before the program reads it.
        how: Where it is, or why it is not: ends a sentence.
        differs: Whether what is here is something else, or nothing; None where that can't be told yet.
    """

    name: str
    wanted: str
    got: str | None
    how: str
    differs: bool | None

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"name": self.name, "wanted": self.wanted, "got": self.got, "how": self.how, "differs": self.differs}


def fetch_inputs(recipe: Recipe, folder: str, top: str | None = None) -> list[InputCheck]:
    """Put the data sets of *recipe* into the work folder, and compare them with what the run saw.

    What DVC tracks comes from its cache or remote; what Git ignores is copied from the user's work tree; what lies
    outside of the repository stays where it is. Data sets that were tables in memory, or come from the network, are
    compared when the program logs them again.

    Args:
        recipe: The run's.
        folder: The work folder.
        top: The user's work tree, if there is one.
    """
    return [_check(one, recipe.directory, folder, top) for one in _once(recipe.inputs)]


def fetch_tracked(folder: str, most: int = MOST_UNASKED) -> list[str]:
    """Get what DVC tracks in *folder* and is not there from DVC's remote; return what stays away, with reasons.

    Nothing says that the run needs it, so it is *most* bytes in all, the smallest first. What the run recorded as its
    inputs :func:`fetch_inputs` gets, whatever its size.
    """
    from ledgit.projects.tracked import tracked_files

    lost = []
    if not os.path.isfile(os.path.join(folder, ".dvc", "config")):
        return []
    absent = [one for one in tracked_files(folder) if not one.stage and not os.path.lexists(one.output)]
    left = most
    for tracked in sorted(absent, key=lambda one: one.size or 0):
        left -= tracked.size or 0
        if left < 0:
            name = os.path.relpath(tracked.output, folder)
            lost.append(f"{name} is not in DVC's cache, and large; 'dvc fetch {name}' gets it, if the run needs it")
        else:
            why = _pull(folder, tracked.pointer)
            if not os.path.lexists(tracked.output):
                lost.append(
                    f"{os.path.relpath(tracked.output, folder)} is neither in DVC's cache nor on its remote{why}"
                )
    return lost


def input_findings(
    checks: Iterable[InputCheck], old: Sequence[InputRecord], new: Sequence[InputRecord]
) -> list[Finding]:
    """Return which data sets are not those that the run saw.

    Args:
        checks: Of what was looked at before the command ran.
        old: What the run recorded.
        new: What its repetition recorded.
    """
    from ledgit.compare import input_facts, input_rows

    found, known = [], set()
    for check in checks:
        if check.differs:
            known |= {check.name, check.wanted, check.got}
            found.append(Finding(DATA, f"{check.name}: {check.how}"))
    for row in input_rows([input_facts(old), input_facts(new)]) if old and new else ():
        before, after = row.facts[0], row.facts[1]
        if row.verdict != "different":
            continue
        names = {fact.name for fact in (before, after) if fact is not None}
        digests = {fact.digest for fact in (before, after) if fact is not None}
        if not known.isdisjoint(names) or not known.isdisjoint(digests - {""}):
            continue
        seen = [fact.digest or "no digest" if fact is not None else "not logged" for fact in (before, after)]
        found.append(Finding(DATA, f"{' / '.join(sorted(names))}: {seen[0]} → {seen[1]}"))
    return found


def _once(inputs: Sequence[InputRecord]) -> list[InputRecord]:
    return list({(one.name, one.digest, one.source): one for one in inputs}.values())


def _check(one: InputRecord, directory: str, folder: str, top: str | None) -> InputCheck:
    from ledgit.records.inputs import kind_of_digest

    facts = _facts(one.source)
    kind = kind_of_digest(one)
    path = facts.get("path") if one.source_type == "dvc" else facts.get("uri", one.source if not facts else None)
    if one.source_type not in ("dvc", "local") or not isinstance(path, str) or not path or "://" in path:
        where = "made by the program" if one.source_type in ("", "code") else f"from {one.source_type}"
        return InputCheck(one.name, one.digest, None, f"{where}; compared when it is logged again", None)
    if one.source_type == "dvc":
        place = os.path.normpath(os.path.join(folder, path))
        if not _inside(place, folder):
            return InputCheck(one.name, one.digest, None, f"its path {path} leaves the repository", None)
        return _checked(one, place, path, kind, folder, top, str(facts.get("pointer") or ""))
    if os.path.isabs(path):
        plain = os.path.normpath(path)
        if top is None or not _inside(plain, top):
            return _outside(one, plain, kind)
        place = os.path.join(folder, os.path.relpath(plain, top))
    else:
        place = os.path.normpath(os.path.join(folder, directory, path))
        if not _inside(place, folder):  # ../data, beside the repository
            if top is None:
                return InputCheck(one.name, one.digest, None, f"{path} is outside of the repository", None)
            return _outside(one, os.path.normpath(os.path.join(top, directory, path)), kind)
    return _checked(one, place, os.path.relpath(place, folder), kind, folder, top, "")


def _checked(
    one: InputRecord, place: str, shown: str, kind: str, folder: str, top: str | None, pointer: str
) -> InputCheck:
    """Compare what is at *place* in the work folder, after an attempt to get it there."""
    wanted, why = one.digest, ""
    comparable = bool(wanted) and kind.startswith(_MD5)
    source = os.path.normpath(os.path.join(folder, pointer))
    if not os.path.lexists(place) and pointer and _inside(source, folder):
        why = _pull(folder, source)
    got = _digest(place, kind) if comparable else None
    if not _inside(os.path.realpath(os.path.dirname(place)), os.path.realpath(folder)):
        return InputCheck(one.name, wanted, None, f"{shown} leads out of the repository by a link", None)
    if top is not None and (not os.path.lexists(place) or (comparable and got != wanted)):
        users = os.path.join(top, os.path.relpath(place, folder))
        # Of a committed file that is something else, only what the run saw is better; what is not there at all
        # is better than nothing.
        if os.path.lexists(users) and (not os.path.lexists(place) or (comparable and _digest(users, kind) == wanted)):
            _copy(users, place)
            got = _digest(place, kind) if comparable else None
    if not os.path.lexists(place):
        where = f"{shown} is neither in DVC's cache nor on its remote{why}" if pointer else f"{shown} is not here"
        return InputCheck(one.name, wanted, None, where, True)
    if not comparable:
        return InputCheck(one.name, wanted, None, f"{shown}; compared when it is logged again", None)
    if got == wanted:
        return InputCheck(one.name, wanted, got, shown, False)
    return InputCheck(one.name, wanted, got, f"{shown} has the digest {got}, the run saw {wanted}", True)


def _outside(one: InputRecord, path: str, kind: str) -> InputCheck:
    if not os.path.lexists(path):
        return InputCheck(one.name, one.digest, None, f"{path} is not on this machine", True)
    if not one.digest or not kind.startswith(_MD5):
        return InputCheck(one.name, one.digest, None, f"{path}; compared when it is logged again", None)
    got = _digest(path, kind)
    if got == one.digest:
        return InputCheck(one.name, one.digest, got, path, False)
    return InputCheck(one.name, one.digest, got, f"{path} has the digest {got}, the run saw {one.digest}", True)


def _digest(path: str, kind: str) -> str | None:
    """Return the digest of what is at *path*; None if nothing is, or it can't be read."""
    from ledgit.errors import InvalidValue
    from ledgit.tracking.data_files import digest_path, read_content

    try:
        return (read_content(path) if kind == _MD5 else digest_path(path)[0]).digest
    except InvalidValue:
        return None


def _pull(folder: str, pointer: str) -> str:
    """Let DVC get what *pointer* names; return why it could not, to be put behind a sentence."""
    import subprocess

    stage = os.path.basename(pointer) == "dvc.lock"
    words = ["pull", "--quiet", *([] if stage else [os.path.join(".", os.path.relpath(pointer, folder))])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        return f" ({error.strerror})"
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = [line for line in said if line.startswith("ERROR")] or said
    return f" ({said[-1].removeprefix('ERROR: ')[:_SHOWN]})" if said else ""


def _copy(source: str, target: str) -> None:
    import shutil

    if os.path.lexists(target):
        if os.path.isdir(target) and not os.path.islink(target):
            shutil.rmtree(target)
        else:
            os.unlink(target)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)


def _facts(source: str) -> dict[str, Any]:
    import json

    if not source.startswith("{"):
        return {}
    try:
        found = json.loads(source)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
