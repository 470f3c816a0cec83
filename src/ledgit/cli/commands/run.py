"""``ledgit run -- COMMAND`` and ``ledgit run PROJECT``: track any command, run any project."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.store import ActiveRun

HELP = """\
Run a command, or a project, and record it: code, environment, command line (secrets redacted), output, exit
code and duration. Signals are passed on, and ledgit exits as the command does: 128 and the signal's number
where one killed it, 124 where it ran longer than --timeout.

A command alone runs here. A PROJECT runs in a work folder of its own, with the files of your work tree as they
are now (or those of -v), so you can go on working; your own files, branches and index stay as they are. It is a
folder, a Git address (#FOLDER behind it for one below its top), a bundle file, NAME@VERSION of the registry, or a
run; -e names an entry point of its MLproject file, or a script, and '-- COMMAND' runs that in it.

Of 'dvc repro' the run gets what its stages declare: data with DVC's hash, params, metrics, and dvc.lock.

What the command logs itself (import ledgit, or 'ledgit record') goes into the same run; it finds the run
in LEDGIT_RUN_ID. No environment values are recorded.
"""
EPILOG = """
ledgit run -- python train.py --lr 0.1
ledgit run -p lr=0.1 -t kind=baseline -- ./train.sh
ledgit run --capture-args -- python train.py --lr 0.1
ledgit run -- dvc repro
ledgit run --keep 'plots/' --keep model.bin -- make model
ledgit run . -e train -P alpha=0.5
ledgit run . -e train.py -P @params.yaml --timeout 2h
ledgit run https://example.org/team/wine.git#models -v v1.0 -P alpha=0.5
ledgit run . --dry-run
"""
OUTPUT = "output.log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    project = parser.add_argument("project", metavar="PROJECT", nargs="*", help="the project (default: none)")
    parsing.complete(project, "directory")
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
    parser.add_argument(
        "--capture-args",
        action="store_true",
        help="record as params what the command's own parser (argparse, click, typer, Hydra) makes of its arguments",
    )
    parser.add_argument("--no-output", action="store_true", help=f"don't keep what the command prints ({OUTPUT})")
    parser.add_argument("--timeout", metavar="TIME", help="end it after so long: 90 (seconds), 5m, 2h")
    group = parser.add_argument_group("projects")
    group.add_argument("-e", "--entry-point", metavar="NAME", default="", help="entry point, or script (default: main)")
    group.add_argument(
        *("-P", "--param-list"), metavar="K=V", action="append", default=[], dest="parameters",
        help="a parameter of the entry point, or @FILE with many (repeatable)",
    )  # fmt: skip
    group.add_argument("-v", "--version", metavar="REV", default="", help="branch, tag or commit of the project")
    group.add_argument(
        "--env-manager", metavar="KIND", default="", help="local, virtualenv, uv, conda or docker (default: what fits)"
    )
    group.add_argument("--build-image", action="store_true", help="docker: build an image with the project's files")
    group.add_argument("--in-place", action="store_true", help="run in the folder itself, not in a copy")
    group.add_argument("--dry-run", action="store_true", help="show what would run; nothing is written")


def run(args: argparse.Namespace) -> int:
    """Run the command or project and exit as it does."""
    if args.project or _means_project(args):
        from ledgit.cli.projects import run_project

        return run_project(args, _words(args.command, alone=False))
    return _run_command(args, _words(args.command, alone=True))


def _means_project(args: argparse.Namespace) -> bool:
    """Whether something was asked for that only a project has: then it is the one in this folder."""
    wanted = (args.entry_point, args.parameters, args.version, args.env_manager, args.dry_run, args.in_place)
    return any(wanted) or args.build_image


def _run_command(args: argparse.Namespace, command: list[str]) -> int:
    params = {key: parsing.typed(value) for key, value in parsing.pairs(args.param, "param").items()}
    tags = {**context.ci_tags(), **parsing.pairs(args.tag, "tag")}
    timeout = parsing.seconds("--timeout", args.timeout)
    from ledgit.projects.child import KILLED_BY_TIMEOUT, Child, find
    from ledgit.projects.watching import Watch

    program = find(command[0])
    if program is None:
        if os.path.isfile(command[0]) and os.path.dirname(command[0]):
            terminal.note(f"ledgit: {command[0]!r} may not be executed (chmod +x makes it so); nothing was recorded")
            return 126
        terminal.note(f"ledgit: there is no command {command[0]!r}; nothing was recorded")
        return 127
    repository = context.repository()
    from ledgit.store import ActiveRun, RunStart
    from ledgit.tracking.launching import child_environment, repetition_tags

    active = ActiveRun.create(
        repository.repo,
        RunStart(
            experiment=context.experiment(repository, args.experiment),
            name=args.name,
            parent_run=context.current_run(),
            command=tuple(command),
            entry_point=_entry_point(command),
            tags={**tags, **repetition_tags()},
            python=_python(program),
        ),
    )
    terminal.note(f"ledgit: run {active.name} ({active.id[:8]})")
    status = "FAILED"
    try:
        if params:
            active.log_params(params)
        repo = repository.repo
        captured = os.path.join(active.directory, "captured") if args.capture_args else ""
        watch = Watch(command, os.getcwd(), repo.work_tree, captured)
        environ = watch.environment(child_environment(active.id, repo.work_tree or repo.git_dir))
        log = None if args.no_output else active.open_artifact(OUTPUT)
        child = Child(command, environ, log, group=timeout is not None, timeout=timeout)
        try:
            code = child.run()
        finally:
            if log is not None:
                log.close()
            if child.problem:
                active.note_problem(child.problem)
        status = "FINISHED" if code == 0 else "KILLED" if 128 < code <= 192 or child.timed_out else "FAILED"
        if code == KILLED_BY_TIMEOUT and child.timed_out:
            active.note_problem(f"it ran for more than {args.timeout} and was ended")
        active.set_tags({"ledgit.exit_code": str(code)})
        watch.record(active, succeeded=code == 0)
        _keep(active, args.keep)
    finally:
        active.finish(status)
        for problem in active.problems:
            terminal.note(f"ledgit: {problem}")
    return code


def _words(words: list[str], *, alone: bool) -> list[str]:
    """Return the command behind the dashes; with a project there may be none."""
    if words == ["--"]:
        raise UsageError("no command after '--', for example: ledgit run -- python train.py")
    if alone and not words:
        if any(name.lower() == "mlproject" for name in os.listdir()):
            raise UsageError("say what to run: 'ledgit run .' runs the project in this folder")
        raise UsageError("put '--' before the command, as in: ledgit run -- python train.py")
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
    from ledgit.projects.kept import artifact_files

    for path in wanted:
        try:
            for source, name in artifact_files([path]):
                active.add_artifact(source, name)
        except UsageError as error:
            active.note_problem(str(error))
