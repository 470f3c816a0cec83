"""Talk to another repository: ``git fetch``, ``git push`` and ``git ls-remote``, armoured.

Runs travel beside the user's own branches, so nothing of the user's may ride along, be changed
or have a say: not the hooks, not ``push.followTags``, ``fetch.prune`` or ``remote.*.push``, not
``FETCH_HEAD``, reflogs or ``.git/shallow``. What *reaching* the other repository needs stays as
it is: credentials, SSH command, proxies, certificates, ``url.*.insteadOf``.
"""

from __future__ import annotations

import os

from ledgit.errors import NoRemote
from ledgit.git.command import LEAN, spawn_git, try_git
from ledgit.git.transport_errors import ABSENT, NOT_ATOMIC, push_status, remote_failure, shown_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ledgit.git.repo import Config, Repo
    from ledgit.git.spawn import Spawned

    Progress = Callable[[str, int, int | None], None]

__all__ = [
    "Address",
    "Fetching",
    "PushResult",
    "PushUpdate",
    "address",
    "fetch",
    "list_remote",
    "push",
    "push_results",
    "start_fetch",
]

# Settings that have no option, or whose option not every Git since 2.29 has.
_QUIET = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.logAllRefUpdates=false"),
    *("-c", "maintenance.auto=false"),
    *("-c", "gc.auto=0"),
    *("-c", "advice.pushUpdateRejected=false"),
    *("-c", "color.ui=false"),
)
_FETCH = (
    *_QUIET,
    *LEAN,
    *("-c", "fetch.writeCommitGraph=false"),
    *("-c", "fetch.pruneTags=false"),
    *("-c", "fetch.bundleURI="),
    "fetch",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-show-forced-updates",
    "--refmap=",
    "--force",
    "--progress",
)
_PUSH = (
    *_QUIET,
    *LEAN,
    *("-c", "push.pushOption="),
    *("-c", "push.useForceIfIncludes=false"),
    *("-c", "push.negotiate=false"),
    "push",
    "--no-verify",
    "--no-follow-tags",
    "--no-signed",
    "--recurse-submodules=no",
    "--porcelain",
    "--progress",
)
_END = 2.0  # seconds that an interrupted git has to clean up


class Address:
    """How to reach another repository.

    Attributes:
        url: Where to fetch from.
        push_url: Where to push to.
        shown: The address for people: no credentials in it.
        cwd: Folder that a relative path starts from.
        proxy: ``remote.<name>.proxy``, or "".
        programs: (``remote.<name>.uploadpack``, ``remote.<name>.receivepack``), or "" each.
    """

    __slots__ = ("cwd", "programs", "proxy", "push_url", "shown", "url")

    def __init__(
        self,
        url: str,
        push_url: str | None = None,
        *,
        cwd: str | None = None,
        proxy: str = "",
        programs: tuple[str, str] = ("", ""),
    ) -> None:
        self.url, self.push_url, self.cwd = url, push_url or url, cwd
        self.proxy, self.programs = proxy, programs
        self.shown = shown_url(url)

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def settings(self) -> tuple[str, ...]:
        """Return the ``-c`` options for git."""
        return ("-c", f"http.proxy={self.proxy}") if self.proxy else ()


class PushUpdate:
    """One change of a ref on the other side.

    Attributes:
        ref: Full name there.
        new: Commit it is to have, ``None`` to delete it.
        force: Move it also where that is no fast-forward, if it has this value now ("": if it
            isn't there). ``None``: fast-forward only.
    """

    __slots__ = ("force", "new", "ref")

    def __init__(self, ref: str, new: str | None, *, force: str | None = None) -> None:
        self.ref, self.new, self.force = ref, new, force

    def __repr__(self) -> str:
        return f"PushUpdate({self.ref!r}, {self.new!r})"


class PushResult:
    """What became of one :class:`PushUpdate`.

    Attributes:
        ref: Its name there.
        status: ``ok``; ``stale``: somebody else was there first; ``refused``: the host's rules.
        reason: What was said; "" if ok.
        said: The host's own ``remote:`` lines.
    """

    __slots__ = ("reason", "ref", "said", "status")

    def __init__(self, ref: str, status: str, reason: str = "", said: Sequence[str] = ()) -> None:
        self.ref, self.status, self.reason, self.said = ref, status, reason, tuple(said)

    def __repr__(self) -> str:
        return f"PushResult({self.ref!r}, {self.status!r}, {self.reason!r})"

    @property
    def ok(self) -> bool:
        """Whether the ref is as it was to be."""
        return self.status == "ok"

    def explain(self) -> str:
        """Return the host's own words, or what git made of them."""
        words = " ".join(line.strip() for line in self.said if line.strip())
        return f"{self.reason}: {words}" if words else self.reason


def address(repo: Repo, name: str) -> Address:
    """Return the address of the remote *name*, or of the repository at the URL or path *name*.

    ``url.*.insteadOf`` and ``pushurl`` are heeded. Of several addresses the first counts.

    Raises:
        NoRemote: It is the name of no remote, and no address either.
    """
    cwd = repo.work_tree or repo.git_dir
    config = repo.config()
    if not name or name.startswith("-"):
        raise NoRemote(name, f"{name!r} is no remote and no address")
    if config.get(f"remote.{name}.url") is None and config.get(f"remote.{name}.pushurl") is None:
        if "/" not in name and ":" not in name and not os.path.isdir(os.path.join(cwd, name)):
            raise NoRemote(name, f"there is no remote {name!r}; 'git remote -v' lists them")
        return Address(name, cwd=cwd)
    urls = _plain_urls(config, name)
    if urls is None:
        urls = []
        for options in ((), ("--push",)):
            code, out, _ = try_git(repo, "remote", "get-url", *options, "--", name)
            found = out.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")[0]
            if code != 0 or not found:
                text = f"the remote {name!r} has no address; 'git remote set-url {name} URL' gives it one"
                raise NoRemote(name, text)
            urls.append(found)
    return Address(
        urls[0],
        urls[1],
        cwd=cwd,
        proxy=config.get(f"remote.{name}.proxy") or "",
        programs=(
            config.get(f"remote.{name}.uploadpack") or "",
            config.get(f"remote.{name}.receivepack") or "",
        ),
    )


def _plain_urls(config: Config, name: str) -> list[str] | None:
    """Return the two addresses of a remote that Git would use as they are written; None: ask Git.

    Saves two processes in the usual case: one ``url``, and nothing that rewrites addresses.
    """
    several, url = config.get_all(f"remote.{name}.url"), config.get(f"remote.{name}.url")
    if len(several) != 1 or not url or config.get(f"remote.{name}.pushurl") is not None:
        return None
    if not url.isascii() or "\n" in url or next(iter(config.items("url.")), None) is not None:
        return None
    return [url, url]


def fetch(
    repo: Repo,
    url: Address | str,
    refspecs: Sequence[str],
    *,
    depth: int | None = None,
    haves: Sequence[str] = (),
    prune: bool = False,
    prompt: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Fetch *refspecs*, over one connection; nothing but the refs they name changes in *repo*.

    Args:
        repo: Where to.
        url: Where from.
        refspecs: ``source:target`` each; the target is moved wherever it was.
        depth: Cut history off after so many commits. Only for repositories of our own: it writes ``shallow``.
        haves: Commits here that are worth telling the other side of; default: those that refs have.
        prune: Delete targets whose source is gone.
        prompt: Git may ask the user for a password.
        progress: Is told (what, done, total or None).

    Returns:
        False if a ref that is named without ``*`` is not there; then nothing at all was fetched.

    Raises:
        Unreachable, AccessDenied, RemoteError: The other repository can't be used.
    """
    return start_fetch(repo, url, refspecs, depth=depth, haves=haves, prune=prune, prompt=prompt).wait(progress)


def start_fetch(
    repo: Repo,
    url: Address | str,
    refspecs: Sequence[str],
    *,
    depth: int | None = None,
    haves: Sequence[str] = (),
    prune: bool = False,
    prompt: bool = False,
) -> Fetching:
    """Begin what :func:`fetch` does, and return at once. Whoever starts it waits for it, or stops it."""
    there = url if isinstance(url, Address) else Address(url)
    options = ["--prune" if prune else "--no-prune"]
    if depth is not None:
        options.append(f"--depth={depth}")
    options += [f"--negotiation-tip={oid}" for oid in haves]
    if there.programs[0]:
        options.append(f"--upload-pack={there.programs[0]}")
    return Fetching(there, _start(repo, there, (*_FETCH, *options, "--", there.url, *refspecs), prompt))


class Fetching:
    """A fetch that goes on while its caller does other things."""

    __slots__ = ("_process", "_there")

    def __init__(self, there: Address, process: Spawned) -> None:
        self._there, self._process = there, process

    def wait(self, progress: Progress | None = None) -> bool:
        """Wait for its end; returns and raises what :func:`fetch` does."""
        code, _, err = _listen(self._process, progress)
        if code != 0:
            if ABSENT in err:
                return False
            raise remote_failure(self._there.shown, "fetch", err)
        return True

    def stop(self) -> None:
        """End it early: nothing of it is wanted."""
        with self._process:
            self._process.end(_END)


def push(
    repo: Repo,
    url: Address | str,
    updates: Sequence[PushUpdate],
    *,
    atomic: bool = True,
    prompt: bool = False,
    progress: Progress | None = None,
) -> list[PushResult]:
    """Push *updates* and return what became of each, in their order.

    Args:
        repo: Where the commits are.
        url: Where to.
        updates: What to change there.
        atomic: All of them or none. A host that can't gets them one after the other, until one fails.
        prompt: Git may ask the user for a password.
        progress: Is told (what, done, total or None).

    Raises:
        Unreachable, AccessDenied, RemoteError: The other repository can't be used. Whether the
            push arrived is then not known.
    """
    there = url if isinstance(url, Address) else Address(url)
    options = ["--atomic"] if atomic and len(updates) > 1 else []
    if there.programs[1]:
        options.append(f"--receive-pack={there.programs[1]}")
    specs = []
    for update in updates:
        specs.append(f"{update.new or ''}:{update.ref}")
        if update.force is not None:  # not by "+", which would let it in over any value
            options.append(f"--force-with-lease={update.ref}:{update.force}")
    code, out, err = _talk(repo, there, (*_PUSH, *options, "--", there.push_url, *specs), prompt, progress)
    if code != 0 and NOT_ATOMIC in err:
        results: list[PushResult] = []
        for update in updates:
            if results and not results[-1].ok:
                results.append(PushResult(update.ref, "stale", "not tried"))
            else:
                results += push(repo, there, [update], prompt=prompt, progress=progress)
        return results
    found = {result.ref: result for result in push_results(out, err)}
    if code != 0 and all(result.ok for result in found.values()):
        raise remote_failure(there.shown, "push", err)
    # A ref that is not spoken of was not pushed because another one of an atomic push failed.
    return [found.get(update.ref) or PushResult(update.ref, "stale", "not pushed") for update in updates]


def list_remote(
    repo: Repo, url: Address | str, patterns: Sequence[str] = (), *, prompt: bool = False
) -> dict[str, str]:
    """Return the refs of another repository: name → id.

    Args:
        repo: Whose settings say how to reach it.
        url: The other repository.
        patterns: Full names, or beginnings of names that end in ``/*``; all refs by default.
        prompt: Git may ask the user for a password.

    Raises:
        Unreachable, AccessDenied, RemoteError: The other repository can't be used.
    """
    there = url if isinstance(url, Address) else Address(url)
    options = [f"--upload-pack={there.programs[0]}"] if there.programs[0] else []
    args = (*_QUIET, "ls-remote", "--refs", *options, "--", there.url, *patterns)
    code, out, err = _talk(repo, there, args, prompt, None)
    if code != 0:
        raise remote_failure(there.shown, "ls-remote", err)
    rows = (line.partition("\t") for line in out.decode("utf-8", "surrogateescape").splitlines())
    return {name: oid for oid, _, name in rows if not patterns or _matches(name, patterns)}


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Git matches patterns at any depth; we mean whole names."""
    return any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns)


def push_results(out: bytes, err: str) -> list[PushResult]:
    """Read what ``git push --porcelain`` said of each ref."""
    from ledgit.git.progress import progress_of

    said = [line[7:].strip() for line in err.splitlines() if line.startswith("remote:") and progress_of(line) is None]
    results = []
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        flag, tab, rest = line.partition("\t")
        if not tab or len(flag) != 1:
            continue
        names, _, summary = rest.partition("\t")
        ref = names.rpartition(":")[2]
        if flag == "!":
            status, reason = push_status(summary)
            results.append(PushResult(ref, status, reason, said if status == "refused" else ()))
        else:
            results.append(PushResult(ref, "ok"))
    return results


def _talk(
    repo: Repo, there: Address, args: Sequence[str], prompt: bool, progress: Progress | None
) -> tuple[int, bytes, str]:
    """Run git and return (exit code, standard output, standard error without its progress)."""
    return _listen(_start(repo, there, args, prompt), progress)


def _start(repo: Repo, there: Address, args: Sequence[str], prompt: bool) -> Spawned:
    env = {"GIT_TERMINAL_PROMPT": "1" if prompt else "0"}
    return spawn_git(repo, *there.settings(), *args, env=env, cwd=there.cwd)


def _listen(process: Spawned, progress: Progress | None) -> tuple[int, bytes, str]:
    from ledgit.git.progress import Lines

    out: list[bytes] = []
    lines = Lines(progress)
    with process:
        try:
            code = process.listen(out.append, lines.feed)
        except BaseException:
            # Asked first, so that it removes its temporary files and helpers.
            process.end(_END)
            raise
    return code, b"".join(out), lines.text()
