"""What git says when another repository can't be used, as one of our errors."""

from __future__ import annotations

from ledgit.errors import AccessDenied, RemoteError, RepositoryError, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgit.errors import LedgitError

__all__ = ["ABSENT", "NOT_ATOMIC", "push_status", "remote_failure", "shown_url"]

#: A ref that was named whole is not there.
ABSENT = "couldn't find remote ref"
NOT_ATOMIC = "does not support --atomic push"

# In lower case; the first that matches counts. Texts of Git 2.29-2.50, curl, OpenSSH and common hosts.
_DENIED = (
    "authentication failed",
    "could not read username",
    "could not read password",
    "terminal prompts disabled",
    "permission denied (",
    "permission denied for",  # Gitea, Forgejo
    "denied to ",  # GitHub: "Permission to owner/name.git denied to somebody."
    "marked as read only",  # GitHub's deploy keys
    "write access to",
    "not allowed to push",  # GitLab
    "unauthorized",
    "host key verification failed",
    "invalid username or",
    "invalid credentials",
    "requested url returned error: 401",
    "requested url returned error: 403",
    "http basic: access denied",
    "service not enabled",
)
_MISSING = (
    "repository not found",
    "does not appear to be a git repository",
    "no such file or directory",
    "access denied or repository not exported",
    "requested url returned error: 404",
    "not found",
    "project you were looking for could not be found",
    "could not be found or you don't have permission",
)
_UNREACHED = (
    "could not resolve host",
    "couldn't resolve host",
    "name or service not known",
    "temporary failure in name resolution",
    "unable to connect to",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "network is unreachable",
    "no route to host",
    "unable to look up",
)
_BROKEN = (
    "connection reset",
    "connection closed",
    "timed out",
    "hung up unexpectedly",
    "early eof",
    "unexpected disconnect",
    "broken pipe",
    "empty reply from server",
    "recv failure",
    "send failure",
    "rpc failed",
    "unable to access",
    "ssl_error",
    "gnutls",
    "requested url returned error: 5",
    "could not read from remote repository",
    "expected flush",
    "protocol error",
    "bad line length",
    "invalid index-pack output",
)
# Somebody else moved or made the ref between our look and our push.
_STALE = (
    "fetch first",
    "non-fast-forward",
    "needs force",
    "stale info",
    "remote ref updated since checkout",
    "already exists",
    "cannot lock ref",
    "failed to lock",
    "failed to update ref",
    "incorrect old value",
    "reference already exists",
    "but expected",
    "atomic push fail",
    "atomic transaction failed",
    "transaction failed",
)


def remote_failure(shown: str, verb: str, said: str) -> LedgitError:
    """Return the error for a failed git *verb* on the repository *shown*; *said* is its standard error."""
    lines = list(_spoken(said))
    low = "\n".join(lines).lower()
    detail = _first(lines)
    if "unknown option" in low or "usage: git" in low:
        return RepositoryError(f"this Git is too old to {verb} runs ({detail}); Git 2.29 or newer is needed")
    # git daemon has the same words for both; whoever pushes has fetched from there before.
    if any(text in low for text in _DENIED) or (verb == "push" and "access denied or repository not exported" in low):
        return AccessDenied(shown, f"access was denied; check that 'git {verb}' works there ({detail})")
    if any(text in low for text in _UNREACHED):
        return Unreachable(shown, f"can't be reached; nothing is lost, repeat the command later ({detail})")
    if any(text in low for text in _MISSING):
        reason = "there is no such repository, or it is not shown to you; 'git remote -v' has its address"
        return RemoteError(shown, f"{reason} ({detail})")
    if any(text in low for text in _BROKEN):
        return Unreachable(shown, f"the connection broke; nothing is lost, repeat the command later ({detail})")
    return RemoteError(shown, f"git {verb} failed: {detail}")


def _spoken(said: str) -> Iterator[str]:
    """The lines that say something, without credentials that are in an address."""
    for line in said.splitlines():
        line = line.strip()
        if line and not line.startswith(("hint:", "To ", "From ")):
            yield " ".join(_without_secret(word) for word in line.split(" "))


def _first(lines: list[str]) -> str:
    """The line that says most: the host's own before git's."""
    general = "fatal: Could not read from remote repository."
    ranked = [line for line in lines if line.startswith(("remote:", "ERROR:", "ssh:"))]
    ranked += [line for line in lines if line.startswith(("fatal:", "error:")) and line != general]
    for line in [*ranked, *lines]:
        text = line.partition(":")[2].strip() if line.startswith(("remote:", "fatal:", "error:", "ERROR:")) else line
        if text:
            return text
    return "git said nothing"


def push_status(summary: str) -> tuple[str, str]:
    """Return (``stale`` or ``refused``, reason) for the summary of a rejected ref."""
    reason = summary.partition("(")[2].rpartition(")")[0] or summary
    low = reason.lower()
    return ("stale" if any(text in low for text in _STALE) else "refused"), reason


def shown_url(url: str) -> str:
    """Return *url* without the user's name and password.

    The user of an SSH address (``git@host:path``) stays: it is no secret and tells hosts apart.
    """
    scheme, there, rest = url.partition("://")
    if not there:
        return url
    host, slash, path = rest.partition("/")
    if scheme.lower() in ("ssh", "git+ssh", "ssh+git"):
        user, at, name = host.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{at}{name}{slash}{path}"
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _without_secret(word: str) -> str:
    at = word.find("://")
    if at < 0:
        return word
    start = at
    while start and word[start - 1].isalnum():
        start -= 1
    return word[:start] + shown_url(word[start:])
