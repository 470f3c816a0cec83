"""The terminal UI in a browser: textual-serve's page and protocol behind a server that lets one browser in.

`serve_ui` is the face; textual-serve and aiohttp (the extra ``web``) are imported when it is called. Against whom it
guards is told in `ledgit.tui.serving.guard`, what a user sees of that in docs/how-to/terminal-ui.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledgit.errors import InvalidValue, MissingDependency, UsageError
from ledgit.records.values import Values
from ledgit.tui.serving.guard import is_loopback

__all__ = ["PORT", "ServeOptions", "serve_ui"]

PORT = 8421
"""Where it is served if nothing else is asked for and nobody else is there."""


class ServeOptions(Values):
    """What the command line says about serving.

    Args:
        port: The TCP port; 0: any that is free; None: `PORT`, or any if that is taken.
        host: The address to listen at.
        insecure: Let *host* be an address that other machines reach; everything is plain HTTP.
        sessions: How many UIs run at the same time, at most: each is a process.
        idle: Seconds without a key or the mouse after which one is ended; 0: never.
        open_browser: Open the link on this machine.
        terminal: File descriptor of a terminal where Enter asks for another link; None: there is none.
    """

    __slots__ = ("host", "idle", "insecure", "open_browser", "port", "sessions", "terminal")

    def __init__(
        self,
        *,
        port: int | None = None,
        host: str = "127.0.0.1",
        insecure: bool = False,
        sessions: int = 4,
        idle: float = 3600.0,
        open_browser: bool = False,
        terminal: int | None = None,
    ) -> None:
        self.port, self.host, self.insecure = port, host, insecure
        self.sessions, self.idle, self.open_browser, self.terminal = sessions, idle, open_browser, terminal


def serve_ui(
    arguments: Sequence[str],
    options: ServeOptions,
    say: Callable[[str], None],
    *,
    environment: dict[str, str],
) -> int:
    """Serve a Textual app to a browser until Ctrl-C, SIGTERM or SIGHUP; nothing it started is left then.

    Args:
        arguments: A Python module that runs the app, and its arguments: ``["ledgit", "ui", "--read-only"]``.
        options: Where, and how much.
        say: Is given each line for the user, the links among them.
        environment: That of the apps' processes.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: An address that other machines reach without *insecure*; a port or number that can't be.
        MissingDependency: textual-serve is not installed.
    """
    check(options)
    try:
        import textual_serve  # noqa: F401  # the only place, with the modules below, that imports it
    except ImportError:
        raise MissingDependency("the terminal UI in a browser", "'ledgit[web]'") from None
    from ledgit.tui.serving.server import run_server

    return run_server(arguments, options, say, environment)


def check(options: ServeOptions) -> None:
    """Refuse what can't be, or should not be without having been asked for."""
    if options.port is not None and not 0 <= options.port <= 65535:
        raise InvalidValue("--port", options.port, "a number from 0 (any that is free) to 65535")
    if not 1 <= options.sessions <= 64:
        raise InvalidValue("--sessions", options.sessions, "a number from 1 to 64")
    if options.idle < 0:
        raise InvalidValue("--idle", options.idle, "a number of seconds, 0 for never")
    if not options.insecure and not is_loopback(options.host):
        raise UsageError(
            f"--host {options.host} would let other machines in over plain HTTP, where anybody on the way can read and"
            f" take over the session; from another machine use 'ssh -L {options.port or PORT}:127.0.0.1:"
            f"{options.port or PORT} THIS_MACHINE', or say --insecure if the network is yours alone"
        )
