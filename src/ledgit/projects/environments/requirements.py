"""Requirements as pip and uv read them: brought into one flat list that says the same wherever it stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ledgit.errors import ProjectError
from ledgit.records.values import Values

__all__ = ["Requirements", "add_lines", "add_requirements", "normal_name", "read_lines"]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_FILE = re.compile(r"(?:-r|--requirement)(?:\s*=\s*|\s+|(?<=r))(\S.*)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)(?:\s*=\s*|\s+|(?<=c))(\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s+)(\S.*)")
_PATH_OPTION = re.compile(r"(-f|-i|--find\-links|--(?:extra-)?index\-url)(?:\s*=\s*|\s+)(\S+)")
_OWN = re.compile(r"(?i)ledgit\s*(?:\[([^\]]*)\])?\s*(\(?\s*(?:[<>=!~][^;@]*)?\)?)\s*(?:;(.*))?")
_PATH = re.compile(r"(?:[^\s@]+\s*@\s*)?(?:file:(?://)?)?([^\s\[;]+)(\[[^\]]*\])?(.*)")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2")
_DEEPEST = 20


class Requirements(Values):
    """What is to be installed.

    Attributes:
        lines: Requirements and options for pip, files that were named put in, paths absolute.
        constraints: Lines that bind versions without asking for anything.
        local: Folders and archives that `lines` name: what is in them counts, not where they are.
        own: Extras of Ledgit that are asked for, ``()`` for none; None if Ledgit is not.
        own_versions: What is asked of its version, ``>=0.3``.
        notes: What is not done just as written, a sentence each.
    """

    __slots__ = ("constraints", "lines", "local", "notes", "own", "own_versions")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constraints: list[str] = []
        self.local: list[str] = []
        self.own: tuple[str, ...] | None = None
        self.own_versions: list[str] = []
        self.notes: list[str] = []

    @property
    def names(self) -> list[str]:
        """The names of the packages among the lines, for a sentence."""
        found = [re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in self.lines if not line.startswith("-")]
        return [name.group() for name in found if name is not None]


def read_lines(text: str) -> list[tuple[int, str]]:
    """Return the lines of a requirements file with their numbers: continued ones joined, no comments."""
    joined: list[tuple[int, str]] = []
    begun, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if begun else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            begun += line[:-1].rstrip() + " "
            continue
        joined.append((start, begun + line))
        begun = ""
    joined.append((start, begun))
    found = [(number, " ".join(_COMMENT.sub("", line).split())) for number, line in joined]
    return [(number, line) for number, line in found if line]


def add_requirements(to: Requirements, path: str, *, folder: str, above: tuple[str, ...] = ()) -> None:
    """Add what the requirements file at *path* asks for; paths in it are relative to *folder*, as pip has it.

    Raises:
        ProjectError: It can't be read, or names itself.
    """
    from ledgit.projects.marked import read_text

    real = os.path.realpath(path)
    if real in above or len(above) > _DEEPEST:
        raise ProjectError(above[-1], f"names {os.path.basename(path)!r}, which names it in turn")
    add_lines(to, read_lines(read_text(path)), file=path, folder=folder, above=(*above, real))


def add_lines(
    to: Requirements, lines: Iterable[tuple[int, str]], *, file: str, folder: str, above: tuple[str, ...] = ()
) -> None:
    """Add requirement *lines*, which stand in *file* with these numbers.

    Raises:
        ProjectError: A file that they name is not there.
    """
    for number, line in lines:
        for pattern in (_FILE, _CONSTRAINT):
            named = pattern.fullmatch(line)
            if named is None:
                continue
            if "://" in named.group(1):
                (to.lines if pattern is _FILE else to.constraints).append(line)
                break
            path = os.path.join(os.path.dirname(file), named.group(1).strip("'\""))
            if not os.path.isfile(path):
                raise ProjectError(file, f"names {named.group(1)!r}, but there is no such file", number or None)
            if pattern is _FILE:
                add_requirements(to, path, folder=folder, above=above)
            else:
                bound = Requirements()
                add_requirements(bound, path, folder=folder, above=above)
                to.constraints += bound.lines + bound.constraints
            break
        else:
            _add_line(to, line, file, folder, number)


def _add_line(to: Requirements, line: str, file: str, folder: str, number: int) -> None:
    own = _OWN.fullmatch(line)
    if own is not None:
        if own.group(3) is None or _applies(own.group(3), file, number):
            extras = [normal_name(extra.strip()) for extra in (own.group(1) or "").split(",") if extra.strip()]
            to.own = tuple(sorted({*(to.own or ()), *extras}))
            if own.group(2).strip("() "):
                to.own_versions.append(own.group(2).strip("() "))
        return
    editable = _EDITABLE.fullmatch(line)
    target = line if editable is None else editable.group(1).strip("'\"")
    local = _local(target, folder)
    if local is None:
        option = _PATH_OPTION.fullmatch(line)
        if (
            option is not None
            and "://" not in option.group(2)
            and os.path.exists(os.path.join(folder, option.group(2)))
        ):
            line = f"{option.group(1)} {os.path.join(folder, option.group(2))}"
        to.lines.append(line)
        return
    path, asked, rest = local
    if not os.path.exists(path):
        raise ProjectError(file, f"asks for {target!r}, but there is nothing at {path}", number or None)
    if editable is not None:
        # The folder of a run is gone after it, and the environment stays.
        to.notes.append(f"{target} is installed as a copy, not editable")
    to.lines.append(f"{path}{asked}{rest}")
    to.local.append(path)


def _local(target: str, folder: str) -> tuple[str, str, str] | None:
    """Return path, extras and rest of a requirement that names something on this machine; None of any other."""
    if target.startswith("-"):
        return None
    match = _PATH.fullmatch(target)
    if match is None:
        return None
    path, extras, rest = match.groups()
    named = "file:" in target or path.startswith((".", "/", "~"))
    if "://" in path or not (named or ((os.sep in path or path.endswith(_ARCHIVES)) and "@" not in target)):
        return None
    from urllib.parse import unquote

    path = os.path.expanduser(unquote(path) if "file:" in target else path)
    return os.path.normpath(os.path.join(folder, path)), extras or "", rest.rstrip()


def _applies(marker: str, file: str, number: int) -> bool:
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(marker.strip()).evaluate()
    except InvalidMarker as error:
        raise ProjectError(file, f"{str(error).splitlines()[0]} in {marker.strip()!r}", number or None) from None


def normal_name(name: str) -> str:
    """Return a distribution's name as indexes compare it: ``Foo_Bar`` is ``foo-bar``."""
    return re.sub(r"[-_.]+", "-", name).lower()
