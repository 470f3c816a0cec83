"""The web address of a commit, from the address of a remote: no request is made, nothing secret is in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ledgit.records.values import Values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git import Repo

__all__ = ["CommitPage", "commit_address", "commit_page", "has_browser"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Hosts whose name for SSH is another.
_WEB_NAMES = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
_SHAPES = {
    "github": "{base}/{path}/commit/{commit}",
    "gitlab": "{base}/{path}/-/commit/{commit}",
    "gitea": "{base}/{path}/commit/{commit}",
}
#: Programs that show pages in the terminal, where the UI is.
_IN_TERMINAL = ("www-browser", "links", "elinks", "lynx", "w3m", "browsh")


class CommitPage(Values):
    """Where a commit can be seen.

    Attributes:
        address: Its web address; "" where there is none.
        why: Why there is none, as a sentence; else "".
    """

    __slots__ = ("address", "why")

    def __init__(self, address: str, why: str = "") -> None:
        self.address, self.why = address, why


def commit_page(repo: Repo, commit: str | None, branch: str | None = None) -> CommitPage:
    """Return where *commit* can be seen on the web.

    ``ledgit.commitUrl`` (``https://git.example.org/team/code/commit/{commit}``) says it for hosts that are not known;
    else the remote of *branch*, or the only one, or ``origin`` is asked what its address is.

    Args:
        repo: The repository.
        commit: A commit of the code; None where a run has none.
        branch: The branch that the run was on.
    """
    from ledgit.errors import LedgitError
    from ledgit.git import address

    if not commit:
        return CommitPage("", "this run has no commit of the code")
    config = repo.config()
    template = config.get("ledgit.commitUrl") or ""
    if template:
        if not template.startswith(("https://", "http://")) or "{commit}" not in template or not template.isprintable():
            return CommitPage("", "ledgit.commitUrl is no address as https://git.example.org/code/commit/{commit}")
        return CommitPage(template.replace("{commit}", commit))
    names = _remotes(repo)
    if not names:
        return CommitPage("", "this repository has no remote, so the commit is on no web page")
    tracked = config.get(f"branch.{branch}.remote") if branch else None
    name = next((one for one in (tracked, "origin") if one in names), names[0])
    try:
        url = address(repo, name or names[0]).url
    except LedgitError as error:
        return CommitPage("", str(error))
    found = commit_address(url, commit)
    if found is None:
        return CommitPage(
            "", f"the web pages of the remote {name} are not known; set ledgit.commitUrl to their address"
        )
    return CommitPage(found)


def _remotes(repo: Repo) -> list[str]:
    from ledgit.store.sync.remote import remote_names

    return remote_names(repo)


def commit_address(url: str, commit: str) -> str | None:
    """Return the web page of *commit* in the repository at *url*; None where the host's pages are not known.

    Args:
        url: As ``git clone`` takes it: ``https://…``, ``ssh://…``, ``git@host:path``. A user, a password or a token in
            it is left out.
        commit: Its full id.
    """
    from ledgit.store.sync.hosts import host_of

    parts = _parts(url)
    if parts is None or not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        return None
    base, host, path = parts
    key = host_of(f"https://{host}/").key
    if key == "azure":
        return _azure(host, path, commit)
    if key == "bitbucket":
        return _bitbucket(base, host, path, commit)
    if key == "gerrit" and host.endswith(".googlesource.com"):
        return f"{base}/{path}/+/{commit}"
    shape = _SHAPES.get(key)
    return shape.format(base=base, path=path, commit=commit) if shape else None


def _parts(url: str) -> tuple[str, str, str] | None:
    """Return (``https://host``, host, path) of the web server beside a repository's address."""
    from urllib.parse import quote

    scheme = _SCHEME.match(url)
    if scheme is not None:
        kind, rest = scheme[1].lower(), url[scheme.end() :]
        place, _, path = rest.partition("/")
        if "@" in path and not path.startswith("_git"):  # a password with a slash in it: who knows where it ends
            return None
    else:  # scp's way
        kind = "ssh"
        place, colon, path = url.partition(":")
        if not colon or "/" in place or url.startswith(("/", ".", "~")):
            return None
    if kind not in ("https", "http", "ssh", "git", "git+ssh", "ssh+git"):
        return None
    place = place.rpartition("@")[2].lower()
    match = _HOST.match(place)
    if match is None:
        return None
    host, port = match[0].rstrip("."), place[match.end() :]
    web = kind in ("https", "http")
    if port and not (re.fullmatch(r":\d*", port)):
        return None
    host = _WEB_NAMES.get(host, host)
    path = re.split(r"[?#]", path, maxsplit=1)[0].strip("/").removesuffix(".git").strip("/")
    if not path or not path.isprintable() or ".." in path.split("/"):
        return None
    shown = f"{kind if web else 'https'}://{host}{port if web and port != ':' else ''}"
    return shown, host, quote(path, safe="/~+@:,;=!$&'()*%" if web else "/~+@")


def _azure(host: str, path: str, commit: str) -> str | None:
    """Return the page of Azure DevOps, which knows four spellings of a repository's address."""
    parts = path.split("/")
    if host.endswith(".visualstudio.com"):
        parts = [host.partition(".")[0], *(part for part in parts if part != "DefaultCollection")]
    if parts[0] == "v3" and len(parts) == 4:  # ssh
        parts = [*parts[1:3], "_git", parts[3]]
    if "_git" not in parts or parts[-1] == "_git":
        return None
    if parts[1] == "_git":  # the project's own repository
        parts = [parts[0], parts[2], "_git", parts[2]]
    return f"https://dev.azure.com/{'/'.join(parts)}/commit/{commit}" if len(parts) == 4 else None


def _bitbucket(base: str, host: str, path: str, commit: str) -> str | None:
    """Return the page of Bitbucket: the cloud's, or that of a server of one's own."""
    if host == "bitbucket.org":
        return f"{base}/{path}/commits/{commit}"
    parts = [part for part in path.split("/") if part != "scm"]
    if len(parts) != 2:
        return None
    project, name = parts
    owner = f"users/{project[1:]}" if project.startswith("~") else f"projects/{project.upper()}"
    return f"{base}/{owner}/repos/{name}/commits/{commit}"


def has_browser(environ: Mapping[str, str]) -> bool:
    """Whether a page can be opened here: not over SSH without a display, nor in the terminal that the UI needs."""
    import webbrowser

    remote = any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))
    chosen = environ.get("BROWSER", "")
    if remote and not (chosen or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    name = getattr(browser, "basename", "") or getattr(browser, "name", "")
    return name not in _IN_TERMINAL
