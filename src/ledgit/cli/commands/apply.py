"""``ledgit apply``: a run's code, params or artifacts into the work tree."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, details, parsing, render, terminal
from ledgit.cli.text import clean, files_by_folder
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.repository import Repository, Run

HELP = """\
Put a run's code, its params or its artifacts into the work tree. Files with uncommitted changes are never overwritten:
the command stops and lists them. Committed files that the run did not have are deleted, unless PATHs are
given. HEAD and the index stay as they are, so 'git diff' shows what came.

Artifacts go into the current folder, each by its own path; those that are not in this clone are fetched. A file that
is there with other content stops the command.
"""
EPILOG = """
ledgit apply calm-owl                   all files as they were
ledgit apply calm-owl train.py src/     only these
ledgit apply calm-owl --params params.yaml  its params into a YAML or JSON file
ledgit apply calm-owl --artifacts        all files that it logged
ledgit apply calm-owl --artifacts models/  only these
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    paths = parser.add_argument("paths", metavar="PATH", nargs="*", help="files and folders (default: all of the code)")
    parsing.complete(paths, "file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--code", action="store_true", help="the code (the default)")
    what.add_argument("--params", action="store_true", help="the params, into PATH (default: params.yaml)")
    what.add_argument("--artifacts", action="store_true", help="the files it logged, or of these the PATHs")
    parser.add_argument("--force", action="store_true", help="overwrite uncommitted changes, and files that differ")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files, and say which."""
    repository = context.repository(writing=True)
    found = repository.run(args.ref)
    deleted: list[str] = []
    left: list[str] = []
    if args.params:
        from ledgit.store.checkout import write_params

        if len(args.paths) > 1:
            raise UsageError("--params writes into one file")
        path = args.paths[0] if args.paths else "params.yaml"
        written = write_params(repository.repo, path, found.params, force=args.force)
        what = f"params in {path}"
    elif args.artifacts:
        written = _artifacts(repository, found, args.paths, force=args.force)
        what = "artifacts"
    else:
        from ledgit.git import apply_tree
        from ledgit.store.checkout import check_paths, needs_code, needs_commit

        head = needs_commit(found.id, found.head)  # an edit leaves the code as it was
        details.get(repository, [found])
        commit = needs_code(repository.repo, found.name, head)
        paths = check_paths(repository.repo, commit, args.paths) if args.paths else None
        done = apply_tree(repository.repo, commit, paths, force=args.force)
        written, deleted, left = list(done.written), list(done.deleted), list(done.submodules)
        what = "files"
    if args.format == "json":
        terminal.write(render.json_text({"written": written, "deleted": deleted, "left_alone": left}))
        return 0
    if not written and not deleted:
        terminal.write(f"nothing to do: the {what} are those of {clean(found.name)}\n")
    lines = [f"set {clean(name)}" for name in written] if args.params else files_by_folder(written, "wrote ")
    for line in lines:
        terminal.write(f"{line}\n")
    for name in deleted:
        terminal.write(f"deleted {clean(name)}\n")
    for name in left:
        terminal.note(f"ledgit: submodule {clean(name)} is at another commit and was left alone")
    return 0


def _artifacts(repository: Repository, found: Run, paths: Sequence[str], *, force: bool) -> list[str]:
    """Write the files that the run logged into the current folder, by their own paths."""
    from ledgit.cli.progress import Progress

    details.get(repository, [found])
    wanted = [path.strip("/") for path in paths] or [""]
    with Progress() as progress:
        return repository.save_artifacts(found, ".", wanted, overwrite=force, progress=progress)
