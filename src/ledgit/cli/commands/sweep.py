"""``ledgit sweep``: one entry point or command with many parameters, as a run with a run a trial."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.projects.sweeps import Sweep, SweepPlan
    from ledgit.repository import Repository

HELP = """\
Run an entry point of a project, or any command, with many parameters: a grid, random values, or what Optuna thinks
is best to try next. The sweep is a run, each trial a run below it, with its params, metrics and output. Trials run
in work folders of their own, with your files as they were when the sweep began.

A parameter is given as log(a,b), uniform(a,b), int(a,b), int(a,b,log), choice(a,b,c), range(a,b,step), a,b,c, or
one value. A command behind '--' has {name} where a value belongs.

'ledgit sweep ENTRY …' starts one ('start' may be left out); status, stop, resume and ls are about those that there
are, the newest if none is named. Ctrl-C once asks the trials that run to end, twice kills them; 'ledgit sweep
resume' goes on, also in another clone that pulled: what ended counts, what was stopped is tried again.
"""
EPILOG = """
ledgit sweep train -P 'lr=log(1e-4,1e-1)' --trials 50 --jobs 2 --metric val_loss
ledgit sweep train.py -P lr=0.1,0.01 -P layers=2,3,4        a grid: every combination
ledgit sweep train -P 'width=int(8,512,log)' --sampler tpe --pruner median --metric loss
ledgit sweep -P n=1,2,3 -- python train.py --layers {n}      any command
ledgit sweep status
ledgit sweep resume calm-owl --trials 100
"""
ACTIONS = ("start", "status", "stop", "resume", "ls")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(
        metavar="ACTION", dest="action", prog=parser.prog, parser_class=parsing.Parser, help="what to do"
    )
    if isinstance(parser, parsing.Parser):
        parser.default_action = "start"
    _add_start(actions)
    status = parsing.add_action(
        actions, "status", "show how far a sweep is, its best trial and what mattered", "ledgit sweep status calm-owl"
    )
    parsing.add_run(status, nargs="?")
    status.add_argument("-n", "--limit", metavar="N", type=int, default=20, help="trials to list (default: 20; 0: all)")
    parsing.add_formats(status)
    stop = parsing.add_action(
        actions, "stop", "end a sweep that another process runs here", "ledgit sweep stop\nledgit sweep stop --finish"
    )
    parsing.add_run(stop, nargs="?")
    how = stop.add_mutually_exclusive_group()
    how.add_argument("--finish", action="store_true", help="let the trials that run come to their end")
    how.add_argument("--kill", action="store_true", help="kill them instead of asking them to end")
    stop.add_argument("--no-wait", action="store_true", help="don't wait until it has ended")
    resume = parsing.add_action(
        actions, "resume", "go on with a sweep that ended, was stopped or killed",
        "ledgit sweep resume\nledgit sweep resume calm-owl --trials 100 --jobs 4",
    )  # fmt: skip
    parsing.add_run(resume, nargs="?")
    _add_running(resume)
    listed = parsing.add_action(actions, "ls", "list sweeps", "ledgit sweep ls")
    listed.add_argument("-n", "--limit", metavar="N", type=int, default=20, help="how many (default: 20)")
    parsing.add_formats(listed)


def _add_start(actions: Any) -> None:
    start = parsing.add_action(actions, "start", "start a sweep", EPILOG.strip("\n"))
    start.add_argument("entry_point", metavar="ENTRY", nargs="?", default="", help="entry point, or script")
    start.add_argument("command", metavar="-- COMMAND", nargs=argparse.REMAINDER, help="a command with {name} places")
    start.add_argument(
        *("-P", "--param-list"), metavar="NAME=DIMENSION", action="append", default=[], dest="parameters",
        help="a parameter: log(a,b), a,b,c, one value …; or @FILE with many (repeatable)",
    )  # fmt: skip
    project = start.add_argument("--project", metavar="PROJECT", default="", help="a folder or address (default: here)")
    parsing.complete(project, "directory")
    start.add_argument("-v", "--version", metavar="REV", default="", help="branch, tag or commit of the project")
    start.add_argument(
        "--sampler", metavar="NAME", default="",
        help="grid, random, qmc, tpe, cmaes, gp or nsgaii (default: grid where there is one, else random)",
    )  # fmt: skip
    start.add_argument("--metric", metavar="NAME", default="", help="what is looked for")
    start.add_argument(
        "--direction", choices=("minimize", "maximize"), help="which way it is better (default: by its name)"
    )
    start.add_argument(
        "--pruner", metavar="NAME", default="",
        help="give up trials that look bad: median, percentile, halving or hyperband; options as median(warmup=10)",
    )  # fmt: skip
    start.add_argument("--seed", metavar="N", type=int, help="of what is drawn (default: another one each time)")
    experiment = start.add_argument("--experiment", metavar="NAME", help="experiment of the runs")
    parsing.complete(experiment, "experiment")
    start.add_argument("--name", metavar="NAME", default="", help="name of the sweep (default: two random words)")
    start.add_argument(
        "-t", "--tag", metavar="K=V", action="append", default=[], help="a tag of every trial (repeatable)"
    )
    start.add_argument(
        "--env-manager", metavar="KIND", default="", help="local, virtualenv, uv, conda or docker (default: what fits)"
    )
    start.add_argument("--in-place", action="store_true", help="run the trials in your folder, not in copies")
    start.add_argument("--dry-run", action="store_true", help="show the plan and the first trials; nothing is written")
    _add_running(start)


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trials", metavar="N", type=int, help="how many there are to be (default: all of a grid, else 20)"
    )
    parser.add_argument("-j", "--jobs", metavar="N", type=int, help="trials at once (default: 1)")
    parser.add_argument("--timeout", metavar="TIME", help="end a trial after so long: 90 (seconds), 5m, 2h")
    parser.add_argument(
        "--grace", metavar="TIME", help="how long a trial that is asked to end has for it (default: 10s)"
    )
    parser.add_argument("--max-time", metavar="TIME", help="end the sweep after so long")
    parser.add_argument("--stop-after-failures", metavar="N", type=int, help="end the sweep when N trials failed")
    parser.add_argument("--patience", metavar="N", type=int, help="end it when N trials in a row were no better")
    parser.add_argument("--target", metavar="VALUE", type=float, help="end it when the metric is this good")
    parser.add_argument(
        "--retries", metavar="N", type=int, help="tries more of a trial whose worker was lost (default: 2)"
    )
    parser.add_argument("--executor", metavar="KIND", help="local, dask, slurm or ray (default: local)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of --executor dask or ray")
    parser.add_argument(
        *("-o", "--option"), metavar="K=V", action="append", default=[], help="an option of the executor (repeatable)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no table, only how it ended")


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    return {"start": _start, "status": _status, "stop": _stop, "resume": _resume, "ls": _list}[args.action](args)


def _style(args: argparse.Namespace) -> Style:
    return Style(terminal.use_color() and getattr(args, "format", "text") == "text")


def _running(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a plan that a session decides, None where nothing was said."""
    return {
        "trials": args.trials,
        "jobs": args.jobs,
        "timeout": parsing.seconds("--timeout", args.timeout),
        "grace": parsing.seconds("--grace", args.grace, zero=True),
        "max_time": parsing.seconds("--max-time", args.max_time),
        "stop_after_failures": args.stop_after_failures,
        "patience": args.patience,
        "target": args.target,
        "retries": args.retries,
        "executor": args.executor,
    }


# ---------------------------------------------------------------------- start and resume


def _start(args: argparse.Namespace) -> int:
    repository = context.repository(writing=not args.dry_run)
    plan = _plan(args, repository)
    from ledgit.cli.sweepshown import plan_text, show

    if args.dry_run:
        terminal.write(plan_text(plan, _style(args)))
        return 0
    from ledgit.projects.sweeps import Sweep

    executor = _executor(args, plan)
    sweep = Sweep.start(
        repository, plan, base=os.getcwd(), project=args.project, progress=_tell, parent_run=context.current_run()
    )
    _warn(sweep, executor)
    return show(sweep, executor, _style(args), quiet=args.quiet)


def _warn(sweep: Sweep, executor: Any) -> None:
    """Say what workers on other machines won't have; with an address to fetch the code from it is the same."""
    for note in sweep.left_beside() if executor is not None else ():
        terminal.note(f"ledgit: warning: {note}")


def _plan(args: argparse.Namespace, repository: Repository) -> SweepPlan:
    from ledgit.projects.parameters import read_parameters
    from ledgit.projects.sweeps import SweepPlan

    words = args.command[1:]
    if words and (args.entry_point or args.project):
        raise UsageError("an entry point and a command are two things to run; leave out one of them")
    if args.command and not words:
        raise UsageError("no command after '--', for example: ledgit sweep -P n=1,2 -- python train.py --n {n}")
    given = {key: value for key, value in _running(args).items() if value is not None}
    return SweepPlan(
        space=read_parameters(args.parameters),
        version=args.version,
        entry_point=args.entry_point or ("" if words else "main"),
        command=tuple(words),
        directory=_directory(repository),
        sampler=args.sampler,
        pruner=args.pruner,
        seed=int.from_bytes(os.urandom(4)) if args.seed is None else args.seed,
        metric=args.metric,
        direction=_direction(args, repository),
        experiment=context.experiment(repository, args.experiment),
        name=args.name,
        manager=args.env_manager,
        in_place=args.in_place,
        tags=parsing.pairs(args.tag, "tag"),
        **given,
    ).checked()


def _direction(args: argparse.Namespace, repository: Repository) -> Any:
    from ledgit.compare import direction

    if args.direction or not args.metric:
        return args.direction or "minimize"
    found = direction(args.metric, context.directions(repository))
    if found is None:
        raise UsageError(
            f"whether more or less of {args.metric!r} is better is not known; say --direction maximize or minimize"
        )
    return found


def _directory(repository: Repository) -> str:
    """Return where below the top of the work tree this process is."""
    top = repository.repo.work_tree
    if top is None:
        raise UsageError("this repository is bare: there is no work tree with a project in it")
    below = os.path.relpath(os.path.realpath(os.getcwd()), os.path.realpath(top)).replace(os.sep, "/")
    return "" if below == "." or below.startswith("..") else below


def _executor(args: argparse.Namespace, plan: SweepPlan) -> Any:
    """Return the executor to use; None for this machine."""
    options: dict[str, Any] = dict(parsing.pairs(args.option, "option"))
    if plan.executor == "local":
        if options or args.scheduler:
            raise UsageError("--scheduler and -o are for an executor of other machines, as --executor dask")
        return None
    from ledgit.projects.executors import make_executor

    if args.scheduler:
        options["address" if plan.executor == "ray" else "scheduler"] = args.scheduler
    if args.jobs is not None and plan.executor in ("slurm", "ray"):
        options["jobs"] = args.jobs
    return make_executor(plan.executor, options)


def _tell(text: str) -> None:
    from ledgit.cli.text import clean

    terminal.note(f"ledgit: {clean(text)}")


def _resume(args: argparse.Namespace) -> int:
    from ledgit.cli.sweepshown import show
    from ledgit.projects.sweeps import Sweep

    repository = context.repository(writing=True)
    repository.fetch_missing = True
    sweep = Sweep.resume(repository, args.ref or "", progress=_tell, changes=_running(args))
    try:
        executor = _executor(args, sweep.plan)
    except BaseException:
        sweep.close()
        raise
    _warn(sweep, executor)
    return show(sweep, executor, _style(args), quiet=args.quiet)


# ---------------------------------------------------------------------- the others


def _status(args: argparse.Namespace) -> int:
    from ledgit.cli.sweepshown import status_text
    from ledgit.projects.sweeps import status

    repository = context.repository()
    repository.fetch_missing = True
    found = status(repository, args.ref or "")
    if args.format == "json":
        terminal.write(render.json_text(found.to_dict()))
    else:
        terminal.write(status_text(found, _style(args), args.limit, terminal.table_width()), page=True)
    return 0


def _stop(args: argparse.Namespace) -> int:
    from ledgit.projects.sweeps import status, stop

    word = "finish" if args.finish else "kill" if args.kill else "stop"
    repository = context.repository()
    repository.fetch_missing = True
    before = status(repository, args.ref or "")
    ended = stop(repository, before.run, word, wait=0.0 if args.no_wait else float("inf"))
    if before.state != "running":
        terminal.note(f"ledgit: {before.name} does not run here; it is {before.state}")
    elif ended:
        terminal.note(f"ledgit: {before.name} has ended; 'ledgit sweep resume {before.name}' goes on with it")
    else:
        terminal.note(f"ledgit: {before.name} was asked to end")
    return 0


def _list(args: argparse.Namespace) -> int:
    from ledgit.cli.sweepshown import list_text
    from ledgit.projects.sweeps import list_sweeps, status

    repository = context.repository()
    repository.fetch_missing = True
    found = [status(repository, run.id) for run in list_sweeps(repository, args.limit)]
    if args.format == "json":
        rows: list[Mapping[str, Any]] = [
            {key: value for key, value in one.to_dict().items() if key != "runs"} for one in found
        ]
        terminal.write(render.json_text(rows))
    else:
        terminal.write(list_text(found, _style(args), terminal.table_width()))
    return 0
