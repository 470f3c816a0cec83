"""The Ledgit that runs, as a package of the environments that ask for it.

A project's script says ``import ledgit``, so its requirements name Ledgit; what it gets is the Ledgit that runs it:
one that knows the same formats, also while it is being developed. Installing it anew would fetch and unpack some
hundred packages. Where an environment's interpreter loads the same compiled modules, it gets a folder of links to
Ledgit and to just the packages that Ledgit declares, searched after the environment's own. The other packages beside
this Ledgit stay hidden, so a requirement that a project forgot is missed here as everywhere. What the environment
installs itself is bound to the same versions, or else Ledgit is installed into it like any package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ledgit._version import __version__
from ledgit.errors import StorageError
from ledgit.projects.environments.store import OWN_PREFIX
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from typing import Any

    from ledgit.projects.environments.interpreters import Interpreter

__all__ = ["PACKAGE", "Own", "attach", "own_for"]

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
"""The folder of the package ``ledgit`` that runs."""

_COMPLETE = ".complete"
_PTH = "zz_ledgit.pth"


class Own(Values):
    """How an environment gets Ledgit.

    Attributes:
        links: Folder of links to this Ledgit and what it needs; "" if it is installed.
        pins: The packages in it: name → version.
        missing: Requirements of extras that this Ledgit does not have, to be installed.
        line: The requirement that installs Ledgit.
        stamp: What stands for all of it in the environment's key.
    """

    __slots__ = ("line", "links", "missing", "pins", "stamp")

    def __init__(
        self, links: str, pins: dict[str, str], missing: Sequence[str], line: str, stamp: Sequence[object]
    ) -> None:
        self.links, self.pins, self.missing, self.line = links, pins, list(missing), line
        self.stamp = list(stamp)

    @property
    def constraints(self) -> tuple[str, ...]:
        """Lines that bind what an environment installs to the versions that Ledgit runs with."""
        return tuple(f"{name}=={version}" for name, version in self.pins.items() if name != "ledgit")


def own_for(extras: tuple[str, ...], python: Interpreter, folder: str) -> Own:
    """Return how *python*'s environments get this Ledgit with *extras*; links are made below *folder*.

    Raises:
        StorageError: The links can't be made.
    """
    from importlib.machinery import EXTENSION_SUFFIXES

    where, version = PACKAGE, __version__
    same = python.suffix == EXTENSION_SUFFIXES[0] and python.implementation == sys.implementation.name
    plan = _plan(extras, where, version, folder) if same else None
    asked = f"[{','.join(extras)}]" if extras else ""
    if plan is not None and plan["links"]:
        links = os.path.join(folder, plan["links"])
        return Own(links, plan["pins"], plan["missing"], plan["line"], ["links", where, extras, plan["pins"]])
    from ledgit.projects.environments.contents import digest

    source = _source_folder()
    line = f"ledgit{asked} @ file://{source}" if source else f"ledgit{asked}=={version}"
    return Own("", {}, [], line, ["installed", line, digest(where) if source else ""])


def attach(own: Own, folder: str, minor: str) -> None:
    """Let the environment in *folder* find Ledgit, and give it the commands."""
    packages = os.path.join(folder, "lib", f"python{minor}", "site-packages")
    with open(os.path.join(packages, _PTH), "w", encoding="utf-8") as file:
        file.write(f"{own.links}\n")
    for name in ("ledgit", "git-ledgit"):
        path = os.path.join(folder, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nexec "$(dirname "$0")/python" -m ledgit "$@"\n')
        os.chmod(path, 0o755)  # noqa: S103 - a program


def _plan(extras: tuple[str, ...], where: str, version: str, folder: str) -> dict[str, Any]:
    """Return what is linked, as it was found out the last time if nothing was installed since.

    Going through the metadata of a hundred packages takes a quarter of a second.
    """
    import json
    from hashlib import sha256

    name = OWN_PREFIX + sha256(json.dumps([where, extras, sys.prefix]).encode()).hexdigest()[:16]
    marker = os.path.join(folder, name, _COMPLETE)
    stamp = [version, *_site_folders()]
    try:
        with open(marker, encoding="utf-8") as file:
            known: dict[str, Any] = json.load(file)
        if known["stamp"] == stamp:
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    distributions, missing = _closure(extras)
    asked = f"[{','.join(extras)}]" if extras else ""
    source = _source_folder()
    found: dict[str, Any] = {
        "stamp": stamp,
        "links": name if "ledgit" in distributions else "",
        "pins": {one: distributions[one].version for one in sorted(distributions)},
        "missing": missing,
        "line": f"ledgit{asked} @ file://{source}" if source else f"ledgit{asked}=={version}",
    }
    if not found["links"]:
        return found  # run from a folder, never installed: nothing says what it needs
    try:
        _link(os.path.join(folder, name), distributions, where)
        with open(f"{marker}.{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(f"{marker}.{os.getpid()}", marker)
    except OSError as error:
        raise StorageError(f"the environment cache {folder}", error.strerror or str(error)) from None
    return found


def _site_folders() -> list[list[object]]:
    """Return the folders that packages are installed to, and when something was installed last."""
    found: list[list[object]] = []
    for path in sys.path:
        ours = os.path.basename(path).startswith(OWN_PREFIX)
        if ours or path.rstrip("/").endswith("-packages"):
            try:
                found.append([path, os.stat(os.path.join(path, _COMPLETE) if ours else path).st_mtime_ns])
            except OSError:
                continue
    return found


def _closure(extras: tuple[str, ...]) -> tuple[dict[str, Distribution], list[str]]:
    """Return Ledgit's distribution and all that it needs, and the requirements that nothing here meets."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement

    from ledgit.projects.environments.requirements import normal_name

    found: dict[str, Distribution] = {}
    missing: list[str] = []
    asked: dict[str, set[str]] = {}
    waiting = [("ledgit", tuple(extras), "")]
    while waiting:
        name, wanted, text = waiting.pop()
        new = {"", *wanted} - asked.get(name, set())
        if not new:
            continue
        asked.setdefault(name, set()).update(new)
        if name not in found:
            try:
                one = distribution(name)
            except PackageNotFoundError:
                missing.append(text)
                continue
            if name != "ledgit" and (not one.files or _is_editable(one)):
                missing.append(text)
                continue
            found[name] = one
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in new):
                needed.marker = None
                waiting.append((normal_name(needed.name), tuple(needed.extras), str(needed)))
    return found, sorted({text for text in missing if text})


def _is_editable(one: Distribution) -> bool:
    return '"editable": true' in (one.read_text("direct_url.json") or "").replace('":true', '": true')


def _source_folder() -> str | None:
    """Return the folder that Ledgit is installed from editable; None if it is installed like any package."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlparse

    try:
        said = json.loads(distribution("ledgit").read_text("direct_url.json") or "null")
    except (PackageNotFoundError, ValueError):
        return None
    if not isinstance(said, dict) or "dir_info" not in said:
        return None
    path = unquote(urlparse(str(said.get("url", ""))).path)
    return path if os.path.isdir(path) else None


def _link(folder: str, distributions: dict[str, Distribution], where: str) -> None:
    """Fill *folder* with links; one that is there already is replaced in one step, one no more wanted is removed."""
    wanted: dict[str, str] = {"ledgit": where}
    for one in distributions.values():
        files = [file.parts for file in one.files or ()]
        packages = {parts[0] for parts in files if len(parts) == 2 and parts[1] == "__init__.py"}
        for parts in files:
            first = parts[0]
            if first in ("..", "/", "__pycache__", "ledgit") or (len(parts) == 1 and first.endswith(".pth")):
                continue
            # A folder that several distributions put packages into is made anew, with links to those of this one.
            depth = 1 if first in packages or first.endswith((".dist-info", ".libs")) else 2
            name = os.path.join(*parts[:depth])
            if "__pycache__" not in parts[:depth]:
                # This Ledgit may itself run in such an environment: not links to links.
                wanted.setdefault(name, os.path.realpath(str(one.locate_file(name))))
    for name, target in wanted.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not (os.path.islink(path) and os.readlink(path) == target):
            aside = f"{path}.{os.getpid()}"
            os.symlink(target, aside)
            os.replace(aside, path)
    for top, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = os.path.join(top, name)
            if os.path.islink(path) and os.path.relpath(path, folder) not in wanted:
                os.unlink(path)
