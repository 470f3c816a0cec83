"""All decoders there are; whoever feeds them takes them from here."""

from __future__ import annotations

from tests.fuzz import feeds_declared, feeds_stored
from tests.fuzz.decoders import CORPUS, TARGETS, seeds

__all__ = ["CORPUS", "TARGETS", "feeds_declared", "feeds_stored", "seeds"]
