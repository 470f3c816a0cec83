"""What the terminal can do: width, colours, pager. Reads the environment."""

from __future__ import annotations

import os
import sys

_color: str = "auto"
_pager = True


def configure(color: str, pager: bool) -> None:
    """Set what ``--color`` and ``--no-pager`` say for the rest of the process."""
    global _color, _pager
    _color, _pager = color, pager


def interactive() -> bool:
    """Whether somebody can be asked: standard input and error are terminals."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def output_is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return is_terminal(sys.stdout)


def columns() -> int:
    """Return the terminal's width in characters: ``COLUMNS``, the terminal's own, or 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            return os.get_terminal_size(stream.fileno()).columns or 80  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):
            continue
    return 80


def table_width() -> int | None:
    """Return how wide a table may be: None where the output is a file or a pipe."""
    return columns() if output_is_terminal() or os.environ.get("COLUMNS", "").isdigit() else None


def use_color() -> bool:
    """Whether standard output gets colours: ``--color``, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, the terminal."""
    if _color != "auto":
        return _color == "always"
    environ = os.environ
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return output_is_terminal()


def write(text: str, *, page: bool = False) -> None:
    """Write *text* to standard output, through a pager if *page* and it is longer than the screen."""
    if page and _pager and output_is_terminal() and _longer_than_screen(text) and _through_pager(text):
        return
    # Names of files may hold bytes that are no UTF-8, and a terminal may know only ASCII.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def write_now(text: str) -> None:
    """Write *text* and flush, for output that grows while somebody watches."""
    write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write one line for the reader to standard error, so that output stays clean."""
    sys.stderr.write(text + "\n")


def is_terminal(stream: object) -> bool:
    """Whether *stream* is a terminal; closed and replaced ones are none."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def _longer_than_screen(text: str) -> bool:
    try:
        return text.count("\n") >= os.get_terminal_size(sys.stdout.fileno()).lines
    except (ValueError, OSError):
        return False


def _gits_pager() -> str:
    from ledgit.git import try_git

    return try_git(None, "config", "core.pager")[1].decode("utf-8", "replace").strip()


def _through_pager(text: str) -> bool:
    import shlex
    import subprocess

    command = os.environ.get("LEDGIT_PAGER") or os.environ.get("GIT_PAGER") or _gits_pager()
    command = command or os.environ.get("PAGER") or "less"
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    if not words or words[0] == "cat":
        return False
    # As Git does: leave a short text on the screen, pass colours, cut nothing.
    environ = {"LESS": "FRX", "LV": "-c", **os.environ}
    try:
        pager = subprocess.Popen(words, stdin=subprocess.PIPE, env=environ)
    except OSError:
        return False
    try:
        pager.communicate(text.encode("utf-8", "backslashreplace"))
    except KeyboardInterrupt:
        pager.wait()
    return True
