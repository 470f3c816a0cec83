"""``tip.git``: a bare repository of Ledgit's own beside the user's, for what the user's must not hold.

A clone that has the ledger's tip alone needs commits without their parents. In the user's
repository they would make it shallow, or break ``git fsck``. So they are in a repository in
Ledgit's folder, whose alternate is the user's object store. It can be deleted at any time.

The user's repository never depends on it: only commands that *read* are told of it, by
:func:`reading_environment`, and nothing in the user's repository points at it.
"""

from __future__ import annotations

import os

from ledgit.errors import StorageError
from ledgit.git.repo import Repo, read_simple_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git.repo import Config

__all__ = ["Helper", "helper_objects", "reading_environment"]

_NAME = os.path.join("ledgit", "tip.git")
# The folders above: tip.git, ledgit. Relative, so that a repository can be moved.
_ALTERNATE = "../../../objects\n"
_HEAD = "ref: refs/heads/none\n"
# Nothing of it is worth Git's own housekeeping at a moment of Git's choosing: sync/tip tidies up.
# The clone's refs don't count as what we have: of a partial clone the files are not there.
_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tbare = true
\tlogAllRefUpdates = false
\talternateRefsPrefixes = refs/ledgit/none/
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
_COPIED = "ledgit-shallow"
# What says how to reach a remote. A clone's own settings, such as the access token that a CI
# service leaves there, count for what is fetched on the clone's behalf.
_SECTIONS = (
    "http.",
    "credential.",
    "url.",
    "ssh.",
    "protocol.",
    "include",
    "core.sshcommand",
    "core.gitproxy",
    "core.askpass",
)
_TRANSPORT = r"^(http|credential|url|ssh|protocol)\.|^core\.(sshcommand|gitproxy|askpass)$"


def helper_objects(repo: Repo) -> str | None:
    """Return the folder of the objects that are beside *repo*, None where there are none (one stat)."""
    path = os.path.join(repo.common_dir, _NAME, "objects")
    return path if os.path.isdir(path) else None


def reading_environment(repo: Repo) -> dict[str, str]:
    """Return what lets a git command read what is beside *repo* as well.

    Never for a command that writes objects, fetches, or repacks: it would leave out of the
    user's repository what it finds here.
    """
    path = helper_objects(repo)
    if path is None:
        return {}
    if ":" in path or path.startswith('"'):
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": path}


class Helper(Repo):
    """The helper repository of *clone*; :meth:`make` sees to it that it is there.

    Settings are the clone's: who commits, and how remotes are reached.
    """

    __slots__ = ("_environment", "clone")

    def __init__(self, clone: Repo) -> None:
        path = os.path.join(clone.common_dir, _NAME)
        super().__init__(path, path, None)
        self.clone = clone
        self._environment: dict[str, str] | None = None

    def config(self) -> Config:
        """Return the clone's settings."""
        return self.clone.config()

    @property
    def run_dir(self) -> str:
        """Where git commands run: a remote's relative path is meant from the clone."""
        return self.clone.run_dir

    @property
    def environment(self) -> Mapping[str, str]:
        """The clone's own settings about remotes, as git commands take them; they are stored nowhere else."""
        if self._environment is None:
            self._environment = _transport_settings(self.clone)
        return self._environment

    def is_sound(self) -> bool:
        """Whether it is there and looks like what :meth:`make` makes; reads three small files."""
        path = self.git_dir
        folders = all(os.path.isdir(os.path.join(path, name)) for name in ("objects", "refs"))
        return (
            folders
            and _read(os.path.join(path, "HEAD")) == _HEAD
            and _read(os.path.join(path, "config")) == _CONFIG
            and _read(os.path.join(path, "objects", "info", "alternates")) == _ALTERNATE
        )

    def make(self) -> None:
        """Make it if it isn't there. Two processes may do so at once: the first one's stays.

        Raises:
            StorageError: The disk refused.
        """
        if os.path.isdir(self.git_dir):
            return
        scratch = f"{self.git_dir}.{os.urandom(6).hex()}"
        try:
            for name in ("objects/info", "objects/pack", "refs", "info"):
                os.makedirs(os.path.join(scratch, name))
            for name, text in (("HEAD", _HEAD), ("config", _CONFIG), ("objects/info/alternates", _ALTERNATE)):
                with open(os.path.join(scratch, name), "w", encoding="ascii") as file:
                    file.write(text)
            os.rename(scratch, self.git_dir)
        except OSError as error:
            import shutil

            shutil.rmtree(scratch, ignore_errors=True)
            if not os.path.isdir(self.git_dir):
                raise StorageError(self.git_dir, error.strerror or str(error)) from error

    def copy_shallow(self) -> None:
        """Take over where the clone's history is cut off, before each fetch and push.

        Git tells the other side so, and without it fails ("remote did not send all necessary
        objects"): it takes what the clone has for whole. Lines that the clone no longer has
        (it was deepened) go.
        """
        path, copied = os.path.join(self.git_dir, "shallow"), os.path.join(self.git_dir, _COPIED)
        now = _lines(os.path.join(self.clone.common_dir, "shallow"))
        before = _lines(copied)
        have = _lines(path)
        wanted = have - (before - now) | now
        try:
            if now != before:
                _replace(copied, before | now)
            if wanted != have:
                _replace(path, wanted)
            if before - now:
                _replace(copied, now)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error


def _transport_settings(clone: Repo) -> dict[str, str]:
    from ledgit.git.command import try_git

    if not any(name.startswith(_SECTIONS) for name in read_simple_config(os.path.join(clone.common_dir, "config"))):
        return {}  # as in most clones; saves a process
    code, out, _ = try_git(clone, "config", "--local", "--includes", "-z", "--get-regexp", _TRANSPORT)
    if code != 0:
        return {}
    words = []
    for item in out.decode("utf-8", "surrogateescape").split("\0"):
        name, equals, value = item.partition("\n")
        if name:
            words.append("'" + (f"{name}={value}" if equals else name).replace("'", "'\\''") + "'")
    return {"GIT_CONFIG_PARAMETERS": " ".join(words)} if words else {}


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(10_000)
    except OSError:
        return None


def _lines(path: str) -> set[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return {line.strip() for line in file if line.strip()}
    except FileNotFoundError:
        return set()


def _replace(path: str, lines: set[str]) -> None:
    if not lines:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        return
    scratch = f"{path}.{os.urandom(6).hex()}"
    with open(scratch, "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in sorted(lines))
    os.replace(scratch, path)
