"""``ledgit report``: what the code under review changed, for people."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ledgit.cli import context, render, reviewing, terminal
from ledgit.cli.text import clean
from ledgit.errors import StorageError, UsageError

if TYPE_CHECKING:
    from ledgit.review import Review

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
ledgit report -o report.html            one page with charts, for a browser; needs no network
ledgit report --md --images charts --image-url https://pages.example.org/charts
ledgit report --summary --comment       in CI: the job's summary, and the pull request's comment
"""


_KINDS = {".json": "json", ".md": "md", ".html": "html", ".htm": "html", ".txt": "text"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reviewing.add_range(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        action="append",
        default=[],
        help="write into FILE, of the kind that .json, .md, .html or .txt says (repeatable)",
    )
    parser.add_argument("--all", action="store_true", help="in text: also metrics that did not change")
    parser.add_argument("--name", metavar="NAME", default="", help="which of several reports of the project")
    parser.add_argument("--summary", action="store_true", help="also add the Markdown to GitHub Actions' job summary")
    parser.add_argument(
        "--comment",
        choices=("changed", "always"),
        nargs="?",
        const="changed",
        help="in CI, also comment on the pull request, once, and keep that up to date; 'changed': no new comment where"
        " nothing changed (default)",
    )
    parser.add_argument(
        "--images", metavar="FOLDER", help="also draw the histories into FOLDER: SVG, and PNG by Matplotlib"
    )
    parser.add_argument(
        "--image-url",
        metavar="PREFIX",
        default="",
        help="where FOLDER will be: the Markdown shows its pictures; who has the address can see them",
    )
    parser.add_argument(
        "--pictures", action="store_true", help="in HTML: PNG and JPEG artifacts that differ, side by side, if small"
    )
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
    args.shown_images = _images(found, args)
    for path in args.output or ["-"]:
        reviewing.write_file(path, _shown(found, _KINDS.get(os.path.splitext(path)[1], args.format), args))
    if args.summary:
        from ledgit.review.markdown import render_markdown

        _summarize(render_markdown(found, report=args.name, images=args.shown_images))
    if args.comment:
        _comment(found, args)
    return 0


def _images(found: Review, args: argparse.Namespace) -> list[str]:
    """Draw what is asked for and return the addresses that the Markdown shows."""
    if not args.images:
        if args.image_url:
            raise UsageError("--image-url says where the pictures of --images FOLDER will be; name that too")
        return []
    from ledgit.review.images import addresses, write_images

    names = write_images(found, args.images)
    return addresses(names, args.image_url) if args.image_url else []


def _shown(found: Review, kind: str, args: argparse.Namespace) -> str:
    if kind == "json":
        return render.json_text(found.to_dict())
    if kind == "md":
        from ledgit.review.markdown import render_markdown

        return render_markdown(found, report=args.name, images=args.shown_images)
    if kind == "html":
        from ledgit.review.html import render_html

        return render_html(found)
    return "\n".join(reviewing.lines(found, everything=args.all)) + "\n"


def _comment(found: Review, args: argparse.Namespace) -> None:
    """Comment on the pull request; what keeps that from being done is said, and fails nothing."""
    from ledgit.review.comments import post
    from ledgit.review.markdown import marker, render_markdown

    pull = context.pull_request()
    place = None if pull is None or not pull.number else context.comment_place(pull.number)
    if place is None:
        terminal.note("ledgit: no comment: CI's environment names no pull request")
        return
    if not place.token:
        terminal.note("ledgit: no comment: there is no token (GITHUB_TOKEN or GITLAB_TOKEN)")
        return
    body = render_markdown(found, report=args.name, images=args.shown_images)
    quiet = args.comment == "changed" and not found.worth_telling
    done = post(place, body, marker(found.project, args.name), only_update=quiet)
    said = f": {clean(done.reason)}" if done.reason else f": {clean(done.address)}" if done.address else ""
    terminal.note(f"ledgit: comment {done.done}{said}")


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
