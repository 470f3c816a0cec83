"""What a Python program says about its command line, read from its syntax tree.

argparse's ``add_argument``, click's ``option`` and ``argument``, functions given to typer and fire. What is not
written out (a default that is computed, a list of choices from somewhere else) is not known, and left out. Programs
with sub-commands have no options here: which ones count depends on the command.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Option", "find_options"]

_TYPES = {"float": "float", "int": "int", "FLOAT": "float", "INT": "int"}
_UNKNOWN = object()


class Option(Values):
    """One option or argument of a program.

    Attributes:
        name: What the program calls it.
        flag: The option's word, such as ``--alpha``; "" of an argument without one.
        type: ``string``, ``int`` or ``float``.
        default: A scalar; None if there is none, or it is computed.
        required: Whether the program asks for it.
        choices: The values it may have, as text.
        switch: Whether it takes no value, and is off unless it is there.
    """

    __slots__ = ("choices", "default", "flag", "name", "required", "switch", "type")

    def __init__(
        self,
        name: str,
        flag: str = "",
        type: str = "string",  # noqa: A002
        default: Any = None,
        choices: Sequence[str] = (),
        *,
        required: bool = False,
        switch: bool = False,
    ) -> None:
        self.name, self.flag, self.type, self.default = name, flag, type, default
        self.required, self.choices, self.switch = required, tuple(choices), switch


def find_options(tree: ast.Module) -> list[Option]:
    """Return the options of the program *tree*, in the order they are declared in; none of one with sub-commands."""
    imported = _imported(tree)
    for library, find in _FINDERS.items():
        if library in imported:
            found = find(tree)
            if found:
                return found
    return []


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _argparse(tree: ast.Module) -> list[Option]:
    calls = [call for call in _calls(tree) if isinstance(call.func, ast.Attribute)]
    if any(_called(call) == "add_subparsers" for call in calls):
        return []
    calls = [call for call in calls if _called(call) == "add_argument"]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [option for call in calls if (option := _argument(call))]


def _argument(call: ast.Call) -> Option | None:
    words, given = _words(call), _keywords(call)
    if not words or None in given:
        return None
    action = given.get("action", "store")
    many = given.get("nargs")
    default = given.get("default")
    if words[0][:1] != "-":
        required = many is None or many == "+"
        if action != "store" or many not in (None, "+", "?"):
            return None
        return _valued(words[0], "", given, default, required=required)
    flag = _long(words)
    name = given.get("dest")
    name = name if isinstance(name, str) else flag.lstrip("-").replace("-", "_")
    if action == "store_true":
        return Option(flag.lstrip("-"), flag, switch=True)
    if action not in ("store", None) or many not in (None, "?"):
        return None
    return _valued(name, flag, given, default, required=given.get("required") is True)


def _valued(name: str, flag: str, given: dict[str, Any], default: Any, *, required: bool) -> Option | None:
    if default is _UNKNOWN or isinstance(default, (list, tuple, dict, set, bytes, complex)):
        # It has one, so it need not be given; which one only the program knows.
        return None
    kind = given.get("type")
    spelled = _TYPES.get(kind, "") if isinstance(kind, str) else ""
    if kind is None and isinstance(default, (int, float)) and not isinstance(default, bool):
        spelled = type(default).__name__
    choices = given.get("choices")
    choices = [str(choice) for choice in choices] if isinstance(choices, (list, tuple)) else []
    return Option(name, flag, spelled or "string", default, choices, required=required and default is None)


def _click(tree: ast.Module) -> list[Option]:
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    decorated = {function: [_called(decorator) for decorator in function.decorator_list] for function in functions}
    if any("group" in names for names in decorated.values()):
        return []
    commands = [function for function, names in decorated.items() if "command" in names]
    found: list[Option] = []
    for decorator in commands[0].decorator_list if len(commands) == 1 else ():
        if isinstance(decorator, ast.Call) and _called(decorator) in ("option", "argument"):
            option = _click_option(decorator, is_option=_called(decorator) == "option")
            found += [option] if option else []
    return found


def _click_option(call: ast.Call, *, is_option: bool) -> Option | None:
    words, given = _words(call), _keywords(call)
    if not words or given.get("multiple") or given.get("count") or given.get("nargs") not in (None, 1):
        return None
    default = given.get("default")
    given["choices"] = next((_choices(keyword.value) for keyword in call.keywords if keyword.arg == "type"), None)
    plain = [word for word in words if word[:1] != "-"]
    if not is_option:
        return _valued(words[0], "", given, default, required=given.get("required") is not False)
    flags = [word for word in words if word[:1] == "-"]
    if not flags:
        return None
    flag = _long(flags)
    if given.get("is_flag") or "/" in flag:
        flag = flag.partition("/")[0].strip()
        return None if default not in (None, False) else Option(flag.lstrip("-"), flag, switch=True)
    name = plain[0] if plain else flag.lstrip("-").replace("-", "_").lower()
    return _valued(name, flag, given, default, required=given.get("required") is True)


def _choices(node: ast.expr) -> Any:
    return _literal(node.args[0]) if isinstance(node, ast.Call) and _called(node) == "Choice" and node.args else None


def _typer(tree: ast.Module) -> list[Option]:
    run = _given_functions(tree, "run")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    chosen = [
        function
        for function in functions
        if function.name in run or any(_called(decorator) == "command" for decorator in function.decorator_list)
    ]
    return [] if len(chosen) != 1 else [option for option in _signature(chosen[0], fire=False) if option]


def _fire(tree: ast.Module) -> list[Option]:
    names = _given_functions(tree, "Fire")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if len(names) != 1 or names[0] not in functions:
        return []
    return [option for option in _signature(functions[names[0]], fire=True) if option]


def _given_functions(tree: ast.Module, called: str) -> list[str]:
    """Return the names that are the first argument of calls of *called*: ``train`` of ``typer.run(train)``."""
    calls = [call for call in _calls(tree) if _called(call) == called and call.args]
    return [call.args[0].id for call in calls if isinstance(call.args[0], ast.Name)]


def _signature(function: ast.FunctionDef, *, fire: bool) -> Iterator[Option | None]:
    arguments = [*function.args.posonlyargs, *function.args.args]
    nothing: list[ast.expr | None] = [None] * (len(arguments) - len(function.args.defaults))
    pairs = [*zip(arguments, [*nothing, *function.args.defaults], strict=True)]
    pairs += [*zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)]
    for argument, default in pairs:
        yield _signature_option(argument, default, fire=fire)


def _signature_option(argument: ast.arg, default: ast.expr | None, *, fire: bool) -> Option | None:
    annotation = argument.annotation
    about = default if isinstance(default, ast.Call) and _called(default) in ("Option", "Argument") else None
    value: Any = None if default is None else _literal(default)
    has_default = default is not None
    if about is not None:
        value = _literal(about.args[0]) if about.args else _keywords(about).get("default")
        has_default = value is not ... and (bool(about.args) or "default" in _keywords(about))
    elif isinstance(annotation, ast.Subscript) and _last(annotation.value) == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        annotation = parts[0]
        about = next((part for part in parts[1:] if isinstance(part, ast.Call)), None)
    kind = _last(annotation) if annotation is not None else ""
    is_argument = not fire and (
        (about is not None and _called(about) == "Argument") or (about is None and not has_default)
    )
    words = [word for word in _words(about) if word[:1] == "-"] if about is not None else []
    flag = _long(words) if words else f"--{argument.arg if fire else argument.arg.replace('_', '-')}"
    if kind == "bool" or isinstance(value, bool):
        return Option(flag.lstrip("-"), flag, switch=True) if value is False and "/" not in flag else None
    if has_default and value is None:
        return None
    given = {"type": kind} if kind else {}
    return _valued(
        argument.arg, "" if is_argument else flag, given, value if has_default else None, required=not has_default
    )


_FINDERS = {"argparse": _argparse, "click": _click, "typer": _typer, "fire": _fire}


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(node: ast.AST) -> str:
    """Return the last part of the name that *node* calls: ``option`` of ``@click.option(...)``."""
    return _last(node.func if isinstance(node, ast.Call) else node)


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _words(call: ast.Call) -> list[str]:
    return [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]


def _keywords(call: ast.Call) -> dict[Any, Any]:
    """Return the keyword arguments that are written out; a name stands for itself, None is there for ``**``."""
    return {keyword.arg: _literal(keyword.value, keyword.arg == "type") for keyword in call.keywords}


def _literal(node: ast.expr, is_type: bool = False) -> Any:
    if is_type:
        return _last(node) or "?"
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNKNOWN


def _long(flags: Sequence[str]) -> str:
    """Return the first of *flags* with two dashes, or else the first."""
    return next((flag for flag in flags if flag.startswith("--")), flags[0])
