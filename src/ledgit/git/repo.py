"""Find the repository and say what kind it is, without starting a process in the common case."""

from __future__ import annotations

import os

from ledgit.errors import ConfigError, GitFailed, NotARepository, RepositoryError, UnsupportedRepository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Config", "Repo", "identity"]

# Variables that make Git look elsewhere than where we stand.
_ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)
# Extensions of repository format 1 that don't change how we read and write.
_EXTENSIONS = frozenset({"noop", "noop-v1", "preciousobjects", "partialclone", "worktreeconfig", "relativeworktrees"})


class Repo:
    """A repository as seen from one folder.

    Attributes:
        git_dir: The Git directory of this work tree (for a linked one, below ``.git/worktrees``).
        common_dir: The Git directory that all work trees share: objects, refs, configuration.
        work_tree: Top folder of the work tree, ``None`` in a bare repository.
        prefix: The start folder below the work tree, with ``/`` between names; ``""`` at the top.
        bare: Whether the repository has no work tree.
        partial: Whether objects may be missing here and are to be had from a remote.
    """

    __slots__ = ("_config", "bare", "common_dir", "git_dir", "partial", "prefix", "work_tree")

    def __init__(
        self, git_dir: str, common_dir: str, work_tree: str | None, prefix: str = "", *, partial: bool = False
    ) -> None:
        self.git_dir, self.common_dir, self.work_tree, self.prefix = git_dir, common_dir, work_tree, prefix
        self.bare = work_tree is None
        self.partial = partial
        self._config: Config | None = None

    def __repr__(self) -> str:
        return f"Repo({self.work_tree or self.git_dir!r})"

    @classmethod
    def discover(cls, path: str | None = None, environ: Mapping[str, str] | None = None) -> Repo:
        """Return the repository that *path* (default: the current folder) lies in.

        Args:
            path: A folder, or a file in one.
            environ: Git's own variables are taken from here; by default from the process.

        Raises:
            NotARepository: There is none.
            UnsupportedRepository: SHA-256 objects, reftable, or an unknown extension.
            RepositoryError: Git refuses, as for a repository that belongs to somebody else.
        """
        environ = os.environ if environ is None else environ
        start = os.path.realpath(os.getcwd() if path is None else path)
        if not os.path.isdir(start):
            start = os.path.dirname(start)
        found = None if any(environ.get(name) for name in _ELSEWHERE) else _walk_up(start)
        if found is None:
            found = _ask_git(start, environ)
        git_dir, common_dir, work_tree, prefix = found
        partial = _check_format(common_dir)
        return cls(git_dir, common_dir, work_tree, prefix, partial=partial)

    def config(self) -> Config:
        """Return the settings Ledgit looks at, read once by one ``git config`` call."""
        if self._config is None:
            self._config = Config.read(self)
        return self._config

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that every git command in this repository gets."""
        return {}

    @property
    def run_dir(self) -> str:
        """The folder that git commands run in, unless told otherwise."""
        return self.work_tree or self.git_dir

    @property
    def objects_dir(self) -> str:
        """Where objects are stored."""
        return os.path.join(self.common_dir, "objects")

    @property
    def shallow(self) -> bool:
        """Whether history is cut off here (``git clone --depth``)."""
        try:
            return os.stat(os.path.join(self.common_dir, "shallow")).st_size > 0
        except OSError:
            return False

    @property
    def operation(self) -> str:
        """What Git is in the middle of: rebase, merge, bisect, cherry-pick, revert, or ``""``."""
        for name, operation in (
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("MERGE_HEAD", "merge"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("BISECT_LOG", "bisect"),
        ):
            if os.path.exists(os.path.join(self.git_dir, name)):
                return operation
        return ""


class Config:
    """Git settings by name; sections and keys in lower case, subsections as they are."""

    __slots__ = ("_several", "_values")

    def __init__(self, values: Mapping[str, str | None], several: Mapping[str, Sequence[str]] | None = None) -> None:
        self._values = dict(values)
        self._several = several or {}

    @classmethod
    def read(cls, repo: Repo) -> Config:
        """Read the sections ``ledgit user core remote branch url`` from every scope, the last one winning."""
        from ledgit.git.command import try_git

        names = r"^(ledgit|user|author|committer|core|remote|branch|gpg|commit|tag|url)\."
        args = ("config", "-z", "--get-regexp", names)
        code, out, err = try_git(repo, *args)
        if code not in (0, 1):  # 1: nothing matches
            raise GitFailed(args, code, err)
        values: dict[str, str | None] = {}
        several: dict[str, list[str]] = {}
        for item in out.split(b"\0"):
            if item:
                raw, equals, value = item.partition(b"\n")
                name = raw.decode("utf-8", "replace")
                values[name] = value.decode("utf-8", "replace") if equals else None
                if name.startswith("ledgit.") or name.endswith((".fetch", ".url")):
                    several.setdefault(name, []).append(values[name] or "true")
        return cls(values, several)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of *name*, or *default* when it isn't set."""
        name = _lower(name)
        if name not in self._values:
            return default
        value = self._values[name]
        return "true" if value is None else value

    def get_all(self, name: str) -> list[str]:
        """Return every value of ``ledgit.*``, ``remote.<name>.fetch`` or ``.url``: there may be several."""
        return list(self._several.get(_lower(name), ()))

    def get_bool(self, name: str, default: bool = False) -> bool:
        """Return a yes-or-no setting as Git reads it.

        Raises:
            ConfigError: The value is neither.
        """
        name = _lower(name)
        if name not in self._values:
            return default
        value = self._values[name]
        if value is None or value.lower() in ("true", "yes", "on"):
            return True
        if value.lower() in ("false", "no", "off", ""):
            return False
        return self.get_int(name, 0) != 0

    def get_int(self, name: str, default: int) -> int:
        """Return a number, with Git's suffixes ``k m g`` for powers of 1,024.

        Raises:
            ConfigError: The value is no number.
        """
        shown, name = name, _lower(name)
        if name not in self._values:
            return default
        value = (self._values[name] or "").strip().lower()
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(value[-1:], 1)
        digits = value[:-1] if factor > 1 else value
        try:
            return int(digits) * factor
        except ValueError:
            raise ConfigError(shown, value, "a number such as 10 or 10m") from None

    def items(self, prefix: str = "") -> list[tuple[str, str]]:
        """Return the (name, value) pairs whose name begins with *prefix*."""
        return [(name, "true" if v is None else v) for name, v in self._values.items() if name.startswith(prefix)]


def _lower(name: str) -> str:
    """Spell a setting as Git tells it: ``branch.Main.mergeOptions`` → ``branch.Main.mergeoptions``."""
    section, dot, rest = name.partition(".")
    middle, last_dot, key = rest.rpartition(".")
    return f"{section.lower()}{dot}{middle}{last_dot}{key.lower()}"


def identity(repo: Repo, mode: str | None = None) -> tuple[str, str]:
    """Return (name, e-mail address) to sign commits with.

    Args:
        repo: Whose configuration to read.
        mode: ``full``, ``name`` (no address) or ``none`` (neither); default: ``ledgit.identity``.
            Without a configured user the operating system's user name and no address.

    Raises:
        ConfigError: Another *mode*.
    """
    config = repo.config()
    mode = mode or config.get("ledgit.identity") or "full"
    if mode not in ("full", "name", "none"):
        raise ConfigError("ledgit.identity", mode, "full, name or none")
    if mode == "none":
        return "", ""
    name = config.get("user.name")
    if name is None:
        return _os_user(), ""
    return name, (config.get("user.email") or "") if mode == "full" else ""


def _os_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # containers run under ids that have no name
        return f"uid{os.geteuid()}"


def _walk_up(start: str) -> tuple[str, str, str | None, str] | None:
    """Look for a ``.git`` as Git does; ``None`` when anything about it is out of the ordinary."""
    if not hasattr(os, "geteuid"):
        return None  # on Windows Git has rules of its own about owners
    here = start
    try:
        device = os.stat(here).st_dev
        while True:
            dot_git = os.path.join(here, ".git")
            try:
                found = os.lstat(dot_git)
            except FileNotFoundError:
                if os.path.exists(os.path.join(here, "HEAD")):
                    return None  # perhaps a bare repository, or inside a Git directory
                parent = os.path.dirname(here)
                if parent == here or os.stat(parent).st_dev != device:
                    return None
                here = parent
                continue
            break
        uid = os.geteuid()
        if found.st_uid != uid or os.stat(here).st_uid != uid:
            return None
        if os.path.isdir(dot_git):
            git_dir = os.path.realpath(dot_git)
        else:
            with open(dot_git, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read(4096)
            if not text.startswith("gitdir: "):
                return None
            git_dir = os.path.realpath(os.path.join(here, text[8:].rstrip("\r\n")))
        if os.stat(git_dir).st_uid != uid or not os.path.exists(os.path.join(git_dir, "HEAD")):
            return None
        common_dir = git_dir
        try:
            with open(os.path.join(git_dir, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
                common_dir = os.path.realpath(os.path.join(git_dir, file.read(4096).rstrip("\r\n")))
        except FileNotFoundError:
            pass
        if not (os.path.isdir(os.path.join(common_dir, "objects")) and os.path.isdir(os.path.join(common_dir, "refs"))):
            return None
        if _sets_work_tree(common_dir, git_dir):
            return None
    except OSError:
        return None
    prefix = os.path.relpath(start, here).replace(os.sep, "/") if start != here else ""
    return git_dir, common_dir, here, prefix


def _sets_work_tree(common_dir: str, git_dir: str) -> bool:
    """Whether the configuration may move the work tree or do without one; then Git must say."""
    settings = read_simple_config(os.path.join(common_dir, "config"))
    if "core.worktree" in settings or settings.get("core.bare", "false").lower() != "false":
        return True
    if "extensions.worktreeconfig" in settings:
        settings = read_simple_config(os.path.join(git_dir, "config.worktree"))
        return "core.worktree" in settings or "core.bare" in settings
    return False


def _ask_git(start: str, environ: Mapping[str, str]) -> tuple[str, str, str | None, str]:
    import subprocess

    env = dict(environ)
    env["LC_ALL"] = "C"
    args = [
        "git",
        "rev-parse",
        "--is-bare-repository",
        "--is-inside-work-tree",
        "--absolute-git-dir",
        "--git-common-dir",
    ]
    try:
        done = subprocess.run(args, cwd=start, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise _refusal(start, done.stderr.decode("utf-8", "replace"))
        bare, inside, git_dir, common_dir = os.fsdecode(done.stdout).removesuffix("\n").split("\n")
        work_tree, prefix = None, ""
        if bare != "true":
            args = ["git", "rev-parse", "--show-toplevel", "--show-prefix"]
            done = subprocess.run(args, cwd=start, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
            if done.returncode == 0 and inside == "true":
                work_tree, prefix = os.fsdecode(done.stdout).removesuffix("\n").split("\n")
            elif environ.get("GIT_WORK_TREE"):
                work_tree = os.path.realpath(os.path.join(start, environ["GIT_WORK_TREE"]))
    except FileNotFoundError:
        raise RepositoryError("the git command was not found; install Git 2.25 or newer") from None
    except ValueError:
        raise RepositoryError(f"the path of the repository around {start} has a line break in it") from None
    common_dir = os.path.realpath(os.path.join(start, common_dir))
    return os.path.realpath(git_dir), common_dir, work_tree, prefix.rstrip("/")


def _refusal(start: str, stderr: str) -> RepositoryError:
    """Turn what ``git rev-parse`` said into one of our errors."""
    if "dubious ownership" in stderr or "unsafe repository" in stderr:
        command = next(
            (line.strip() for line in stderr.splitlines() if "safe.directory" in line and "git config" in line), ""
        )
        command = command or f"git config --global --add safe.directory {start}"
        return RepositoryError(
            f"the repository around {start} belongs to another user; if you trust it, run: {command}"
        )
    if "repository version" in stderr or "extension" in stderr or "object format" in stderr:
        said = next((line for line in stderr.splitlines() if line.strip()), stderr).removeprefix("fatal: ")
        return UnsupportedRepository(f"Git can't open the repository around {start}: {said}")
    if "not a git repository" in stderr:
        return NotARepository(start)
    return GitFailed(("rev-parse",), 128, stderr)


def _check_format(common_dir: str) -> bool:
    """Refuse formats that we would damage or misread; return whether the clone is partial."""
    settings = read_simple_config(os.path.join(common_dir, "config"))
    version = settings.get("core.repositoryformatversion", "0")
    where = f"the repository {common_dir}"
    if version not in ("0", "1"):
        raise UnsupportedRepository(f"{where} has format {version}, which this Ledgit can't read; upgrade Ledgit")
    partial = any(
        name.startswith("remote.") and name.endswith((".promisor", ".partialclonefilter")) for name in settings
    )
    for name, value in settings.items():
        if not name.startswith("extensions."):
            continue
        extension = name[len("extensions.") :]
        if extension == "objectformat":
            if value.lower() != "sha1":
                raise UnsupportedRepository(f"{where} stores {value} objects; Ledgit needs SHA-1 ones")
        elif extension == "refstorage":
            if value.lower() != "files":
                raise UnsupportedRepository(
                    f"{where} keeps refs as {value}; run 'git refs migrate --ref-format=files' to use Ledgit in it"
                )
        elif extension == "compatobjectformat" or (version == "1" and extension not in _EXTENSIONS):
            raise UnsupportedRepository(f"{where} uses the extension {extension!r}, which Ledgit doesn't know")
        elif extension == "partialclone":
            partial = True
    return partial


def read_simple_config(path: str) -> dict[str, str]:
    """Read one configuration file, without includes: enough for the settings that Git itself reads so early."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as err:
        raise RepositoryError(f"can't read {path}: {err.strerror}") from err
    settings: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            head, _, line = line[1:].partition("]")
            name, quote, sub = head.partition('"')
            section = name.strip().lower() + (f".{sub.rstrip().removesuffix(quote)}" if quote else "")
            line = line.strip()
        if line and line[0] not in "#;":
            key, equals, value = line.partition("=")
            value = value.split("#")[0].split(";")[0].strip().strip('"') if equals else "true"
            settings[f"{section}.{key.strip().lower()}"] = value
    return settings
