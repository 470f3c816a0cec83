"""``ledgit tag``: set or delete tags."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal, text
from ledgit.errors import UsageError

HELP = """\
Set tags with key=value, delete them with 'key-' or --delete; rename the run, or move it to another experiment.
Without any of these, print the run's tags.
An edit is a commit on top of the run, so 'ledgit log RUN' shows who did it.
"""
EPILOG = """
ledgit tag calm-owl keep=yes stage=candidate
ledgit tag calm-owl stage-              delete one
ledgit tag calm-owl                     print all
ledgit tag calm-owl --rename best --move digits
ledgit ls 'tags.keep = "yes"'           and find it again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    parser.add_argument("changes", metavar="K=V | K-", nargs="*", help="a tag to set, or to delete")
    parser.add_argument("-d", "--delete", metavar="KEY", action="append", default=[], help="delete a tag (repeatable)")
    parser.add_argument("--rename", metavar="NAME", help="give the run another name")
    move = parser.add_argument("--move", metavar="EXPERIMENT", help="put the run into another experiment")
    parsing.complete(move, "experiment")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Change or print tags."""
    wanted = dict(parsing.pairs([word for word in args.changes if "=" in word], "tag"))
    unwanted = list(args.delete)
    for word in args.changes:
        if "=" not in word:
            if not word.endswith("-") or len(word) < 2:
                raise UsageError(f"{word!r} is neither key=value nor 'key-'")
            unwanted.append(word[:-1])
    both = sorted(set(unwanted) & set(wanted))
    if both:
        raise UsageError(f"tag {both[0]!r} can't be set and deleted at once")
    for option, name in (("--rename", args.rename), ("--move", args.move)):
        if name is not None and not name.strip():
            raise UsageError(f"{option} needs a name, and got an empty one")
    changing = bool(wanted or unwanted or args.rename or args.move)
    repository = context.repository(writing=changing)
    found = repository.run(args.ref)
    if changing:
        missing = [key for key in unwanted if key not in found.tags]
        if missing:
            raise UsageError(f"run {found.id[:8]} has no tag {missing[0]!r}")
        from ledgit.store import Edit

        # One commit, so that nothing is half done when one of the names can't be.
        edit = Edit(set_tags=wanted, delete_tags=tuple(unwanted), name=args.rename, experiment=args.move)
        repository.edit(found.state, edit)
        return 0
    if args.format == "json":
        terminal.write(render.json_text(dict(found.tags)))
        return 0
    style = text.Style(terminal.use_color())
    rows = [[text.clean(key), text.clean(str(value))] for key, value in sorted(found.tags.items())]
    lines, _ = render.table([render.Column("tag"), render.Column("value")], rows, style=style, header=False)
    terminal.write("".join(line + "\n" for line in lines), page=True)
    return 0
