"""What the files that a repetition opened say about its code and data, beside what was recorded of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.projects.repro.findings import CODE, DATA, ENVIRONMENT, Finding, listed

if TYPE_CHECKING:
    from ledgit.projects.repro.recipe import Recipe
    from ledgit.projects.repro.trace import Trace

__all__ = ["Places", "changed_code", "named_files", "unrecorded_files", "wanted_modules", "watched_findings"]

_PROGRAMS = (
    ".py",
    ".pyc",
    ".so",
    ".sh",
    ".pyx",
    ".pyd",
    ".dylib",
    ".R",
    ".jl",
    ".cfg",
    ".ini",
    ".toml",
    ".yaml",
    ".yml",
)
# What is read past Python's own open.
_UNSEEN = (".parquet", ".feather", ".arrow", ".h5", ".hdf5", ".nc", ".tif", ".tiff", ".sqlite", ".db", ".bin")
_ELSEWHERE = "is in your work tree and not in the run's tree: Git ignores it, or it is new"
_MOST_CODE = 1 << 20
_MOST_FILES = 20_000
_NOISE = ("__pycache__", ".git", ".ledgit", ".dvc", ".pytest_cache", ".mypy_cache", ".ipynb_checkpoints")


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are while a run is repeated.

    Attributes:
        folder: The work folder.
        common: The user's Git directory, which the work folder is in.
        top: The user's work tree; None where there is none.
        home: The user's home folder: hidden folders in it are caches and settings of programs.
        began: When the repetition began, seconds since the epoch: what is younger it may have made itself.
    """

    folder: str
    common: str
    top: str | None
    home: str
    began: float

    def below(self, path: str) -> str | None:
        """Return *path* below the work folder; None if it is not in it."""
        return _below(path, self.folder)


def watched_findings(
    recipe: Recipe, trace: Trace, places: Places, is_tracked: Callable[[str], bool], *, failed: bool = False
) -> list[Finding]:
    """Return what of code and data is not as it was, going by the files that the repetition opened.

    Args:
        recipe: The run's.
        trace: What was opened; of a command that is no Python program nothing is known.
        places: Where things are.
        is_tracked: Says whether DVC tracks a path of the work folder.
        failed: The command failed: then what it did not find is told also where the user has no such file either.
    """
    found = list(_left_out(recipe, trace, places))
    told = {path for path, _, _ in recipe.left_out}
    found += _missing(recipe, trace, places, is_tracked, told, failed=failed)
    found += _modules(recipe, trace, places, failed=failed)
    found += _users(recipe, trace, places)
    found += _outside(recipe, trace, places)
    return found


def changed_code(changed: Sequence[str], trace: Trace, places: Places) -> tuple[list[str], list[str]]:
    """Part the files that differ between two trees into those that the program looked at, and the others."""
    if not trace.active:
        return list(changed), []
    opened = {places.below(path) for path in trace.read | trace.missing | trace.written}
    seen: list[str] = []
    other: list[str] = []
    for path in changed:
        module = os.path.splitext(path)[0].split("/")
        names = {module[0], module[-1]} if path.endswith(".py") else set()
        near = path in opened or path.endswith(_UNSEEN) or not names.isdisjoint(trace.modules)
        (seen if near else other).append(path)
    return seen, other


def unrecorded_files(recipe: Recipe, trace: Trace, places: Places) -> list[str]:
    """Return files outside of the repository that the program reads, and of which the run recorded no digest."""
    known = {os.path.normpath(one.source) for one in recipe.inputs if one.source}
    return [path for path in _foreign(trace, places) if path not in known]


def named_files(trace: Trace, places: Places) -> list[tuple[str, str]]:
    """Return files of the user's that the run's tree hasn't and its code names, each with the file that names it.

    What is asked of libraries and other programs, whether a file is there, is not seen.

    Args:
        trace: What was opened: the code is what was read of it, and what was written is a result.
        places: Where things are.
    """
    written = {os.path.basename(path) for path in trace.created | trace.written}
    wanted = {path: os.path.basename(path) for path in _only_users(places)}
    wanted = {path: name for path, name in wanted.items() if name not in written}
    found: dict[str, str] = {}
    for code, text in _own_code(trace, places) if wanted else ():
        for path, name in wanted.items():
            if path not in found and os.fsencode(name) in text:
                found[path] = code
    return sorted(found.items())


def wanted_modules(trace: Trace, places: Places) -> list[tuple[str, str]]:
    """Return modules that the run's own code imports and did not get, each with the file that imports it."""
    found: dict[str, str] = {}
    for code, text in _own_code(trace, places) if trace.modules else ():
        for name in re.findall(rb"^\s*(?:import|from)\s+(\w+)", text, re.MULTILINE):
            if os.fsdecode(name) in trace.modules:
                found.setdefault(os.fsdecode(name), code)
    return sorted(found.items())


def _own_code(trace: Trace, places: Places) -> Iterator[tuple[str, bytes]]:
    """Yield path and text of the programs of the work folder that were read."""
    for full in sorted(trace.read):
        code = places.below(full)
        if code is None or not code.endswith(_PROGRAMS):
            continue
        try:
            with open(full, "rb") as file:
                yield code, file.read(_MOST_CODE)
        except OSError:
            continue


def _only_users(places: Places) -> Iterator[str]:
    """Yield paths of files in the user's work tree that the work folder hasn't, of a large tree the first ones."""
    left = _MOST_FILES
    for folder, folders, names in os.walk(places.top) if places.top is not None else ():
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOISE)
        for name in names:
            left -= 1
            if left < 0:
                return
            path = os.path.relpath(os.path.join(folder, name), places.top)
            if not os.path.lexists(os.path.join(places.folder, path)):
                yield path


def _left_out(recipe: Recipe, trace: Trace, places: Places) -> Iterator[Finding]:
    opened = trace.read | trace.missing
    for path, size, why in recipe.left_out:
        if path == ".":
            yield Finding(CODE, f"not all of the code is in the run's snapshot: {why}")
            continue
        full = os.path.join(places.folder, path)
        text = f"{path} is not in the run's snapshot: {why}" + (f" ({size:,} bytes)" if size else "")
        stem = os.path.splitext(os.path.basename(path))[0]
        asked = full in opened or any(one.startswith(full + "/") for one in opened) or stem in trace.modules
        yield Finding(CODE, text, differs=asked or not trace.active)
    for path in recipe.submodules:
        full = os.path.join(places.folder, path)
        used = any(one.startswith(full + "/") for one in opened)
        text = f"the submodule {path} had changes of its own, which are in no snapshot"
        yield Finding(CODE, text, differs=used or not trace.active)


def _missing(
    recipe: Recipe,
    trace: Trace,
    places: Places,
    is_tracked: Callable[[str], bool],
    told: Iterable[str],
    *,
    failed: bool,
) -> Iterator[Finding]:
    """Files that the program wanted, or asked for, and that the work folder hasn't."""
    done = tuple(told)
    known = {one.name for one in recipe.inputs}
    for full in sorted((trace.missing | trace.asked) - trace.created):
        path = places.below(full)
        if path is None or _is_noise(path) or any(path == one or path.startswith(one + "/") for one in done):
            continue
        if is_tracked(full):
            if os.path.basename(path) not in known:  # else it was told as an input
                yield Finding(DATA, f"{path}, which DVC tracks, is neither in its cache nor on its remote")
        elif places.top is not None and os.path.lexists(os.path.join(places.top, path)):
            yield Finding(CODE, f"{path} {_ELSEWHERE}")
        elif failed and full in trace.missing:
            yield Finding(CODE, f"{path} is wanted and is not in the run's tree: Git ignored it, or it was made before")


def _modules(recipe: Recipe, trace: Trace, places: Places, *, failed: bool) -> Iterator[Finding]:
    """Modules that the program asked for and did not get, and that the code or the user's work tree has."""
    script = next((word for word in recipe.command if word.endswith(".py") and not os.path.isabs(word)), "")
    beside = os.path.join(recipe.directory, os.path.dirname(script))
    for name in sorted(trace.modules):
        for folder in dict.fromkeys(["", recipe.directory, beside, "src", "lib"]):
            for leaf in (f"{name}.py", name):
                path = os.path.normpath(os.path.join(folder, leaf))
                if os.path.lexists(os.path.join(places.folder, path)):
                    if failed:
                        text = (
                            f"the module {name} is in {folder or '.'}/ and is not found: PYTHONPATH may have been set"
                        )
                        yield Finding(ENVIRONMENT, f"{text} then, which is not recorded")
                elif places.top is not None and os.path.lexists(os.path.join(places.top, path)):
                    yield Finding(CODE, f"{path} {_ELSEWHERE}")


def _users(recipe: Recipe, trace: Trace, places: Places) -> Iterator[Finding]:
    """Files that the program took from the user's work tree itself: by an absolute path, or installed editable."""
    if places.top is None:
        return
    other = []
    for full in sorted(trace.read):
        if places.below(full) is not None or _below(full, places.common) is not None:
            continue
        path = _below(full, places.top)
        if path is None or _is_noise(path) or "site-packages" in path or path.endswith(".pyc"):
            continue
        ours = os.path.join(places.folder, path)
        if not _same(full, ours) and (os.path.lexists(ours) or _is_younger(full, recipe, places)):
            other.append(path)
    if other:
        text = f"read from your work tree, where it is not what the run saw: {listed(other)}"
        yield Finding(CODE, text)


def _outside(recipe: Recipe, trace: Trace, places: Places) -> Iterator[Finding]:
    known = {os.path.normpath(one.source) for one in recipe.inputs if one.digest}
    for full in _foreign(trace, places):
        if full not in known and _is_younger(full, recipe, places):
            kind = CODE if full.endswith(_PROGRAMS) else DATA
            yield Finding(kind, f"{full} is outside of the repository, and was changed after the run")


def _foreign(trace: Trace, places: Places) -> list[str]:
    """Return what is read outside of repository, home's hidden folders and interpreter."""
    found = []
    hidden = os.path.join(places.home, ".")
    for full in sorted({_source(path) for path in trace.read - trace.written}):
        inside = (places.folder, places.common, *([places.top] if places.top else []))
        if any(_below(full, folder) is not None for folder in inside):
            continue
        if full.startswith(hidden) or "site-packages" in full or not os.path.isfile(full):
            continue
        if os.path.dirname(full) == os.path.dirname(os.path.abspath(__file__)) or "/ledgit/" in full:
            continue
        found.append(full)
    return found


def _source(path: str) -> str:
    """Return the module that *path* is the compiled form of, where that is so."""
    folder, leaf = os.path.split(path)
    if not path.endswith(".pyc") or os.path.basename(folder) != "__pycache__":
        return path
    return os.path.join(os.path.dirname(folder), leaf.partition(".")[0] + ".py")


def _is_younger(path: str, recipe: Recipe, places: Places) -> bool:
    """Whether a file was changed after the run, and not by its repetition."""
    try:
        changed = os.stat(path).st_mtime
    except OSError:
        return False
    return recipe.end is not None and recipe.end / 1000 < changed < places.began


def _is_noise(path: str) -> bool:
    return any(part in _NOISE for part in path.split("/"))


def _below(path: str, folder: str) -> str | None:
    return path[len(folder) + 1 :] if path.startswith(folder.rstrip("/") + "/") else None


def _same(one: str, other: str) -> bool:
    from filecmp import cmp

    try:
        return cmp(one, other, shallow=False)
    except OSError:
        return False
