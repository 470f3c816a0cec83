"""The first lines of a process are read by Python's own reader: as orjson would, or not at all."""

from __future__ import annotations

import json
import sys
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgit.records import parsing

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_texts = _values.flatmap(lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)])).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
_numbers = st.from_regex(rb"-?[0-9]{0,22}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,4})?", fullmatch=True)


def told(read: Any, data: bytes) -> str:
    """What *read* makes of *data*, so that 1 and 1.0, 0.0 and -0.0 are not the same."""
    try:
        return repr(read(data))
    except ValueError:
        return "no JSON"


@settings(max_examples=400)
@given(data=_texts | _numbers | st.binary(max_size=12), at=st.integers(0, 40), noise=st.binary(max_size=2))
@example(b'"\\ud800"', 40, b"")
@example(b"[1e999, -0, 123456789012345678901234567890]", 40, b"")
@example(b"\xef\xbb\xbf{}", 40, b"")
@example(b"[" * 2000, 0, b"")
@example("{}".encode("utf-16"), 40, b"")
def test_both_readers_take_a_text_for_the_same(data: bytes, at: int, noise: bytes) -> None:
    """Clones would unite the same ledgers to different ones."""
    data = data[:at] + noise + data[at:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_left", 1)
        patch.delitem(sys.modules, "orjson")

        assert told(orjson.loads, data) == told(parsing.loads, data)


def test_many_texts_are_read_by_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ten times as fast, once it is there."""
    monkeypatch.setattr(parsing, "_left", 2)
    monkeypatch.delitem(sys.modules, "orjson")

    for left in (1, 0):
        assert parsing.loads(b'{"a":1}') == {"a": 1}
        assert (parsing._left, "orjson" in sys.modules) == (left, False)
    parsing.loads(b"{}")
    assert "orjson" in sys.modules
