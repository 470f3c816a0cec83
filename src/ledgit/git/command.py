"""Run the ``git`` command so that neither the caller's environment nor the user's settings get in.

A hook, a ``git -c`` alias or a CI job leaves variables behind that point Git at another
repository, another index, or other settings. All of those are dropped and the repository is
named by ``GIT_DIR`` and ``GIT_WORK_TREE``; what belongs to the user or the machine (SSH
command, configuration files, proxies, traces) stays.

Starting a process costs 1-3 ms. ``subprocess`` (4 ms) is imported with the first command that is
talked to while it runs.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from ledgit.errors import GitFailed, RepositoryError
from ledgit.git.spawn import Spawned, can_spawn, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import Popen
    from typing import IO
    from weakref import ref

    from ledgit.git.repo import Repo

__all__ = [
    "LEAN",
    "git_environment",
    "git_version",
    "outside_environment",
    "run_git",
    "spawn_git",
    "start_git",
    "try_git",
]

LEAN = ("-c", "core.packedGitWindowSize=1m", "-c", "core.packedGitLimit=64m")
"""For commands that read all of a large repository: they keep 64 MB of its packs in memory, not all
of them. It costs no time."""

# ``git rev-parse --local-env-vars`` of Git 2.25-2.50, and what else changes the meaning of a
# command (pathspec switches, quarantine, replaced diff programs) although Git doesn't list it.
_DROPPED = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DEFAULT_HASH",
        "GIT_DEFAULT_REF_FORMAT",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EDITOR",
        "GIT_EXTERNAL_DIFF",
        "GIT_FLUSH",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INDEX_VERSION",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PAGER",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REDIRECT_STDERR",
        "GIT_REDIRECT_STDIN",
        "GIT_REDIRECT_STDOUT",
        "GIT_REFLOG_ACTION",
        "GIT_REF_PARANOIA",
        "GIT_REPLACE_REF_BASE",
        "GIT_SEQUENCE_EDITOR",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)


def git_environment(
    repo: Repo | None, extra: Mapping[str, str] | None = None, *, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for a git command in *repo* (``None``: for none in particular).

    Args:
        repo: The repository the command works on.
        extra: Variables to set on top.
        environ: What to start from; the process's own environment by default.
    """
    source = os.environ if environ is None else environ
    env = {
        name: value
        for name, value in source.items()
        if name not in _DROPPED and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
    # Messages in English, but the user's own character set for what filters and hooks read.
    everything = env.pop("LC_ALL", None)
    if everything is not None:
        env["LC_CTYPE"] = everything
    env["LC_MESSAGES"] = "C"
    env["LANGUAGE"] = "C"
    env["GIT_OPTIONAL_LOCKS"] = "0"
    env["GIT_TERMINAL_PROMPT"] = "0"
    env["GIT_PAGER"] = "cat"
    env["GIT_NO_LAZY_FETCH"] = "1"
    # A replaced object would be written into the record as what it isn't.
    env["GIT_NO_REPLACE_OBJECTS"] = "1"
    if repo is not None:
        env["GIT_DIR"] = repo.git_dir
        if repo.work_tree is not None:
            env["GIT_WORK_TREE"] = repo.work_tree
        env.update(repo.environment)
    if extra:
        env.update(extra)
    return env


def outside_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without what points Git at a repository: for a command that works in another one."""
    return {name: value for name, value in environ.items() if name not in _DROPPED}


def start_git(
    repo: Repo | None,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: bool | IO[bytes] = True,
    isolate: bool = False,
) -> Popen[bytes]:
    """Start ``git ARGS`` with pipes on all its streams, for talking to it while it runs.

    Args:
        repo: The repository, named to git by its environment.
        args: The arguments after ``git``.
        env: Variables to set on top of :func:`git_environment`.
        cwd: Folder to run in; by default the top of the work tree.
        stdin: A stream the command reads from, or whether it gets a pipe; otherwise it reads nothing.
        isolate: Run in a process group of its own, so that Ctrl-C at a terminal doesn't reach it.

    Raises:
        RepositoryError: There is no ``git`` command.
    """
    import subprocess

    if cwd is None and repo is not None:
        cwd = repo.run_dir
    source = stdin if not isinstance(stdin, bool) else subprocess.PIPE if stdin else subprocess.DEVNULL
    environment = git_environment(repo, env)  # may run git itself
    try:
        with _starting:
            process = subprocess.Popen(
                ["git", *args],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=environment,
                process_group=0 if isolate else None,
            )
            _note(process)
        return process
    except OSError as err:
        raise _not_started(cwd, err) from err


def spawn_git(
    repo: Repo | None,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    feed: bool = False,
    source: int | None = None,
    isolate: bool = False,
) -> Spawned:
    """Start ``git ARGS`` to be listened to until its end; where `can_spawn`, and then sooner than :func:`start_git`.

    Args:
        repo: The repository, named to git by its environment.
        args: The arguments after ``git``.
        env: Variables to set on top of :func:`git_environment`.
        cwd: Folder to run in; by default the top of the work tree.
        feed: It gets something to read; otherwise it reads nothing.
        source: A descriptor that it reads from instead.
        isolate: Run in a process group of its own, so that Ctrl-C at a terminal doesn't reach it.

    Raises:
        RepositoryError: There is no ``git`` command.
    """
    if cwd is None and repo is not None:
        cwd = repo.run_dir
    environment = git_environment(repo, env)
    try:
        if cwd is not None:
            os.stat(os.path.join(cwd, "."))  # raises what starting in it would
        with _starting:
            folder = () if cwd is None else ("-C", cwd)
            process = spawn(("git", *folder, *args), environment, feed=feed, source=source, isolate=isolate)
            _note(process)
        return process
    except OSError as err:
        raise _not_started(cwd, err) from err


def _not_started(cwd: str | None, err: OSError) -> RepositoryError:
    if isinstance(err, FileNotFoundError):
        if cwd is not None and not os.path.isdir(cwd):
            return RepositoryError(f"the folder {cwd} is gone")
        return RepositoryError("the git command was not found; install Git 2.25 or newer")
    if isinstance(err, NotADirectoryError):
        return RepositoryError(f"{cwd} is not a folder")
    return RepositoryError(f"git can't be run in {cwd}: {err.strerror}")


def _note(process: Popen[bytes] | Spawned) -> None:
    """Remember a command that runs, as long as somebody has it."""
    from _weakref import ref

    key = id(process)
    _talking[key] = ref(process, lambda _gone: _forget(key))


def _forget(key: int) -> None:
    _talking.pop(key, None)


def _close_in_child() -> None:
    for found in list(_talking.values()):
        process = found()
        if process is not None:
            _close(process)
    _talking.clear()
    _starting.release()


def _close(process: Popen[bytes] | Spawned) -> None:
    if isinstance(process, Spawned):
        process.close()
        return
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            # Not the buffer above it, whose lock another thread of the parent may have held.
            getattr(stream, "raw", stream).close()


# A process that is forked while another thread talks to a git command (data loaders' workers,
# right after a run's start) would inherit the pipes: the command, or the thread, would wait for
# their end until that child ends.
_starting = allocate_lock()
_talking: dict[int, ref[Popen[bytes] | Spawned]] = {}
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_close_in_child)


def try_git(
    repo: Repo | None,
    *args: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    isolate: bool = False,
) -> tuple[int, bytes, str]:
    """Run ``git ARGS`` and return (exit code, standard output, standard error)."""
    if not can_spawn():
        process = start_git(repo, *args, env=env, cwd=cwd, stdin=bool(stdin), isolate=isolate)
        with process:
            try:
                out, err = process.communicate(stdin or None)
            except BaseException:
                process.kill()
                raise
        return process.returncode, out, err.decode("utf-8", "replace")
    said: list[bytes] = []
    problems: list[bytes] = []
    with spawn_git(repo, *args, env=env, cwd=cwd, feed=bool(stdin), isolate=isolate) as spawned:
        try:
            code = spawned.listen(said.append, problems.append, stdin)
        except BaseException:
            spawned.kill()
            raise
    return code, b"".join(said), b"".join(problems).decode("utf-8", "replace")


def run_git(
    repo: Repo | None,
    *args: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    check: bool = True,
    cwd: str | None = None,
    isolate: bool = False,
) -> bytes:
    """Run ``git ARGS`` in *repo* and return what it printed.

    Args:
        repo: The repository, or ``None`` for a command that needs none.
        args: The arguments after ``git``. Put ``--`` before names that come from outside.
        stdin: What the command reads.
        env: Variables to set on top of :func:`git_environment`.
        check: Raise when the exit code isn't 0; otherwise the output is returned all the same.
        cwd: Folder to run in; by default the top of the work tree.
        isolate: Keep Ctrl-C at a terminal from the command (for work in the background).

    Raises:
        GitFailed: The command failed and *check* is set.
        RepositoryError: There is no ``git`` command.
    """
    code, out, err = try_git(repo, *args, stdin=stdin, env=env, cwd=cwd, isolate=isolate)
    if check and code != 0:
        raise GitFailed(_without_settings(args), code, err)
    return out


def _without_settings(args: Sequence[str]) -> list[str]:
    """Leave out leading ``-c name=value``: an error should begin with the subcommand."""
    rest = list(args)
    while len(rest) > 2 and rest[0] == "-c":
        del rest[:2]
    return rest


def git_version() -> tuple[int, ...]:
    """Return Git's version as numbers, such as ``(2, 39, 5)``."""
    words = run_git(None, "version").decode("ascii", "replace").split()
    text = words[2] if len(words) > 2 else ""
    numbers = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
