"""``ledgit tag``: set or delete tags."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal, text
from ledgit.errors import RunNotFound, UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run

HELP = """\
Set tags with key=value, delete them with 'key-' or --delete; rename the run, or move it to another experiment.
Without any of these, print the run's tags. Further words are further runs: all get the same tags, or none does.
An edit is a commit on top of the run, so 'ledgit log RUN' shows who did it.
"""
EPILOG = """
ledgit tag calm-owl keep=yes stage=candidate
ledgit tag calm-owl brave-fox keep=yes  two runs at once
ledgit tag calm-owl stage-              delete one
ledgit tag calm-owl                     print all
ledgit tag calm-owl --rename best --move digits
ledgit ls 'tags.keep = "yes"'           and find it again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    parser.add_argument(
        "changes", metavar="RUN | K=V | K-", nargs="*", help="another run, a tag to set, or one to delete"
    )
    parser.add_argument("-d", "--delete", metavar="KEY", action="append", default=[], help="delete a tag (repeatable)")
    parser.add_argument("--rename", metavar="NAME", help="give the run another name")
    move = parser.add_argument("--move", metavar="EXPERIMENT", help="put the run into another experiment")
    parsing.complete(move, "experiment")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Change or print tags."""
    wanted = dict(parsing.pairs([word for word in args.changes if "=" in word], "tag"))
    unwanted = [*args.delete, *(word[:-1] for word in args.changes if _deletes(word))]
    refs = [args.ref, *(word for word in args.changes if "=" not in word and not _deletes(word))]
    both = sorted(set(unwanted) & set(wanted))
    if both:
        raise UsageError(f"tag {both[0]!r} can't be set and deleted at once")
    for option, name in (("--rename", args.rename), ("--move", args.move)):
        if name is not None and not name.strip():
            raise UsageError(f"{option} needs a name, and got an empty one")
    changing = bool(wanted or unwanted or args.rename or args.move)
    if len(refs) > 1 and (args.rename or not changing):
        what = "can have a name" if args.rename else "can be printed at once"
        raise UsageError(f"only one run {what}; {refs[1]!r} is neither key=value nor 'key-'")
    repository = context.repository(writing=changing)
    runs = [repository.run(args.ref), *(_further(repository, ref) for ref in refs[1:])]
    if changing:
        for run, key in ((run, key) for run in runs for key in unwanted):
            if key not in run.tags:
                raise UsageError(f"run {run.id[:8]} has no tag {key!r}")
        from ledgit.store import Edit

        # One commit a run, so that nothing is half done when one of the names can't be.
        edit = Edit(set_tags=wanted, delete_tags=tuple(unwanted), name=args.rename, experiment=args.move)
        repository.edit_all([run.state for run in runs], edit)
        return 0
    [found] = runs
    if args.format == "json":
        terminal.write(render.json_text(dict(found.tags)))
        return 0
    style = text.Style(terminal.use_color())
    rows = [[text.clean(key), text.clean(str(value))] for key, value in sorted(found.tags.items())]
    lines, _ = render.table([render.Column("tag"), render.Column("value")], rows, style=style, header=False)
    terminal.write("".join(line + "\n" for line in lines), page=True)
    return 0


def _deletes(word: str) -> bool:
    return "=" not in word and word.endswith("-") and len(word) > 1


def _further(repository: Repository, ref: str) -> Run:
    try:
        return repository.run(ref)
    except RunNotFound as error:
        raise UsageError(f"{ref!r} is neither key=value nor 'key-', and no run") from error
