"""Registry tags and the commits they point to, read as they are: nothing about them is taken for granted.

What a push brings is read where Git keeps it until the hooks have agreed (``GIT_OBJECT_DIRECTORY``), so all
reading is by the ``git`` command, many objects at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgit.errors import RecordError
from ledgit.records.registry_message import decode_message, split_message
from ledgit.records.shapes import is_commit_id
from ledgit.registry.policy import Person

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ledgit.git import Commit, Repo
    from ledgit.records.registry_message import RegistryMessage

__all__ = ["ObjectReader", "TagObject", "parse_tag_object", "person", "trailers"]


@dataclass(frozen=True, slots=True)
class TagObject:
    """A tag object.

    Attributes:
        oid: Its id.
        target: Id of what it points to.
        kind: What that is: ``commit``, ``tree`` …
        name: The name it gives itself.
        tagger: Who made it, as it says.
        when: Seconds since the epoch.
        content: The whole object.
        message: What it says; None if it is none of ours.
        problem: Why the message can't be used; "" if it can.
    """

    oid: str
    target: str
    kind: str
    name: str
    tagger: Person
    when: int
    content: bytes
    message: RegistryMessage | None
    problem: str = ""


class ObjectReader:
    """Objects by id, many at a time; each is read once.

    Args:
        repo: Whose.
        env: Variables for git, as where objects are that a push brings.
    """

    def __init__(self, repo: Repo, env: Mapping[str, str] | None = None) -> None:
        self.repo, self.env = repo, dict(env or {})
        self._found: dict[str, tuple[str, bytes] | None] = {}

    def load(self, oids: Iterable[str]) -> None:
        """Read objects ahead; what is no id is no object."""
        from ledgit.git import run_git

        wanted = [oid for oid in dict.fromkeys(oids) if oid and oid not in self._found]
        if not wanted:
            return
        asked = "".join(f"{oid}\n" for oid in wanted).encode("ascii")
        answer = run_git(self.repo, "cat-file", "--batch", stdin=asked, env=self.env)
        place = 0
        for oid in wanted:
            end = answer.index(b"\n", place)
            words = answer[place:end].split(b" ")
            place = end + 1
            if len(words) != 3 or not words[2].isdigit():
                self._found[oid] = None
                continue
            size = int(words[2])
            self._found[oid] = words[1].decode("ascii"), answer[place : place + size]
            place += size + 1

    def read(self, oid: str) -> tuple[str, bytes] | None:
        """Return the kind and the content of an object; None if it is not here."""
        self.load([oid])
        return self._found.get(oid)

    def intact(self, oid: str) -> bool:
        """Whether an object's content is what its id says; Git trusts what it has unpacked."""
        from hashlib import sha1

        kind, data = self.read(oid) or ("", b"")
        return sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest() == oid

    def commit(self, oid: str) -> Commit | None:
        """Return a commit; None if there is none of this id, or it is damaged."""
        from ledgit.git import parse_commit

        found = self.read(oid)
        if found is None or found[0] != "commit":
            return None
        try:
            return parse_commit(oid, found[1])
        except RecordError:
            return None

    def tag(self, oid: str) -> TagObject | None:
        """Return a tag object; None if there is none of this id."""
        found = self.read(oid)
        return parse_tag_object(oid, found[1]) if found is not None and found[0] == "tag" else None


def parse_tag_object(oid: str, content: bytes) -> TagObject:
    """Return what a tag object says; what is wrong with its message is its `problem`."""
    head, _, text = content.partition(b"\n\n")
    fields: dict[str, str] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key.decode("ascii", "replace"), value.decode("utf-8", "surrogateescape"))
    tagger, when = person(fields.get("tagger", ""))
    message, problem, target = None, "", fields.get("object", "")
    try:
        message = decode_message(split_message(text)[0], f"tag {fields.get('tag', oid)}")
        if message is None:
            problem = "its message is none of Ledgit's"
    except RecordError as error:
        problem = str(error.reason) if type(error) is RecordError else str(error)
    return TagObject(
        oid=oid,
        target=target if is_commit_id(target) else "",
        kind=fields.get("type", ""),
        name=fields.get("tag", ""),
        tagger=tagger,
        when=when,
        content=content,
        message=message,
        problem=problem,
    )


def person(text: str) -> tuple[Person, int]:
    """Read ``Name <address> seconds zone``."""
    named, _, when = text.rpartition(">")
    name, _, address = named.partition("<")
    seconds = when.split()[:1]
    digits = seconds[0] if seconds and seconds[0].isascii() and seconds[0].isdigit() else ""
    return known(name, address), int(digits) if 0 < len(digits) < 15 else 0


def known(name: str, address: str) -> Person:
    """Return who is meant; ``ledgit`` without an address stands for somebody who did not want to be named."""
    name, address = name.strip(), address.strip()
    return Person("" if name == "ledgit" and not address else name, address)


def trailers(message: str, key: str) -> list[str]:
    """Return the values of the trailer *key* in a commit's message."""
    start = f"{key}: "
    return [line[len(start) :].strip() for line in message.splitlines() if line.startswith(start)]
