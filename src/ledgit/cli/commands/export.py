"""``ledgit export``: write runs as files."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.progress import Progress
from ledgit.errors import UsageError

HELP = """\
Write runs as plain files: a folder each, with params.yaml, metrics.yaml, histories, artifacts. 'ledgit import'
reads them in any repository, with their ids. The code is not among the files: where its tree is not in the
other repository, the run comes without. Large artifacts and long histories that are not in this clone are
fetched. Exits with 1 if something of a run could not be had: the export has a pointer in its place.
"""
EPILOG = """
ledgit export calm-owl out/
ledgit export calm-owl brave-fox runs.tar.gz
ledgit export --filter 'tags.keep = "yes"' runs.tar
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="*", dest="refs")
    target = parser.add_argument(
        "target", metavar="DIR|FILE.tar", help="folder, or .tar, .tar.gz or .tgz file to write"
    )
    parsing.complete(target, "file")
    parser.add_argument("--filter", metavar="FILTER", help="export the runs this is true of")
    parser.add_argument(
        "--here", action="store_true", help="fetch no artifacts: what is not in this clone stays a pointer"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Write them."""
    repository = context.repository()
    repository.fetch_missing = True  # what is to be written must be here
    runs = [repository.run(ref) for ref in args.refs]
    if args.filter:
        runs += list(repository.runs.filter(args.filter))
    if not runs:
        raise UsageError("no run to export; name some, or give a --filter that matches")
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
