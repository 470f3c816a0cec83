"""The tags of one model by their names alone, which is what making another one needs.

What they say is added up as they come: with 10,000 versions there a further one looks at one more name.
"""

from __future__ import annotations

import os
from _thread import RLock

from ledgit.records.registry_names import Semver, claim_slug, parse_tag, slug_of
from ledgit.store.registry.events import event_of, row_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ledgit.git import Objects, Repo
    from ledgit.records.registry_names import TagName
    from ledgit.records.registry_state import Event

__all__ = ["KEPT", "TAGS", "VERSIONS", "ModelTags", "forget_tags"]

TAGS, KEPT, VERSIONS = "refs/tags/", "refs/ledgit/registry/", "refs/ledgit/versions/"
_MOST_KNOWN = 64  # models whose tags stay in memory
_PATIENCE = 60.0  # seconds
_FEW = 4  # tags that are read one by one

_known: dict[tuple[str, str], _Known] = {}
_highest: dict[tuple[str, str], tuple[str, int]] = {}
_working = RLock()


class _Known:
    """What is known of a model's tags, as long as the process lives."""

    def __init__(self, repo: Repo, slug: str, claims: str) -> None:
        from ledgit.git import NameWatch

        self.slug = slug
        # What was pruned before it was pushed comes back some day, so its name is taken as well.
        self.tags = NameWatch(repo, *(f"{above}{slug}{mark}" for above in (TAGS, KEPT) for mark in "@#"))
        self.claims = NameWatch(repo, claims)
        self.claimed = 0  # the greatest number of all claims
        self.dates: dict[str, int] = {}  # of every tag that was read once
        self.number = 0  # the greatest in a tag's message
        self.clear()

    def clear(self) -> None:
        self.names: dict[str, TagName] = {}
        self.versions: dict[str, None] = {}
        self.greatest: tuple[tuple[object, ...], str] | None = None
        self.counter = 0
        self.newest = 0
        self.undated: set[str] = set()

    def look(self) -> None:
        came, gone = self.tags.look()
        if gone:
            self.clear()
            came = self.tags.names
        for ref in came:
            tag = ref[len(TAGS if ref.startswith(TAGS) else KEPT) :]
            if tag not in self.names:
                name = parse_tag(tag)
                if name is not None and name.artifact == self.slug:
                    self._take(tag, name)

    def _take(self, tag: str, name: TagName) -> None:
        self.names[tag] = name
        self.counter = max(self.counter, name.counter or 0)
        if name.version and name.version not in self.versions:
            self.versions[name.version] = None
            rank = Semver.parse(name.version).key
            if self.greatest is None or rank > self.greatest[0]:
                self.greatest = (rank, name.version)
        if tag in self.dates:
            self.newest = max(self.newest, self.dates[tag])
        else:
            self.undated.add(tag)

    def note(self, tag: str, date: int, number: int = 0) -> None:
        self.dates[tag] = date
        self.undated.discard(tag)
        self.number = max(self.number, number)
        if tag in self.names:
            self.newest = max(self.newest, date)

    def look_at_claims(self) -> int:
        came, gone = self.claims.look()
        if gone:
            self.claimed = 0
            came = self.claims.names
        self.claimed = max([self.claimed, *_numbers(came)])
        return self.claimed


def _numbers(claims: Iterable[str]) -> list[int]:
    texts = (ref.rpartition("/")[2] for ref in claims)
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 16]


def _after_fork() -> None:
    global _working  # noqa: PLW0603 - the thread that may have held it is the parent's
    _working = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def forget_tags() -> None:
    """Forget what is in memory."""
    _known.clear()
    _highest.clear()


class ModelTags:
    """The tags of one model, as they are now.

    Args:
        repo: The repository.
        objects: Its objects.
        model: The model's name.

    Attributes:
        names: Tag → what its name says.
    """

    def __init__(self, repo: Repo, objects: Objects, model: str) -> None:
        self._repo, self._objects, self._model = repo, objects, model
        self._handed = 0  # the greatest counter that was handed out and no tag has yet
        from ledgit.store.folder import Folder
        from ledgit.store.registry.kept import look_back

        look_back(repo, Folder.of(repo), wait=_PATIENCE)
        key = (repo.common_dir, slug_of(model))
        with _working:
            known = _known.get(key)
            if known is None:
                while len(_known) >= _MOST_KNOWN:
                    _known.pop(next(iter(_known)))
                claims = f"{VERSIONS}{claim_slug(model)}/"
                known = _known[key] = _Known(repo, key[1], claims)
            known.look()
        self._known = known

    @property
    def names(self) -> Mapping[str, TagName]:
        """Tag → what its name says."""
        return self._known.names

    @property
    def versions(self) -> list[str]:
        """All versions that there ever were: the names of those that were deregistered are taken, too."""
        return list(self._known.versions)

    def has(self, version: str) -> bool:
        """Whether there is, or was, a version of this name."""
        return version in self._known.versions

    def greatest(self) -> str | None:
        """Return the greatest of all versions that there ever were; None if there was none."""
        greatest = self._known.greatest
        return None if greatest is None else greatest[1]

    def next_counter(self) -> int:
        """Return the number for the next counted tag; another one each time."""
        self._handed = 1 + max(self._handed, self._known.counter)
        return self._handed

    def next_number(self) -> int:
        """Return the first integer version after all that anybody claimed, as far as is known here."""
        with _working:
            claimed = self._known.look_at_claims()
            self.newest()
            return 1 + max(claimed, self._known.number, self._purged())

    def _purged(self) -> int:
        """Return the greatest number whose claim went for good with its run, as the ledger remembers it."""
        from ledgit.git import read_ref
        from ledgit.store.ledger import LEDGER_REF

        ledger = read_ref(self._repo, LEDGER_REF)
        if ledger is None:
            return 0
        key = (self._repo.common_dir, self._model)
        known = _highest.get(key)
        if known is None or known[0] != ledger:
            from ledgit.store.registry.described import read_model

            value = read_model(self._objects, ledger, self._model).get("highest")
            known = _highest[key] = (ledger, value if type(value) is int and 0 < value < 1 << 52 else 0)
        return known[1]

    def newest(self) -> int:
        """Return the date of the newest tag, in seconds since the epoch; 0 if there is none."""
        known = self._known
        with _working:
            if len(known.undated) > _FEW:  # the first time in this process
                from ledgit.store.folder import Folder
                from ledgit.store.registry.reading import read_registry

                for event in read_registry(self._repo, Folder.of(self._repo)).events:
                    if event.tag in known.undated:
                        self.note(event)
            for tag in list(known.undated):
                self._read(tag)
            return known.newest

    def _read(self, tag: str) -> None:
        from ledgit.git import read_ref

        oid = read_ref(self._repo, TAGS + tag) or read_ref(self._repo, KEPT + tag)
        kind = None if oid is None else self._objects.kind(oid)
        row = None if oid is None else row_of(tag, oid, kind, self._objects.read(oid)[1] if kind else b"")
        if row is None or len(row) == 3:
            self._known.note(tag, 0)
        else:
            self.note(event_of(row))

    def note(self, event: Event) -> None:
        """Remember the date and number of a tag."""
        with _working:
            self._known.note(event.tag, event.time, event.number or 0)
