"""``ledgit run -- COMMAND``: track any command."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.errors import UsageError
from ledgit.projects.kept import artifact_files

if TYPE_CHECKING:
    from ledgit.store import ActiveRun

HELP = """\
Run a command and record it: code, environment, command line (secrets redacted), output, exit code and
duration. Signals are passed on, and ledgit exits as the command does: 128 and the signal's number where
one killed it.

What the command logs itself (import ledgit, or 'ledgit record') goes into the same run; it finds the run
in LEDGIT_RUN_ID. No environment values are recorded.
"""
EPILOG = """
ledgit run -- python train.py --lr 0.1
ledgit run -p lr=0.1 -t kind=baseline -- ./train.sh
ledgit run --keep 'plots/' --keep model.bin -- make model
ledgit run --no-output -- jupyter execute notebook.ipynb
"""
OUTPUT = "output.log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("command", metavar="-- COMMAND", nargs=argparse.REMAINDER, help="the command and its arguments")
    parser.add_argument("-p", "--param", metavar="K=V", action="append", default=[], help="a param (repeatable)")
    parser.add_argument("-t", "--tag", metavar="K=V", action="append", default=[], help="a tag (repeatable)")
    parser.add_argument("--name", metavar="NAME", help="name of the run (default: two random words)")
    experiment = parser.add_argument("--experiment", metavar="NAME", help="experiment of the run")
    parsing.complete(experiment, "experiment")
    keep = parser.add_argument(
        "--keep", metavar="PATH", action="append", default=[], help="keep this file or folder when done (repeatable)"
    )
    parsing.complete(keep, "file")
    parser.add_argument("--no-output", action="store_true", help=f"don't keep what the command prints ({OUTPUT})")


def run(args: argparse.Namespace) -> int:
    """Run the command and exit as it does."""
    command = _command(args.command)
    params = {key: parsing.typed(value) for key, value in parsing.pairs(args.param, "param").items()}
    tags = parsing.pairs(args.tag, "tag")
    from ledgit.projects.child import Child, find

    program = find(command[0])
    if program is None:
        if os.path.isfile(command[0]) and os.path.dirname(command[0]):
            terminal.note(f"ledgit: {command[0]!r} may not be executed (chmod +x makes it so); nothing was recorded")
            return 126
        terminal.note(f"ledgit: there is no command {command[0]!r}; nothing was recorded")
        return 127
    repository = context.repository()
    from ledgit.store import ActiveRun, RunStart
    from ledgit.tracking.launching import child_environment

    active = ActiveRun.create(
        repository.repo,
        RunStart(
            experiment=context.experiment(repository, args.experiment),
            name=args.name,
            parent_run=context.current_run(),
            command=tuple(command),
            entry_point=_entry_point(command),
            tags=tags,
            python=_python(program),
        ),
    )
    terminal.note(f"ledgit: run {active.name} ({active.id[:8]})")
    status = "FAILED"
    try:
        if params:
            active.log_params(params)
        repo = repository.repo
        environ = child_environment(active.id, repo.work_tree or repo.git_dir)
        log = None if args.no_output else active.open_artifact(OUTPUT)
        child = Child(command, environ, log)
        try:
            code = child.run()
        finally:
            if log is not None:
                log.close()
            if child.problem:
                active.note_problem(child.problem)
        status = "FINISHED" if code == 0 else "KILLED" if code > 128 else "FAILED"
        active.set_tags({"ledgit.exit_code": str(code)})
        _keep(active, args.keep)
    finally:
        active.finish(status)
        for problem in active.problems:
            terminal.note(f"ledgit: {problem}")
    return code


def _command(words: list[str]) -> list[str]:
    if words[:1] != ["--"]:
        example = " ".join(words[:3]) or "python train.py"
        raise UsageError(f"put '--' before the command, as in: ledgit run -- {example}")
    if not words[1:]:
        raise UsageError("no command after '--', for example: ledgit run -- python train.py")
    return words[1:]


def _python(program: str) -> str | None:
    """Return the interpreter to describe: the command's, where it is another than Ledgit's own."""
    if os.path.basename(program).startswith(("python", "pypy")) and program != sys.executable:
        return program
    return None


def _entry_point(command: list[str]) -> str:
    """Return the script among the words, else the program."""
    scripts = (".py", ".sh", ".ipynb", ".R", ".jl")
    return next((word for word in command if word.endswith(scripts) and os.path.isfile(word)), command[0])


def _keep(active: ActiveRun, wanted: list[str]) -> None:
    """Store the files asked for; one that is not there is said, and the rest is kept."""
    for path in wanted:
        try:
            for source, name in artifact_files([path]):
                active.add_artifact(source, name)
        except UsageError as error:
            active.note_problem(str(error))
