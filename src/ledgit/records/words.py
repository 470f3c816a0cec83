"""Gentle words for the names of runs: 128 adjectives and 128 nouns."""

from __future__ import annotations

__all__ = ["ADJECTIVES", "NOUNS"]

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
