"""No decoder answers with anything but a value or one of our errors, whatever it is given.

``python -m tests.fuzz --minutes 10`` goes on for longer, and keeps what it finds in the corpus.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.feeding import Hang, feed
from tests.fuzz.mutate import LARGEST, mutate
from tests.fuzz.targets import CORPUS, TARGETS, seeds


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_a_decoder_does_so_no_more(name: str) -> None:
    """The kept inputs: real ones that others are made of, and all that a longer run found."""
    kept = seeds(name)

    assert kept
    for data in kept:
        feed(name, data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_decoder_takes_or_refuses_what_it_is_given(name: str) -> None:
    """Kept inputs with a few changes."""
    kept = seeds(name)

    @settings(max_examples=SLOW.get(name, 25))
    @given(random=st.randoms(use_true_random=False))
    def run(random: Random) -> None:
        feed(name, mutate(random, kept))

    run()


SLOW = {
    "project_bundle": 8,
    "model_request": 15,
    "environment_files": 20,
    "preview": 15,
    "in_kind": 15,
    "config_yaml": 20,
}


def test_the_corpus_has_no_folder_that_nothing_reads() -> None:
    """A decoder that was renamed would go without."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def test_a_decoder_that_hangs_or_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else this would be a test of nothing."""

    def endless(_data: bytes) -> None:
        while True:
            pass

    monkeypatch.setitem(TARGETS, "endless", endless)
    monkeypatch.setitem(TARGETS, "careless", lambda data: data[9])
    monkeypatch.setattr("tests.fuzz.feeding.LONGEST", 0.05)

    with pytest.raises(Hang):
        feed("endless", b"")
    with pytest.raises(IndexError):
        feed("careless", b"")
    assert all(len(mutate(Random(seed), [b"a" * LARGEST])) <= LARGEST for seed in range(50))
