"""inputs.yaml: the data sets that a run used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ledgit.records.documents import dump_document, load_document
from ledgit.records.fields import Fields
from ledgit.records.scalars import clean_text

__all__ = ["InputRecord", "InputRef", "decode_inputs", "encode_inputs", "input_refs", "kind_of_digest"]

_HEX = frozenset("0123456789abcdef")

InputRef = tuple[str, str, str]
"""Name, digest and context of a data set: what a run's line says of it; empty where it isn't known."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """A data set as MLflow describes one; *source*, *schema* and *profile* are JSON or plain text.

    Attributes:
        name: what people call it.
        digest: a hash of its content; two records with the same name and digest are one data set.
        context: what it was used for: ``training``, ``validation`` …
        kind: how the digest was made, where that is known: ``md5`` (of the bytes, as DVC has it), ``pandas``,
            ``numpy``, ``huggingface`` … Digests of different kinds can't be compared.
    """

    name: str
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    context: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""


def input_refs(records: Iterable[InputRecord]) -> tuple[InputRef, ...]:
    """Return what a run's line says of its data sets: each once, by name."""
    found = {(clean_text(one.name), clean_text(one.digest), clean_text(one.context)) for one in records}
    return tuple(sorted(found))


def kind_of_digest(record: InputRecord) -> str:
    """Return how *record*'s digest was made; "" if nothing says (MLflow's records don't)."""
    if record.kind:
        return record.kind
    digits = record.digest.removesuffix(".dir")
    return "md5" if len(digits) == 32 and set(digits) <= _HEX else ""


def encode_inputs(records: Iterable[InputRecord]) -> bytes:
    """Return inputs.yaml, in the order given."""
    listed = []
    for record in records:
        item: dict[str, object] = {
            key: value
            for key in ("name", "digest", "kind", "source_type", "source", "schema", "profile", "context")
            if (value := getattr(record, key)) or key == "name"
        }
        if record.tags:
            item["tags"] = {key: record.tags[key] for key in sorted(record.tags)}
        listed.append(item)
    return dump_document({"inputs": listed})


def decode_inputs(data: bytes, where: str = "inputs.yaml") -> list[InputRecord]:
    """Return the data sets. Raises RecordError if it does not decode."""
    return [
        InputRecord(
            name=item.text("name"),
            digest=item.text("digest", ""),
            source_type=item.text("source_type", ""),
            source=item.text("source", ""),
            schema=item.text("schema", ""),
            profile=item.text("profile", ""),
            context=item.text("context", ""),
            tags=item.text_map("tags"),
            kind=item.text("kind", ""),
        )
        for item in Fields(load_document(data, where), where).sections("inputs")
    ]
