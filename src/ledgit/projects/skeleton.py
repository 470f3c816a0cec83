"""``MLproject`` files written: a new one, and entry points added to one that a person keeps.

What a person wrote stays as it is, comments, order and spacing included: lines are put in between. The result is
read again before it is kept; where it is not what it should be, nothing is changed and the error says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ledgit.errors import ProjectError, StorageError
from ledgit.projects.marked import load_marked, read_text
from ledgit.projects.mlproject import ENVIRONMENTS, EntryPoint, Project, find_mlproject, parse_project
from ledgit.projects.parameters import Parameter
from ledgit.records.scalars import dump_scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["edit_project", "project_text", "write_project"]

_WORD_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_WORD = _WORD_START | frozenset("0123456789-.")


def write_project(folder: str, project: Project) -> str:
    """Write a new ``MLproject`` for *project* into *folder*, and return its path.

    Of the environment only a file's name is written: relative to *folder*.

    Raises:
        ProjectError: There is one already.
        StorageError: The disk refuses.
    """
    there = find_mlproject(folder)
    if there is not None:
        raise ProjectError(there, "is there already; edit it, or remove it first")
    path = os.path.join(folder, "MLproject")
    _write(path, project_text(folder, project))
    return path


def project_text(folder: str, project: Project) -> str:
    """Return what `write_project` writes."""
    lines = [f"name: {_scalar(project.name)}"]
    spec = project.environment
    if spec.kind in ("python_env", "conda_env"):
        lines += ["", f"{spec.kind}: {_scalar(os.path.relpath(spec.path, folder).replace(os.sep, '/'))}"]
    elif spec.kind:
        lines += ["", f"{spec.kind}:", *_block(spec.mapping, "  ")]
    lines += ["", "entry_points:" if project.entry_points else "entry_points: {}"]
    for number, entry_point in enumerate(project.entry_points.values()):
        lines += [""] * (number > 0) + _entry_lines(entry_point, "  ")
    return "\n".join([*lines, ""])


def edit_project(
    folder: str, entry_points: Mapping[str, EntryPoint] | None = None, environment: tuple[str, str] | None = None
) -> tuple[str, ...]:
    """Add to the ``MLproject`` in *folder* what it does not have, and return the names of the new entry points.

    Args:
        folder: The project's.
        entry_points: Those to be there. Of one that is declared already the declaration stays.
        environment: Kind and file, such as ``("python_env", "python_env.yaml")``; added if none is declared.

    Raises:
        ProjectError: There is no file, it is not valid, or is written in a way that lines can't be added to.
        StorageError: The disk refuses.
    """
    path = find_mlproject(folder)
    if path is None:
        raise ProjectError(os.path.join(folder, "MLproject"), "does not exist; 'ledgit project create' writes one")
    before = read_text(path)
    old = parse_project(folder, path, before)
    new = {name: point for name, point in (entry_points or {}).items() if name not in old.entry_points}
    declares = load_marked(before, path).value or {}
    kind, file = environment if environment and not any(key in declares for key in ENVIRONMENTS) else ("", "")
    if not new and not kind:
        return ()
    text = before
    if kind:
        text = _with_environment(path, text, f"{kind}: {_scalar(file)}")
    if new:
        text = _with_entry_points(path, text, new)
    _verify(folder, path, text, old, new)
    _replace(path, text)
    return tuple(new)


def _verify(folder: str, path: str, text: str, old: Project, new: Mapping[str, EntryPoint]) -> None:
    try:
        read = parse_project(folder, path, text)
        right = read.entry_points == {**old.entry_points, **new} and read.name == old.name
    except ProjectError:
        right = False
    if not right:
        names = ", ".join(new) or "the environment"
        raise ProjectError(path, f"is written so that {names} can't be added to it; add the lines yourself")


def _with_environment(path: str, text: str, line: str) -> str:
    """Put *line* below the name, or at the top."""
    lines, ending = _lines(text)
    at = load_marked(text, path).lines.get("name") if text.strip() else None
    # A name may go on over several lines; then what is read again says so.
    lines[at or 0 : at or 0] = ["", line] if at else [line, ""]
    return ending.join(lines)


def _with_entry_points(path: str, text: str, new: Mapping[str, EntryPoint]) -> str:
    import yaml

    lines, ending = _lines(text)
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == "entry_points"), None)
    if found is None:
        end = len(lines)
        while end and not lines[end - 1].strip():
            end -= 1
        lines[end:] = [""] * (end > 0) + ["entry_points:", *_spaced(new, "  ", gap=False), ""]
        return ending.join(lines)
    key, value = found
    if isinstance(value, yaml.MappingNode) and value.value:
        if value.flow_style:
            raise ProjectError(path, "has entry_points in braces; write them as lines, or add to them yourself")
        first = value.value[0][0].start_mark
        at = _end_line(value, lines)
        gap = len(value.value) > 1 and not lines[value.value[1][0].start_mark.line - 1].strip()
        lines[at:at] = _spaced(new, " " * first.column, gap=gap)
        return ending.join(lines)
    # "entry_points: {}" and "entry_points:" hold nothing; what is behind them on the line stays.
    line = key.start_mark.line
    if value.value and not (isinstance(value, yaml.ScalarNode) and value.tag.endswith(":null")):
        raise ProjectError(path, "has entry_points that are no mapping", line + 1)
    start, end = value.start_mark, value.end_mark
    if start.line == end.line == line:
        lines[line] = (lines[line][: start.column].rstrip() + lines[line][end.column :]).rstrip()
    lines[line + 1 : line + 1] = _spaced(new, " " * (key.start_mark.column + 2), gap=False)
    return ending.join(lines)


def _end_line(node: Any, lines: list[str]) -> int:
    """Return the number of lines up to the end of the last value in *node*."""
    while not isinstance(node.value, str) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = node.end_mark
    if end.column > 0:
        return int(end.line) + 1
    # A block of text ("|") ends where the next thing begins: blank lines behind it are not its own.
    at = min(int(end.line), len(lines))
    while at and not lines[at - 1].strip():
        at -= 1
    return at


def _spaced(new: Mapping[str, EntryPoint], indent: str, *, gap: bool) -> list[str]:
    lines: list[str] = []
    for entry_point in new.values():
        lines += ([""] if gap else []) + _entry_lines(entry_point, indent)
    return lines


def _entry_lines(entry_point: EntryPoint, indent: str) -> list[str]:
    lines = [f"{indent}{_scalar(entry_point.name)}:"]
    if entry_point.parameters:
        lines.append(f"{indent}  parameters:")
        lines += [f"{indent}    {_scalar(name)}: {_parameter(item)}" for name, item in entry_point.parameters.items()]
    return [*lines, f"{indent}  command: {dump_scalar(entry_point.command)}"]


def _parameter(parameter: Parameter) -> str:
    if parameter.default is None:
        # "string" where no type is declared: without one, a parameter needs a default.
        return _scalar(parameter.spelled)
    kind = f"type: {_scalar(parameter.spelled)}, " if parameter.declared else ""
    return f"{{{kind}default: {_default(parameter.default)}}}"


def _default(text: str) -> str:
    """Spell a default so that it is read as the same text: numbers as numbers where that holds."""
    if text in ("True", "False"):
        return text.lower()
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and text.lstrip("-")[:1].isdigit() and "e" not in text:
            return text
    return dump_scalar(text)


def _scalar(text: str) -> str:
    """Spell a name without quotes where no reader of YAML takes it for anything else."""
    words = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
    if text and text[0] in _WORD_START and _WORD.issuperset(text) and text.lower() not in words:
        return text
    return dump_scalar(text)


def _block(mapping: Mapping[str, Any], indent: str) -> list[str]:
    from ledgit.records.documents import dump_document

    given = {key: value for key, value in mapping.items() if value}
    return [indent + line for line in dump_document(given).decode().splitlines()]


def _lines(text: str) -> tuple[list[str], str]:
    ending = "\r\n" if "\r\n" in text else "\n"
    return text.split(ending), ending


def _write(path: str, text: str) -> None:
    """Write a file that is not there yet."""
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from None


def _replace(path: str, text: str) -> None:
    """Replace a file at once: whoever reads it meanwhile sees the old one or the new one."""
    import shutil
    import tempfile

    target = os.path.realpath(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".MLproject-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            shutil.copymode(target, temporary)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from None
