"""Which repository runs are shared through, and under which names."""

from __future__ import annotations

from ledgit.errors import ConfigError, NoRemote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Address, Repo

__all__ = ["DEFAULT_LEDGER", "Remote", "find_remote", "remote_names"]

#: The ledger's name on a remote, unless ``ledgit.ledgerRef`` says another.
DEFAULT_LEDGER = "refs/ledgit/ledger"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Remote:
    """A repository that runs are shared through.

    Attributes:
        name: The remote's name in Git's configuration, or what stands for an odd one, or for an address.
        label: Its name in Git's configuration; "" where it is an address.
        url: How to reach it.
        ledger_ref: The ledger's full name there.
        inbox_prefix: What the names of inboxes there begin with.
        tracking: The ref here that has its ledger as last seen and checked.
        inboxes: What the refs here begin with that have its inboxes as last seen and checked.
        incoming: What the refs here begin with that a fetch writes and nobody has checked.
        settings: How Git's configuration says it is reached: with a ``pushurl`` not how a push does, see `as_pushed`.
    """

    __slots__ = ("inbox_prefix", "inboxes", "incoming", "label", "ledger_ref", "name", "settings", "tracking", "url")

    def __init__(self, name: str, url: Address, ledger_ref: str = DEFAULT_LEDGER, label: str | None = None) -> None:
        self.name, self.url, self.ledger_ref = name, url, ledger_ref
        self.settings = url
        self.label = ("" if name.startswith("url/") else name) if label is None else label
        # Beside a ledger of another name, because a host that takes only branches takes only branches.
        self.inbox_prefix = "refs/ledgit/inbox/" if ledger_ref == DEFAULT_LEDGER else f"{ledger_ref}-inbox/"
        self.tracking = f"refs/ledgit/remotes/{name}/ledger"
        self.inboxes = f"refs/ledgit/remotes/{name}/inbox/"
        self.incoming = f"refs/ledgit/incoming/{name}/"

    def __repr__(self) -> str:
        return f"Remote({self.name!r}, {self.url.shown!r})"

    @property
    def has_two_places(self) -> bool:
        """Whether it is pushed to at another address than it is fetched from; mostly both are one repository's."""
        return self.settings.url != self.settings.push_url

    def as_pushed(self) -> Remote:
        """Return the remote as a push reaches it: also what is read on the way is read where it writes."""
        from ledgit.git import Address

        there = self.settings
        if not self.has_two_places:
            return self
        url = Address(there.push_url, cwd=there.cwd, proxy=there.proxy, programs=there.programs)
        found = Remote(self.name, url, self.ledger_ref, self.label)
        found.settings = there
        return found

    @property
    def shown(self) -> str:
        """The remote for people: its name, or the address without credentials."""
        return self.label or self.url.shown

    @property
    def branches(self) -> str:
        """What the refs here begin with that have its branches as last seen."""
        return f"refs/remotes/{self.label or self.name}/"


def find_remote(repo: Repo, name: str | None = None) -> Remote:
    """Return the remote *name*, or the one that runs of this repository are shared through.

    That is ``ledgit.remote`` (a name, a URL or a path), else ``origin``, else the only remote there is.

    Raises:
        NoRemote: There is none, or several and none of them is called origin.
        ConfigError: ``ledgit.ledgerRef`` is no name of a ref.
    """
    from ledgit.git import address

    config = repo.config()
    name = name or config.get("ledgit.remote")
    names = remote_names(repo)
    if not name:
        if "origin" in names:
            name = "origin"
        elif len(names) == 1:
            name = names[0]
        elif names:
            listed = ", ".join(names[:5])
            text = f"there are several remotes ({listed}); 'git config ledgit.remote NAME' says which one has the runs"
            raise NoRemote("", text)
        else:
            text = "there is no remote to share runs through; 'git remote add origin URL' adds one"
            raise NoRemote("", text)
    url = address(repo, name)
    if name in names:
        return Remote(_safe(name), url, _ledger_ref(repo), name)
    return Remote(f"url/{_slug(name)}", url, _ledger_ref(repo))


def remote_names(repo: Repo) -> list[str]:
    """Return the names of the remotes in Git's configuration."""
    names: list[str] = []
    for key, _ in repo.config().items("remote."):
        name, dot, last = key.removeprefix("remote.").rpartition(".")
        if dot and last in ("url", "pushurl") and name not in names:
            names.append(name)
    return names


def _ledger_ref(repo: Repo) -> str:
    value = repo.config().get("ledgit.ledgerRef") or DEFAULT_LEDGER
    kind, *parts = value.split("/")
    if kind != "refs" or len(parts) < 2 or not all(map(_is_safe, parts)):
        expected = f"the full name of a ref in plain letters, such as {DEFAULT_LEDGER} or refs/heads/ledgit"
        raise ConfigError("ledgit.ledgerRef", value, expected)
    return value


def _is_safe(part: str) -> bool:
    """Whether *part* can stand between slashes in a ref's name, on every file system."""
    return (
        bool(part) and _NAME.issuperset(part) and part.strip(".") == part and ".." not in part and part[-5:] != ".lock"
    )


def _safe(name: str) -> str:
    """Return a remote's name as part of a ref's: itself, but where it is an odd one.

    One with a slash is odd, too: ``origin/old`` would have its refs among those of ``origin``, and what it
    has would be taken for what ``origin`` has.
    """
    return name if _is_safe(name) and name.lower() != "url" else f"url/{_slug(name)}"


def _slug(url: str) -> str:
    """Return a name for an address: its end, so that people recognise it, and a digest; of no credentials."""
    from hashlib import sha256

    from ledgit.git.transport_errors import shown_url

    url = shown_url(url)
    end = url.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    words = "".join(char if char.isascii() and char.isalnum() else "-" for char in end).strip("-")[:32]
    return f"{words or 'ledger'}-{sha256(url.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
