"""Start a process of Ledgit's that works in the background and outlives whoever started it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["is_switched_off", "python_command", "start_quietly"]

# The shell starts it and ends at once, so that it is nobody's child: no process of the user's gets
# an answer about it from wait(), none is kept waiting by it, and no zombie is left.
_SHELL = 'nice -n 10 "$@" </dev/null >/dev/null 2>&1 &'
# The package is found where it is, after everything else that Python finds by itself.
_PYTHON = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"


def is_switched_off(variable: str) -> bool:
    """Whether the environment says no (``0 false no off``) to what *variable* switches."""
    return os.environ.get(variable, "").strip().lower() in ("0", "false", "no", "off")


def python_command(module: str, *arguments: str) -> list[str] | None:
    """Return the command that runs a module of Ledgit's; None where this Python is no program that could run it."""
    python = sys.executable
    if not python or not os.path.basename(python).lower().startswith(("python", "pypy")):
        return None  # embedded in another program
    # -P: the folder it starts in, the user's, must not lend it modules.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [python, "-P", "-c", _PYTHON, root, module, *arguments]


def start_quietly(repo: Repo, module: str, *arguments: str) -> bool:
    """Run ``python -m MODULE PATH ARGUMENTS`` in the background; PATH is the repository's common Git directory.

    It runs in a session of its own, so no terminal's end or Ctrl-C reaches it, at a low priority,
    and holds no stream of ours. What the caller's environment says of Git (a hook's repository) is
    taken out.

    Returns:
        Whether it was started; not where this Python is no program that could run it.
    """
    import subprocess

    from ledgit.git.command import git_environment

    command = python_command(module, repo.common_dir, *arguments)
    if command is None:
        return False
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", _SHELL, "sh", *command],
            cwd=repo.common_dir,
            env=git_environment(None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
