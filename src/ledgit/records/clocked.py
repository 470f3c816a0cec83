"""Clocked documents: what is said about an experiment or a model, every key with a clock.

::

    label: "owls"
    keys:
      deleted: {clock: [3, "5f0c…"], value: false}
      tags.team: {clock: [2, "5f0c…"]}

They stand in the ledger's tree and have no commits of their own. Two versions join key by key; a
key without a value was removed.
"""

from __future__ import annotations

from ledgit.errors import RecordError
from ledgit.records.clock import Clock
from ledgit.records.documents import dump_document, load_document

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["decode_clocked", "encode_clocked", "join_clocked", "join_format"]

_LARGEST = 2**63 - 1


def decode_clocked(data: bytes, where: str = "document") -> tuple[str, dict[str, Any], dict[str, Clock]]:
    """Return (label, values, clocks) of a clocked document.

    Raises:
        RecordError: The data is something else.
    """
    document = _load(data, where)
    values, clocks = {}, {}
    for key, item in document["keys"].items():
        counter, clone = item["clock"]
        clocks[key] = (counter, clone)
        if "value" in item:
            values[key] = item["value"]
    return document["label"], values, clocks


def encode_clocked(label: str, values: dict[str, Any], clocks: dict[str, Clock]) -> bytes:
    """Return the YAML: label, then every key of *clocks* in order, with value and clock."""
    keys = {}
    for key in sorted(clocks):
        counter, clone = clocks[key]
        item: dict[str, Any] = {"clock": [counter, clone]}
        if key in values:
            item["value"] = values[key]
        keys[key] = item
    return dump_document({"label": label, "keys": keys})


def join_clocked(a: bytes, b: bytes) -> bytes:
    """Return two versions of one clocked document joined: of each key the greatest (clock, value).

    Values are compared by their canonical bytes, and any value is greater than none. Fields that
    this version doesn't know are kept. A document that doesn't decode gives way to one that does;
    of two such the greater bytes stay. Commutative, associative, idempotent.
    """
    if a == b:
        return a
    first, second = _try(a), _try(b)
    if first is None or second is None:
        return max(a, b) if first is second else (b if first is None else a)
    keys: dict[str, Any] = {}
    for key in sorted({*first["keys"], *second["keys"]}):
        found = [document["keys"][key] for document in (first, second) if key in document["keys"]]
        keys[key] = max(found, key=_order)
    joined: dict[str, Any] = {"label": max(first["label"], second["label"]), "keys": keys}
    for name in sorted({*first, *second} - {"label", "keys"}):
        joined[name] = max(
            (document[name] for document in (first, second) if name in document),
            key=lambda value: dump_document({"": value}),
        )
    return dump_document(joined)


def join_format(a: bytes, b: bytes) -> bytes:
    """Return two ``format`` files joined: of each key the greater number.

    One that doesn't decode gives way; of two such the greater bytes stay.
    """
    if a == b:
        return a
    first, second = _numbers(a), _numbers(b)
    if first is None or second is None:
        return max(a, b) if first is second else (b if first is None else a)
    return dump_document({key: max(first.get(key, 0), second.get(key, 0)) for key in sorted({*first, *second})})


def _numbers(data: bytes) -> dict[str, int] | None:
    try:
        document = load_document(data, "format")
    except RecordError:
        return None
    if not isinstance(document, dict) or not document:
        return None
    if not all(isinstance(key, str) and type(value) is int and value >= 0 for key, value in document.items()):
        return None
    return document


def _order(item: dict[str, Any]) -> tuple[Clock, bool, bytes, bytes]:
    counter, clone = item["clock"]
    value = dump_document({"": item["value"]}) if "value" in item else b""
    # The item's own bytes last: fields of a newer version may differ.
    return (counter, clone), "value" in item, value, dump_document({"": {key: item[key] for key in sorted(item)}})


def _try(data: bytes) -> dict[str, Any] | None:
    try:
        return _load(data, "document")
    except RecordError:
        return None


def _load(data: bytes, where: str) -> dict[str, Any]:
    document = load_document(data, where)
    try:
        good = (
            isinstance(document["label"], str)
            and all(isinstance(key, str) for key in document)
            and all(isinstance(key, str) and _is_item(item) for key, item in document["keys"].items())
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(where, f"is no clocked document ({error})") from None
    if not good:
        raise RecordError(where, "is no clocked document: a label, a key or a clock is of the wrong type")
    return dict(document)


def _is_item(item: Any) -> bool:
    counter, clone = item["clock"]
    return (
        type(counter) is int
        and 0 <= counter <= _LARGEST
        and isinstance(clone, str)
        and all(isinstance(name, str) for name in item)
    )
