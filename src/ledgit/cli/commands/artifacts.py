"""``ledgit artifacts``: what runs logged as files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ledgit.cli import context, parsing, render, sharing, terminal, text
from ledgit.cli.progress import Progress
from ledgit.errors import ArtifactNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.repository import Repository, Run
    from ledgit.store.artifacts.listing import ArtifactFile, FolderSeen

HELP = """\
List, get and share the files that runs logged. Small ones travel with the run; large ones are kept in this clone and,
with 'ledgit push', go to the artifact remote: a folder, or whatever else DVC can store to.
"""
EPILOG = """
ledgit artifacts ls calm-owl
ledgit artifacts get calm-owl model.pkl
ledgit artifacts remote s3://bucket/runs
ledgit artifacts status                  what is only here
"""
_SHOWN = 20  # runs that 'status' names
_AT_ONCE = 1_000  # files that are written at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(
        metavar="ACTION", dest="action", prog=parser.prog, parser_class=parsing.Parser, help="what to do"
    )
    for name, (add, _, line, examples) in ACTIONS.items():
        add(parsing.add_action(actions, name, line, examples))


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    return ACTIONS[args.action][1](args)


# ---------------------------------------------------------------------- ls


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parsing.add_run(parser)
    parser.add_argument("path", metavar="PATH", nargs="?", default="", help="only this file or folder")
    parser.add_argument("--check", action="store_true", help="ask the artifact remote for what is not here")
    parsing.add_formats(parser)


def _ls(args: argparse.Namespace) -> int:
    repository = context.repository()
    found = repository.run(args.ref)
    inside = args.path.strip("/")
    folders: list[FolderSeen] = []
    files: list[ArtifactFile] = []
    as_json = args.format == "json"
    with Progress() as progress:
        _commits(repository, found, progress)
        if args.check:  # file by file
            files = repository.artifact_files(found, inside)
        elif not as_json:
            files, folders = repository.artifact_folders(found, inside)
        lost = {file.path for file in repository.missing_artifacts(files)} if args.check else None
    elsewhere = "remote" if repository.artifact_place() is not None else "missing"

    def where(file: ArtifactFile) -> str:
        if file.here:
            return "git" if file.stored == "git" else "here"
        return elsewhere if lost is None else "missing" if file.path in lost else "remote"

    if as_json:  # of a folder there may be a million
        listed = files if args.check else repository.each_artifact_file(found, inside)
        for piece in render.json_pieces((_as_json(file, where(file)) for file in listed), at_once=_AT_ONCE):
            terminal.write(piece)
        return 0
    if not files and not folders:
        terminal.note(f"run {text.clean(found.name)} logged no files")
        return 0
    rows = [
        [row.label, "?" if row.size is None else text.size(row.size), text.clean(row.digest)[:16], row.where]
        for row in _rows(files, folders, inside, where, elsewhere)
    ]
    columns = [
        render.Column("path", least=12),
        render.Column("size", right=True),
        render.Column("digest"),
        render.Column("where"),
    ]
    style = text.Style(terminal.use_color())
    lines = render.table(columns, rows, style=style, limit=terminal.table_width())[0]
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


class _Row(NamedTuple):
    path: str
    size: int | None
    digest: str
    where: str
    label: str


def _rows(
    files: list[ArtifactFile],
    folders: list[FolderSeen],
    inside: str,
    where: Callable[[ArtifactFile], str],
    elsewhere: str,
) -> list[_Row]:
    """Return a row for each file, by path; a folder that was logged as one, and is not asked for itself, is one row."""
    rows: dict[str, _Row] = {}
    for record, here in folders:
        there = "here" if here == record.nfiles else "partly" if here else elsewhere
        rows[record.path] = _folder(record, there)
    for file in files:
        record = file.record
        if (
            record.nfiles is None
            or (inside == record.path and file.nfiles is None)
            or inside.startswith(record.path + "/")
        ):
            rows[file.path] = _Row(file.path, file.size, file.digest, where(file), text.clean(file.path))
            continue
        one, before = where(file), rows.get(record.path)
        rows[record.path] = _folder(record, one if before is None or before.where == one else "partly")
    return [rows[path] for path in sorted(rows)]


def _folder(record: ArtifactRecord, where: str) -> _Row:
    count = record.nfiles or 0
    label = f"{text.clean(record.path)}/ ({count:,} {'file' if count == 1 else 'files'})"
    return _Row(record.path, record.size, record.digest, where, label)


def _as_json(file: ArtifactFile, where: str) -> dict[str, Any]:
    found = {"path": file.path, "size": file.size, "digest": file.digest, "stored": file.stored, "where": where}
    return found if file.nfiles is None else {**found, "nfiles": file.nfiles}


def _commits(repository: Repository, found: Run, progress: Progress) -> None:
    """Get the run's commit where this clone has only its line."""
    repository.fetch_runs([found], progress)


# ---------------------------------------------------------------------- get, cat, fetch


def _add_get(parser: argparse.ArgumentParser) -> None:
    parsing.add_run(parser)
    parser.add_argument("paths", metavar="PATH", nargs="*", help="files and folders (default: all)")
    output = parser.add_argument("-o", "--output", metavar="DIR", default=".", help="folder to write to (default: .)")
    parsing.complete(output, "directory")
    parser.add_argument("--force", action="store_true", help="overwrite files with other content")
    parsing.add_formats(parser)


def _get(args: argparse.Namespace) -> int:
    repository = context.repository()
    found = repository.run(args.ref)
    wanted = [path.strip("/") for path in args.paths] or [""]
    with Progress() as progress:
        _commits(repository, found, progress)
        names = repository.save_artifacts(
            found, args.output, wanted, flat=True, overwrite=args.force, progress=progress
        )
    written = [os.path.normpath(os.path.join(args.output, name)) for name in names]
    if args.format == "json":
        terminal.write(render.json_text({"written": written}))
        return 0
    if not written:
        terminal.note(f"run {text.clean(found.name)} logged no files")
    for line in text.files_by_folder(written, "wrote "):
        terminal.write(f"{line}\n")
    return 0


def _add_cat(parser: argparse.ArgumentParser) -> None:
    parsing.add_run(parser)
    parser.add_argument("path", metavar="PATH", help="the file")


def _cat(args: argparse.Namespace) -> int:
    from shutil import copyfileobj

    repository = context.repository()
    found = repository.run(args.ref)
    with Progress() as progress:
        _commits(repository, found, progress)
    with repository.open_artifact(found, args.path) as content:
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            terminal.write(content.read().decode("utf-8", "replace"))
        else:
            copyfileobj(content, binary, 1 << 20)
            binary.flush()
    return 0


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parsing.add_run(parser, nargs="+", dest="refs")
    parsing.add_formats(parser)


def _fetch(args: argparse.Namespace) -> int:
    repository = context.repository()
    runs = [repository.run(ref) for ref in args.refs]
    with Progress() as progress:
        repository.fetch_runs(runs, progress)
        got = repository.fetch_artifacts(runs, progress=progress)
    if args.format == "json":
        terminal.write(render.json_text({"objects": got.objects, "bytes": got.bytes}))
    elif got.objects:
        terminal.write(f"fetched {counted(got.objects)} ({text.size(got.bytes)})\n")
    else:
        terminal.write("all of it is here already\n")
    return 0


def counted(objects: int) -> str:
    """Return ``1 object``, ``2 objects``."""
    return f"{objects:,} {'object' if objects == 1 else 'objects'}"


# ---------------------------------------------------------------------- status


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="ask the artifact remote what it has")
    parsing.add_formats(parser)


def _status(args: argparse.Namespace) -> int:
    from ledgit.artifacts import Cache
    from ledgit.records.run import iso
    from ledgit.store.live import active_ids

    repository = context.repository()
    place = repository.artifact_place()
    unsent = repository.unsent_artifacts(check=args.check)
    cache = Cache(repository.folder.cache)
    sizes: dict[str, int] = {}
    for oid in unsent:
        try:
            sizes[oid] = cache.size(oid)
        except ArtifactNotFound:
            continue  # somebody has just swept it
    rows = [(run_id, unsent[oid].path, size) for oid, size in sizes.items() for run_id in unsent[oid].runs]
    runs: dict[str, list[int]] = {}
    for run_id, _, size in rows:
        runs.setdefault(run_id, []).append(size)
    if args.format == "json":
        listed = [{"run": run_id, "path": path, "size": size} for run_id, path, size in rows]
        remote = None if place is None else place.shown
        found = {"remote": remote, "objects": len(sizes), "bytes": sum(sizes.values()), "only_here": listed}
        terminal.write(render.json_text({**found, "looked_at_again": repository.owed_artifacts()}))
        return 0
    if place is None:
        terminal.write("there is no artifact remote; 'ledgit artifacts remote URL' sets one\n")
    else:
        terminal.write(f"artifacts go to {text.clean(place.shown)}, as {place.source} says\n")
    owed = repository.owed_artifacts()
    if owed:
        when = max(owed.values())
        terminal.write(
            f"artifacts of {sharing.runs(len(owed))} are looked at again by a 'ledgit push' after {iso(when)[:16]}Z:"
            " somebody was deleting them when they were sent\n"
        )
    unfinished = len(active_ids(repository.folder))
    if unfinished:
        terminal.write(f"not counted: what {sharing.runs(unfinished)} logged that go on, or are not committed yet\n")
    if not sizes:
        terminal.write(f"{'else ' if unfinished else ''}nothing is only here\n")
        return 0
    what = f"{counted(len(sizes))} ({text.size(sum(sizes.values()))}) of {sharing.runs(len(runs))}"
    then = "; 'ledgit push' sends what the pushed runs need" if place is not None else ""
    terminal.write(f"only here, as far as is known: {what}{then}\n")
    for run_id, several in list(runs.items())[:_SHOWN]:
        state = repository.index.get(run_id)
        name = text.clean(state.name) if state is not None else ""
        terminal.write(f"  {name} ({run_id[:8]}): {counted(len(several))}, {text.size(sum(several))}\n")
    if len(runs) > _SHOWN:
        terminal.write(f"  … and {len(runs) - _SHOWN:,} more; --json lists all\n")
    return 0


# ---------------------------------------------------------------------- remote


def _add_remote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", nargs="?", help="an address as DVC has it, or a path")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--commit", action="store_true", help="also write it into .dvc/config, for you to commit")
    what.add_argument("--unset", action="store_true", help="forget the address that was set in this clone")
    parser.add_argument("--check", action="store_true", help="write, read and delete a small object there")
    parsing.add_formats(parser)


def _remote(args: argparse.Namespace) -> int:
    from ledgit.errors import ConfigError, UsageError
    from ledgit.store.artifacts.setting import probe, set_remote, unset_remote, write_remote

    if args.unset and (args.url or args.check):
        raise UsageError("--unset takes neither an address nor --check")
    repository = context.repository()
    if args.unset:
        unset_remote(repository.repo)
    elif args.url:
        set_remote(repository.repo, args.url, os.getcwd())
    place = repository.artifact_place()
    if place is None and (args.commit or args.check):
        raise ConfigError("the artifact remote", "", "an address; 'ledgit artifacts remote URL' sets one")
    changed = write_remote(repository.repo, place) if args.commit and place is not None else []
    if args.check and place is not None:
        probe(repository.folder, place)
    if args.format == "json":
        shown = None if place is None else {"url": place.shown, "source": place.source}
        terminal.write(render.json_text({"remote": shown, "checked": args.check, "written": changed}))
        return 0
    if place is None:
        terminal.write("there is no artifact remote: large files stay in this clone\n")
        return 0
    terminal.write(f"{text.clean(place.shown)}\n")
    terminal.note(f"ledgit: {place.source} says so{'; it can be written, read and deleted' if args.check else ''}")
    if args.commit:
        names = " ".join(changed)
        terminal.note(
            f"ledgit: wrote {names}; 'git add -f {names}' and a commit share it" if changed else
            "ledgit: .dvc/config says so already"
        )  # fmt: skip
    return 0


# ---------------------------------------------------------------------- gc


def _add_gc(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--remote", action="store_true", help="clean the artifact remote instead of this clone's cache")
    where.add_argument(
        "--pushed", action="store_true", help="also remove from the cache what the artifact remote has, for pushed runs"
    )
    parser.add_argument("--sweep", action="store_true", help="do it; without it nothing is changed")
    parser.add_argument(
        "--grace",
        metavar="SPAN",
        default="30d",
        help="how long an object stays after it was used last here, or announced on the remote (default: 30d)",
    )
    parser.add_argument(
        "--unshared", action="store_true", help="no other repository keeps artifacts on this remote, whatever it seems"
    )
    parsing.add_formats(parser)


def _gc(args: argparse.Namespace) -> int:
    from ledgit.cli import upkeep

    return upkeep.sweep_remote(args) if args.remote else upkeep.tidy(args)


_GC = """\
ledgit artifacts gc                          what the cache could do without
ledgit artifacts gc --sweep                  remove it
ledgit artifacts gc --pushed --sweep         also what the artifact remote has, to make room
ledgit artifacts gc --remote                 what is on the remote and of no run
ledgit artifacts gc --remote --sweep         announce it, and delete what was announced 30 days ago
"""
_GET = """\
ledgit artifacts get calm-owl                       all of them, with their folders
ledgit artifacts get calm-owl model.pkl plots/      ./model.pkl and ./plots
ledgit artifacts get calm-owl data/train -o /tmp    /tmp/train
"""
_REMOTE = """\
ledgit artifacts remote                             where large files go, and what says so
ledgit artifacts remote s3://bucket/runs
ledgit artifacts remote ssh://host/srv/runs --check
ledgit artifacts remote --commit                    write it into .dvc/config, for everybody
ledgit artifacts remote --unset
"""
Action = tuple["Callable[[argparse.ArgumentParser], None]", "Callable[[argparse.Namespace], int]", str, str]
ACTIONS: dict[str, Action] = {
    "ls": (
        _add_ls,
        _ls,
        "list a run's files: path, size, digest, and whether the content is in git, here, on the remote or missing",
        "ledgit artifacts ls calm-owl\nledgit artifacts ls calm-owl plots --check",
    ),
    "get": (_add_get, _get, "copy a run's files into a folder; what is not in this clone is fetched", _GET),
    "cat": (_add_cat, _cat, "print a file", "ledgit artifacts cat calm-owl report.txt"),
    "fetch": (
        _add_fetch,
        _fetch,
        "bring all files of runs into this clone, to have them without a network",
        "ledgit artifacts fetch calm-owl brave-fox",
    ),
    "remote": (_add_remote, _remote, "show where large files go, and what says so, or set it for this clone", _REMOTE),
    "gc": (_add_gc, _gc, "say what no run needs any more, here or on the artifact remote, and remove it", _GC),
    "status": (
        _add_status,
        _status,
        "say which files are only in this clone",
        "ledgit artifacts status\nledgit artifacts status --check --json",
    ),
}
