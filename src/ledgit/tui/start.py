"""From the command line to the running UI; Textual is loaded here, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.tui.collecting import hold
from ledgit.tui.session import Session, UiOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.repository import Repository

__all__ = ["run_ui"]


def run_ui(repository: Repository, options: UiOptions, environ: Mapping[str, str]) -> int:
    """Show the UI until the person quits, and return the process's exit code.

    The caller has checked that standard input and error are terminals: Textual draws on standard error.

    Args:
        repository: What is shown.
        options: What the command line says.
        environ: The environment: locale, colours, the user's configuration folder.

    Raises:
        ConfigError: The user's key map or theme can't be used.
        RunNotFound, Ambiguous: The run to open.
        FilterError: The filter doesn't parse.
    """
    from ledgit.tui.keys import read_settings

    settings = read_settings(environ)
    _check(repository, options)
    session = Session(repository, options, environ)
    hold()

    from ledgit.tui.app import LedgitApp

    app = LedgitApp(session, settings=settings)
    return app.run() or app.return_code or 0  # 1 after a crash, which returns nothing


def _check(repository: Repository, options: UiOptions) -> None:
    """Refuse what the command line got wrong while that is still a line in a terminal."""
    if options.filter:
        from ledgit.query import parse_filter

        parse_filter(options.filter)
    if options.run:
        options.run = repository.run(options.run).id
