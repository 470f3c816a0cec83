"""A git command that has the terminal for itself, with the pager and the colours its user likes."""

from __future__ import annotations

import os

from ledgit.errors import RepositoryError
from ledgit.git.command import git_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["page_git"]


def page_git(repo: Repo, *args: str) -> int:
    """Run ``git ARGS`` on this process's terminal, as its user does, and return the exit code.

    The pager stays open also if all fits on one screen: whoever gives it the terminal draws over it afterwards.

    Raises:
        RepositoryError: There is no ``git`` command.
    """
    import subprocess

    env = git_environment(repo)
    env.pop("GIT_PAGER")
    for name in ("GIT_PAGER", "LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.setdefault("LESS", "RX")  # git's own default has an F besides
    try:
        return subprocess.run(["git", "--paginate", *args], cwd=repo.run_dir, env=env, check=False).returncode
    except OSError as err:
        raise RepositoryError(f"git can't be run: {err.strerror}") from err
