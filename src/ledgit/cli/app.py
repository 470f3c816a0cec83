"""Start a command, and turn what it raises into one sentence and an exit code."""

from __future__ import annotations

import os
import sys

from ledgit.cli import terminal
from ledgit.cli.quick import read
from ledgit.cli.table import SUMMARIES, module_name, overview
from ledgit.errors import LedgitError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
_COLORS = ("auto", "always", "never")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: The arguments after the program's name; the process's own by default.
    """
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except LedgitError as error:
        return _fail(error, str(error))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left (`ledgit ls | head`): nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        return _fail(error, f"{named}{error.strerror}" if error.strerror else str(error))
    except Exception as error:  # a traceback is for who asks for it
        what = f"{type(error).__name__}: {error}"
        return _fail(error, f"unexpected {what}; please report it, with what LEDGIT_TRACEBACK=1 shows")
    return code


def _run(words: list[str]) -> int:
    command, rest = _globals(words)
    if command == "--version":
        from ledgit._version import __version__

        terminal.write(f"ledgit {__version__}\n")
        return 0
    if command == "help":
        command, rest = (rest[0], ["--help"]) if rest else ("--help", [])
    if command in ("-h", "--help"):
        terminal.write(overview(), page=True)
        return 0
    if command is None:
        from ledgit.cli.welcome import welcome

        terminal.note(welcome())
        return UsageError.exit_code
    if command not in SUMMARIES:
        raise UsageError(_unknown(command))
    code: int
    plain = read(command, rest)
    if plain is not None:
        code = __import__(module_name(command), fromlist=["run"]).run(plain)
        return code
    from ledgit.cli.parsing import build

    try:
        parser = build(command)
        args = parser.read(rest)
    except SystemExit as stop:  # argparse leaves this way after --help
        return int(stop.code or 0)
    code = args.run(args)
    return code


def _globals(words: list[str]) -> tuple[str | None, list[str]]:
    """Take the options before the command; return the command and what follows it."""
    color, pager = "auto", True
    command: str | None = None
    while words:
        word = words.pop(0)
        if word == "-C":
            if not words:
                raise UsageError("-C needs a path")
            os.chdir(words.pop(0))
        elif word == "--color" or word.startswith("--color="):
            color = word[8:] if word[7:8] == "=" else words.pop(0) if words else ""
            if color not in _COLORS:
                raise UsageError(f"--color is {color!r}, expected one of {', '.join(_COLORS)}")
        elif word == "--no-pager":
            pager = False
        elif word in ("-V", "--version"):
            command = "--version"
            break
        elif word.startswith("-") and word not in ("-h", "--help"):
            raise UsageError(f"unknown option {word!r}; 'ledgit --help' lists them")
        else:
            command = word
            break
    terminal.configure(color, pager)
    return command, words


def _unknown(command: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(command, SUMMARIES, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else "'ledgit --help' lists them"
    return f"there is no command {command!r}; {hint}"


def _fail(error: Exception, message: str) -> int:
    if os.environ.get("LEDGIT_TRACEBACK") == "1":
        import traceback

        traceback.print_exception(error)
    else:
        _say(message)
    return error.exit_code if isinstance(error, LedgitError) else 1


def _say(message: str) -> None:
    from ledgit.cli.text import clean_lines

    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    terminal.note("\n".join(clean_lines("ledgit: " + message)))
