"""The command line: parse, call the library, render. ``ledgit`` and ``git ledgit`` start here."""

from ledgit.cli.app import main

__all__ = ["main"]
