"""``ledgit import``: read exported runs."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import clean, size
from ledgit.errors import UsageError

HELP = """\
Read runs that 'ledgit export' wrote, or with 'mlflow' those of an MLflow store: an mlruns folder, or an SQLite file.
They keep their ids, dates and users; a run that is here already stays as it is, so the command can be repeated.
"""
EPILOG = """
ledgit import runs.tar.gz
ledgit import out/
ledgit import old.tar --new-ids         runs among them were purged here
ledgit import mlflow mlruns             also: mlflow.db, sqlite:///mlflow.db
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_argument(
        "source",
        metavar="[mlflow] PATH",
        nargs="+",
        help="what 'ledgit export' wrote, or with 'mlflow' a store of MLflow's",
    )
    parsing.complete(source, "file")
    parser.add_argument(
        "--new-ids", action="store_true", help="give runs that were purged here new ids; else they are refused"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Read them."""
    if args.source[0] == "mlflow" and len(args.source) == 2:
        return _mlflow(args.source[1], args)
    if len(args.source) != 1:
        raise UsageError("name one folder or file, or 'mlflow' and a store: ledgit import mlflow mlruns")
    repository = context.repository(writing=True)
    done = repository.import_runs(args.source[0], new_ids=args.new_ids)
    if args.format == "json":
        terminal.write(render.json_text({"imported": done.ids, "known": done.known, "renewed": done.renewed}))
        return 0
    terminal.write(f"imported {len(done.ids)} {'run' if len(done.ids) == 1 else 'runs'}\n")
    if done.known:
        terminal.note(f"{len(done.known)} were here already and stay as they are")
    for old, new in done.renewed.items():
        terminal.note(f"{old[:8]} was purged here; it is {new[:8]} from now on")
    return 0


def _mlflow(path: str, args: argparse.Namespace) -> int:
    from ledgit.cli.progress import Progress
    from ledgit.importing import bring_mlflow

    repository = context.repository(writing=True)
    with Progress() as progress:
        done = bring_mlflow(repository, path, progress)
    if args.format == "json":
        terminal.write(render.json_text(done.to_dict()))
    else:
        rows = (
            (len(done.imported), "imported"),
            (len(done.known), "were here already"),
            (len(done.purged), "were purged here, and stay so"),
            (len(done.failed), "could not be stored"),
        )
        terminal.write(f"{done.found:,} runs: {', '.join(f'{count:,} {what}' for count, what in rows if count)}\n")
        terminal.write(
            f"{done.params:,} params, {done.points:,} points of metrics, {done.tags:,} tags, {done.files:,} files"
            f" ({size(done.bytes)}), {done.experiments:,} experiments\n"
        )
        for one in done.left:
            terminal.note(f"left in the store: {one}")
        for run, where in list(done.elsewhere.items())[:5]:
            terminal.note(f"{run[:8]}: its artifacts stay at {clean(where)}")
        for run, old, new in done.changed[:5]:
            terminal.note(f"{run[:8] or 'experiment'}: {clean(old)!r} is called {clean(new)!r} here")
        for run, why in list(done.failed.items())[:5]:
            terminal.note(f"{run[:8]}: {clean(why)}")
    return 1 if done.failed else 0
