"""``ledgit report``: what the code under review changed, for people."""

from __future__ import annotations

import argparse
import os

from ledgit.cli import context, render, reviewing, terminal
from ledgit.errors import StorageError

HELP = """\
Compare the runs of the code under review with those of where it left the branch it goes into: metrics with their
repeats, the params, data, environment and code that differ, histories, and what the gates say. The Markdown is for
comments on GitHub and GitLab: never longer than they take, and nothing in it that a run chose can be markup or a
mention.

Exits with 0 whatever the gates say: that is 'ledgit check'.
"""
EPILOG = """
ledgit report                           what is checked out, against main
ledgit report main...HEAD --md
ledgit report --html -o report.html     one page with charts, for a browser; needs no network
ledgit report --summary                 into a job's summary, in GitHub Actions
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reviewing.add_range(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="write into FILE")
    parser.add_argument("--all", action="store_true", help="in text: also metrics that did not change")
    parser.add_argument("--name", metavar="NAME", default="", help="which of several reports of the project")
    parser.add_argument("--summary", action="store_true", help="also add the Markdown to GitHub Actions' job summary")
    group = parser.add_mutually_exclusive_group()
    for name, words in (
        ("json", "JSON"),
        ("md", "Markdown, at most 60,000 characters"),
        ("html", "one HTML page with charts"),
    ):
        group.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, default="text", help=f"write {words}"
        )


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    repository = context.repository()
    found = reviewing.make(repository, reviewing.settings_of(repository, args), args, details=True)
    if args.format == "json":
        shown = render.json_text(found.to_dict())
    elif args.format == "md":
        from ledgit.review.markdown import render_markdown

        shown = render_markdown(found, report=args.name)
    elif args.format == "html":
        from ledgit.review.html import render_html

        shown = render_html(found)
    else:
        shown = "\n".join(reviewing.lines(found, everything=args.all)) + "\n"
    reviewing.write_file(args.output, shown)
    if args.summary:
        from ledgit.review.markdown import render_markdown

        _summarize(render_markdown(found, report=args.name))
    return 0


def _summarize(text: str) -> None:
    """Add *text* to the summary of the job; outside of GitHub Actions that is said."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        terminal.note("ledgit: there is no job summary here (GITHUB_STEP_SUMMARY is not set)")
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from None
