"""``ledgit diff``: what differs between runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, details, parsing, render, terminal
from ledgit.cli.difftext import DiffText
from ledgit.cli.text import Style, clean
from ledgit.errors import NotFound, UsageError

if TYPE_CHECKING:
    from ledgit.compare import RunDiff
    from ledgit.repository import Repository, Run
    from ledgit.review.in_kind import KindDiff
    from ledgit.store.checkout import FileChange

REPRO = "ledgit.repro"
HELP = """\
Show what differs between runs: params, metrics with their histories, tags, data, artifacts, environment and
code, committed or not. The first run is the one compared with. With one RUN, that is the newest run of the
code it was made from, else the run before it in its experiment; without RUN, the newest run is compared. BASE...HEAD
compares the newest runs of two commits: of HEAD, and of where it left BASE or the nearest commit before that has one.
"""
EPILOG = """
ledgit diff                             the newest run, against what it was made from
ledgit diff calm-owl brave-fox
ledgit diff calm-owl                    this one, against the same
ledgit diff main...HEAD                 the branch's newest run, against main's
ledgit diff calm-owl brave-fox -p       with the code's changes line by line
ledgit diff $(ledgit ls -n 4 --json | jq -r '.[].id')
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="*", dest="refs")
    parser.add_argument("--all", action="store_true", help="also what is the same")
    parser.add_argument("-p", "--patch", action="store_true", help="the code's changes line by line")
    parser.add_argument("--artifacts", action="store_true", help="also what differs within the artifacts of two runs")
    details.add_fetch(parser)
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if the runs differ")
    parsing.add_formats(parser, "md")


def run(args: argparse.Namespace) -> int:
    """Print the comparison."""
    from ledgit.cli.baseline import baseline
    from ledgit.compare import diff_runs, view_of

    repository = context.repository()
    why = ""
    if len(args.refs) == 1 and ".." in args.refs[0]:
        runs, why = _of_range(repository, args.refs[0])
    else:
        runs = [repository.run(ref) for ref in args.refs] or repository.runs.limit(1)[:]
    if not runs:
        terminal.note("ledgit: there are no runs yet")
        return NotFound.exit_code
    if len(runs) == 1:
        other, why = baseline(repository, runs[0])
        runs.insert(0, other)
    read, _ = details.records(repository, runs, fetch=args.fetch)
    views = [view_of(record, found.name, found.tags) for record, found in zip(read, runs, strict=True)]
    whole = diff_runs(views, context.directions(repository))
    shown = whole if args.all else whole.changed()
    changes = _code(repository, runs)
    within = _within(repository, runs, whole, fetch=args.fetch) if args.artifacts else []
    document: dict[str, object]
    if args.format == "json":
        patch = _patch(repository, runs) if args.patch else None
        document = {**shown.to_dict(), "files": [_file(change) for change in changes]}
        if args.artifacts:
            document["contents"] = [one.to_dict() for one in within]
        terminal.write(render.json_text(document if patch is None else {**document, "patch": patch}))
    else:
        style = Style(terminal.use_color() and args.format == "text")
        page = DiffText(shown, runs, changes, style, limit=terminal.table_width())
        if args.format == "md":
            terminal.write(page.markdown() + _within_markdown(within))
        else:
            lines = page.lines(why)
            lines[1:1] = _repetition(runs, style)
            for one in within:
                lines += ["", f"{style.bold(clean(one.path))}  {clean(one.summary)}"]
                lines += [*_painted("\n".join(one.lines), style)[1:], *([f"{one.more} more lines"] if one.more else [])]
            if args.patch:
                lines += _painted(_patch(repository, runs), style)
            terminal.write("\n".join(lines) + "\n", page=True)
    return 1 if args.exit_code and whole.differs else 0


def _within(repository: Repository, runs: list[Run], whole: RunDiff, *, fetch: bool) -> list[KindDiff]:
    """Return what differs within the artifacts of two runs.

    Raises:
        UsageError: There are more.
    """
    from ledgit.review.in_kind import compare_artifacts

    if len(runs) != 2:
        raise UsageError("--artifacts compares the artifacts of two runs; name two")
    return compare_artifacts(whole.artifacts, (runs[0], repository), (runs[1], repository), fetch=fetch)


def _within_markdown(within: list[KindDiff]) -> str:
    from ledgit.review.markdown import within_block

    return f"\n### within artifacts\n\n{within_block(within)}\n" if within else ""


def _of_range(repository: Repository, text: str) -> tuple[list[Run], str]:
    """Return the newest runs of both sides, and why the first is the one compared with.

    Raises:
        RunNotFound: A side has none.
    """
    from ledgit.errors import RunNotFound
    from ledgit.review import parse_range
    from ledgit.review.baseline import find_baseline
    from ledgit.review.settings import read_committed
    from ledgit.review.sides import find_side

    settings = read_committed(repository.repo)
    reach = parse_range(repository, text, settings, context.pull_request())
    side = find_side(repository, reach.head, settings)
    head = side.newest
    if head is None:
        raise RunNotFound(reach.head_rev)
    baseline = find_baseline(repository, reach, settings, head=side)
    if baseline.side.newest is None:
        raise RunNotFound(reach.base_rev)
    return [baseline.side.newest, head], baseline.reason


def _repetition(runs: list[Run], style: Style) -> list[str]:
    """Return how a repetition came out, and what was found to differ, if the second run is one of the first."""
    tags = runs[-1].tags
    if len(runs) != 2 or tags.get(REPRO, "") != runs[0].id or "ledgit.repro.verdict" not in tags:
        return []
    reasons = [line for line in tags.get("ledgit.repro.reasons", "").splitlines() if line]
    return [style.bold(f"repeated: {clean(tags['ledgit.repro.verdict'])}"), *(f"  {clean(one)}" for one in reasons)]


def _ends(runs: list[Run]) -> tuple[str | None, str | None]:
    """Return the first and the last run's code: its newest commit, or the snapshot of an active run."""
    return runs[0].head or runs[0].code.tree, runs[-1].head or runs[-1].code.tree


def _code(repository: Repository, runs: list[Run]) -> list[FileChange]:
    from ledgit.store.checkout import code_changes, has_tree

    old, new = _ends(runs)
    if old is None or new is None or runs[0].code.tree == runs[-1].code.tree:
        return []
    if not has_tree(repository.repo, old) or not has_tree(repository.repo, new):
        terminal.note("ledgit: the code of one of the runs is not in this clone, so it is not compared")
        return []
    return code_changes(repository.repo, old, new)


def _patch(repository: Repository, runs: list[Run]) -> str:
    from ledgit.store.checkout import code_patch, has_tree

    old, new = _ends(runs)
    if old is None or new is None or not has_tree(repository.repo, old) or not has_tree(repository.repo, new):
        return ""
    return code_patch(repository.repo, old, new)


def _file(change: FileChange) -> dict[str, object]:
    return {"path": change.path, "old_path": change.old_path, "added": change.added, "removed": change.removed}


def _painted(patch: str, style: Style) -> list[str]:
    """Return a patch as harmless lines in Git's colours; tabs stay."""
    lines = [""] if patch else []
    for line in patch.splitlines():
        safe = "\t".join(clean(part) for part in line.split("\t"))
        if line.startswith(("+++", "---", "diff ", "index ")):
            safe = style.bold(safe)
        elif line.startswith("+"):
            safe = style.green(safe)
        elif line.startswith("-"):
            safe = style.red(safe)
        elif line.startswith("@@"):
            safe = style.cyan(safe)
        lines.append(safe)
    return lines
