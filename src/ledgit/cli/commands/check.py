"""``ledgit check``: whether the code under review is good enough."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, render, reviewing, terminal
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.review import Review

HELP = """\
Judge the runs of the code under review by the gates in .ledgit/config.yaml: against the runs of where it left the
branch it goes into, or the nearest commit before that has some. Repeats over seeds are compared as samples; an
improvement never fails; code without a run does.

Exits with 0 if no required gate fails, with 1 if one does. Several kinds of output can be written at once.
"""
EPILOG = """
ledgit check                            what is checked out, against main
ledgit check main...HEAD --gate accuracy=0.01 --gate latency_ms=5%
ledgit check --pull --clean --junit gates.xml --sarif gates.sarif    in CI
ledgit check --baseline churn@prod      against what is in production
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reviewing.add_range(parser)
    parser.add_argument(
        "--gate",
        metavar="METRIC[=THRESHOLD]",
        action="append",
        default=[],
        help="a gate, instead of those in the file: how much worse is still fine, absolute or with %% (repeatable)",
    )
    parser.add_argument("--no-gates-is-fine", action="store_true", help="exit with 0 where no gates are set")
    parser.add_argument("--all", action="store_true", help="also metrics that did not change")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--sarif", metavar="FILE", help="also write SARIF")
    parser.add_argument("--openmetrics", metavar="FILE", help="also write OpenMetrics, for GitLab's metrics reports")
    parser.add_argument("--json-file", metavar="FILE", help="also write JSON")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", dest="format", action="store_const", const="json", default="text", help="print JSON")
    group.add_argument(
        "-q", "--quiet", dest="format", action="store_const", const="quiet", help="print nothing: the exit code says it"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, and say so."""
    from dataclasses import replace

    repository = context.repository()
    settings = reviewing.settings_of(repository, args)
    if args.gate:
        from ledgit.review import read_settings

        settings = replace(settings, gates=read_settings(*reviewing.gates_given(args.gate)).gates)
    if not settings.gates:
        if args.no_gates_is_fine:
            terminal.note("ledgit: no gates are set, so nothing was checked")
            return 0
        raise UsageError(
            "there are no gates: set 'gates:' in .ledgit/config.yaml, or name one, as in --gate accuracy=0.01"
        )
    found = reviewing.make(repository, settings, args, details=args.format == "json" or bool(args.json_file))
    _write_files(found, args)
    if args.format == "json":
        terminal.write(render.json_text(found.to_dict()))
    elif args.format == "text":
        terminal.write("\n".join(reviewing.lines(found, everything=args.all)) + "\n")
    return 1 if found.failed else 0


def _write_files(found: Review, args: argparse.Namespace) -> None:
    from ledgit.review.machine import render_junit, render_openmetrics, render_sarif

    for path, write in (
        (args.junit, render_junit),
        (args.sarif, render_sarif),
        (args.openmetrics, render_openmetrics),
        (args.json_file, lambda review: render.json_text(review.to_dict())),
    ):
        if path:
            reviewing.write_file(path, write(found))
