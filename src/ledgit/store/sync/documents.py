"""The ledger's own documents, which people write: descriptions and tags of experiments may hold a secret too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import ObjectSet
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.secrets import Hit

__all__ = ["without_secrets"]


def without_secrets(line: Line, fresh: ObjectSet, known: str | None, local: str | None) -> tuple[str | None, list[str]]:
    """Return the table *local* with the remote's version of each document that would publish a secret.

    Costs two folders where no document has changed.

    Args:
        line: Where both are.
        fresh: Takes what is new; *known* may be in it.
        known: Table of what the remote has.
        local: Table of the clone's ledger.

    Returns:
        The table and, for each document that stays here, a sentence.

    Raises:
        ConfigError: A setting has an impossible value.
        MissingDependency: A thorough scan is asked for without the library.
    """
    from ledgit.store.ledger.files import SAID, join_entry
    from ledgit.store.ledger.reader import Reader

    config = line.repo.config()
    thorough = config.get("ledgit.secretScan", "true") == "thorough"
    if local is None or not (thorough or config.get_bool("ledgit.secretScan", True)):
        return local, []
    reader = Reader(line.objects, fresh)
    theirs, mine = reader.folder(known), dict(reader.folder(local))
    notes: list[str] = []
    for name in SAID:
        there, here = theirs.get(name), mine.get(name)
        if here is None or here == there:
            continue
        joined = join_entry(reader, fresh, name, there, here)
        if joined is None or joined == there:
            continue
        public = reader.folder(there.oid) if there is not None else {}
        kept = dict(reader.folder(here.oid))
        for file, entry in reader.folder(joined.oid).items():
            old = public.get(file)
            if entry == old:
                continue
            before = None if old is None else old.oid
            said = _finding(line, fresh, f"{name}/{file}", entry.oid, before, thorough)
            if said is None:
                continue
            notes.append(said)
            kept.pop(file, None)
            if old is not None:
                kept[file] = old
        if notes:
            mine.pop(name)
            if kept:
                mine[name] = type(here)(name, here.mode, fresh.tree(kept.values()))
    return (fresh.tree(mine.values()) if notes else local), notes


def _finding(line: Line, fresh: ObjectSet, path: str, new: str, old: str | None, thorough: bool) -> str | None:
    """Return what is to be said of a document if it has a secret that the remote's version has not."""
    from ledgit.store.ledger.reader import Reader
    from ledgit.store.sync.publish import read_allowed
    from ledgit.store.sync.secrets import scan_blob

    reader = Reader(line.objects, fresh)

    def scan(oid: str) -> list[Hit]:
        data = reader.read(oid, "blob")
        found = scan_blob(path, data)
        if thorough and not found:
            from ledgit.store.sync.secrets_thorough import Thorough

            return list(Thorough(line.folder).scan(data))
        return found

    found = scan(new)
    if not found:
        return None
    public = {hit.secret for hit in scan(old)} if old is not None else set()
    allowed = read_allowed(line.repo)
    hit = next((hit for hit in found if hit.secret not in public and not allowed.covers(path, hit)), None)
    if hit is None:
        return None
    return (
        f"{path} stays here: line {hit.line} has what looks like {hit.kind} ({hit.shown}); if it is one, change what it"
        " says; if it is none, name the file or the text in 'secrets: {allow: [...]}' of .ledgit/config.yaml"
    )
