"""A recorded environment: what it takes to make it again, and how it differs from another one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence

from ledgit.projects.environments.requirements import normal_name
from ledgit.records.values import Values
from ledgit.store import direct_urls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.mlproject import EnvironmentSpec
    from ledgit.records.environment import Environment

__all__ = ["Difference", "Lacking", "Wanted", "differences", "direct_packages", "from_recorded"]

_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]*")
# Versions that setuptools-scm and its like give to a commit: no index has them.
_COMMIT = re.compile(r"\+(?:.*\.)?g[0-9a-f]{7,40}(?:\.|$)|\.dev\d+\+|\+(?:.*\.)?d\d{8}$|[+.]dirty$")

# Schemes that run nothing but Git's own transports.
_REPOSITORY = re.compile(
    r"git\+(?:https?|ssh|git|file)://[^\s;#@]*(?:@[^\s;#@]+)?@[0-9a-f]{40,64}(?:#subdirectory=[\w./-]+)?"
)
_ARCHIVE = re.compile(r"https?://[^\s;#@]+#sha256=[0-9a-f]{64}")


class Lacking(Values):
    """A package that a run had and no index does; *reason* says why, for people."""

    __slots__ = ("package", "reason", "version")

    def __init__(self, package: str, version: str, reason: str) -> None:
        self.package, self.version, self.reason = package, version, reason

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.reason}"


class Wanted(Values):
    """What a recorded environment takes to be made again.

    Attributes:
        python: The exact version; "" if it was not recorded.
        requirements: ``name==version``, sorted, complete: nothing needs to be looked up besides.
        lacking: What is left out.
    """

    __slots__ = ("lacking", "python", "requirements")

    def __init__(self, python: str, requirements: Sequence[str], lacking: Sequence[Lacking] = ()) -> None:
        self.python, self.requirements, self.lacking = python, tuple(requirements), tuple(lacking)

    def spec(self) -> EnvironmentSpec:
        """Return it as ``prepare`` takes it; the managers that can make it are ``uv`` and ``virtualenv``."""
        from ledgit.projects.environments.declared import RECORDED
        from ledgit.projects.mlproject import EnvironmentSpec

        return EnvironmentSpec(RECORDED, "", {"python": self.python, "requirements": list(self.requirements)})


class Difference(Values):
    """A package, or the interpreter, that differs.

    Attributes:
        package: Name, normalised; ``python`` or ``implementation`` where *kind* is ``interpreter``.
        wanted: What was recorded; "" if it was not there.
        got: What is there; "" if it is not.
        kind: ``package`` or ``interpreter``.
    """

    __slots__ = ("got", "kind", "package", "wanted")

    def __init__(self, package: str, wanted: str, got: str, kind: str = "package") -> None:
        self.package, self.wanted, self.got, self.kind = package, wanted, got, kind

    def __str__(self) -> str:
        return f"{self.package} {self.wanted or 'not installed'} → {self.got or 'not installed'}"


def from_recorded(
    environment: Environment,
    direct: Mapping[str, tuple[str, str]] | None = None,
    *,
    folder: str = "",
    fetch: bool = True,
) -> Wanted:
    """Return what it takes to make *environment* again.

    Ledgit itself becomes the requirement ``ledgit``: whatever repeats a run records it, too.

    Args:
        environment: As a run recorded it.
        direct: Packages of this machine that come from no index: name → version and why; those of the running
            interpreter by default. Where a record doesn't say where a package was from, one of the same name and
            version is taken to have come from there then, too.
        folder: The top of the code, where folders of it are that were installed.
        fetch: Ask for what was recorded to be from a repository, an address or a folder; else it is left out.
    """
    known = direct_packages() if direct is None else direct
    origins = {normal_name(name): said for name, said in environment.origins.items()}
    requirements: list[str] = []
    lacking: list[Lacking] = []
    for recorded, version in sorted(environment.packages.items()):
        name = normal_name(recorded)
        if name == "ledgit":
            requirements.append(name)
        elif name in origins:
            asked, why = _from_origin(origins[name], folder)
            if asked and fetch:
                requirements.append(f"{name} @ {asked}")
            else:
                lacking.append(Lacking(name, version, why))
        elif not _VERSION.fullmatch(version):
            lacking.append(Lacking(name, version, "its version was not recorded"))
        elif name in known and known[name][0] == version:
            lacking.append(Lacking(name, version, known[name][1]))
        elif _COMMIT.search(version):
            lacking.append(Lacking(name, version, "it was built from a commit"))
        else:
            requirements.append(f"{name}=={version}")
    return Wanted(environment.python, requirements, lacking)


def _from_origin(said: str, folder: str) -> tuple[str, str]:
    """Return what to ask pip for, "" where that can't be, and why it may be missing.

    Nothing that a record says is handed on but a commit of Git's, an archive with its hash, and a place of this
    machine's that is there.
    """
    if _REPOSITORY.fullmatch(said) or _ARCHIVE.fullmatch(said):
        return said, f"it was installed from {said}"
    editable = said.startswith("-e ")
    place, _, digest = said.removeprefix("-e ").partition("#sha256=")
    what = "installed editable" if editable else "installed"
    if not place.startswith("file:"):
        return "", f"it was {what} from {said}, which is not fetched again"
    path = place.removeprefix("file:")
    inside = path.startswith("./")
    full = os.path.normpath(os.path.join(folder, path) if inside else os.path.expanduser(path))
    if inside and not (full + "/").startswith(os.path.join(os.path.normpath(folder), "")):
        return "", f"it was {what} from {path}, which leaves the repository"
    if any(sign.isspace() or sign in "[;#" for sign in full):
        return "", f"it was {what} from {path}, a name that no requirement can have"
    if not os.path.exists(full) or (inside and not folder):
        return "", f"it was {what} from {path}, which is not here"
    if digest and _sha256(full) != digest:
        return "", f"it was {what} from {path}, which is another file now"
    return full, f"it was {what} from {path}"


def _sha256(path: str) -> str:
    from hashlib import file_digest

    try:
        with open(path, "rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def direct_packages(folders: Sequence[str] | None = None) -> dict[str, tuple[str, str]]:
    """Return the packages that come from no index: name → version, and where they come from.

    Args:
        folders: Where packages are installed; those of the running interpreter by default.
    """
    import json

    found: dict[str, tuple[str, str]] = {}
    for package, version, data in direct_urls(sys.path if folders is None else folders):
        try:
            said = json.loads(data)
        except ValueError:
            continue
        found.setdefault(normal_name(package), (version, _origin(said)))
    return found


def _origin(said: object) -> str:
    """Say in words what ``direct_url.json`` says; no address, it may hold what is nobody's business."""
    said = said if isinstance(said, dict) else {}
    if isinstance(said.get("vcs_info"), dict):
        return f"it was installed from {said['vcs_info'].get('vcs', 'a repository')}"
    if isinstance(said.get("dir_info"), dict):
        editable = said["dir_info"].get("editable")
        return "it is installed editable, from a folder" if editable else "it was installed from a folder"
    return "it was installed from a file"


def differences(recorded: Environment, present: Environment) -> list[Difference]:
    """Return in what *present* differs from *recorded*: interpreter first, then packages by name.

    What neither knows does not differ.
    """
    found = []
    for name in ("python", "implementation"):
        wanted, got = str(getattr(recorded, name)), str(getattr(present, name))
        if wanted and got and wanted.lower() != got.lower():
            found.append(Difference(name, wanted, got, "interpreter"))
    before, after = (
        {normal_name(name): version for name, version in one.packages.items()} for one in (recorded, present)
    )
    for name in sorted(before.keys() | after.keys()):
        wanted, got = before.get(name, ""), after.get(name, "")
        if wanted != got:
            found.append(Difference(name, wanted, got))
    return found
