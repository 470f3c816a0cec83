"""``ledgit completion``: the completion script for a shell."""

from __future__ import annotations

import argparse
from typing import Any

from ledgit.cli import context, parsing, terminal

HELP = """\
Print the completion script for a shell. It completes commands, options, files, and the names of runs and
experiments of the repository you are in.
"""
EPILOG = """
eval "$(ledgit completion bash)"        in ~/.bashrc
ledgit completion zsh > ~/.zsh/functions/_ledgit
ledgit completion tcsh > ~/.ledgit.tcsh  and 'source' it in ~/.tcshrc
"""
SHELLS = ("bash", "zsh", "tcsh")
# The names come from a hidden use of this command; a repository that can't be read completes nothing.
_PREAMBLE: Any = {
    "bash": """
_ledgit_names() {
  local IFS=$'\\n'
  compgen -W "$(ledgit completion --names "$1" 2>/dev/null)" -- "$2"
}
_ledgit_run() { _ledgit_names run "$1"; }
_ledgit_experiment() { _ledgit_names experiment "$1"; }
""",
    "zsh": """
_ledgit_run() { local -a names; names=(${(f)"$(ledgit completion --names run 2>/dev/null)"}); compadd -a names; }
_ledgit_experiment() {
  local -a names; names=(${(f)"$(ledgit completion --names experiment 2>/dev/null)"}); compadd -a names
}
""",
}
_COMPLETE: dict[str, dict[str, str]] = {
    "run": {"bash": "_ledgit_run", "zsh": "_ledgit_run", "tcsh": "`ledgit completion --names run`"},
    "experiment": {
        "bash": "_ledgit_experiment",
        "zsh": "_ledgit_experiment",
        "tcsh": "`ledgit completion --names experiment`",
    },
}
_MOST_NAMES = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", metavar="SHELL", nargs="?", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")
    parser.add_argument("--names", choices=("run", "experiment"), help="print names to complete, one a line")


def run(args: argparse.Namespace) -> int:
    """Print the script, or the names it asks for."""
    from ledgit.errors import UsageError

    if args.names:
        terminal.write("".join(name + "\n" for name in _names(args.names)))
        return 0
    if not args.shell:
        raise UsageError(f"name your shell: {', '.join(SHELLS)}")
    terminal.write(script(args.shell))
    return 0


def script(shell: str) -> str:
    """Return the completion script for *shell*.

    Raises:
        MissingDependency: shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        from ledgit.errors import MissingDependency

        feature = "completion"
        raise MissingDependency(feature, "shtab") from None
    parser = parsing.build_all()
    kinds: dict[str, Any] = {**_COMPLETE, "file": shtab.FILE, "directory": shtab.DIRECTORY}
    _mark(parser, kinds)
    return str(shtab.complete(parser, shell=shell, preamble=_PREAMBLE))


def _mark(parser: argparse.ArgumentParser, kinds: dict[str, Any]) -> None:
    """Replace the kinds named by `parsing.complete` with what shtab wants, in every command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                _mark(child, kinds)
        kind = getattr(action, "complete", None)
        if isinstance(kind, str):
            action.complete = kinds[kind]  # type: ignore[attr-defined]


def _names(kind: str) -> list[str]:
    """Return names that a shell can take as they are: no spaces, quotes or controls."""
    repository = context.repository()
    if kind == "experiment":
        found = [experiment.name for experiment in repository.experiments()]
    else:
        found = [name for run in repository.runs.view("all").limit(_MOST_NAMES) for name in (run.name, run.id[:8])]
    return [name for name in dict.fromkeys(found) if all(char.isalnum() or char in "._-+@%/" for char in name)]
