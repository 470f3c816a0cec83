"""What a build adds to the package: manual pages, made from the argument parsers, and the version, with Git's part.

Hatchling calls `BuildHook` (see pyproject.toml). It runs without Ledgit's dependencies: parsers need none.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
NUMBER = ROOT / "src" / "ledgit" / "_version.py"


def version() -> str:
    """Return the number in ``_version.py``; with ``.devN+gCOMMIT`` where the commit is not tagged as that release.

    In a shallow clone, where commits can't be counted, N is 0. Without Git (an archive) it is the number.
    """
    number = re.search(r'__version__ = "(.+)"', NUMBER.read_text(encoding="utf-8"))[1]  # type: ignore[index]
    top = _git("rev-parse", "--show-toplevel")
    if (
        "+" in number
        or not top
        or Path(top).resolve() != ROOT
        or f"v{number}" in _git("tag", "--points-at", "HEAD").split()
    ):
        return number
    count = "0" if _git("rev-parse", "--is-shallow-repository") == "true" else _git("rev-list", "--count", "HEAD")
    return f"{number}.dev{count}+g{_git('rev-parse', '--short=8', 'HEAD')}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class BuildHook(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Puts ``share/man/man1`` and the completion of shells beside the package, and the version into it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write what is made; an editable install keeps the number that is in the tree."""
        self._made = tempfile.TemporaryDirectory(prefix="ledgit-build-")
        folder = Path(self._made.name)
        if version != "editable" and "+" in self.metadata.version:
            stamped = folder / "_version.py"
            text = NUMBER.read_text(encoding="utf-8")
            stamped.write_text(re.sub(r'"[^"]+"\n$', f'"{self.metadata.version}"\n', text), encoding="utf-8")
            target = "ledgit/_version.py" if self.target_name == "wheel" else "src/ledgit/_version.py"
            build_data["force_include"][str(stamped)] = target
        if self.target_name == "wheel":
            for name, text in pages(self.metadata.version).items():
                (folder / name).write_text(text, encoding="utf-8")
                build_data["shared_data"][str(folder / name)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what was made."""
        self._made.cleanup()


def pages(number: str) -> dict[str, str]:
    """Return the text of every manual page by its file's name."""
    sys.path.insert(0, str(ROOT / "src"))
    from ledgit.cli.parsing import build_all
    from ledgit.cli.table import EXIT_CODES, GROUPS

    root = build_all()
    commands = next(action for action in root._actions if isinstance(action, argparse._SubParsersAction)).choices
    lines = {name: line for _, members in GROUPS for name, line in members}
    body = [".SH DESCRIPTION", "A run is a Git commit. 'git ledgit COMMAND' is the same as 'ledgit COMMAND'."]
    for group, members in GROUPS:
        body.append(f".SS {_roff(group)}")
        for name, line in members:
            body += [".TP", f".BR ledgit\\-{_roff(name)} (1)", _roff(line)]
    body += [".SH OPTIONS", *_options(root), ".SH EXIT STATUS", *_lines(EXIT_CODES.removeprefix("exit codes:\n"))]
    synopsis = "ledgit [-C PATH] [--color WHEN] [--no-pager] COMMAND …"
    about = "experiment tracking in the Git repository you already have"
    found = {"ledgit.1": _page("ledgit", about, synopsis, body, number), "git-ledgit.1": ".so man1/ledgit.1\n"}
    for name, parser in commands.items():
        body = [".SH DESCRIPTION", *_text(parser.description or ""), *_arguments(parser)]
        if parser.epilog:
            body += [".SH EXAMPLES", *_lines(parser.epilog.removeprefix("examples:\n"))]
        body += [".SH SEE ALSO", ".BR ledgit (1)"]
        found[f"ledgit-{name}.1"] = _page(f"ledgit-{name}", lines[name], f"ledgit {name} [options] …", body, number)
    return found


def _page(name: str, line: str, synopsis: str, body: list[str], number: str) -> str:
    head = [
        f'.TH {_roff(name.upper())} 1 "" "Ledgit {number}" "Ledgit"',
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(line)}",
    ]
    return "\n".join([*head, ".SH SYNOPSIS", _roff(synopsis), *body]) + "\n"


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    found = [".SH OPTIONS", *_options(parser)]
    for actions in (action for action in parser._actions if isinstance(action, argparse._SubParsersAction)):
        for word, child in actions.choices.items():
            found += [f'.SH "ACTION {_roff(word.upper())}"', *_text(child.description or ""), *_options(child)]
    return found


def _options(parser: argparse.ArgumentParser) -> list[str]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
        names = ", ".join(f"{flag} {value}".strip() for flag in action.option_strings) or value
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        found += [".TP", f".B {_roff(names)}", _roff(text)]
    return found


def _text(text: str) -> list[str]:
    return [line for part in text.split("\n\n") for line in (".PP", _roff(" ".join(part.split())))]


def _lines(text: str) -> list[str]:
    return [".nf", *(_roff(line) for line in text.rstrip().splitlines()), ".fi"]


def _roff(text: str) -> str:
    r"""Return *text* as roff has it: ``-`` that can be copied, no line that begins like a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return "\\&" + text if text.startswith((".", "'")) else text
