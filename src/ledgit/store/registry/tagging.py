"""Making tags of the registry: the objects as one pack, the refs in one step or not at all.

A tag stands at three places: where everybody looks for it, at ``refs/ledgit/registry/<tag>`` until it was
seen on the remote, and, if it registers a version, at ``refs/ledgit/versions/<slug>/<number>``, which claims the
number. The tag itself is the last to appear, so a crash in between leaves what `restore_tags` goes on from.
"""

from __future__ import annotations

import os

from ledgit.records.registry_message import encode_message
from ledgit.records.registry_names import Semver, claim_slug, parse_tag, slug_of
from ledgit.records.registry_state import Event
from ledgit.store.ledger.lock import LedgerLock
from ledgit.store.packs import note_pack
from ledgit.store.registry.events import event_of, row_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, Signature
    from ledgit.records.registry_message import RegistryMessage
    from ledgit.records.registry_names import TagName
    from ledgit.store.folder import Folder

__all__ = ["KEPT", "TAGS", "VERSIONS", "ModelTags", "RegistryLock", "Tagging", "claim_ref", "wants_signature"]

TAGS = "refs/tags/"
KEPT = "refs/ledgit/registry/"
VERSIONS = "refs/ledgit/versions/"
_MOST_KNOWN = 64  # models whose newest date stays in memory

_FEW = 4  # tags that are read one by one
_MOST_NAMES = 50_000  # of tags and versions whose meaning stays in memory

_names: dict[str, TagName | None] = {}
_ranks: dict[str, tuple[object, ...]] = {}
_dates: dict[tuple[str, str], dict[str, int]] = {}


class RegistryLock(LedgerLock):
    """Lets one process at a time make tags in a clone: of several that try, each would else take the same names.

    Git and GTO know nothing of it; what they take meanwhile is found by the refs' own locks.
    """

    _busy = "another ledgit process registers or signs in this repository"

    def __init__(self, folder: Folder, wait: float = 60.0) -> None:
        super().__init__(folder, wait)
        self._path = os.path.join(folder.path, "registry.lock")


def claim_ref(model: str, number: int) -> str:
    """Return the ref that claims the integer version *number* of *model*."""
    return f"{VERSIONS}{claim_slug(model)}/{number}"


def wants_signature(repo: Repo) -> bool:
    """Whether Git's configuration says that tags are signed."""
    config = repo.config()
    return config.get_bool("tag.gpgSign") or config.get_bool("tag.forceSignAnnotated")


class ModelTags:
    """The tags of one model by their names alone, which is what making another one needs.

    Attributes:
        names: Tag → what its name says.
    """

    def __init__(self, repo: Repo, objects: Objects, model: str) -> None:
        from ledgit.git import ref_names

        self._repo, self._objects, self._model, self._slug = repo, objects, model, slug_of(model)
        self.names: dict[str, TagName] = {}
        # What was pruned before it was pushed comes back some day, so its name is taken as well.
        beginnings = [f"{above}{self._slug}{mark}" for above in (TAGS, KEPT) for mark in "@#"]
        for ref in ref_names(repo, *beginnings):
            tag = ref[len(TAGS if ref.startswith(TAGS) else KEPT) :]
            name = _parsed(tag)
            if name is not None and name.artifact == self._slug:
                self.names[tag] = name

    @property
    def versions(self) -> list[str]:
        """All versions that there ever were: the names of those that were deregistered are taken, too."""
        return list(dict.fromkeys(name.version for name in self.names.values() if name.version))

    def greatest(self) -> str | None:
        """Return the greatest of all versions that there ever were; None if there was none."""
        return max(self.versions, key=_rank, default=None)

    def next_counter(self) -> int:
        """Return the number for the next counted tag."""
        return 1 + max((name.counter or 0 for name in self.names.values()), default=0)

    def next_number(self) -> int:
        """Return the first integer version after all that anybody claimed, as far as is known here."""
        from ledgit.git import ref_names

        claims = ref_names(self._repo, f"{VERSIONS}{claim_slug(self._model)}/")
        taken = [
            int(text)
            for ref in claims
            if (text := ref.rpartition("/")[2]).isascii() and text.isdigit() and len(text) < 16
        ]
        self.newest()
        numbers = _numbers.get((self._repo.common_dir, self._slug), 0)
        return 1 + max(numbers, self._purged(), *taken, 0)

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
        from ledgit.git import read_ref

        key = (self._repo.common_dir, self._slug)
        dates = _dates.get(key)
        if dates is None:
            if len(_dates) >= _MOST_KNOWN:
                _dates.clear()
                _numbers.clear()
            dates = _dates[key] = {}
        if len(self.names.keys() - dates.keys()) > _FEW:  # the first time in this process
            from ledgit.store.folder import Folder
            from ledgit.store.registry.reading import read_registry

            for event in read_registry(self._repo, Folder.of(self._repo)).events:
                if event.tag in self.names:
                    self.note(event)
        for tag in self.names.keys() - dates.keys():
            oid = read_ref(self._repo, TAGS + tag) or read_ref(self._repo, KEPT + tag)
            kind = None if oid is None else self._objects.kind(oid)
            row = None if oid is None else row_of(tag, oid, kind, self._objects.read(oid)[1] if kind else b"")
            if row is None or len(row) == 3:
                dates[tag] = 0
            else:
                self.note(event_of(row))
        return max((dates[tag] for tag in self.names), default=0)

    def note(self, event: Event) -> None:
        """Remember the date and number of a tag."""
        key = (self._repo.common_dir, self._slug)
        _dates.setdefault(key, {})[event.tag] = event.time
        _numbers[key] = max(_numbers.get(key, 0), event.number or 0)


_numbers: dict[tuple[str, str], int] = {}
_highest: dict[tuple[str, str], tuple[str, int]] = {}


def _parsed(tag: str) -> TagName | None:
    if tag not in _names:
        if len(_names) >= _MOST_NAMES:
            _names.clear()
        _names[tag] = parse_tag(tag)
    return _names[tag]


def _rank(version: str) -> tuple[object, ...]:
    found = _ranks.get(version)
    if found is None:
        if len(_ranks) >= _MOST_NAMES:
            _ranks.clear()
        found = _ranks[version] = Semver.parse(version).key
    return found


class Tagging:
    """One step of making tags: all of them, or none.

    Args:
        repo: Where.
        folder: Ledgit's folder.
        who: (name, address) of the tagger.
        sign: Whether they are signed, by ``git tag -s``.
    """

    def __init__(self, repo: Repo, folder: Folder, who: tuple[str, str], *, sign: bool) -> None:
        from ledgit.git import ObjectSet

        self._repo, self._folder, self._sign = repo, folder, sign
        self._name, self._email = who
        self.fresh: ObjectSet = ObjectSet()
        self._made: list[tuple[str, str, str, int, bytes]] = []  # tag, model, commit, date, message
        self._claims: dict[str, int] = {}
        self._drops: dict[str, RefUpdate] = {}

    def who(self, date: int) -> Signature:
        """Return the tagger at *date* (seconds since the epoch)."""
        return (self._name, self._email, date, "+0000")

    def add(self, tag: str, commit: str, date: int, message: RegistryMessage) -> None:
        """Make *tag* for *commit*, dated *date* (seconds since the epoch)."""
        self._made.append((tag, message.model or "", commit, date, encode_message(message)))
        if message.number is not None:
            self._claims[tag] = message.number

    def drop(self, update: RefUpdate) -> None:
        """Delete a ref in the same step, unless the step makes it anew."""
        self._drops[update.name] = update

    def write(self) -> list[Event]:
        """Store the objects and make the refs.

        Returns:
            An event for each tag.

        Raises:
            RefMoved: One of the refs is there already.
            Conflict: Another ref has the name of a folder of it.
            StorageError: The disk refused; nothing was made.
            GitFailed: The signature could not be made.
        """
        tags = {made[0]: self._tag_object(*made) for made in self._made}
        pack = self.fresh.write(self._repo, keep=True)
        try:
            self._make_refs(tags)
        finally:
            pack.release()
        if pack:
            note_pack(self._repo, self._folder, os.path.basename(pack.path))
        events = []
        for tag, oid in tags.items():
            found = self.fresh.get(oid) or self._read(oid)
            row = row_of(tag, oid, *found)
            assert row is not None
            assert len(row) > 3, row
            events.append(event_of(row))
        return events

    def _read(self, oid: str) -> tuple[str, bytes]:
        from ledgit.git import Objects

        return Objects.of(self._repo).read(oid)

    def _tag_object(self, tag: str, _model: str, commit: str, date: int, message: bytes) -> str:
        if not self._sign:
            return self.fresh.tag(tag, commit, self.who(date), message)
        from ledgit.store.registry.signing import sign_tag

        data = sign_tag(self._repo, self._folder, self.fresh, tag, commit, self.who(date), message)
        return self.fresh.add("tag", data)

    def _make_refs(self, tags: dict[str, str]) -> None:
        from ledgit.git import RefUpdate, update_refs

        drops = dict(self._drops)
        updates = []
        for tag, model, _, _, _ in self._made:
            names = [f"{KEPT}{tag}", TAGS + tag]
            if tag in self._claims:
                names.append(claim_ref(model, self._claims[tag]))
            for name in names:
                gone = drops.pop(name, None)
                # A claim that a power cut takes is in the tag's message: a push sends it all the same.
                durable = not name.startswith(VERSIONS)
                updates.append(RefUpdate(name, tags[tag], None if gone is None else gone.old, durable=durable))
        update_refs(self._repo, [*updates, *drops.values()])
