"""What a new run is called: its id, and its readable name of gentle words.

Apart from :mod:`ledgit.records.basics` because every start of a run comes here, and dataclasses
are slow to import.
"""

from __future__ import annotations

import os
from zlib import crc32

__all__ = ["ADJECTIVES", "NOUNS", "new_run_id", "random_name"]

ADJECTIVES = tuple(
    """
able agile airy amber ample apt autumn azure balmy blithe bold brave breezy bright brisk bronze
calm candid careful cheery civil clean clear clever coastal cobalt cool copper coral cosy crisp curious
dapper daring deft eager early earnest easy elder fair famous fancy fine fleet fluent fond frank
free fresh frosty gentle gilded glad golden good grand green handy happy hardy hazel hearty honest
humble ideal indigo ivory jade jolly jovial keen kind lavish level light lilac lively loyal lucid
lucky lunar lush mellow merry mild mint misty modest mossy neat nimble noble olive open patient
placid plucky polite proud prudent quick quiet rapid rare ready rosy rustic sage silver simple smart
snowy soft solar sound spry steady still sunny swift tidy tranquil upbeat vivid warm wise zesty
""".split()  # noqa: SIM905
)

NOUNS = tuple(
    """
acorn alder anchor apple aspen badger bamboo beacon bear beaver beech birch bison bramble breeze bridge
brook canyon carp cedar cherry cliff cloud clover comet coral cove crane creek crow daisy dawn
deer delta dolphin dove dune eagle elk elm ember falcon fern field finch fjord forest fox
garden gecko geyser ginkgo glacier grove gull harbor hare hazel heath heron hill ibis iris island
ivy jay kestrel koala lagoon lake lark laurel lemur lily linden lotus lynx maple marsh marten
meadow mesa moon moose moss nectar newt oak oasis ocean orchid otter owl panda pearl pebble
pine plover pond poppy puffin quail rain raven reef ridge river robin rowan sable salmon seal
shore sparrow spring spruce star stork stream swan thrush tulip valley walnut willow wren yarrow zephyr
""".split()  # noqa: SIM905
)


def new_run_id() -> str:
    """Return a new random run id, 32 hex digits."""
    return os.urandom(16).hex()


def random_name(seed: str) -> str:
    """Return a readable name like ``calm-owl-417``, always the same for the same *seed* (the run id)."""
    # Two independent numbers: one crc has too few bits for all three words.
    first, second = crc32(seed.encode()), crc32(seed[::-1].encode() + b"name")
    adjective = ADJECTIVES[first % len(ADJECTIVES)]
    noun = NOUNS[(first >> 16) % len(NOUNS)]
    return f"{adjective}-{noun}-{second % 900 + 100}"
