"""Entry points that files have without anybody declaring them, found in their text alone: nothing is executed.

A Python file is one if it has ``if __name__ == "__main__":``, or reads its arguments at its top level; its
parameters are what it tells argparse, click, typer or fire (see `options`). Other files are if they begin with ``#!``.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Sequence
from shlex import quote

from ledgit.projects.mlproject import EntryPoint
from ledgit.projects.options import Option, find_options
from ledgit.projects.parameters import Parameter

__all__ = ["detect_entry_points"]

_LARGEST = 1 << 20
_NO_ENTRIES = ("setup.py", "conftest.py", "noxfile.py", "__init__.py")
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


def detect_entry_points(folder: str, files: Iterable[str]) -> dict[str, EntryPoint]:
    """Return the entry points among *files*, by name, in the order of the files.

    A name is the file's without its ending; of two that are the same the later has its folder before it
    (``sub.train``). What has no default and need not be given is no parameter: whoever wants it gives it by ``-P``,
    and it is appended.

    Args:
        folder: The project's.
        files: Paths below it, relative to it. What can't be read, is larger than 1 MiB or is no valid Python is none.
    """
    found: dict[str, EntryPoint] = {}
    for file in files:
        path = os.path.normpath(file).replace(os.sep, "/")
        made = _detect(folder, path)
        if made is None:
            continue
        command, parameters = made
        stem = os.path.splitext(path)[0]
        name = os.path.basename(stem)
        if name in found:
            name = stem.replace("/", ".")
        if name not in found:
            found[name] = EntryPoint(name, command, parameters)
    return found


def _detect(folder: str, path: str) -> tuple[str, dict[str, Parameter]] | None:
    base = os.path.basename(path)
    if base in _NO_ENTRIES or base.startswith("test_") or path.startswith("../") or os.path.isabs(path):
        return None
    text = _read(os.path.join(folder, path))
    if text is None:
        return None
    interpreter = _interpreter(text)
    if path.endswith(".py") or interpreter.startswith("python"):
        return _python(path, text)
    if interpreter in _SHELLS:
        return f"{interpreter} {_word(path)}", {}
    if interpreter:
        return f"./{_word(path)}", {}
    return None


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
        return None if len(data) > _LARGEST else data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _interpreter(text: str) -> str:
    """Return the name of the program that the first line of *text* asks for; "" if it doesn't."""
    if not text.startswith("#!"):
        return ""
    words = text[2:].partition("\n")[0].split()
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return os.path.basename(words[0]) if words else ""


def _python(path: str, text: str) -> tuple[str, dict[str, Parameter]] | None:
    from warnings import catch_warnings, simplefilter

    try:
        with catch_warnings():
            simplefilter("ignore")  # "invalid escape sequence" is their affair
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not any(_is_guard(statement) or _reads_arguments(statement) for statement in tree.body):
        return None
    try:
        options = find_options(tree)
    except RecursionError:
        options = []
    words = [*_start(path, tree)]
    parameters: dict[str, Parameter] = {}
    # Arguments without a name come last, so that none is taken for an option's value.
    for option in sorted(options, key=lambda option: not option.flag):
        parameter = _parameter(option)
        if parameter is None or parameter.name in parameters:
            continue
        parameters[parameter.name] = parameter
        if parameter.type != "bool":
            # With "=", a value may begin with a dash: argparse takes -1e-5 for an option otherwise.
            flag = f"{_word(option.flag)}{'=' if option.flag.startswith('--') else ' '}" if option.flag else ""
            words.append(f"{flag}{{{parameter.name}}}")
    return " ".join(words), parameters


def _start(path: str, tree: ast.Module) -> Sequence[str]:
    folders = path.removesuffix(".py").split("/")
    relative = any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    if relative and len(folders) > 1 and all(folder.isidentifier() for folder in folders):
        return ("python", "-m", ".".join(folders))
    return ("python", _word(path if not path.startswith("-") else f"./{path}"))


def _word(text: str) -> str:
    return quote(text).replace("{", "{{").replace("}", "}}")


def _parameter(option: Option) -> Parameter | None:
    """Return what *option* is declared as; None if it can be left out and nothing says what it is then."""
    if not option.name.replace("-", "_").replace(".", "_").isidentifier():
        return None
    if option.switch:
        # It is appended by its name.
        return Parameter(option.name, "bool", "False") if option.flag == f"--{option.name}" else None
    default = None if option.default is None else str(option.default)
    if default is None and not option.required:
        return None
    if "\0" in (default or ""):
        return None
    if option.choices and all(_is_choice(choice) for choice in option.choices):
        return Parameter(option.name, "choice", default, option.choices)
    return Parameter(option.name, option.type, default)


def _is_choice(text: str) -> bool:
    return bool(text) and text == text.strip() and not set(text) & set(",[]\n")


def _is_guard(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    test = statement.test
    sides = [test.left, *test.comparators]
    named = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return named and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def _reads_arguments(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READERS
        for node in ast.walk(statement)
    )


_READERS = ("parse_args", "parse_known_args", "Fire")
