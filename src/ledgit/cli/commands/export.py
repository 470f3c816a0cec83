"""``ledgit export``: write runs as files."""

from __future__ import annotations

import argparse
import os

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.progress import Progress
from ledgit.cli.text import clean
from ledgit.errors import StorageError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.runset import RunSet

HELP = """\
Write runs as plain files: a folder each, with params.yaml, metrics.yaml, histories, artifacts. 'ledgit import'
reads them in any repository, with their ids. The code is not among the files: where its tree is not in the
other repository, the run comes without. Large artifacts and long histories that are not in this clone are
fetched. Exits with 1 if something of a run could not be had: the export has a pointer in its place.

With a format first, all runs are written, or those that are named or that the options choose: 'files' as above,
'jsonl' a line of JSON a run ('-' for standard output), 'parquet' tables (needs pyarrow), 'mlflow' an mlruns folder,
or with an address into a store of MLflow's (needs mlflow).
"""
EPILOG = """
ledgit export calm-owl out/
ledgit export calm-owl brave-fox runs.tar.gz
ledgit export --filter 'tags.keep = "yes"' runs.tar
ledgit export jsonl --experiment digits runs.jsonl
ledgit export parquet tables/
ledgit export mlflow mlruns             also: http://127.0.0.1:5000, sqlite:///mlflow.db
"""
FORMATS = ("files", "jsonl", "parquet", "mlflow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="*", dest="refs")
    target = parser.add_argument(
        "target",
        metavar="DIR|FILE.tar",
        help="folder, or .tar, .tar.gz or .tgz file to write; what the format asks for",
    )
    parsing.complete(target, "file")
    parser.add_argument("--filter", metavar="FILTER", help="export the runs this is true of")
    parser.add_argument("-b", "--branch", metavar="NAME", help="only runs of the code on this branch")
    experiment = parser.add_argument(
        "-e", "--experiment", metavar="NAME", action="append", help="only runs of this experiment (repeatable)"
    )
    parsing.complete(experiment, "experiment")
    parser.add_argument("--mine", action="store_true", help="only runs of the current Git user")
    parser.add_argument("--since", metavar="TIME", help="only runs started since: 3h, 2d, 1w, today, 2026-11-23")
    parser.add_argument("--all", action="store_true", help="deleted ones too")
    parser.add_argument("--no-history", action="store_true", help="of jsonl: latest values of metrics alone")
    parser.add_argument(
        "--here", action="store_true", help="fetch no artifacts: what is not in this clone stays a pointer"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Write them."""
    repository = context.repository()
    repository.fetch_missing = True  # what is to be written must be here
    form = args.refs[0] if args.refs and args.refs[0] in FORMATS else ""
    runs = [repository.run(ref) for ref in (args.refs[1:] if form else args.refs)]
    if _chosen(args) or (form and not runs):
        runs += list(_selected(repository, args))
    if not runs:
        raise UsageError("no run to export; name some, or give a --filter that matches")
    if form in ("", "files"):
        return _files(repository, runs, args)
    ended = [one for one in runs if not one.active]
    if len(ended) < len(runs):
        terminal.note(f"ledgit: {len(runs) - len(ended)} runs are active; they can be exported when they have ended")
    writers: dict[str, Callable[[Repository, list[Run], argparse.Namespace], int]] = {
        "jsonl": _lines,
        "parquet": _parquet,
        "mlflow": _mlflow,
    }
    return writers[form](repository, ended, args)


def _chosen(args: argparse.Namespace) -> bool:
    return bool(args.filter or args.branch or args.experiment or args.mine or args.since)


def _selected(repository: Repository, args: argparse.Namespace) -> RunSet:
    return context.selected(
        repository,
        "all" if args.all else "active",
        filter=args.filter,
        branch=args.branch,
        experiment=args.experiment,
        since=args.since,
        mine=args.mine,
    )


def _lines(_: Repository, runs: list[Run], args: argparse.Namespace) -> int:
    from ledgit.exporting import write_lines

    if args.target == "-":
        write_lines(runs, _Output(), history=not args.no_history)
        return 0
    new = f"{args.target}.new"
    try:
        with open(new, "w", encoding="utf-8") as file:
            count = write_lines(runs, file, history=not args.no_history)
        os.replace(new, args.target)
    except OSError as error:
        raise StorageError(args.target, error.strerror or str(error)) from error
    return _said(count, args)


class _Output:
    """Standard output as a file to write to."""

    def write(self, text: str) -> None:
        terminal.write(text)


def _parquet(_: Repository, runs: list[Run], args: argparse.Namespace) -> int:
    from ledgit.exporting import write_parquet

    return _said(write_parquet(runs, args.target), args)


def _said(count: int, args: argparse.Namespace) -> int:
    if args.format == "json":
        terminal.write(render.json_text({"exported": count, "target": args.target}))
    else:
        terminal.write(f"exported {count:,} {'run' if count == 1 else 'runs'} to {args.target}\n")
    return 0


def _mlflow(repository: Repository, runs: list[Run], args: argparse.Namespace) -> int:
    from ledgit.exporting import send_to_mlflow, write_mlruns

    target = args.target
    store = "://" in target and not target.startswith("file://")
    with Progress() as progress:
        if store:
            done = send_to_mlflow(repository, runs, target, progress=progress)
        else:
            done = write_mlruns(repository, runs, target.removeprefix("file://"), progress=progress)
    if args.format == "json":
        terminal.write(render.json_text(done.to_dict()))
    else:
        known = f", {len(done.known):,} were there already" if done.known else ""
        terminal.write(
            f"{len(done.written):,} runs exported{known}\n{done.points:,} points of metrics, {done.files:,} files,"
            f" {done.models:,} registered models, {done.versions:,} versions\n"
        )
        for what in done.missing[:10]:
            terminal.note(f"ledgit: not exported: {clean(what)}")
    return 1 if done.missing else 0


def _files(repository: Repository, runs: list[Run], args: argparse.Namespace) -> int:
    with Progress() as progress:
        done = repository.export_runs(runs, args.target, fetch=not args.here, progress=progress)
    code = 1 if done.missing and not args.here else 0
    if args.format == "json":
        terminal.write(render.json_text({"exported": done.ids, "missing": done.missing, "why": done.why}))
        return code
    terminal.write(f"exported {len(done.ids)} {'run' if len(done.ids) == 1 else 'runs'} to {args.target}\n")
    for what in done.missing:
        terminal.note(f"ledgit: not in this clone, so its pointer was exported: {what}")
    if done.missing and done.why:
        terminal.note(f"ledgit: {done.why}")
    return code
