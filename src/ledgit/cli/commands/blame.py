"""``ledgit blame``: what came with each step of a metric along a branch."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style, age, clean, number

HELP = """\
Show how a metric went along a branch, commit by commit, and what came with each step: params, data, code. A step is a
commit whose runs give another value than those of the commit before that has some; what repeats can't tell from chance
is none.
"""
EPILOG = """
ledgit blame accuracy                  along what is checked out
ledgit blame loss v1.0..main
ledgit blame accuracy --json
"""
_MOST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("metric", metavar="METRIC", help="name of a metric")
    parser.add_argument("revs", metavar="RANGE", nargs="?", default="HEAD", help="a branch, or A..B (default: HEAD)")
    parser.add_argument("--experiment", metavar="NAME", default="", help="only runs of this experiment")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Print the steps."""
    import time
    from dataclasses import replace

    from ledgit.review.settings import read_committed
    from ledgit.review.steps import blame

    repository = context.repository()
    settings = read_committed(repository.repo)
    if args.experiment:
        settings = replace(settings, experiment=args.experiment)
    steps = blame(repository, args.metric, args.revs, settings)
    if args.format == "json":
        terminal.write(render.json_text([step.to_dict() for step in steps]))
        return 0
    if not steps:
        terminal.note(f"ledgit: no run of {args.revs} has a metric {args.metric!r}")
        return 3
    style = Style(terminal.use_color())
    now = time.time()
    for step in steps:
        tone = style.green if step.better else style.red if step.better is False else style.bold
        change = "" if step.before is None else f" ({step.value - step.before:+.4g})"
        runs = f", n={len(step.side.runs)}" if len(step.side.runs) > 1 else ""
        terminal.write(
            f"{style.yellow(step.commit[:8])}  {tone(number(step.value) + change)}{runs}  {clean(step.subject)}"
            f"  {style.dim(f'{clean(step.author)}, {age(step.date, now)}')}\n"
        )
        for line in _what(step):
            terminal.write(f"          {line}\n")
    return 0


def _what(step: object) -> list[str]:
    from ledgit.review.steps import Step

    assert isinstance(step, Step)
    lines = []
    shown = [f"{clean(name)} {clean(old) or '–'} → {clean(new) or '–'}" for name, (old, new) in step.params.items()]
    if shown:
        lines.append(f"params  {', '.join(shown[:_MOST])}{_more(len(shown))}")
    if step.data is False:
        lines.append("data    differs")
    if step.files:
        lines.append(f"code    {', '.join(map(clean, step.files[:_MOST]))}{_more(len(step.files))}")
    if step.between:
        lines.append(f"        {step.between} commit{'s' if step.between > 1 else ''} between have no run")
    return lines


def _more(count: int) -> str:
    return f" and {count - _MOST} more" if count > _MOST else ""
