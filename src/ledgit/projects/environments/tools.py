"""Tools that make environments: found, run, and quoted when they fail."""

from __future__ import annotations

import os
import re

from ledgit.errors import EnvironmentFailed
from ledgit.records.harmless import clean, fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Progress = Callable[[str], object]

__all__ = ["Failed", "find_program", "last_lines", "run_tool", "unreachable"]

#: Seconds before somebody is told what takes so long.
_PATIENCE = 1.0
_ANSWER = 20.0
_MOST_LINES = 10
# Variables that would lead a tool to another place than the one it is given.
_ELSEWHERE = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON"),
    *("PIP_REQUIRE_VIRTUALENV", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_TARGET", "UV_PREFIX", "UV_SYSTEM_PYTHON"),
    "UV_PYTHON",
)
# Versions told from Git must not refresh the user's index.
_CLEAN = ("env", *(word for name in _ELSEWHERE for word in ("-u", name)), "GIT_OPTIONAL_LOCKS=0")
_USER = re.compile(r"(?<=://)[^\s/@]+(?=@)")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNREACHABLE = re.compile(
    r"Connection refused|Connection reset|NewConnectionError|Failed to establish a new connection"
    r"|Name or service not known|nodename nor servname"
    r"|[Tt]emporary failure in name resolution|[Nn]etwork is unreachable"
    r"|No route to host|dns error|tcp connect error|error sending request|[Cc]onnection timed out|Read timed out"
    r"|ConnectTimeout|ConnectionError|ProxyError|Could not connect|Could not resolve host|CondaHTTPError"
    r"|[Nn]etwork connectivity is disabled|operation timed out|i/o timeout|no such host"
)
# What tools say besides the reason.
_NOISE = re.compile(
    r"\s*$|WARNING: Retrying|WARNING: You are using pip|\[notice\]|\s*Looking in |Collecting |\s+Downloading "
    r"|\s*Processing "
    r"|\s*Using cached |Resolved \d|Using Python |hint: See |\s*note: This (error|is an issue)|Saved "
    r"|Requirement already|\s*\[end of output\]|\s*╰─> See above|\s*│ exit code|Building wheel|\s*Preparing metadata"
    r"|\s*Installing build dependencies|\s*Getting requirements to build|Failed to build|Obtaining |\s*\(also "
)


class Failed(EnvironmentFailed):
    """A tool failed; *output* is all it said."""

    def __init__(self, manager: str, reason: str, output: str = "") -> None:
        Exception.__init__(self, manager, reason, output)
        self.manager, self.reason, self.output = manager, reason, output


def find_program(*names: str, besides: Sequence[str] = ()) -> str | None:
    """Return the first of *names* that is found on ``PATH``, then in the folders *besides*; None if there is none."""
    for name in names:
        for folder in (*os.get_exec_path(), *besides):  # shutil takes 3 ms to import
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.abspath(path)
    return None


def run_tool(
    manager: str,
    argv: Sequence[str],
    what: str,
    *,
    cwd: str | None = None,
    progress: Progress | None = None,
    lock: int = -1,
    doing: str = "",
    feed: str | None = None,
) -> str:
    """Run a tool to its end and return what it wrote, both streams in one.

    Args:
        manager: Whose environment it is, for the error.
        argv: The command.
        what: Ends the sentence "uv could not …".
        cwd: Where it runs.
        progress: Is told *doing* when it takes more than a second.
        lock: A file descriptor that the tool inherits: while it lives, the lock is held, also when this process
            was killed.
        doing: What to say meanwhile.
        feed: What it reads from its standard input; nothing by default.

    Raises:
        Failed: It can't be started, or failed; with its last lines, without credentials.
    """
    import subprocess

    try:
        process = subprocess.Popen(
            [*_CLEAN, *argv],
            stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            process_group=0,  # so that it can be ended with all that it started
            pass_fds=() if lock < 0 else (lock,),
        )
    except OSError as error:
        raise Failed(manager, f"{os.path.basename(argv[0])} can't be started: {error.strerror}") from None
    data = None if feed is None else feed.encode()
    try:
        try:
            said, _ = process.communicate(data, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            if progress is not None and doing:
                progress(doing)
            said, _ = process.communicate()
    except BaseException:
        _end(process.pid)
        process.communicate()
        raise
    output = _ESCAPES.sub("", said.decode(errors="replace"))
    if process.returncode:
        tool = "pip" if "pip" in argv[:4] and manager == "virtualenv" else _tool(argv)
        how = f"exit {process.returncode}" if process.returncode > 0 else f"killed by signal {-process.returncode}"
        raise Failed(manager, f"{tool} could not {what} ({how}){last_lines(output)}", output)
    return output


def ask_tool(argv: Sequence[str]) -> str | None:
    """Return what a quick question to a tool is answered on its standard output; None if it fails."""
    import subprocess

    try:
        done = subprocess.run(
            [*_CLEAN, *argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _tool(argv: Sequence[str]) -> str:
    """Return the name of the program, without the variables that are set for it."""
    words = [word for word in argv if word != "env" and "=" not in word]
    return os.path.basename(words[0])


def _end(pid: int) -> None:
    import signal

    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def last_lines(output: str) -> str:
    """Return the last lines of *output* that mean something, each on a line of its own behind a colon."""
    lines = list(dict.fromkeys(line.strip() for line in output.splitlines() if not _NOISE.match(line)))
    errors = [number for number, line in enumerate(lines) if re.match(r"\s*(ERROR|[Ee]rror:|×)", line)]
    lines = lines[errors[0] :] if errors else lines[-_MOST_LINES:]
    if len(lines) > _MOST_LINES:  # what it began with, and what came of it
        lines = [*lines[:3], "…", *lines[4 - _MOST_LINES :]]
    shown = [fit(clean(redact(line)), 300) for line in lines]
    return "".join([":", *(f"\n  {line}" for line in shown)]) if shown else ""


def redact(line: str) -> str:
    """Return *line* without credentials, those of addresses first."""
    from ledgit.records.redact import redact_command

    return redact_command([_USER.sub("***", line)])[0]


def unreachable(output: str) -> bool:
    """Say whether a tool failed because it reached no package index."""
    return _UNREACHABLE.search(output) is not None
