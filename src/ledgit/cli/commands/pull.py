"""``ledgit pull``: get the others' runs."""

from __future__ import annotations

from ledgit.cli import context, sharing, terminal
from ledgit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ledgit.sharing import Sharing
    from ledgit.store.artifacts.fetching import Fetched

HELP = """\
Fetch the runs of a remote and unite them with those here. Edits of one run on two machines are joined, nothing of
yours is lost, and what the remote lacks goes out with the next 'ledgit push'. Your branches, work tree and settings
are not touched.

A ledger that no Ledgit would have written is refused whole. Runs that somebody purged go here too; if they were made
in this clone, or are more than 10, you are asked first.
"""
EPILOG = """
ledgit pull
ledgit pull upstream
ledgit pull https://example.org/team/runs.git
ledgit pull --run calm-owl               its code and histories, where only its line is
ledgit pull --artifacts                  also the large files of the runs that come
ledgit pull --artifacts calm-owl         also those of this run
ledgit pull --json | jq '.new | length'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from ledgit.cli import parsing

    parser.add_argument(
        "remote",
        metavar="REMOTE",
        nargs="?",
        help="name or address (default: ledgit.remote, else origin, else the only one)",
    )
    fetched = parser.add_argument(
        "--run",
        dest="refs",
        metavar="RUN",
        nargs="+",
        default=[],
        help="only fetch these runs whole: code, histories, artifacts (for clones that have the list of runs alone)",
    )
    parsing.complete(fetched, "run")
    large = parser.add_argument(
        "--artifacts",
        metavar="RUN",
        nargs="*",
        help="also fetch the large files of these runs (default: of those that come)",
    )
    parsing.complete(large, "run")
    parser.add_argument("--tags", action="store_true", help="look for tags of the registry whatever the ledger says")
    parser.add_argument("--accept-purges", action="store_true", help="let runs go that were purged elsewhere")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Pull, and say what came."""
    from ledgit.cli.progress import Progress
    from ledgit.store.sync import PullOptions

    if args.refs and (args.remote or args.accept_purges or args.tags):
        raise UsageError("--run fetches from the remote that runs are shared through, and takes no other options")
    if args.refs:
        return _fetch(args)
    wanted = args.artifacts
    repository = context.sharing()
    with Progress() as progress:
        options = PullOptions(
            accept_purges=args.accept_purges,
            confirm=sharing.confirm_purge(progress),
            prompt=terminal.interactive(),
            tags=args.tags,
        )
        done = repository.pull(args.remote, options, progress)
    sharing.say_notes(done.notes)
    got = None if wanted is None else _fetch_artifacts(wanted or [*done.changes.new, *done.changes.edited])
    if args.format == "json":
        from ledgit.cli import render

        found: dict[str, object] = {"remote": done.remote, **sharing.as_json(done.changes), "notes": list(done.notes)}
        found["tags"] = list(done.tags)
        if got is not None:
            found["artifacts"] = {"objects": got.objects, "bytes": got.bytes}
        terminal.write(render.json_text(found))
        return 0
    if done.empty:
        terminal.write(f"{done.remote} has no runs yet\n")
    else:
        what = sharing.counted(done.changes)
        terminal.write(f"pulled {what} from {done.remote}\n" if what else f"nothing new on {done.remote}\n")
    if done.tags:
        from ledgit.cli.registry_shared import named

        terminal.write(f"pulled {named(done.tags)}\n")
    if done.purged:
        terminal.write(f"dropped {sharing.runs(len(done.purged))} here that had been purged elsewhere\n")
    if got is not None:
        from ledgit.cli.text import size

        terminal.write(
            f"fetched artifacts: {got.objects:,} {'object' if got.objects == 1 else 'objects'}, {size(got.bytes)}\n"
            if got.objects else
            "no artifacts to fetch for what came; 'ledgit artifacts fetch RUN' gets those of other runs\n"
            if not wanted else
            "the artifacts are here already\n"
        )  # fmt: skip
    _say_owed(repository)
    return 0


def _say_owed(repository: Sharing) -> None:
    """Say so if a push has to look at artifacts again that somebody was deleting when they were sent."""
    from ledgit.store.artifacts.owed import due_again
    from ledgit.store.journal import now_ms

    owed = due_again(repository.folder, now_ms())
    if owed:
        terminal.note(f"ledgit: 'ledgit push' looks again at the artifacts of {sharing.runs(len(owed))}")


def _fetch_artifacts(refs: Sequence[str]) -> Fetched:
    """Get what runs logged that is too large for Git."""
    from ledgit.cli.progress import Progress

    repository = context.repository()
    runs = [repository.run(ref) for ref in refs]
    with Progress() as progress:
        repository.fetch_runs(runs, progress)
        return repository.fetch_artifacts(runs, progress=progress)


def _fetch(args: argparse.Namespace) -> int:
    """Get the commits of some runs."""
    from ledgit.cli import render
    from ledgit.cli.progress import Progress

    repository = context.repository()
    runs = [repository.run(ref) for ref in args.refs]
    with Progress() as progress:
        got = repository.fetch_runs(runs, progress)
    if args.format == "json":
        terminal.write(render.json_text({"fetched": got}))
    else:
        terminal.write(f"fetched {sharing.runs(len(runs))}\n" if got else "all of it is here already\n")
    return 0
