"""``ledgit ui``: the terminal UI."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.tui import UiOptions

HELP = """\
Browse, compare and steer runs in the terminal: table, charts, diffs, branches, models and sweeps, live while
training goes on. '?' shows the keys of where you are, ':' every command, 'q' leaves.

Where there is no terminal to draw on, what 'ledgit ls' prints is printed.
"""
EPILOG = """
ledgit ui                               runs of this branch, or all where it has none
ledgit ui 'metrics.accuracy > 0.9'      with a filter
ledgit ui --branch main --screen branches
ledgit ui --run calm-owl-417            one run
ledgit ui --ascii --read-only           on a plain terminal, with hands behind the back
ledgit ui --serve --open                in the browser, read-only
ledgit ui --mlflow                      MLflow's own web UI on this repository
"""
SCREENS = ("runs", "branches", "models", "sweeps", "compare")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("filter", metavar="FILTER", nargs="?", default="", help="only runs this is true of, as for ls")
    parser.add_argument("-b", "--branch", metavar="NAME", help="only runs of the code on this branch")
    parser.add_argument(
        "--screen", metavar="NAME", choices=SCREENS, default="runs", help=f"what to show first: {', '.join(SCREENS)}"
    )
    run = parser.add_argument("--run", metavar="RUN", dest="opened", help="open this run: its id, name or prefix")
    parsing.complete(run, "run")
    parser.add_argument("--read-only", action="store_true", help="refuse every change")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone (default: as the locale says)")
    parser.add_argument(
        "--theme", metavar="NAME", help="ledgit-dark, ledgit-light, ledgit-contrast, or one of Textual's"
    )
    parser.add_argument("--keys", action="store_true", help="print every action's id, keys and words, for the key map")
    _add_serving(parser)


def _add_serving(parser: argparse.ArgumentParser) -> None:
    served = parser.add_argument_group("in a browser")
    served.add_argument("--serve", action="store_true", help="serve it at 127.0.0.1, by a link that works once")
    served.add_argument(
        "--mlflow",
        action="store_true",
        help="serve MLflow's own web UI instead (with its --port, --host, --open alone)",
    )
    served.add_argument("--port", metavar="N", type=int, help="the port (default: 8421 if it is free; 0: any)")
    served.add_argument("--open", action="store_true", help="open the link on this machine")
    served.add_argument("--writable", action="store_true", help="let the browser change things (default: read-only)")
    served.add_argument("--sessions", metavar="N", type=int, default=4, help="so many at a time (default: 4)")
    served.add_argument(
        "--idle", metavar="TIME", default="1h", help="end one without a key for so long; 0: never (default: 1h)"
    )
    served.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="listen at this address of the machine")
    served.add_argument("--insecure", action="store_true", help="let --host be one that others reach, over plain HTTP")


def run(args: argparse.Namespace) -> int:
    """Show the UI, or print the list where nobody sits at a terminal."""
    if args.keys:
        return _print_keys()
    if args.mlflow:
        return _serve_mlflow(args)
    if args.serve:
        return _serve(args)
    # The process behind a browser has no terminal of its own.
    why = "" if os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver") else _no_terminal()
    if why:
        return _print_list(args, why)
    from ledgit.tui import run_ui

    return run_ui(context.repository(), options(args), os.environ)


def options(args: argparse.Namespace) -> UiOptions:
    """Return what the command line says, for the UI."""
    from ledgit.tui import UiOptions

    return UiOptions(
        filter=args.filter,
        branch=args.branch,
        screen=args.screen,
        run=args.opened,
        read_only=args.read_only,
        ascii=args.ascii,
        theme=args.theme,
    )


def _print_keys() -> int:
    """Print what the person's key map can name, as YAML that could stand in it."""
    from ledgit.tui.actions import all_bindings
    from ledgit.tui.keys import settings_path

    lines = [f"# The keys as they come; what {settings_path(os.environ)} says takes their place.", "keys:"]
    for name, binding in all_bindings().items():
        lines.append(f"  {name + ': ' + binding.key:<44} # {binding.description}")
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _serve(args: argparse.Namespace) -> int:
    """Serve the UI until Ctrl-C; each browser gets a process of this command's without ``--serve``."""
    from ledgit.tui.serving import ServeOptions, serve_ui

    if args.writable and args.read_only:
        raise UsageError("--writable and --read-only exclude each other; without either it is read-only")
    context.repository()  # what is wrong with it is said here, and not in the browser
    said = {"--branch": args.branch, "--screen": args.screen, "--run": args.opened, "--theme": args.theme}
    words = [word for name, value in said.items() if value for word in (name, value)]
    words += [name for name, given in (("--read-only", not args.writable), ("--ascii", args.ascii)) if given]
    words += ["--", args.filter] if args.filter else []
    serving = ServeOptions(
        port=args.port,
        host=args.host,
        insecure=args.insecure,
        sessions=args.sessions,
        idle=parsing.seconds("--idle", args.idle, zero=True),
        open_browser=args.open,
        terminal=sys.stdin.fileno() if terminal.is_terminal(sys.stdin) else None,
    )
    return serve_ui(
        ["ledgit", "ui", *words], serving, lambda line: print(line, flush=True), environment=dict(os.environ)
    )


def _serve_mlflow(args: argparse.Namespace) -> int:
    """Serve MLflow's UI until Ctrl-C; what only says something to our own is refused."""
    from ledgit.mlflow import webui

    theirs = ("mlflow", "port", "host", "open", "insecure")
    plain = vars(parsing.build("ui").read([]))
    off = [name for name in plain if name not in theirs and getattr(args, name) != plain[name]]
    if off:
        called = {"filter": "FILTER", "opened": "--run"}
        words = ", ".join(called.get(name, "--" + name.replace("_", "-")) for name in off)
        raise UsageError(f"--mlflow starts MLflow's own UI, which knows no {words}; leave that out, or --mlflow")
    webui.check_installed()

    def show(address: str) -> None:
        import webbrowser

        webbrowser.open(address)

    return webui.serve_mlflow(
        context.repository().path,
        lambda line: print(line, flush=True),
        environment=dict(os.environ),
        host=args.host,
        port=args.port,
        insecure=args.insecure,
        ready=show if args.open else None,
    )


def _no_terminal() -> str:
    """Return why the UI can't be shown; "" if it can."""
    if os.environ.get("TERM") == "dumb":
        return "the terminal can't move its cursor (TERM=dumb)"
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if not terminal.is_terminal(stream):
            return f"standard {name} is no terminal"
    return ""


def _print_list(args: argparse.Namespace, why: str) -> int:
    """Print what ``ledgit ls`` would, and say why."""
    from ledgit.cli.commands import ls
    from ledgit.cli.parsing import build

    if args.opened:
        raise UsageError(f"{why}, so the UI can't be shown; 'ledgit show {args.opened}' prints the run")
    words = [*(["--branch", args.branch] if args.branch else []), *(["--", args.filter] if args.filter else [])]
    code = ls.run(build("ls").read(words))
    terminal.note(f"ledgit: {why}, so this is the list and not the UI")
    return code
