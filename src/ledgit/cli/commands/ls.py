"""``ledgit ls``: list, filter and sort runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledgit.cli import columns, context, parsing, render, terminal, text
from ledgit.errors import ExperimentNotFound, FilterError, LedgitError, UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository, Run, RunSet

HELP = """\
List runs, newest first, of every branch: committed code and uncommitted, this machine's and others'.
Only columns that tell the runs apart are shown, as many as fit.

FILTER is MLflow's grammar and more: metrics.NAME, params.NAME, tags.NAME and attributes (name, status,
start_time, age, duration, user, branch, commit, parent_run, ancestor), compared by = != < <= > >= LIKE ILIKE
IN BETWEEN, joined by AND, OR, NOT; min() and max() of a metric; code IN main..HEAD: by where the code belongs.
"""
EPILOG = """
ledgit ls                               the newest runs
ledgit ls 'metrics.accuracy > 0.9 and params.model = "forest"'
ledgit ls --branch main --sort -accuracy  best runs of a branch first
ledgit ls 'duration > 10min and age < 7d'  slow ones of this week
ledgit ls 'code IN main..HEAD'          of the commits that main lacks
ledgit ls --since 2d --mine --columns name,lr,metrics.*
ledgit ls --json | jq '.[].metrics.accuracy'  for scripts
"""
SHOWN = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    if isinstance(parser, parsing.Parser):
        parser.dashed = frozenset({"-s", "--sort"})
    parser.add_argument("filter", metavar="FILTER", nargs="?", default="", help="only runs this is true of")
    parser.add_argument("-b", "--branch", metavar="NAME", help="only runs of the code on this branch")
    experiment = parser.add_argument(
        "-e", "--experiment", metavar="NAME", action="append", help="only runs of this experiment (repeatable)"
    )
    parsing.complete(experiment, "experiment")
    parser.add_argument(
        "-s",
        "--sort",
        metavar="KEY",
        action="append",
        help="sort by a metric, param or attribute: 'accuracy', '-accuracy' or 'metrics.accuracy desc' (repeatable)",
    )
    parser.add_argument(
        "-c", "--columns", metavar="NAMES", help="columns to show, comma-separated; patterns; '+NAME' adds; 'all'"
    )
    parser.add_argument(
        "-n",
        "--limit",
        metavar="N",
        type=int,
        help=f"at most N runs; 0 for all (default: {SHOWN}, all with --json, --csv)",
    )
    parser.add_argument("--mine", action="store_true", help="only runs of the current Git user")
    parser.add_argument("--since", metavar="TIME", help="only runs started since: 3h, 2d, 1w, today, 2026-11-23")
    view = parser.add_mutually_exclusive_group()
    view.add_argument(
        "--all", dest="view", action="store_const", const="all", default="active", help="deleted ones too"
    )
    view.add_argument("--deleted", dest="view", action="store_const", const="deleted", help="deleted runs only")
    parser.add_argument("--flat", action="store_true", help="don't draw nested runs below their parents")
    parsing.add_formats(parser, "csv", "md")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    selected = _select(args)
    limit = args.limit if args.limit is not None else None if args.format in ("json", "csv") else SHOWN
    if limit is not None and limit < 0:
        raise UsageError(f"--limit is {limit}, expected 0 (all) or more")
    # One more than is shown tells whether there are more, without counting them.
    listed = selected.limit(limit + (args.format == "text")) if limit else selected
    if args.filter:
        _check_filter(args.filter)
    if args.format == "json":
        for piece in render.json_pieces(run.to_dict() for run in listed.each()):
            terminal.write(piece)
        return 0
    if args.format == "csv":
        # Twice over the runs: first for their columns. There may be more of them than fit in memory.
        names = columns.everything(listed.each())
        if args.columns:
            usual = list(listed) if args.columns.lstrip().startswith("+") else []
            names = columns.choose(usual, args.columns, names).names
        for piece in render.csv_pieces(names, ([columns.value(run, name) for name in names] for run in listed.each())):
            terminal.write(piece)
        return 0
    runs = list(listed)
    more = bool(limit) and args.format == "text" and len(runs) > (limit or 0)
    _print(args, runs[:limit] if more else runs)
    if more and args.limit is None:
        terminal.note(f"these are the first {limit} runs; -n 0 lists all")
    return 0


def _select(args: argparse.Namespace) -> RunSet:
    repository = context.repository()
    runs = context.selected(
        repository,
        args.view,
        filter=args.filter,
        branch=args.branch,
        experiment=args.experiment,
        since=args.since,
        mine=args.mine,
    )
    return runs.sort(*(_sort_key(repository, key) for key in args.sort)) if args.sort else runs


def _check_filter(filter_text: str) -> None:
    """Parse the filter, and tell who gave a run instead which command shows one."""
    from ledgit.query import parse_filter

    try:
        parse_filter(filter_text)
    except FilterError:
        if context.repository().index.resolve(filter_text):
            raise UsageError(
                f"{filter_text!r} is a run, expected a filter; 'ledgit show {filter_text}' shows it"
            ) from None
        raise


def _sort_key(repository: Repository, text: str) -> str:
    """Return a sort key with its kind: ``-accuracy`` is ``-metrics.accuracy`` where some run has that metric."""
    from ledgit.query import ATTRIBUTES

    name, _, direction = text.strip().partition(" ")
    sign = name[:1] if name[:1] in ("-", "+") else ""
    name = name.removeprefix(sign)
    if not name or "." in name or "(" in name or '"' in name or "," in text or name.lower() in ATTRIBUTES:
        return text
    repository.index.refresh()
    for kind in columns.KINDS:
        if repository.index.has(kind, name):
            quoted = name if name.isidentifier() else f"`{name}`"
            return f"{sign}{kind}.{quoted} {direction}".strip()
    return text


def _print(args: argparse.Namespace, runs: list[Run]) -> None:
    chosen = columns.choose(runs, args.columns)
    if args.format == "md":
        style = text.Style(False)
        layout = columns.text_columns(chosen.names, runs)
        rows = [columns.cells(run, chosen.names, style) for run in runs]
        terminal.write(
            render.markdown_table([column.title for column in layout], rows, [column.right for column in layout])
        )
        return
    if not runs:
        terminal.note(_nothing(args))
        return
    style = text.Style(terminal.use_color())
    drawn = [(run, "") for run in runs] if args.flat else as_tree(runs)
    rows = []
    for run, branch in drawn:
        row = columns.cells(run, chosen.names, style)
        if branch and "name" in chosen.names:
            row[chosen.names.index("name")] = branch + row[chosen.names.index("name")]
        rows.append(row)
    width = terminal.table_width()
    lines, shown = render.table(columns.text_columns(chosen.names, runs), rows, style=style, limit=width)
    hidden = chosen.names[shown:] + chosen.hidden
    if hidden and terminal.output_is_terminal():
        names = ", ".join(text.clean(name) for name in hidden[:6])
        more = f" and {len(hidden) - 6} more" if len(hidden) > 6 else ""
        lines.append(style.dim(text.fit(f"not shown: {names}{more} (-c chooses columns)", width or 10_000)))
    terminal.write("\n".join(lines) + "\n", page=True)


def _nothing(args: argparse.Namespace) -> str:
    """Say why the list is empty: nothing matches, or nothing was logged."""
    repository = context.repository()
    if not repository.runs.view("all").limit(1):
        first = "no runs yet; 'ledgit run -- COMMAND' or 'import ledgit' makes the first"
        return first + (", 'ledgit pull' gets those of others" if _may_pull(repository) else "")
    if args.view == "deleted" and not (args.filter or args.branch or args.experiment or args.since or args.mine):
        return "no runs are deleted"
    try:
        for name in args.experiment or ():
            repository.experiment(name)
    except ExperimentNotFound as error:
        return f"no runs match: {text.clean(str(error))}"
    if args.branch:
        from ledgit.store.checkout import has_tree

        if not has_tree(repository.repo, args.branch):
            return f"no runs match: there is no branch {text.clean(args.branch)!r}"
    return "no runs match"


def _may_pull(repository: Repository) -> bool:
    """Whether there is a remote to get runs from."""
    from ledgit.store.sync import find_remote

    try:
        find_remote(repository.repo)
    except LedgitError:
        return False
    return True


def as_tree(runs: Sequence[Run]) -> list[tuple[Run, str]]:
    """Order nested runs below their parents, each with the branch to draw before its name.

    The rest keeps its order; a run whose parent is not listed stands by itself.
    """
    listed = {run.id for run in runs}
    children: dict[str, list[Run]] = {}
    for run in runs:
        if run.parent_run in listed and run.parent_run != run.id:
            children.setdefault(run.parent_run or "", []).append(run)
    if not children:
        return [(run, "") for run in runs]
    placed: dict[str, tuple[Run, str]] = {}

    def place(run: Run, branch: str, below: str) -> None:
        if run.id in placed:
            return
        placed[run.id] = (run, branch)
        inner = children.get(run.id, [])
        for number, child in enumerate(inner):
            last = number == len(inner) - 1
            place(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))

    for run in runs:
        if run.parent_run not in listed or run.parent_run == run.id:
            place(run, "", "")
    # Runs that are each other's parents (a repository can say so) hang below nothing.
    for run in runs:
        place(run, "", "")
    return list(placed.values())
