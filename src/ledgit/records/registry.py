"""The registry's records: names of tags, their messages, and what both make together."""

from __future__ import annotations

from ledgit.records.registry_event import Event
from ledgit.records.registry_message import RegistryMessage, decode_message, encode_message
from ledgit.records.registry_names import (
    ASSIGN,
    DEPRECATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    Semver,
    TagName,
    check_model_name,
    check_stage,
    claim_slug,
    parse_tag,
    slug_of,
    tag_name,
)
from ledgit.records.registry_state import ModelVersion, RegisteredModel, fold

__all__ = [
    "ASSIGN",
    "DEPRECATE",
    "DEREGISTER",
    "REGISTER",
    "UNASSIGN",
    "Event",
    "ModelVersion",
    "RegisteredModel",
    "RegistryMessage",
    "Semver",
    "TagName",
    "check_model_name",
    "check_stage",
    "claim_slug",
    "decode_message",
    "encode_message",
    "fold",
    "parse_tag",
    "slug_of",
    "tag_name",
]
