"""Argument parsers in one style, and the options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn, overload

from ledgit.cli.table import EXIT_CODES, SUMMARIES, module_name
from ledgit.errors import UsageError

_VALUES = {"-C": " PATH", "--color": " never"}


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        # A width of our own: argparse would import shutil for it (4 ms).
        from ledgit.cli.terminal import columns

        super().__init__(prog, max_help_position=30, width=min(columns(), 100))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fill paragraphs; examples and tables stay as they are."""
        if text.startswith(("examples:", "exit codes:")):
            return super()._fill_text(text, width, indent)
        from textwrap import fill

        return "\n\n".join(fill(part, width) for part in text.split("\n\n"))


_MARK = "\0"  # no argument of a program can have one


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `UsageError`, so one place prints them."""

    #: Options whose value may begin with a dash, as ``--sort -accuracy``.
    dashed: frozenset[str] = frozenset()
    #: The action that is meant where the first word is none; "" where one has to be named.
    default_action = ""

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse *words*; options may stand between, before and after the other arguments."""
        words = self.joined(words)
        actions = next((action for action in self._actions if isinstance(action, argparse._SubParsersAction)), None)
        if actions is not None:
            return self._read_action(actions, words)
        trailing = next((action for action in self._actions if action.nargs == argparse.REMAINDER), None)
        if trailing is not None:
            return self._read_command(trailing, words)
        if "--" not in words:
            return self.parse_intermixed_args(words)
        # argparse forgets the -- when options and other arguments are mixed: what a script puts behind it,
        # such as the name of somebody's branch, must never become an option.
        at = words.index("--")
        args = self.parse_intermixed_args([*words[:at], *(_MARK + word for word in words[at + 1 :])])
        for name, value in vars(args).items():
            setattr(args, name, _unmarked(value))
        return args

    def _read_command(self, trailing: argparse.Action, words: list[str]) -> argparse.Namespace:
        """Read what stands before the first ``--``; that and all behind it is the command, whatever it looks like."""
        at = words.index("--") if "--" in words else len(words)
        if not {"-h", "--help"}.isdisjoint(words[:at]):
            return self.parse_args(["--help"])  # behind another word it would be taken for the command's
        self._actions.remove(trailing)
        args = self.parse_intermixed_args(words[:at])
        setattr(args, trailing.dest, words[at:])
        return args

    def _read_action(self, actions: argparse._SubParsersAction[Any], words: list[str]) -> argparse.Namespace:
        """Have the action's own parser read its words: argparse itself would lose those between options."""
        if words and words[0] in actions.choices:
            args: argparse.Namespace = actions.choices[words[0]].read(words[1:])
            for name, value in {**self._defaults, actions.dest: words[0]}.items():
                setattr(args, name, value)
            return args
        if words and words[0] in ("-h", "--help"):
            return self.parse_args(words)
        if words and self.default_action:
            return self._read_action(actions, [self.default_action, *words])
        listed = ", ".join(actions.choices)
        return self.error(f"there is no action {words[0]!r}; it has {listed}" if words else f"name an action: {listed}")

    def joined(self, words: Sequence[str]) -> list[str]:
        """Return *words* with the values of `dashed` options tied to them, so that argparse sees values."""
        found: list[str] = []
        for word in words:
            if found and found[-1] in self.dashed and word.startswith("-"):
                found[-1] += word if len(found[-1]) == 2 else f"={word}"
            else:
                found.append(word)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        _, unknown, extra = message.partition("unrecognized arguments: ")
        option = extra.partition("=")[0].partition(" ")[0]
        if unknown and option in ("-C", "--color", "--no-pager"):
            raise UsageError(f"{option} goes before the command, as in 'ledgit {option}{_VALUES.get(option, '')} ls'")
        raise UsageError(f"{self.prog.removeprefix('ledgit ')}: {message}; see '{self.prog} --help'")


def _unmarked(value: Any) -> Any:
    if isinstance(value, str):
        return value.removeprefix(_MARK)
    return [_unmarked(one) for one in value] if isinstance(value, list) else value


def load(command: str) -> ModuleType:
    """Import the module of *command*."""
    name = module_name(command)
    __import__(name)
    return sys.modules[name]


def build(command: str, prog: str = "ledgit") -> Parser:
    """Return the parser of one command, with the module's ``run`` as its default."""
    module = load(command)
    parser = Parser(
        prog=f"{prog} {command}",
        description=module.HELP.strip(),
        epilog=_epilog(module),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def build_all() -> Parser:
    """Return one parser with every command below it: for shell completion and reference pages."""
    root = Parser(prog="ledgit", formatter_class=_Formatter, allow_abbrev=False, epilog=EXIT_CODES)
    root.add_argument("-C", dest="directory", metavar="PATH", help="work as if started in PATH")
    root.add_argument("--color", choices=("auto", "always", "never"), help="when to use colours")
    root.add_argument("--no-pager", action="store_true", help="never start a pager")
    root.add_argument("--version", action="store_true", help="print the version")
    children = root.add_subparsers(metavar="COMMAND", dest="command", parser_class=Parser)
    for command, line in SUMMARIES.items():
        module = load(command)
        child = children.add_parser(
            command,
            help=line,
            description=module.HELP.strip(),
            epilog=_epilog(module),
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        module.add_arguments(child)
    return root


def add_action(actions: argparse._SubParsersAction[Parser], name: str, line: str, examples: str) -> Parser:
    """Add a parser for the action *name* of a command that has several."""
    return actions.add_parser(
        name,
        help=line,
        description=f"{line[:1].upper()}{line[1:]}.",
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples.splitlines()),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )


def _epilog(module: ModuleType) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in module.EPILOG.strip("\n").splitlines())


def complete(action: argparse.Action, kind: str) -> None:
    """Mark what an argument names (``file``, ``directory``, ``run``, ``experiment``) for completion."""
    action.complete = kind  # type: ignore[attr-defined]


def add_run(parser: argparse.ArgumentParser, *, nargs: str | None = None, dest: str = "ref") -> None:
    """Add the positional argument that names a run, or several with *nargs*."""
    what = "name, id or its first digits (4 or more), or a Git revision"
    many = nargs in ("+", "*")
    action = parser.add_argument(
        dest, metavar="RUN", nargs=nargs, help=f"runs: {what} of each" if many else f"run: {what}"
    )
    complete(action, "run")


def add_formats(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add ``--json`` and the other *formats* (``csv``, ``md``), one of which can be asked for."""
    group = parser.add_mutually_exclusive_group()
    words = {"json": "print JSON", "csv": "print comma-separated values", "md": "print a Markdown table"}
    for name in ("json", *formats):
        group.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, default="text", help=words[name]
        )


def pairs(given: Sequence[str], what: str) -> dict[str, str]:
    """Split ``key=value`` arguments for *what* (param, metric, tag); a value may hold further ``=``.

    Raises:
        UsageError: One of them has no ``=``, or a key that can't be stored.
    """
    from ledgit.records import check_key

    found: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{what} {pair!r} is not of the form key=value")
        check_key(what, key)
        found[key] = value
    return found


def typed(text: str) -> str | int | float | bool:
    """Read a value typed in a shell: a number or boolean where it is spelled as one, else text.

    ``007`` and ``1_000`` stay text: a number that would be printed differently is no number here.
    """
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        return int(text) if str(int(text)) == text else text
    if text and text.isascii() and "_" not in text and text.strip() == text:
        try:
            return float(text)
        except ValueError:
            pass
    return text


@overload
def seconds(option: str, text: str, *, zero: bool = False) -> float: ...
@overload
def seconds(option: str, text: str | None, *, zero: bool = False) -> float | None: ...
def seconds(option: str, text: str | None, *, zero: bool = False) -> float | None:
    """Read the time given for *option*, such as ``90``, ``1.5h``, ``5m`` or ``2d``; None where none is given.

    Args:
        option: Its name, for the error.
        text: What was given.
        zero: Whether 0 means something.

    Raises:
        UsageError: It is none.
    """
    if text is None:
        return None
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}.get(text[-1:], 0.0)
    try:
        found = float(text[:-1]) * factor if factor else float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf") or (found == 0 and not zero):
        raise UsageError(f"{option} is {text!r}, expected a time such as 90 (seconds), 5m or 2h")
    return found
