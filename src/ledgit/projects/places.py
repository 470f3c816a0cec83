r"""Where in a shell command a parameter's value stands, and how it has to be quoted there.

MLflow puts ``shlex.quote(value)`` wherever the template has ``{name}``. Inside of quotes that people write around it,
as in ``"{name}"``, this adds quotes that the program sees, and lets ``$(…)`` run. So the template is read as a
shell reads it, and each place says what may stand there: between quotes they are closed before the value and opened
after it; where no quoting is safe (here-documents, arithmetic, comments, programs given to another interpreter)
only values that mean nothing to any shell are let in.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledgit.records.values import Values

__all__ = ["Place", "Shell", "is_plain"]

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
_SEPARATORS = ";|&()\n"
# Interpreters, and the letters of the options that a program is behind.
_INTERPRETERS = dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "fish", "python", "pypy"), "c")
_INTERPRETERS |= dict.fromkeys(("R", "Rscript", "lua", "ruby"), "e") | {"perl": "eE", "node": "ep", "php": "r"}
_CODE_OPTIONS = frozenset(("--eval", "--command", "--print"))
# What they are given is read once more, wherever it stands, and in quotes.
_EVALUATORS = frozenset(("eval", "ssh", "su", "trap", "parallel"))
_LITTLE_LANGUAGES = frozenset(("awk", "gawk", "mawk", "sed", "jq"))
# Behind these the next word is a command, as it is at the beginning.
_BEFORE_COMMANDS = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "exec", "env"))


def is_plain(text: str) -> bool:
    """Say whether no shell sees anything in *text*: it is not empty, and all letters, digits and ``_@%+=:,./-``."""
    return bool(text) and _PLAIN.issuperset(text)


class Place(Values):
    """Where a value stands.

    Attributes:
        quotes: The quotes it stands in: ``"``, ``'`` or none.
        argument: Whether it is certainly (part of) an argument, never a command's name or a file descriptor.
        reason: Why nothing but plain values can stand there; "" if everything can.
    """

    __slots__ = ("argument", "quotes", "reason")

    def __init__(self, quotes: str = "", argument: bool = False, reason: str = "") -> None:
        self.quotes, self.argument, self.reason = quotes, argument, reason

    def quote(self, text: str) -> str:
        """Return *text* so that a shell reads just that at this place; only what is plain where `reason` is set."""
        if self.reason or (is_plain(text) and (self.quotes or self.argument)):
            return text
        quoted = "'" + text.replace("'", "'\"'\"'") + "'"
        return f"{self.quotes}{quoted}{self.quotes}"


class Shell:
    """Reads a command piece by piece; between two pieces stands a value.

    What is understood is quoting and what changes it: comments, ``$(…)``, backquotes. Behind anything that is not
    (nested ``${…}``, here-documents, ``case`` within ``$(…)``), `strange` stays set.

    Attributes:
        needs_shell: Whether there is more in it than words and quotes.
        strange: What was not understood.
    """

    def __init__(self) -> None:
        self.needs_shell = False
        self.strange = ""
        # The innermost last: ' " ` # or ( for $(…); with the words of the command that it stands in.
        self._inside: list[tuple[str, list[str]]] = []
        self._words: list[str] = [""]
        self._after = ""  # a backslash or dollar that the last piece ended with

    @property
    def open(self) -> str:
        """What is not closed yet: ``'``, ``"``, a backquote, ``(``, ``#``, or "" if another word can be appended."""
        return self._inside[-1][0] if self._inside else ""

    @property
    def words(self) -> Sequence[str]:
        """The words of the simple command so far, as they are spelled; the last one is still being read."""
        return tuple(self._words)

    def place(self, following: str) -> Place:
        """Return what the next value stands in; *following* is the text behind it."""
        kind = self.open
        quotes = kind if kind in ("'", '"') else ""
        # Not after "A=1" and "then" alone: "B=2" would be one more assignment, and "if" a keyword.
        before, _ = _without_redirections(self._words[:-1])
        argument = any("=" not in word and word not in _BEFORE_COMMANDS for word in before)
        return Place(quotes, argument and following[:1] not in ("<", ">"), self._reason(kind, following))

    def _reason(self, kind: str, following: str) -> str:
        if self.strange:
            return f"behind {self.strange}"
        if self._after:
            return f"behind {self._after!r}"
        if kind == "`":
            return "between backquotes; write $(…) instead"
        if kind == "#":
            return "in a comment"
        if self._is_code(following):
            return "in a program that another shell or interpreter is given; hand it over as an argument of that"
        return ""

    def _is_code(self, following: str) -> bool:
        """Say whether the word that is being read will be read once more by another interpreter.

        ``sh -c {command}`` is meant: there the value is all of the program.
        """
        before, is_target = _without_redirections(self._words[:-1])
        if is_target:
            return False
        names = {_program(word) for word in before}
        if names & _EVALUATORS or (names & _LITTLE_LANGUAGES and self.open in ("'", '"')):
            return True
        is_all = not self._words[-1] and following[:1] in ("", *_SEPARATORS, " ", "\t")
        options: list[str] = []
        while before and (before[-1][:1] in ("-", "+") or (before[-2:-1] and _takes_word(before[-2]))):
            options.append(before.pop())
        letters = _INTERPRETERS.get(_program(before[-1]), "") if before and not is_all else ""
        return bool(letters) and any(_takes_code(option, letters) for option in options)

    def value(self) -> None:
        """Note that a value stands here."""
        self._words[-1] += "\0"
        self._after = ""

    def feed(self, text: str) -> None:
        """Read on in *text*."""
        at = 0
        while at < len(text):
            at = self._step(text, at)

    def _step(self, text: str, at: int) -> int:
        char, kind = text[at], self.open
        self._after = ""
        if kind in ("'", "#"):
            end = text.find("'" if kind == "'" else "\n", at)
            self._words[-1] += text[at : len(text) if end < 0 else end + (kind == "'")]
            if end < 0:
                return len(text)
            self._leave()
            return end + (kind == "'")
        if char == "\\":
            self.needs_shell = True
            self._words[-1] += text[at : at + 2]
            if at + 1 == len(text):
                self._after = "\\"
            return at + 2
        if kind == "`":
            if char == "`":
                self._leave()
            return at + 1
        if char == "`":
            self.needs_shell = True
            self._words[-1] += char
            self._enter("`")
            return at + 1
        if char == "$":
            self.needs_shell = True
            return self._dollar(text, at, kind)
        if kind == '"':
            self._words[-1] += char
            if char == '"':
                self._leave()
            return at + 1
        return self._bare(text, at, kind)

    def _bare(self, text: str, at: int, kind: str) -> int:
        char = text[at]
        if char in "\"'":
            self._words[-1] += char
            self._enter(char)
            return at + 1
        if char == "#" and self._words[-1] == "":
            self.needs_shell = True
            self._enter("#")
            return at + 1
        if char in " \t":
            if self._words[-1]:
                self._words.append("")
            return at + 1
        if char in "&|" and self._is_redirection(text, at):
            self.needs_shell = True
            self._words[-1 if self._words[-1] or len(self._words) == 1 else -2] += char
            return at + 1
        if char in _SEPARATORS:
            self.needs_shell = True
            self._words = [""]
            if kind == "(" and char == "(":
                self._enter("(")
            elif kind == "(" and char == ")":
                self._leave()
                self._words[-1] += char
            return at + 1
        if char not in _PLAIN:
            self.needs_shell = True
        if text.startswith("<<<", at):
            self._words.append("")
            return at + 3
        if text.startswith("<<", at):
            self.strange = self.strange or "a here-document"
            return at + 2
        self._words[-1] += char
        if kind == "(" and char == "e" and self._words[-1] == "case":
            self.strange = self.strange or "'case' within $(…)"
        if char in "<>":
            self._words.append("")
        return at + 1

    def _is_redirection(self, text: str, at: int) -> bool:
        """Say whether the ``&`` or ``|`` there belongs to a redirection: ``2>&1``, ``>|file``, ``&>file``."""
        return text[at - 1 : at] in ("<", ">") or text.startswith("&>", at)

    def _dollar(self, text: str, at: int, kind: str) -> int:
        following = text[at + 1 : at + 2]
        self._words[-1] += "$"
        if not following:
            self._after = "$"
            return at + 1
        if following == "(":
            if text.startswith("((", at + 1):
                end = text.find("))", at)
                inner = text[at + 3 : len(text) if end < 0 else end]
                if end < 0 or any(char in "'\"`\\" for char in inner) or "$(" in inner:
                    self.strange = self.strange or "arithmetic"
                    return at + 3
                return end + 2
            self._enter("(")
            return at + 2
        if following == "{":
            end = text.find("}", at)
            if end < 0 or any(char in "'\"`\\${" for char in text[at + 2 : end]):
                self.strange = self.strange or "'${' with more in it than a name"
                return at + 2
            return end + 1
        if following == "[":
            self.strange = self.strange or "arithmetic"
        if following == "'" and kind != '"':
            self.strange = self.strange or "$'…'"
        return at + 1

    def _enter(self, kind: str) -> None:
        self._inside.append((kind, self._words))
        if kind in ("(", "`"):
            self._words = [""]

    def _leave(self) -> None:
        _, self._words = self._inside.pop()


def _program(word: str) -> str:
    """Return the name of the program that *word* starts, without its folder and version."""
    return word.strip("'\"").rpartition("/")[2].rstrip("0123456789.")


def _without_redirections(words: Sequence[str]) -> tuple[list[str], bool]:
    """Return *words* without ``>file`` and its like, and whether what follows them is the file of one."""
    found: list[str] = []
    is_target = False
    for word in words:
        rest = word.rstrip("<>&|")
        if not is_target and rest and not (rest != word and rest.isdigit()):
            found.append(rest)
        is_target = rest != word
    return found, is_target


def _takes_code(option: str, letters: str) -> bool:
    if option.partition("=")[0] in _CODE_OPTIONS:
        return True
    return option[:1] == "-" and option[1:2] != "-" and any(letter in option for letter in letters)


def _takes_word(word: str) -> bool:
    """Say whether *word* is an option of a shell or of Python that another word belongs to: ``-o pipefail``."""
    return word[:1] in ("-", "+") and word[-1] in "oOWX"
