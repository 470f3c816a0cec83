"""``ledgit import``: read exported runs."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import clean, size
from ledgit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.importing import Brought

HELP = """\
Read runs that 'ledgit export' wrote, or those of another tracker: an MLflow store (an mlruns folder, a database, a
server), experiments of DVC and DVCLive, event files of TensorBoard, offline runs of Weights & Biases. They keep their
ids, dates and users; what is here already stays as it is, so the command can be repeated. At the end what was read is
counted again in the ledger; exits with 1 if anything is missing there.
"""
EPILOG = """
ledgit import runs.tar.gz
ledgit import out/
ledgit import old.tar --new-ids         runs among them were purged here
ledgit import mlflow mlruns             also: mlflow.db, sqlite:///…, postgresql://…, https://…
ledgit import dvc .                     experiments of a repository; or a DVCLive folder
ledgit import tensorboard runs/
ledgit import wandb wandb/
"""
TRACKERS = ("mlflow", "dvc", "tensorboard", "wandb")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_argument(
        "source",
        metavar="[mlflow|dvc|tensorboard|wandb] PATH",
        nargs="+",
        help="what 'ledgit export' wrote, or a tracker and where its runs are",
    )
    parsing.complete(source, "file")
    parser.add_argument(
        "--new-ids", action="store_true", help="give runs that were purged here new ids; else they are refused"
    )
    parser.add_argument(
        "-e", "--experiment", metavar="NAME", help="experiment for runs of DVC, TensorBoard or W&B (default: theirs)"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Read them."""
    if args.source[0] in TRACKERS and len(args.source) == 2:
        return _tracker(args.source[0], args.source[1], args)
    if len(args.source) != 1:
        raise UsageError("name one folder or file, or a tracker and its runs: ledgit import mlflow mlruns")
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


def _tracker(tracker: str, path: str, args: argparse.Namespace) -> int:
    from ledgit.cli.progress import Progress
    from ledgit.importing import bring, open_source

    if args.experiment is not None and tracker == "mlflow":
        raise UsageError("MLflow's runs have experiments; --experiment is for dvc, tensorboard and wandb")
    repository = context.repository(writing=True)
    source = open_source(tracker, path, experiment=args.experiment, login=context.mlflow_login())
    with Progress() as progress:
        done = bring(repository, source, progress)
    if args.format == "json":
        terminal.write(render.json_text(done.to_dict()))
    else:
        _say(done)
    return 1 if done.failed or done.missing else 0


def _say(done: Brought) -> None:
    rows = (
        (len(done.imported), "imported"),
        (len(done.known), "were here already"),
        (len(done.purged), "were purged here, and stay so"),
        (len(done.failed), "could not be stored"),
    )
    said = ", ".join(f"{count:,} {what}" for count, what in rows if count)
    terminal.write(f"{done.found:,} {'run' if done.found == 1 else 'runs'}: {said or 'none'}\n")
    terminal.write(
        f"{done.params:,} params, {done.points:,} points of metrics, {done.tags:,} tags, {done.files:,} files"
        f" ({size(done.bytes)}), {done.experiments:,} experiments\n"
    )
    if done.models or done.versions or done.versions_known:
        known = f" ({len(done.versions_known):,} were here already)" if done.versions_known else ""
        terminal.write(f"{len(done.models):,} registered models, {len(done.versions):,} versions{known}\n")
    if any(there for there, _ in done.counts.values()):
        counted = ", ".join(f"{here:,} of {there:,} {kind}" for kind, (there, here) in done.counts.items() if there)
        terminal.write(f"counted again in the ledger: {counted}\n")
    for what, kind, there, here in done.missing[:10]:
        terminal.note(f"missing: {clean(what[:40])}: {here:,} of {there:,} {kind}")
    for one in done.left:
        terminal.note(f"left in the store: {one}")
    for run, where in list(done.elsewhere.items())[:5]:
        terminal.note(f"{run[:8]}: its artifacts stay at {clean(where)}")
    for run, old, new in done.changed[:5]:
        terminal.note(f"{run[:8] or 'name'}: {clean(old)!r} is called {clean(new)!r} here")
    for run, why in list(done.failed.items())[:5]:
        terminal.note(f"{clean(run[:40])}: {clean(why)}")
