"""``MLproject`` files: what a project is called, what can be run in it, and in which environment.

The format is MLflow's, read as MLflow 3 reads it, but for what MLflow trips over later: that is an error here, with
its line. See docs/reference/mlproject.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ledgit.errors import EntryPointNotFound, ProjectError
from ledgit.projects.parameters import TYPES, Parameter, parse_type
from ledgit.records.harmless import clean
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.marked import Marked

__all__ = ["EntryPoint", "EnvironmentSpec", "Project", "find_mlproject", "parse_project", "read_project"]

ENVIRONMENTS = ("python_env", "conda_env", "docker_env")
# Looked for, in this order, where the file declares none.
_FOUND = (("python_env", "python_env.yaml"), ("conda_env", "conda.yaml"))
_KEYS = ("name", *ENVIRONMENTS, "entry_points", "databricks_spark_job")
_ENTRY_KEYS = ("command", "parameters")
_PARAMETER_KEYS = ("type", "default", "description")
_DOCKER_KEYS = ("image", "volumes", "environment")
# How scripts are run. MLflow takes $SHELL for .sh; what a project does must not depend on who runs it.
_RUNNERS = {".py": "python {}", ".sh": "bash {}", ".R": "Rscript {}"}
_MOST_SCRIPTS = 20


class EnvironmentSpec(Values):
    """The environment that a project declares.

    Attributes:
        kind: ``python_env``, ``conda_env``, ``docker_env``, or "" if it declares none.
        path: The file that describes it, absolute; "" of a ``docker_env``.
        mapping: Of a ``docker_env``: ``image`` (text), ``volumes`` (list of texts), ``environment`` (list of names
            of variables to hand on, and pairs of name and value).
    """

    __slots__ = ("kind", "mapping", "path")

    def __init__(self, kind: str = "", path: str = "", mapping: Mapping[str, object] | None = None) -> None:
        self.kind, self.path, self.mapping = kind, path, dict(mapping or {})


class EntryPoint(Values):
    """Something in a project that can be run.

    Attributes:
        name: As in the file, or a script's path.
        command: Template for the shell; ``{name}`` is where a parameter's value goes, ``{{`` and ``}}`` are braces.
        parameters: The declared ones, in the order of the file.
        file, line: Where the command stands; no part of what it equals.
        folder: The project's, where the command's programs are looked at; "" where that is not known. Nor is this.
    """

    __slots__ = ("command", "file", "folder", "line", "name", "parameters")

    def __init__(
        self,
        name: str,
        command: str,
        parameters: Mapping[str, Parameter] | None = None,
        file: str = "",
        line: int | None = None,
        folder: str = "",
    ) -> None:
        self.name, self.command, self.parameters = name, command, dict(parameters or {})
        self.file, self.line, self.folder = file, line, folder

    def _values(self) -> tuple[object, ...]:
        return (self.name, self.command, self.parameters)


class Project(Values):
    """A folder that can be run.

    Attributes:
        name: The file's, or the folder's.
        entry_points: The declared ones by name, in the order of the file.
        environment: The declared one.
        folder: Absolute.
        file: The ``MLproject`` file, absolute; "" if there is none.
        notes: What stands in the file and means nothing to Ledgit, a sentence each; MLflow passes over it, too.
    """

    __slots__ = ("entry_points", "environment", "file", "folder", "name", "notes")

    def __init__(
        self,
        name: str,
        entry_points: Mapping[str, EntryPoint],
        environment: EnvironmentSpec,
        folder: str,
        file: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.name, self.entry_points, self.environment = name, dict(entry_points), environment
        self.folder, self.file, self.notes = folder, file, tuple(notes)

    def entry_point(self, name: str) -> EntryPoint:
        """Return the entry point *name*: a declared one, or a script (``.py``, ``.sh``, ``.R``, ``#!``) by its path.

        Raises:
            EntryPointNotFound: There is neither; its `known` has the declared ones, then scripts.
        """
        if name in self.entry_points:
            declared = self.entry_points[name]
            return EntryPoint(
                *(name, declared.command, declared.parameters, declared.file, declared.line), folder=self.folder
            )
        command = self._script_command(name)
        if command is None:
            raise EntryPointNotFound(name, self.name, [*self.entry_points, *self._scripts()])
        return EntryPoint(name, command, folder=self.folder)

    def _script_command(self, name: str) -> str | None:
        path = os.path.normpath(name)
        if not name or os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            return None
        absolute = os.path.join(self.folder, path)
        # A link may point to anywhere; what it names must still be the project's.
        inside = os.path.realpath(absolute).startswith(os.path.realpath(self.folder) + os.sep)
        if not inside or not os.path.isfile(absolute):
            return None
        from shlex import quote

        runner = _RUNNERS.get(os.path.splitext(path)[1])
        if runner is None:
            if not (os.access(absolute, os.X_OK) and _has_shebang(absolute)):
                return None
            runner = "./{}"
        if path.startswith("-"):
            path = f"./{path}"
        return runner.format(quote(path).replace("{", "{{").replace("}", "}}"))

    def _scripts(self) -> list[str]:
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return []
        scripts = [name for name in names if os.path.splitext(name)[1] in _RUNNERS and not name.startswith("_")]
        return scripts[:_MOST_SCRIPTS]


def _has_shebang(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def find_mlproject(folder: str) -> str | None:
    """Return the ``MLproject`` file in *folder*, in any letter case; None if there is none.

    Raises:
        ProjectError: *folder* is none, or can't be read.
    """
    try:
        names = [name for name in os.listdir(folder) if name.lower() == "mlproject"]
    except OSError as error:
        raise ProjectError(folder, f"can't be read as a project: {error.strerror}") from None
    # Of several the usual spelling counts; MLflow takes whichever the file system names first.
    names.sort(key=lambda name: (name != "MLproject", name))
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return None


def read_project(folder: str, called: str = "") -> Project:
    """Return the project in *folder*; without an ``MLproject`` file it has no entry points but its scripts.

    Args:
        folder: Where it is.
        called: Its name where no file says one; "" for the folder's, which of a work folder says nothing.

    Raises:
        ProjectError: The file can't be read, is no YAML, or says something impossible; with the line.
    """
    folder = os.path.abspath(folder)
    file = find_mlproject(folder)
    reader = _Reader(folder, file or "", called)
    if file is None:
        return Project(reader.own_name(), {}, reader.environment({}, {}), folder)
    from ledgit.projects.marked import load_marked, read_text

    return reader.read(load_marked(read_text(file), file))


def parse_project(folder: str, file: str, text: str) -> Project:
    """Return the project that *text* as the content of *file* in *folder* would make; raises as `read_project`."""
    from ledgit.projects.marked import load_marked

    folder = os.path.abspath(folder)
    return _Reader(folder, file).read(load_marked(text, file))


class _Reader:
    def __init__(self, folder: str, file: str, called: str = "") -> None:
        self._folder, self._file, self._called = folder, file, called
        self._notes: list[str] = []

    def own_name(self) -> str:
        return self._called or os.path.basename(self._folder) or "project"

    def read(self, document: Marked) -> Project:
        top = self._mapping(document, "the file", allow_empty=True)
        self._check_keys(top, document.lines, _KEYS, "")
        name = self.own_name()
        if "name" in top and top["name"].value is not None:
            name = self._text(top["name"], "name")
        entry_points = {}
        if "entry_points" in top:
            for key, item in self._mapping(top["entry_points"], "entry_points", allow_empty=True).items():
                entry_points[key] = self._entry_point(key, item, top["entry_points"].lines[key])
        environment = self.environment(top, document.lines)
        return Project(name, entry_points, environment, self._folder, self._file, self._notes)

    def environment(self, top: Mapping[str, Marked], lines: Mapping[str, int]) -> EnvironmentSpec:
        declared = [kind for kind in ENVIRONMENTS if kind in top]
        if len(declared) > 1:
            declared.sort(key=lambda kind: lines[kind])
            raise self._error(f"declares {' and '.join(declared)}; a project has one environment", lines[declared[1]])
        kind = declared[0] if declared else ""
        # One that is empty counts as none, as in MLflow.
        if kind == "docker_env" and top[kind].value:
            return self._docker(top[kind])
        if kind in ("python_env", "conda_env") and top[kind].value not in (None, ""):
            path = os.path.join(self._folder, self._text(top[kind], kind))
            if not os.path.isfile(path):
                raise self._error(f"{kind} is {clean(top[kind].text)!r}, but there is no such file", lines[kind])
            return EnvironmentSpec(kind, path)
        for found, name in _FOUND:
            path = os.path.join(self._folder, name)
            if os.path.isfile(path):
                return EnvironmentSpec(found, path)
        return EnvironmentSpec()

    def _docker(self, marked: Marked) -> EnvironmentSpec:
        docker = self._mapping(marked, "docker_env")
        self._check_keys(docker, marked.lines, _DOCKER_KEYS, "docker_env: ")
        if "image" not in docker or not docker["image"].value:
            raise self._error("docker_env names no image; write 'image: NAME'", marked.line)
        mapping: dict[str, object] = {"image": self._text(docker["image"], "docker_env.image")}
        listed = self._list(docker.get("volumes"), "docker_env.volumes", "['/here:/there']")
        volumes = [self._text(item, "a volume of docker_env") for item in listed]
        environment: list[str | list[str]] = []
        example = "[['NAME', 'value'], 'NAME_TO_HAND_ON']"
        for item in self._list(docker.get("environment"), "docker_env.environment", example):
            if isinstance(item.value, list):
                pair = [self._text(part, "a variable of docker_env") for part in item.value]
                if len(pair) != 2:
                    raise self._error(f"a variable of docker_env has {len(pair)} parts, expected {example}", item.line)
                environment.append(pair)
            else:
                environment.append(self._text(item, "a variable of docker_env"))
        return EnvironmentSpec("docker_env", "", {**mapping, "volumes": volumes, "environment": environment})

    def _entry_point(self, name: str, marked: Marked, line: int) -> EntryPoint:
        what = f"entry point {clean(name)!r}"
        if not isinstance(marked.value, dict):
            raise self._error(f"{what} is {marked.kind()}, expected a mapping with 'command'", line)
        found = marked.value
        self._check_keys(found, marked.lines, _ENTRY_KEYS, f"{what}: ")
        if "command" not in found or found["command"].value in (None, ""):
            raise self._error(f"{what} has no command", line)
        command = self._text(found["command"], f"the command of {what}")
        if "\0" in command:
            raise self._error(f"the command of {what} has a NUL character", found["command"].line)
        parameters = {}
        if "parameters" in found:
            declared = self._mapping(found["parameters"], f"parameters of {what}", allow_empty=True)
            for key, item in declared.items():
                parameters[key] = self._parameter(what, key, item, found["parameters"].lines[key])
        return EntryPoint(name, command, parameters, self._file, marked.lines["command"])

    def _parameter(self, owner: str, name: str, marked: Marked, line: int) -> Parameter:
        what = f"parameter {clean(name)!r} of {owner}"
        if isinstance(marked.value, str):
            kind, choices = self._type(marked, what)
            return Parameter(name, kind, None, choices)
        if not isinstance(marked.value, dict):
            example = f"'{clean(name)}: float' or '{clean(name)}: {{type: float, default: 0.5}}'"
            raise self._error(f"{what} is {marked.kind()}, expected a type or a mapping: {example}", line)
        self._check_keys(marked.value, marked.lines, _PARAMETER_KEYS, f"{what}: ")
        stated = marked.value.get("type")
        kind, choices = ("string", ()) if stated is None else self._type(stated, what)
        default = marked.value.get("default")
        # str() of what YAML makes of it, as MLflow has it: 010 is 8, and true is True.
        text = None if default is None or default.value is None else str(default.plain())
        return Parameter(name, kind, text, choices, declared=stated is not None)

    def _type(self, marked: Marked, what: str) -> tuple[str, tuple[str, ...]]:
        if not isinstance(marked.value, str):
            raise self._error(f"the type of {what} is {marked.kind()}, expected one of {_types()}", marked.line)
        found = parse_type(marked.value)
        if found is not None:
            return found
        spelled = marked.value.partition("[")[0].strip().lower()
        near = _near(spelled, (*TYPES, "choice"))
        if near:
            reason = f"the type of {what} is {clean(marked.value)!r}; did you mean {near}? Types are {_types()}"
            raise self._error(reason, marked.line)
        self._notes.append(f"line {marked.line}: the type of {what} is {clean(marked.value)!r}, read as string")
        return "string", ()

    def _check_keys(
        self, found: Mapping[str, object], lines: Mapping[str, int], known: Sequence[str], where: str
    ) -> None:
        """MLflow passes over what it doesn't know, a misspelled 'parameters' included; that one is an error here."""
        for key in found:
            if key in known:
                continue
            near = _near(key.lower(), [other for other in known if other not in found])
            if near:
                raise self._error(f"{where}unknown key {clean(key)!r}; did you mean {near!r}?", lines[key])
            self._notes.append(f"line {lines[key]}: {where}unknown key {clean(key)!r}, passed over")

    def _mapping(self, marked: Marked, what: str, *, allow_empty: bool = False) -> dict[str, Marked]:
        if isinstance(marked.value, dict):
            return marked.value
        if allow_empty and marked.value is None:
            return {}
        raise self._error(f"{what} is {marked.kind()}, expected a mapping", marked.line)

    def _list(self, marked: Marked | None, what: str, example: str) -> list[Marked]:
        if marked is None or not marked.value:
            return []
        if not isinstance(marked.value, list):
            raise self._error(f"{what} is {marked.kind()}, expected a list such as {example}", marked.line)
        return marked.value

    def _text(self, marked: Marked, what: str) -> str:
        if marked.value is None or isinstance(marked.value, (dict, list)):
            raise self._error(f"{what} is {marked.kind()}, expected text", marked.line)
        return marked.text

    def _error(self, reason: str, line: int | None) -> ProjectError:
        return ProjectError(self._file, reason, line)


def _types() -> str:
    return ", ".join((*TYPES, "choice[a,b]"))


def _near(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.75)
    return near[0] if near else ""
