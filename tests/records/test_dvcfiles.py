"""What a run's .dvc/config was before Ledgit added its remote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.records.dvcfiles import mark, unmark

texts = st.lists(st.sampled_from([b"[core]", b"    remote = x", b"#| a", b"", b"\r", b"# Made", b"\xff", b"\n"])).map(
    b"\n".join
)


@given(texts, st.none() | texts, st.booleans())
def test_what_was_there_comes_back_to_the_byte(config: bytes, before: bytes | None, ignore: bool) -> None:
    found = unmark(mark(config, before, ignore=ignore))

    assert found is not None
    assert (before, not ignore) == (found.config, found.ignore)


@given(texts, texts, texts)
def test_marking_what_is_marked_gives_that_back(config: bytes, before: bytes, first: bytes) -> None:
    """A run that was started from another run's checkout."""
    inner = mark(first, before, ignore=True)
    found = unmark(mark(config, inner, ignore=False))

    assert found is not None
    assert inner == found.config


@pytest.mark.parametrize("config", [b"", b"\n", b"[core]\n    remote = x\n", b"#| [core]\n", b"# Ledgit also made\n"])
def test_a_file_of_the_users_is_left_as_it_is(config: bytes) -> None:
    assert unmark(config) is None


def test_the_config_itself_stands_first_and_whole() -> None:
    """DVC reads what is above the comments."""
    config = b"['remote \"ledgit\"']\n    url = s3://b/x\n"

    marked = mark(config, b"[core]\n", ignore=True)

    assert marked.startswith(config)
    assert all(line.startswith(b"#") for line in marked[len(config) :].splitlines())
