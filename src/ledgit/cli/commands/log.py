"""``ledgit log``: who changed a run, and when."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal, text

HELP = """\
Show a run's audit trail, newest first: the commit that finished it and every edit since (tags, note, name,
deletion, resumed logging). Each line is a commit that 'git show' explains.
"""
EPILOG = """
ledgit log calm-owl
git show --stat $(ledgit rev --head calm-owl)  the newest edit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Print the trail."""
    repository = context.repository()
    repository.fetch_missing = True  # the trail is nowhere but in the run's commits
    found = repository.run(args.ref)
    entries = found.log()
    if args.format == "json":
        terminal.write(render.json_text([entry.to_dict() for entry in entries]))
        return 0
    if not entries:
        terminal.note("the run is active: it gets its first commit when it ends")
        return 0
    style = text.Style(terminal.use_color())
    lines = []
    for entry in entries:
        when = text.moment(entry.when)
        author = text.clean(entry.author.partition(" <")[0])
        lines.append(f"{style.yellow(entry.commit[:8])}  {when}  {author}  {style.bold(text.clean(entry.subject))}")
        changes = [change for change in entry.changes if not entry.subject.startswith(change)]
        lines += [f"          {text.clean(change)}" for change in changes]
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0
