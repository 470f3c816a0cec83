"""What code hosts are known to take and to refuse: a table, keyed by the name in an address.

From the hosts' own documentation and from reports (docs/design/hosts.md). None of it is asked from the
host: what a push is really refused for is told by the push.
"""

from __future__ import annotations

from ledgit.records.values import Values

__all__ = ["HOSTS", "Host", "host_of"]

_MB = 1 << 20


class Host(Values):
    """One host's limits.

    Attributes:
        key: Short name: ``github``, ``gitlab`` …, ``other``.
        name: As people call it.
        max_object: Bytes that a file may have; 0: no limit is known.
        one: It is the name of one host.
        warn_object: Bytes from which on it advises against a file; 0: it doesn't.
        max_push: Bytes that one push may have; 0: no limit is known.
        custom_refs: Whether refs other than branches and tags are taken: True, False, or None where nobody said.
        tag_events: How many tags one push may have so that each starts its webhooks and workflows; 0: any number.
        ref_events: Whether refs other than branches and tags start anything.
        protects_refs: Whether rules of the host can protect refs other than branches and tags.
        advice: Sentences for ``ledgit doctor``.
    """

    __slots__ = (
        "advice",
        "custom_refs",
        "key",
        "max_object",
        "max_push",
        "name",
        "one",
        "protects_refs",
        "ref_events",
        "tag_events",
        "warn_object",
    )

    def __init__(
        self,
        key: str,
        name: str,
        max_object: int,
        *,
        one: bool = True,
        warn_object: int = 50 * _MB,
        max_push: int = 0,
        custom_refs: bool | None = True,
        tag_events: int = 0,
        ref_events: bool = False,
        protects_refs: bool = False,
        advice: tuple[str, ...] = (),
    ) -> None:
        self.key, self.name, self.max_object, self.one = key, name, max_object, one
        self.warn_object, self.max_push, self.custom_refs = warn_object, max_push, custom_refs
        self.tag_events, self.ref_events, self.protects_refs = tag_events, ref_events, protects_refs
        self.advice = advice


_ONE_BY_ONE = "registry tags are pushed one by one, because a push of several starts nothing there"
HOSTS: dict[str, Host] = {
    host.key: host
    for host in (
        Host(
            "github",
            "GitHub",
            100 * _MB,
            max_push=2048 * _MB,
            tag_events=3,
            advice=(
                "a push of more than three tags starts no workflow, so registry tags are pushed one by one",
                "rulesets protect branches and tags, not the ledger; any clone restores it by its next push",
                "administrators can limit the refs of a push; one of runs has the ledger and the inboxes it takes in",
            ),
        ),
        Host(
            "gitlab",
            "GitLab",
            100 * _MB,
            tag_events=1,
            advice=(_ONE_BY_ONE, "refs/keep-around, refs/merge-requests, refs/pipelines and others are GitLab's own"),
        ),
        Host("bitbucket", "Bitbucket", 100 * _MB, max_push=3584 * _MB, custom_refs=None),
        Host(
            "azure",
            "Azure DevOps",
            0,
            warn_object=100 * _MB,
            max_push=5120 * _MB,
            custom_refs=None,
            advice=("refs/pull and other refs of its own are refused",),
        ),
        Host("gitea", "Gitea or Forgejo", 0, advice=("custom refs are taken and not shown",)),
        Host(
            "codeup",
            "Codeup",
            0,
            custom_refs=False,
            advice=("only branches and tags are taken: set ledgit.ledgerRef to refs/heads/ledgit",),
        ),
        Host("gerrit", "Gerrit", 0, custom_refs=None, advice=("refs need a permission of their own (refs/ledgit/*)",)),
        Host("file", "a folder", 0, warn_object=0),
        # GitHub's limit, because the most common servers that can't be told by name are GitHub's own.
        Host("other", "most hosts", 100 * _MB, one=False, custom_refs=None),
    )
}
_BY_NAME = (
    ("github", ("github.com", "ghe.com")),
    ("gitlab", ("gitlab.com",)),
    ("bitbucket", ("bitbucket.org",)),
    ("azure", ("dev.azure.com", "visualstudio.com")),
    ("gitea", ("codeberg.org", "gitea.com", "gitea.io", "forgejo.org", "disroot.org")),
    ("codeup", ("codeup.aliyun.com", "rdc.aliyun.com")),
    ("gerrit", ("googlesource.com",)),
)
# Their own servers are mostly called so.
_BY_WORD = (
    ("github", "github"),
    ("gitlab", "gitlab"),
    ("bitbucket", "bitbucket"),
    ("gitea", "gitea"),
    ("gitea", "forgejo"),
    ("gerrit", "gerrit"),
)


def host_of(url: str) -> Host:
    """Return what is known of the host that *url* names (``https://…``, ``ssh://…``, ``git@host:path``, a path)."""
    name = _host_name(url)
    if not name:
        return HOSTS["file"]
    for key, endings in _BY_NAME:
        if any(name == ending or name.endswith("." + ending) for ending in endings):
            return HOSTS[key]
    parts = name.replace("-", ".").split(".")
    return next((HOSTS[key] for key, word in _BY_WORD if word in parts), HOSTS["other"])


def _host_name(url: str) -> str:
    """Return the host's name in lower case; '' for a folder of this machine."""
    scheme, separator, rest = url.partition("://")
    if separator:
        if scheme.lower() == "file":
            return ""
        place = rest.partition("/")[0].rpartition("@")[2]
    else:
        # scp's way, as Git reads it: a colon before the first slash.
        place, colon, _ = url.partition(":")
        if not colon or "/" in place or url.startswith(("/", ".", "~")):
            return ""
        place = place.rpartition("@")[2]
    if place.startswith("["):
        return place.partition("]")[0] + "]"
    return place.partition(":")[0].lower().rstrip(".")
