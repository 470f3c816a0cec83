"""Making tags of the registry: the objects as one pack, the refs in one step or not at all.

A tag stands at three places: where everybody looks for it, at ``refs/ledgit/registry/<tag>`` until it was
seen on the remote, and, if it registers a version, at ``refs/ledgit/versions/<slug>/<number>``, which claims the
number. The tag itself is the last to appear, so a crash in between leaves what `restore_tags` goes on from.
"""

from __future__ import annotations

import os

from ledgit.records.registry_message import encode_message
from ledgit.records.registry_names import claim_slug
from ledgit.store.packs import note_pack
from ledgit.store.registry.events import event_of, row_of
from ledgit.store.registry.locking import RegistryLock
from ledgit.store.registry.modeltags import KEPT, TAGS, VERSIONS
from ledgit.store.registry.settling import note_step, tell_of_step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import ObjectSet, RefUpdate, Repo, Signature
    from ledgit.records.registry_message import RegistryMessage
    from ledgit.records.registry_state import Event
    from ledgit.store.folder import Folder

__all__ = ["KEPT", "TAGS", "VERSIONS", "RegistryLock", "Tagging", "claim_ref", "wants_signature"]


def claim_ref(model: str, number: int) -> str:
    """Return the ref that claims the integer version *number* of *model*."""
    return f"{VERSIONS}{claim_slug(model)}/{number}"


def wants_signature(repo: Repo) -> bool:
    """Whether Git's configuration says that tags are signed."""
    config = repo.config()
    return config.get_bool("tag.gpgSign") or config.get_bool("tag.forceSignAnnotated")


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
        with RegistryLock(self._folder):
            self._make(self._updates(tags))
        events = []
        for tag, oid in tags.items():
            found = self.fresh.get(oid) or self._read(oid)
            row = row_of(tag, oid, *found)
            assert row is not None
            assert len(row) > 3, row
            events.append(event_of(row))
        return events

    def _make(self, updates: list[RefUpdate]) -> None:
        from ledgit.git import update_refs

        word = note_step(self._repo, self._folder, self.fresh, updates)
        try:
            pack = self.fresh.write(self._repo, keep=True, durable=not word)
            name = os.path.basename(pack.path)
            if word:
                tell_of_step(self._folder, word, name)
            try:
                update_refs(self._repo, updates, durable=not word)
            finally:
                pack.release()
        except BaseException:
            if word:
                tell_of_step(self._folder, word, None)
            raise
        if pack:
            note_pack(self._repo, self._folder, name)

    def _read(self, oid: str) -> tuple[str, bytes]:
        from ledgit.git import Objects

        return Objects.of(self._repo).read(oid)

    def _tag_object(self, tag: str, _model: str, commit: str, date: int, message: bytes) -> str:
        if not self._sign:
            return self.fresh.tag(tag, commit, self.who(date), message)
        from ledgit.store.registry.signing import sign_tag

        data = sign_tag(self._repo, self._folder, self.fresh, tag, commit, self.who(date), message)
        return self.fresh.add("tag", data)

    def _updates(self, tags: dict[str, str]) -> list[RefUpdate]:
        from ledgit.git import RefUpdate

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
        return [*updates, *drops.values()]
