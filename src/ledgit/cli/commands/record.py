"""``ledgit record``: log from a shell, without Python."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.errors import ParamConflict, RunNotFound, UsageError
from ledgit.projects.kept import artifact_files
from ledgit.records.times import parse_since

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run
    from ledgit.store import ActiveRun

HELP = """\
Log params, metrics, tags and files from a shell, and print the run's id.

Without --run a new run is made and finished at once. With --start it stays open for further calls with
--run, until one with --finish. Below 'ledgit run' everything goes into the run that the command is.
Numbers and true/false are stored as such, everything else as text. The code and the environment are recorded
too; without options they are all there is.
"""
EPILOG = """
ledgit record -p lr=0.1 -m accuracy=0.93 -t kind=baseline model.bin
id=$(ledgit record --start -p lr=0.1)  keep a run open
ledgit record --run $id -m loss=0.7 --step 1  one point of a metric
ledgit record --run $id --finish report.txt  and the end
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    files = parser.add_argument("files", metavar="FILE", nargs="*", help="files and folders to keep as artifacts")
    parsing.complete(files, "file")
    run = parser.add_argument("--run", metavar="RUN", dest="ref", help="log into this run instead of a new one")
    parsing.complete(run, "run")
    parser.add_argument("-p", "--param", metavar="K=V", action="append", default=[], help="a param (repeatable)")
    parser.add_argument("-m", "--metric", metavar="K=V", action="append", default=[], help="a metric (repeatable)")
    parser.add_argument("-t", "--tag", metavar="K=V", action="append", default=[], help="a tag (repeatable)")
    parser.add_argument("--step", metavar="N", type=int, default=0, help="step of the metrics (default: 0)")
    parser.add_argument("--at", metavar="TIME", help="time of the metrics (default: now)")
    parser.add_argument("--to", metavar="DIR", default="", help="folder of the run to put the files in")
    parser.add_argument("--name", metavar="NAME", help="name of the new run (default: two random words)")
    experiment = parser.add_argument("-e", "--experiment", metavar="NAME", help="experiment of the new run")
    parsing.complete(experiment, "experiment")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--start", action="store_true", help="keep the new run open for further calls")
    ends.add_argument("--finish", action="store_true", help="end the run that --run names")
    parser.add_argument(
        "--status", choices=("FINISHED", "FAILED", "KILLED"), help="how the run ended (default: FINISHED)"
    )


def run(args: argparse.Namespace) -> int:
    """Log what was given."""
    target = args.ref or (None if args.start else context.current_run())
    _check(args, target)
    logged = _Logged(args)
    if target is not None and not logged and not args.finish:
        raise UsageError("there is nothing to add to the run; give params (-p), metrics (-m), tags (-t) or files")
    repository = context.repository()
    if target is None:
        active = _create(repository, args)
        try:
            logged.write(active)
        except BaseException:
            active.finish("FAILED")
            raise
        if args.start:
            active.detach()
        else:
            active.finish(args.status or "FINISHED")
    else:
        active = _continue(repository, target, logged, args)
    for problem in active.problems:
        terminal.note(f"ledgit: {problem}")
    terminal.write(active.id + "\n")
    return 0


def _check(args: argparse.Namespace, target: str | None) -> None:
    if args.start and args.ref:
        raise UsageError("--start makes a new run, --run names one that is there; give one of them")
    if args.finish and target is None:
        raise UsageError("--finish ends an open run; name it with --run")
    if args.start and args.status:
        raise UsageError("--status says how a run ended; with --start it goes on")
    if target is not None and (args.name or args.experiment):
        raise UsageError(
            "--name and --experiment are for a new run; 'ledgit tag RUN --rename NAME --move EXPERIMENT' edits one"
        )
    if args.status and target is not None and not args.finish:
        raise UsageError("--status says how a run ended; give it together with --finish")


class _Logged:
    """What the command line asks to log, checked before any run is made."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.params = {key: parsing.typed(value) for key, value in parsing.pairs(args.param, "param").items()}
        self.tags = parsing.pairs(args.tag, "tag")
        when = parse_since(args.at) if args.at else None
        self.metrics = [(key, value, args.step, when) for key, value in _metrics(args.metric)]
        self.files = artifact_files(args.files, args.to)

    def __bool__(self) -> bool:
        return bool(self.params or self.tags or self.metrics or self.files)

    def check(self, run: Run) -> None:
        """Raise what writing into *run* would, so that no edit is made of nothing.

        Raises:
            ParamConflict: The run has one of the params, with another value.
        """
        for key, value in self.params.items():
            if key in run.params and str(run.params[key]) != str(value):
                raise ParamConflict(key, str(run.params[key]), str(value))

    def write(self, active: ActiveRun) -> None:
        if self.metrics or self.params or self.tags:
            active.log_batch(metrics=self.metrics, params=self.params, tags=self.tags)
        for source, path in self.files:
            active.add_artifact(source, path)


def _metrics(given: list[str]) -> list[tuple[str, float]]:
    found = []
    for pair in given:  # no dictionary: one metric may have several points
        ((key, value),) = parsing.pairs([pair], "metric").items()
        try:
            found.append((key, float(value)))
        except ValueError:
            raise UsageError(f"metric {key!r} is {value!r}, expected a number (text can be a param or a tag)") from None
    return found


def _create(repository: Repository, args: argparse.Namespace) -> ActiveRun:
    from ledgit.store import ActiveRun, RunStart
    from ledgit.tracking.launching import repetition_tags

    start = RunStart(
        experiment=context.experiment(repository, args.experiment),
        name=args.name,
        parent_run=context.current_run(),
        command=(),
        entry_point="ledgit record",
        tags={**context.ci_tags(), **repetition_tags()},
        detached=args.start,
    )
    return ActiveRun.create(repository.repo, start)


def _continue(repository: Repository, target: str, logged: _Logged, args: argparse.Namespace) -> ActiveRun:
    """Log into a run that is there: open in this clone, or finalized."""
    from ledgit.store import ActiveRun

    found = repository.run(target)
    try:
        active = ActiveRun.join(repository.repo, found.id)
    except RunNotFound:
        logged.check(found)
        active = ActiveRun.resume(repository.repo, found.id, found.heads)
        try:
            logged.write(active)
        finally:
            # What is added later does not change how the run ended, unless it is said.
            active.finish((args.status or "FINISHED") if args.finish else found.status)
        return active
    try:
        if args.finish and not active.detached:
            raise UsageError(f"run {found.id[:8]} is written by a process that is alive; it ends when that does")
        logged.write(active)
    except BaseException:
        active.detach()
        raise
    if args.finish:
        active.end_detached(args.status or "FINISHED")
    else:
        active.detach()
    return active
