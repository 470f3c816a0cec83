"""``ledgit project``: make a folder something that others can run, and share it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from ledgit.cli import context, parsing, project_envs, render, terminal, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.projects.mlproject import EntryPoint, Project
    from ledgit.projects.sharing import SharedProject

HELP = """\
A project is a folder with an 'MLproject' file, as MLflow has it: entry points with their parameters, and an
environment. 'ledgit run' runs one. Here one is made, gets its files (small text into Git, what is large or binary into
DVC), and is shared: its data first, then the branch, then a version of the registry; or all of it as one file, for a
machine without access.
"""
EPILOG = """
ledgit project create my_project
ledgit project add data.csv model.py train.py
ledgit project share
ledgit project share --bundle my_project.ledgit     elsewhere: ledgit run my_project.ledgit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(
        metavar="ACTION", dest="action", prog=parser.prog, parser_class=parsing.Parser, help="what to do"
    )
    for name, (add, line, examples, _) in ACTIONS.items():
        add(parsing.add_action(actions, name, line, examples))


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    return ACTIONS[args.action][3](args)


def _which(parser: argparse.ArgumentParser, option: bool = False) -> None:
    words = "the project: its name or folder (default: the one around the current folder, else the only one)"
    if option:
        parser.add_argument("-p", "--project", metavar="PROJECT", help=words)
    else:
        parser.add_argument("project", metavar="PROJECT", nargs="?", help=words)


def _found(args: argparse.Namespace) -> tuple[Any, Project]:
    from ledgit.projects.finding import find_project

    repository = context.repository()
    return repository, find_project(repository.repo, args.project, os.getcwd())


# ---------------------------------------------------------------------- create, add


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the project's name; versions will be NAME@v1.0.0")
    parser.add_argument("path", metavar="PATH", nargs="?", default=".", help="the folder (default: this one)")
    parsing.add_formats(parser)


def create(args: argparse.Namespace) -> int:
    """Make a folder a project."""
    from ledgit.projects.creating import create_project

    project = create_project(args.name, os.path.abspath(args.path))
    if args.format == "json":
        terminal.write(render.json_text(_json(project)))
        return 0
    terminal.write(f"{text.clean(project.name)}: {text.clean(project.file)}\n")
    if not project.entry_points:
        terminal.note("'ledgit project add FILE …' adds files; scripts become entry points")
    return 0


def _add_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="files and folders of the project")
    _which(parser, option=True)
    parsing.add_formats(parser)


def add(args: argparse.Namespace) -> int:
    """Add files to a project."""
    from ledgit.projects.adding import add_files

    repository, project = _found(args)
    done = add_files(repository.repo, project, args.files, os.getcwd())
    if args.format == "json":
        files = [{"path": one.path, "where": one.where, "size": one.size, "why": one.why} for one in done]
        found = {"project": project.name, "files": files, "entry_points": list(done.entry_points)}
        found["packages"] = list(done.packages)
        terminal.write(render.json_text(found | {"commit": done.commit}))
        return 0
    terminal.write("".join(f"{text.clean(line)}\n" for line in str(done).splitlines()))
    return 0


# ---------------------------------------------------------------------- share


def _add_share(parser: argparse.ArgumentParser) -> None:
    _which(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", metavar="VERSION", help="such as v1.2.0 (default: the next minor one)")
    which.add_argument("--bump", choices=("major", "minor", "patch"), help="what of the newest version goes up")
    parser.add_argument("--bundle", metavar="FILE", help="write code and data into one file, and push nothing")
    parser.add_argument("--history", action="store_true", help="with --bundle: all earlier commits, too")
    parser.add_argument("--remote", metavar="NAME", help="the Git remote (default: the branch's own, else origin)")
    parser.add_argument("-m", "--reason", metavar="TEXT", default="", help="why; it stays with the version for good")
    sign = parser.add_mutually_exclusive_group()
    sign.add_argument("--sign", action="store_true", default=None, help="sign the tag (default: as Git is set up)")
    sign.add_argument("--no-sign", dest="sign", action="store_false", help="do not sign it")
    parsing.add_formats(parser)


def share(args: argparse.Namespace) -> int:
    """Share a project."""
    from ledgit.cli.progress import Progress
    from ledgit.errors import UsageError
    from ledgit.projects.sharing import ShareOptions, share_project

    if args.history and args.bundle is None:
        raise UsageError("--history is about a bundle; a push brings the branch's history anyway")
    if args.remote is not None and args.bundle is not None:
        raise UsageError("--bundle writes a file and pushes nothing; leave out --remote")
    repository, project = _found(args)
    options = ShareOptions(
        version=args.version,
        bump=args.bump,
        bundle=None if args.bundle is None else os.path.abspath(args.bundle),
        history=args.history,
        remote=args.remote,
        reason=args.reason,
        sign=args.sign,
        prompt=terminal.interactive(),
    )
    with Progress() as progress:

        def say(line: str) -> None:
            progress.clear()
            terminal.note(text.clean(line))

        done = share_project(repository, project, options, say, progress)
    if args.format == "json":
        terminal.write(render.json_text(_shared_json(done)))
        return 0
    terminal.write(f"{text.clean(done.tag)}\n")
    for note in done.notes:
        terminal.note(f"ledgit: {text.clean(note)}")
    if not done.new:
        terminal.note("the project has not changed since this version")
    terminal.note(text.clean(_how(done)))
    return 0


def _how(done: SharedProject) -> str:
    if done.bundle:
        many = f", with {done.data.objects:,} data {'file' if done.data.objects == 1 else 'files'}"
        return f"{done.bundle} has it all{many if done.data.objects else ''}; '{done.command()}' runs it"
    return f"others run it with: {done.command()}"


def _shared_json(done: SharedProject) -> dict[str, Any]:
    return {
        "name": done.name,
        "version": done.version,
        "tag": done.tag,
        "commit": done.commit,
        "uri": done.uri,
        "new": done.new,
        "branch": done.branch or None,
        "remote": done.remote or None,
        "bundle": done.bundle or None,
        "data": {"objects": done.data.objects, "sent": done.data.sent, "bytes": done.data.bytes},
        "notes": done.notes,
    }


# ---------------------------------------------------------------------- show, ls


def _add_show(parser: argparse.ArgumentParser) -> None:
    _which(parser)
    parsing.add_formats(parser)


def show(args: argparse.Namespace) -> int:
    """Show a project: its entry points, environment and versions."""
    from ledgit.registry.reading import RegistryReading

    repository, project = _found(args)
    model = RegistryReading(repository).state.models.get(project.name)
    versions = [] if model is None or model.kind != "project" else model.active[::-1]
    if args.format == "json":
        found = _json(project) | {"versions": [one.version for one in versions]}
        terminal.write(render.json_text(found))
        return 0
    style = text.Style(terminal.use_color())
    lines = [style.bold(text.clean(project.name)), f"  folder       {text.clean(project.folder)}"]
    environment = os.path.basename(project.environment.path) or project.environment.kind or "none declared"
    lines.append(f"  environment  {text.clean(environment)}")
    shown = ", ".join(f"{one.version}{_stages(one.stages)}" for one in versions[:10])
    more = f" and {len(versions) - 10:,} more" if len(versions) > 10 else ""
    lines.append(f"  versions     {text.clean(shown) + more if shown else 'none yet'}")
    for name, entry_point in project.entry_points.items():
        lines += ["", f"  {style.green(text.clean(name))}  {text.clean(entry_point.command)}"]
        lines += [f"    {text.clean(line)}" for line in _parameters(entry_point)]
    terminal.write("\n".join(lines) + "\n", page=True)
    for note in project.notes:
        terminal.note(text.clean(f"MLproject: {note}"))
    return 0


def _stages(stages: tuple[str, ...]) -> str:
    return f" ({', '.join(stages)})" if stages else ""


def _parameters(entry_point: EntryPoint) -> list[str]:
    wide = max(map(len, entry_point.parameters), default=0)
    return [
        f"-P {name.ljust(wide)}  {one.type}{'' if one.default is None else f', {one.default} if not given'}"
        for name, one in entry_point.parameters.items()
    ]


def _json(project: Project) -> dict[str, Any]:
    return {
        "name": project.name,
        "folder": project.folder,
        "file": project.file or None,
        "environment": {"kind": project.environment.kind or None, "path": project.environment.path or None},
        "entry_points": {
            name: {
                "command": one.command,
                "parameters": {
                    key: {"type": item.type, "default": item.default} for key, item in one.parameters.items()
                },
            }
            for name, one in project.entry_points.items()
        },
    }


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parsing.add_formats(parser)


def ls(args: argparse.Namespace) -> int:
    """List the projects of the repository."""
    from ledgit.projects.finding import all_projects, subdir_of
    from ledgit.registry.reading import RegistryReading

    repository = context.repository()
    found = all_projects(repository.repo)
    if args.format == "json":
        terminal.write(render.json_text([_json(project) for project in found]))
        return 0
    if not found:
        terminal.note("there is no project in this repository; 'ledgit project create NAME' makes one")
        return 0
    models = RegistryReading(repository).state.models
    rows = []
    for project in found:
        model = models.get(project.name)
        latest = model.latest if model is not None and model.kind == "project" else None
        rows.append(
            [
                text.clean(project.name),
                "" if latest is None else latest.version,
                text.clean(subdir_of(repository.repo, project.folder) or "."),
                text.clean(", ".join(project.entry_points)),
            ]
        )
    columns = [
        render.Column("project", least=10),
        render.Column("latest"),
        render.Column("folder", least=8),
        render.Column("entry points", least=10),
    ]
    style = text.Style(terminal.use_color())
    lines, _ = render.table(columns, rows, style=style, limit=terminal.table_width())
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


_SHARE = """\
ledgit project share
ledgit project share --bump major -m 'new data'
ledgit project share --bundle my_project.ledgit
"""
Action = tuple["Callable[[argparse.ArgumentParser], None]", str, str, "Callable[[argparse.Namespace], int]"]
ACTIONS: dict[str, Action] = {
    "create": (
        _add_create,
        "make a folder a project, in one commit",
        "ledgit project create my_project\nledgit project create wine examples/wine",
        create,
    ),
    "add": (
        _add_add,
        "add files: small text to Git, what is large or binary to DVC; scripts become entry points",
        "ledgit project add data.csv model.py train.py\nledgit project add images/ -p my_project",
        add,
    ),
    "share": (
        _add_share,
        "send its data, push the branch, and tag a version; or write it all into one file",
        _SHARE,
        share,
    ),
    "show": (
        _add_show,
        "show a project's entry points, parameters, environment and versions",
        "ledgit project show\nledgit project show my_project --json",
        show,
    ),
    "ls": (_add_ls, "list the projects of this repository", "ledgit project ls", ls),
    "envs": (
        project_envs.add_arguments,
        "list the environments that projects ran in, or remove some",
        "ledgit project envs\nledgit project envs --remove --older-than 30d",
        project_envs.run,
    ),
}
