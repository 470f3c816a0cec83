"""What a project asks of its environment, from the files that say so."""

from __future__ import annotations

import os
import re

from ledgit.errors import ProjectError
from ledgit.projects.environments.requirements import Requirements, add_lines, add_requirements
from ledgit.projects.marked import Marked, load_marked, read_text
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.projects.mlproject import EnvironmentSpec, Project

__all__ = ["RECORDED", "Wish", "read_conda", "read_wish"]

RECORDED = "recorded"
"""The kind of an :class:`EnvironmentSpec` whose mapping has ``python`` and ``requirements``: all that a run had."""

_CONDA = re.compile(r"(?:([\w./-]+)::)?([A-Za-z0-9][\w.-]*)\s*(.*)")


class Wish(Values):
    """What an environment has to be.

    Attributes:
        source: The file that says so, absolute; "" of a recorded one.
        python: The version asked for; "" for any.
        build: Requirements installed before the others: MLflow's ``build_dependencies``.
        requirements: The others.
        complete: The requirements are all there is: nothing is looked up that they need in turn.
        conda: Packages that only conda has, from these *channels*.
        lock: A ``uv.lock`` to install from, absolute; "" if there is none.
        source_folders: Of the project itself, for ``PYTHONPATH``.
    """

    __slots__ = ("build", "channels", "complete", "conda", "lock", "python", "requirements", "source", "source_folders")

    def __init__(self, source: str = "", python: str = "") -> None:
        self.source, self.python = source, python
        self.build = Requirements()
        self.requirements = Requirements()
        self.complete = False
        self.conda: list[str] = []
        self.channels: list[str] = []
        self.lock = ""
        self.source_folders: list[str] = []

    @property
    def own_asked(self) -> bool:
        """Whether Ledgit is among the requirements."""
        return self.build.own is not None or self.requirements.own is not None

    @property
    def own_extras(self) -> tuple[str, ...]:
        """Its extras that are asked for, sorted."""
        return tuple(sorted({*(self.build.own or ()), *(self.requirements.own or ())}))

    @property
    def shown(self) -> list[str]:
        """The requirements as they are listed to people, without credentials."""
        from ledgit.projects.environments.tools import redact

        own = f"ledgit[{','.join(self.own_extras)}]".replace("[]", "")
        lines = [*self.conda, *self.requirements.lines]
        return [*([own] if self.own_asked else []), *(redact(line) for line in lines)]

    @property
    def notes(self) -> list[str]:
        """What is not done just as written."""
        return [*self.build.notes, *self.requirements.notes]


def read_wish(spec: EnvironmentSpec, project: Project) -> Wish:
    """Return what *spec* asks for; where it declares nothing, what the project's other files say.

    Those are ``pyproject.toml`` with ``uv.lock``, ``requirements.txt``, and ``pyproject.toml`` alone.

    Raises:
        ProjectError: A file can't be read, or says something impossible; with the line.
    """
    if spec.kind == "python_env":
        return _python_env(spec.path, project.folder)
    if spec.kind == "conda_env":
        return read_conda(spec.path, project.folder)
    if spec.kind == RECORDED:
        return _recorded(spec.mapping)
    pyproject, lock, plain = (
        os.path.join(project.folder, name) for name in ("pyproject.toml", "uv.lock", "requirements.txt")
    )
    if os.path.isfile(lock) and os.path.isfile(pyproject):
        wish = _pyproject(pyproject, project.folder)
        wish.lock = lock
        return wish
    if os.path.isfile(plain):
        wish = Wish(plain)
        add_requirements(wish.requirements, plain, folder=project.folder)
        return wish
    if os.path.isfile(pyproject):
        return _pyproject(pyproject, project.folder)
    return Wish()


def _python_env(path: str, folder: str) -> Wish:
    top = _mapping(load_marked(read_text(path), path), path, "the file")
    known = ("name", "python", "build_dependencies", "dependencies")
    _check_keys(top, known, path)
    wish = Wish(path)
    if "python" in top and top["python"].value is not None:
        wish.python = _text(top["python"], path, "python")
    for key, to in (("build_dependencies", wish.build), ("dependencies", wish.requirements)):
        for item in _list(top.get(key), path, key):
            add_lines(to, [(item.line, _line(item, path, key))], file=path, folder=folder)
    return wish


def read_conda(path: str, folder: str) -> Wish:
    """Return what a ``conda.yaml`` asks for; paths below ``pip`` are relative to *folder*. Raises ProjectError."""
    top = _mapping(load_marked(read_text(path), path), path, "the file")
    wish = Wish(path)
    wish.channels = [_line(item, path, "channels") for item in _list(top.get("channels"), path, "channels")]
    for item in _list(top.get("dependencies"), path, "dependencies"):
        if isinstance(item.value, dict):
            for kind, listed in item.value.items():
                if kind != "pip":
                    raise ProjectError(path, f"has {kind!r} among the dependencies, expected 'pip'", item.line)
                for line in _list(listed, path, "pip"):
                    add_lines(wish.requirements, [(line.line, _line(line, path, "pip"))], file=path, folder=folder)
            continue
        text = _line(item, path, "dependencies")
        match = _CONDA.fullmatch(text)
        name = "" if match is None else match.group(2).lower()
        if match is not None and name == "python" and " " not in match.group(3).strip():
            wish.python = match.group(3).strip()
        elif name != "pip":
            wish.conda.append(text)
    return wish


def _recorded(mapping: dict[str, object]) -> Wish:
    wish = Wish("", str(mapping.get("python", "")))
    wish.complete = True
    requirements = mapping.get("requirements")
    if isinstance(requirements, list | tuple):
        add_lines(wish.requirements, [(0, str(line)) for line in requirements], file="the record", folder=os.sep)
    return wish


def _pyproject(path: str, folder: str) -> Wish:
    import tomllib

    try:
        top = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(path, f"is not valid TOML: {error}") from None
    described = top.get("project")
    described = described if isinstance(described, dict) else {}
    wish = Wish(path, str(described.get("requires-python", "")))
    lines = described.get("dependencies", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ProjectError(path, "project.dependencies is no list of texts")
    add_lines(wish.requirements, [(0, " ".join(line.split())) for line in lines], file=path, folder=folder)
    # The project itself is not installed: each run has a work folder of its own.
    if "build-system" in top and os.path.isdir(os.path.join(folder, "src")):
        wish.source_folders.append("src")
    return wish


def _mapping(marked: Marked, file: str, what: str) -> dict[str, Any]:
    if marked.value is None:
        return {}
    if not isinstance(marked.value, dict):
        raise ProjectError(file, f"{what} is {marked.kind()}, expected a mapping", marked.line)
    return marked.value


def _check_keys(top: dict[str, Any], known: tuple[str, ...], file: str) -> None:
    for key, item in top.items():
        if key not in known:
            raise ProjectError(file, f"has an unknown key {key!r}; known are {', '.join(known)}", item.line)


def _list(marked: Marked | None, file: str, what: str) -> list[Marked]:
    if marked is None or marked.value is None:
        return []
    if not isinstance(marked.value, list):
        raise ProjectError(file, f"{what} is {marked.kind()}, expected a list", marked.line)
    return marked.value


def _text(marked: Marked, file: str, what: str) -> str:
    """Return a scalar as it is spelled: to YAML, 3.10 without quotes is the number 3.1."""
    if isinstance(marked.value, dict | list):
        raise ProjectError(file, f"{what} is {marked.kind()}, expected a version such as '3.11'", marked.line)
    return (marked.text or str(marked.value)).strip()


def _line(marked: Marked, file: str, what: str) -> str:
    if not isinstance(marked.value, str) or not marked.value.strip():
        raise ProjectError(
            file, f"{what} has {marked.kind()}, expected a requirement such as 'numpy>=1.26'", marked.line
        )
    return " ".join(marked.value.split())
