"""The packages that a project's new scripts import, written into ``python_env.yaml`` with the versions used here."""

from __future__ import annotations

import os
import re

from ledgit.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.projects.mlproject import Project

__all__ = ["add_packages"]

_NONE = re.compile(r"^dependencies:[ \t]*(\[\][ \t]*)?(#.*)?$", re.MULTILINE)
_LISTED = re.compile(r"^dependencies:[ \t]*(?:#.*)?\n((?:[ \t]*-[^\n]*\n|[ \t]*#[^\n]*\n)+)", re.MULTILINE)
_LEDGIT = re.compile(rb"^[ \t]*(?:import[ \t]+(?:[^#\n]*,[ \t]*)?|from[ \t]+)ledgit\b", re.MULTILINE)


def add_packages(project: Project, scripts: Sequence[str]) -> tuple[str, ...]:
    """Add what *scripts* import, and ``python_env.yaml`` does not name, to that file; return the new lines.

    Only what is installed here is known, so nothing is guessed. A file that leaves packages to a ``requirements.txt``,
    or is written in another way than as a list of lines, is its author's.

    Args:
        project: The project.
        scripts: Absolute paths of Python files that are new in it.

    Raises:
        StorageError: The file can't be written.
    """
    spec = project.environment
    if spec.kind != "python_env" or not scripts:
        return ()
    try:
        with open(spec.path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return ()
    if not text.endswith("\n"):
        text += "\n"
    listed = _LISTED.search(text)
    nothing = None if listed else _NONE.search(text)
    if (listed is None and nothing is None) or (listed is not None and re.search(r"-[ \t]+[\"']?-", listed[1])):
        return ()
    known = {_name(line) for line in (listed[1].splitlines() if listed else ())}
    new = [line for line in _imported(project, scripts) if _name(line) not in known]
    if not new:
        return ()
    if listed is not None:
        indent = re.match(r"[ \t]*", listed[1])
        before = indent[0] if indent else "  "
        at = listed.end()
        text = text[:at] + "".join(f"{before}- {line}\n" for line in new) + text[at:]
    elif nothing is not None:
        lines = "".join(f"\n  - {line}" for line in new)
        text = text[: nothing.start()] + "dependencies:" + lines + text[nothing.end() :]
    _write(spec.path, text)
    return tuple(new)


def _imported(project: Project, scripts: Sequence[str]) -> list[str]:
    from ledgit.models.requirements import distribution_of, modules_of, pinned

    try:
        own = {name.removesuffix(".py") for name in os.listdir(project.folder)}
    except OSError:
        own = set()
    found = {distribution_of(module) for module in modules_of((), list(scripts)) - own}
    lines = {pinned(name) for name in found if name is not None and _name(name) != "ledgit"}
    if any(_uses_ledgit(script) for script in scripts):
        lines.add("ledgit")
    return sorted(lines)


def _uses_ledgit(script: str) -> bool:
    try:
        with open(script, "rb") as file:
            return _LEDGIT.search(file.read()) is not None
    except OSError:
        return False


def _name(line: str) -> str:
    """Return the name of the package that a requirement is about, as package indexes compare names."""
    match = re.match(r"[\s\-\"']*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def _write(path: str, text: str) -> None:
    scratch = f"{path}.{os.urandom(4).hex()}"
    try:
        with open(scratch, "x", encoding="utf-8") as file:
            file.write(text)
        os.replace(scratch, path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
