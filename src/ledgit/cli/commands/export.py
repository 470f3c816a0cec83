"""``ledgit export``: write runs as files."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal
from ledgit.errors import UsageError

HELP = """\
Write runs as plain files: a folder each, with params.yaml, metrics.yaml, histories, artifacts. 'ledgit import'
reads them in any repository, with their ids. The code is not among the files: where its tree is not in the
other repository, the run comes without.
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
    done = repository.export_runs(runs, args.target)
    if args.format == "json":
        terminal.write(render.json_text({"exported": done.ids, "missing": done.missing}))
        return 0
    terminal.write(f"exported {len(done.ids)} {'run' if len(done.ids) == 1 else 'runs'} to {args.target}\n")
    for what in done.missing:
        terminal.note(f"ledgit: not in this clone, so its pointer was exported: {what}")
    return 0
