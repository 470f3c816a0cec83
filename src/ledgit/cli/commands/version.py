"""``ledgit version``: the versions of Ledgit and what it uses."""

from __future__ import annotations

import argparse
import sys

from ledgit.cli import parsing, render, terminal

HELP = "Print the versions of Ledgit, Python, Git and the libraries Ledgit uses: paste it into a bug report."
EPILOG = """
ledgit version
ledgit version --json
ledgit --version                        only Ledgit's, at once
"""
LIBRARIES = ("pygit2", "dvc", "PyYAML", "textual", "orjson", "lark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    from importlib.metadata import PackageNotFoundError, version

    from ledgit._version import __version__
    from ledgit.git import git_version

    versions: dict[str, str] = {
        "ledgit": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "git": ".".join(map(str, git_version())),
        "platform": sys.platform,
    }
    for library in LIBRARIES:
        try:
            versions[library.lower()] = version(library)
        except PackageNotFoundError:
            versions[library.lower()] = "missing"
    if args.format == "json":
        terminal.write(render.json_text(versions))
    else:
        terminal.write("".join(f"{name:<9} {number}\n" for name, number in versions.items()))
    return 0
