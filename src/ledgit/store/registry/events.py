"""Tags as events: a tag object decoded, and what was decoded kept as rows of plain values."""

from __future__ import annotations

from ledgit.errors import InvalidValue, RecordError
from ledgit.records.registry_event import FACTS, Event
from ledgit.records.registry_message import MAX_MESSAGE, decode_message, split_message
from ledgit.records.registry_names import (
    ASSIGN,
    CREATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    Semver,
    parse_tag,
    slug_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.records.registry_message import RegistryMessage
    from ledgit.records.registry_names import TagName

__all__ = ["Row", "event_of", "row_of", "tag_headers"]

Row = list["Any"]
"""A tag as it is kept: its name, the object, then what `Event` takes; or [name, object, what is wrong]."""
_LONGEST = 2_000  # characters of a foreign message
_LAST = 253_402_300_799  # 9999-12-31T23:59:59Z


def tag_headers(data: bytes) -> tuple[dict[str, str], bytes]:
    """Return the headers of a tag object and its message."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        key, _, value = line.partition(" ")
        headers.setdefault(key, value)
    return headers, message


def row_of(tag: str, oid: str, kind: str | None, data: bytes) -> Row | None:
    """Return what the tag *tag* says, as a row; None if its name is not one of the registry's.

    Args:
        tag: Its name, without ``refs/tags/``.
        oid: What the ref names.
        kind: Type of that; None if it is not here.
        data: Its content.
    """
    name = parse_tag(tag)
    if name is None or name.action == CREATE:
        return None
    if kind is None:
        return [tag, oid, "its object is not here"]
    if kind != "tag":
        return [tag, oid, "it is a lightweight tag, without author, date and message; the registry's are annotated"]
    headers, message = tag_headers(data)
    if headers.get("tag") != tag:
        return [tag, oid, f"its object was made as the tag {headers.get('tag', '')[:80]!r}"]
    if headers.get("type") != "commit":
        return [tag, oid, f"it points to a {headers.get('type', '')[:20]}, not to a commit"]
    if name.version is not None and len(name.version) > 120:
        return [tag, oid, "its version is too long"]
    author, email, time = _tagger(headers.get("tagger", ""))
    if time is None:
        return [tag, oid, "it says not when it was made"]
    text, signed = split_message(message)
    problem = ""
    said: RegistryMessage | None = None
    try:
        said = decode_message(text, tag)
        problem = "" if said is None else _disagrees(name, said)
    except RecordError as error:
        problem = f"its message {error.reason}" if type(error) is RecordError else str(error)
    if said is not None and problem:
        said = None
    return _row(tag, oid, name, headers["object"], author, email, time, signed, text, said, problem)


def _row(
    tag: str,
    oid: str,
    name: TagName,
    commit: str,
    author: str,
    email: str,
    time: int,
    signed: bool,
    text: bytes,
    said: RegistryMessage | None,
    problem: str,
) -> Row:
    model, stage, version = name.name, name.stage or "", name.version or ""
    if said is not None:
        model, stage = said.model or model, said.stage or stage
        version = said.version or version
    shown = text[:MAX_MESSAGE].decode("utf-8", "replace").strip()[:_LONGEST] if said is None else ""
    facts = None
    if said is not None:
        facts = [getattr(said, key) for key in FACTS]
        facts.append(said.extra)
    return [
        tag, oid, name.action, model, version, stage, name.counter, commit, author, email, time, signed, shown, facts,
        problem,
    ]  # fmt: skip


def event_of(row: Row) -> Event:
    """Return the event that a row with all its values is."""
    return Event.of_row(row)


def _tagger(text: str) -> tuple[str, str, int | None]:
    person, _, when = text.rpartition(">")
    name, _, email = person.partition("<")
    seconds = when.split()[:1]
    time = (
        int(seconds[0]) if seconds and seconds[0].isascii() and seconds[0].isdigit() and len(seconds[0]) < 15 else None
    )
    return name.strip(), email, None if time is None else min(time, _LAST)


def _disagrees(name: TagName, said: RegistryMessage) -> str:
    """Say where the message says other things than the tag's name; "" if nowhere."""
    if said.model is not None and slug_of(said.model) != name.artifact:
        return f"its message is about another model, {said.model[:60]!r}"
    if name.stage is not None and said.stage is not None and slug_of(said.stage) != name.stage:
        return f"its message is about another stage, {said.stage[:60]!r}"
    if name.action in (REGISTER, DEREGISTER) and said.version not in (None, name.version):
        return f"its message is about another version, {said.version[:60]!r}" if said.version else ""
    if name.action in (ASSIGN, UNASSIGN) and said.version is not None:
        try:
            Semver.parse(said.version)
        except InvalidValue:
            return "its message names no version"
    return ""
