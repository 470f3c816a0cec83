"""``ledgit demo``: a scratch repository with real runs."""

from __future__ import annotations

import argparse

from ledgit.cli import parsing, terminal

HELP = """\
Build a scratch repository, train real scikit-learn models in it on data that scikit-learn ships, and show
what the commands say about the runs. Needs scikit-learn, no network, and less than a minute.
"""
EPILOG = """
ledgit demo                             in ./ledgit-demo
ledgit demo /tmp/demo
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    folder = parser.add_argument(
        "folder", metavar="DIR", nargs="?", default="ledgit-demo", help="new or empty folder (default: ledgit-demo)"
    )
    parsing.complete(folder, "directory")


def run(args: argparse.Namespace) -> int:
    """Play the demonstration."""
    from ledgit.demo import run_demo

    run_demo(args.folder, terminal.write_now)
    return 0
