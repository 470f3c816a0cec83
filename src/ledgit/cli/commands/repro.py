"""``ledgit repro``: repeat a run, and say what differs."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style, clean
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.projects.repro import ReproOptions, Tolerance
    from ledgit.projects.repro.auditing import Audited
    from ledgit.repository import Repository, Run

HELP = """\
Repeat a run: its code in a fresh folder (uncommitted changes included), its environment made anew where the present
one is another, its data fetched and hashed, its command run again. What comes out is recorded as a run, tagged
ledgit.repro, and compared: every point of every metric. If it comes out otherwise, the verdict names which of
code, data, environment, hardware and randomness differ.

Exits with 0 if the run is reproduced (identical, within the tolerance, or consistent with repeats), with 1 if not,
with 4 if it was recorded without what it takes, and with 11 if its environment can't be made.
"""
EPILOG = """
ledgit repro calm-owl
ledgit repro calm-owl --tolerance 1e-6 --tolerance 'seconds=any'
ledgit repro calm-owl --repeats 5       is the run one of these, statistically?
ledgit repro calm-owl --code main       the same with today's code
ledgit repro calm-owl --set token=…     with the secret that its command lacks
ledgit repro --many 'metrics.accuracy > 0.9'  audit many; goes on where it was interrupted
ledgit repro --experiment digits --json > audit.json
"""
_ANY = ("any", "inf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="?")
    parser.add_argument("--many", metavar="FILTER", help="repeat every run this is true of, as 'ledgit ls' has it")
    experiment = parser.add_argument("-e", "--experiment", metavar="NAME", help="repeat every run of this experiment")
    parsing.complete(experiment, "experiment")
    parser.add_argument("--again", action="store_true", help="with --many: also runs that were repeated before")
    parser.add_argument(
        "--repeats", metavar="N", type=int, help="repeat it N times; 5 and more tell chance from change"
    )
    parser.add_argument(
        "--tolerance",
        metavar="T|NAME=T",
        action="append",
        default=[],
        help="how far metrics, or those of a name or pattern, may be off: absolutely or relatively; 'any' (repeatable)",
    )
    parser.add_argument(
        "--env-manager",
        metavar="NAME",
        help="local (whatever is here), uv, virtualenv or conda; default: local if it has what was recorded",
    )
    parser.add_argument("--code", metavar="REV", help="run the code of this revision instead of the run's")
    parser.add_argument(
        "--set", metavar="WORD=VALUE", action="append", default=[], help="a secret that the command lacks (repeatable)"
    )
    parser.add_argument(
        "--diagnose", action="store_true", help="what of the randomness goes with hash seed and threads fixed"
    )
    parser.add_argument("--timeout", metavar="TIME", help="end the command after so long: 90 (seconds), 5m, 2h")
    parser.add_argument("--no-trace", action="store_true", help="don't note which files Python opens")
    parser.add_argument("--no-output", action="store_true", help="don't show what the command prints")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and what the run lacks")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Repeat, print the verdict, and exit by it."""
    many = args.many is not None or args.experiment is not None
    if many == bool(args.ref):
        raise UsageError("name the run to repeat, or say --many FILTER or --experiment NAME")
    if args.again and not many:
        raise UsageError("--again goes with --many or --experiment; one run is always repeated")
    options = _options(args, many=many)
    repository = context.repository(writing=not args.dry_run)
    repository.fetch_missing = True
    style = Style(terminal.use_color() and args.format == "text")
    if many:
        return _many(repository, args, options, style)
    from ledgit.cli.reproshown import plan_lines, reproduction_lines
    from ledgit.projects.repro import make_plan, reproduce

    found = repository.run(args.ref)
    if args.dry_run:
        plan = make_plan(repository, found, options)
        text = render.json_text(plan.to_dict()) if args.format == "json" else "\n".join(plan_lines(plan, style)) + "\n"
        terminal.write(text)
        return 0
    made = reproduce(repository, found, options, _tell)
    if args.format == "json":
        terminal.write(render.json_text(made.to_dict()))
    else:
        terminal.write("\n".join(reproduction_lines(made, style, terminal.table_width())) + "\n")
    return 0 if made.reproduced else 1


def _many(repository: Repository, args: argparse.Namespace, options: ReproOptions, style: Style) -> int:
    from ledgit.cli.reproshown import audited_line
    from ledgit.projects.repro import audit, auditable

    chosen = repository.runs
    if args.many:
        chosen = chosen.filter(args.many)
    if args.experiment is not None:
        chosen = chosen.experiment(repository.experiment(args.experiment).name)
    runs: list[Run] = sorted(auditable(chosen[:]), key=lambda run: (run.start, run.id))
    if args.dry_run:
        for run in runs:
            terminal.write(f"{run.id[:8]}  {clean(run.name)}\n")
        return 0
    as_text = args.format == "text"

    def show(one: Audited, _made: object) -> None:
        if as_text:
            terminal.write_now(audited_line(one, style) + "\n")

    found = audit(repository, runs, options, again=args.again, done=show)
    if as_text:
        counts = ", ".join(f"{count} {level}" for level, count in found.counts().items())
        terminal.note(f"ledgit: {len(found.runs)} runs: {counts or 'none'}")
    else:
        terminal.write(render.json_text(found.to_dict()))
    return 0 if found.reproduced else 1


def _options(args: argparse.Namespace, *, many: bool) -> ReproOptions:
    from ledgit.projects.repro import ReproOptions
    from ledgit.tracking.launching import cache_folder

    if args.repeats is not None and args.repeats < 1:
        raise UsageError(f"--repeats is {args.repeats}, expected 1 or more")
    secrets = {}
    for pair in args.set:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError("--set is not of the form WORD=VALUE")
        secrets[name.lstrip("-")] = value
    return ReproOptions(
        repeats=args.repeats,
        tolerance=_tolerance(args.tolerance),
        manager=args.env_manager,
        code=args.code,
        diagnose=args.diagnose,
        secrets=secrets,
        timeout=parsing.seconds("--timeout", args.timeout),
        show=not (args.no_output or many or args.format == "json"),
        trace=not args.no_trace,
        cache=cache_folder(),
        home=os.path.expanduser("~"),
    )


def _tolerance(given: list[str]) -> Tolerance:
    from ledgit.projects.repro import Tolerance

    default, named = 0.0, []
    for text in given:
        name, equals, value = text.rpartition("=")
        if equals and not name:
            raise UsageError(f"--tolerance {text!r} names no metric")
        if name:
            named.append((name, _amount(text, value)))
        else:
            default = _amount(text, value)
    return Tolerance(default, tuple(named))


def _amount(text: str, value: str) -> float:
    import math

    if value in _ANY:
        return math.inf
    try:
        amount = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        amount = -1.0
    if not amount >= 0:
        raise UsageError(f"--tolerance {text!r} is no number of 0 or more, as 1e-6, 1% or loss=1e-6")
    return amount


def _tell(text: str) -> None:
    terminal.note(f"ledgit: {clean(text)}")
