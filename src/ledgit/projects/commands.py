"""Commands: the template of an entry point, filled so that every value reaches the program as it was given."""

from __future__ import annotations

import os

from ledgit.errors import ParameterError, ProjectError
from ledgit.projects.places import Place, Shell, is_plain
from ledgit.records.harmless import clean, fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.mlproject import EntryPoint
    from ledgit.projects.parameters import Bound, Parameter

__all__ = ["argv", "fill", "placeholders", "shell"]

# Words that a shell does itself, or would do otherwise than the program of the same name.
# fmt: off
_SHELL_WORDS = frozenset((
    "!", ".", ":", "[", "[[", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "command",
    "compgen", "complete", "continue", "coproc", "declare", "dirs", "disown", "do", "done", "echo", "elif", "else",
    "enable", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for", "function", "getopts",
    "hash", "help", "history", "if", "in", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf",
    "pushd", "pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt", "source",
    "suspend", "test", "then", "time", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias",
    "unset", "until", "wait", "while", "{", "}",
))
# fmt: on
_MOST_CODE = 1 << 20
_BASH = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash")


def shell(line: str) -> list[str]:
    """Return what runs *line*: bash, as in MLflow, or the system's shell where there is none."""
    for path in _BASH:
        if os.access(path, os.X_OK):
            return [path, "-c", line]
    return ["sh", "-c", line]


def placeholders(entry_point: EntryPoint) -> list[str]:
    """Return the parameters that the template of *entry_point* has a place for, once each, in its order.

    Raises:
        ProjectError: As `fill`.
    """
    return list(dict.fromkeys(name for _, name in _pieces(entry_point) if name is not None))


def fill(entry_point: EntryPoint, bound: Bound) -> str:
    """Return the command of *entry_point* with the values in *bound*, as one line for a shell.

    A value is quoted as its place needs it: a program gets it whole, whatever is in it. Parameters that are not
    declared are appended as ``--name value`` (``name=value`` for a program of Hydra's), and so is a declared ``bool``
    without a place in the command that is off by default: ``--name`` if it is on. Any other without a place is left
    out, as MLflow does.

    Raises:
        ProjectError: The template has a brace that is no parameter, or nothing can be appended to it.
        ParameterError: A value can't be quoted where it is to stand (in a here-document, say).
    """
    return _fill(entry_point, bound)[0]


def argv(entry_point: EntryPoint, bound: Bound) -> list[str] | None:
    """Return the words to start directly, without a shell; None if the command needs one.

    Raises:
        ProjectError, ParameterError: As `fill`.
    """
    line, needs_shell = _fill(entry_point, bound)
    if needs_shell:
        return None
    from shlex import split

    return split(line)


def _fill(entry_point: EntryPoint, bound: Bound) -> tuple[str, bool]:
    pieces = _pieces(entry_point)
    reader = Shell()
    line: list[str] = []
    for number, (text, name) in enumerate(pieces):
        line.append(text)
        reader.feed(text)
        if name is None:
            continue
        if text.endswith("$"):
            reason = f"${{{name}}} is neither a parameter nor a variable: write {{{name}}} or ${{{{{name}}}}}"
            raise _error(entry_point, reason)
        following = pieces[number + 1][0] if number + 1 < len(pieces) else ""
        line.append(_quoted(entry_point, name, bound.values[name], reader.place(following)))
        reader.value()
    appended = _appended(entry_point, bound, {name for _, name in pieces if name is not None})
    if appended:
        end = _what_is_open(reader, line)
        if end:
            raise _error(entry_point, f"ends {end}, so {appended[0]} can't be appended to it")
    needs_shell = reader.needs_shell or bool(reader.strange or reader.open) or _is_shells(reader)
    return " ".join(["".join(line), *appended]), needs_shell


def _quoted(entry_point: EntryPoint, name: str, value: str, place: Place) -> str:
    if place.reason and not is_plain(value):
        shown = fit(clean(repr(value)), 60)
        reason = f"{shown} can't stand {place.reason}: there only letters, digits and _@%+=:,./- are safe"
        raise ParameterError(entry_point.name, name, reason)
    return place.quote(value)


def _appended(entry_point: EntryPoint, bound: Bound, placed: set[str]) -> list[str]:
    words = []
    for name, parameter in entry_point.parameters.items():
        if parameter.type == "bool" and name not in placed and bound.typed.get(name) is True and not _is_on(parameter):
            words.append(_word(f"--{name}"))
    hydra = bool(bound.extra) and _is_hydra(entry_point)
    for name, value in bound.extra.items():
        words.append(_word(f"{name}={value}") if hydra else f"{_word(f'--{name}')} {_word(value)}")
    return words


def _is_hydra(entry_point: EntryPoint) -> bool:
    """Say whether the command starts a program of Hydra's, which takes overrides ``name=value`` and no options."""
    for word in entry_point.command.replace("'", " ").replace('"', " ").split() if entry_point.folder else ():
        if word.endswith(".py"):
            try:
                with open(os.path.join(entry_point.folder, word), "rb") as file:
                    text = file.read(_MOST_CODE)
            except OSError:
                continue
            if b"@hydra.main" in text or b"from hydra import main" in text:
                return True
    return False


def _is_on(parameter: Parameter) -> bool:
    """Say whether a switch is on by default: then ``--name`` is not how a program is told."""
    return parameter.default is not None and parameter.default.lower() in ("true", "yes", "on", "1")


def _word(text: str) -> str:
    return Place(argument=True).quote(text)


def _what_is_open(reader: Shell, line: list[str]) -> str:
    if reader.open:
        return {"#": "in a comment", "(": "within $(…)", "`": "between backquotes"}.get(reader.open, "within quotes")
    if reader.strange:
        return f"behind {reader.strange}"
    last = reader.words[-1]
    if last in ("", "}", "fi", "done", "esac", "]]"):
        return f"with {last or ''.join(line).rstrip()[-1:]!r}"
    return ""


def _is_shells(reader: Shell) -> bool:
    """Say whether the line, all words and quotes, is nevertheless one that a shell reads otherwise."""
    first = reader.words[0]
    return not first or "\0" in first or "=" in first or first[0] == "%" or first.strip("'\"") in _SHELL_WORDS


def _pieces(entry_point: EntryPoint) -> list[tuple[str, str | None]]:
    """Return the template as pairs of text and the parameter behind it, None behind the last; braces are undoubled.

    Raises:
        ProjectError: A single brace, or one around what is no parameter.
    """
    template = _without_end(entry_point.command)
    pieces: list[tuple[str, str | None]] = []
    text: list[str] = []
    at = 0
    while at < len(template):
        here = min((found for found in (template.find("{", at), template.find("}", at)) if found >= 0), default=-1)
        if here < 0:
            break
        text.append(template[at:here])
        brace = template[here]
        if template.startswith(brace * 2, here):
            text.append(brace)
            at = here + 2
            continue
        end = template.find("}", here)
        if brace == "}" or end < 0:
            raise _error(entry_point, f"has a single {brace!r}; write {brace * 2!r} for one that the shell shall see")
        name = template[here + 1 : end]
        if name not in entry_point.parameters:
            raise _error(entry_point, _no_parameter(entry_point, name, template[here - 1 : here] == "$"))
        pieces.append(("".join(text), name))
        text = []
        at = end + 1
    pieces.append(("".join([*text, template[at:]]), None))
    return pieces


def _without_end(template: str) -> str:
    """Return *template* without blanks at its end, and without a backslash that continues it with nothing."""
    while True:
        kept = template.rstrip()
        backslashes = len(kept) - len(kept.rstrip("\\"))
        if backslashes % 2 == 0 or template[len(kept) : len(kept) + 1] != "\n":
            return kept if backslashes % 2 == 0 else template
        template = kept[:-1]


def _no_parameter(entry_point: EntryPoint, name: str, is_variable: bool) -> str:
    shown = fit(clean(name), 40)
    known = ", ".join(entry_point.parameters) or "none"
    plain = name.partition("!")[0].partition(":")[0]
    if plain in entry_point.parameters:
        return f"has {{{shown}}}; values are put in as they are: write {{{plain}}}"
    doubled = f"${{{{{shown}}}}}" if is_variable else f"{{{{{shown}}}}}"
    what = "the shell's variable" if is_variable else "braces that the shell shall see"
    return f"has {{{shown}}}, which is no parameter (it has {known}); write {doubled} for {what}"


def _error(entry_point: EntryPoint, reason: str) -> ProjectError:
    file = entry_point.file or entry_point.name
    what = f"the command of entry point {clean(entry_point.name)!r} " if entry_point.file else "the command "
    return ProjectError(file, what + reason, entry_point.line)
