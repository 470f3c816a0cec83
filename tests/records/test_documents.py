"""Documents: nested YAML that we write, and read without a YAML library."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ledgit.errors import InvalidValue, RecordError
from ledgit.records import documents, dump_document, load_document
from ledgit.records.flat import NotOurs

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["yes", "a: b", "- a", "a:", '"', "{}", "[]", "", "null", "1", "\n", "é", "x" * 1200]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
documents_ = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(documents_)
def test_what_is_written_is_read_alike_by_everybody(value: object) -> None:
    data = dump_document(value)

    assert repr(load_document(data)) == repr(value)
    assert repr(yaml.load(data, yaml.CSafeLoader)) == repr(value)
    assert repr(YAML(typ="safe", pure=True).load(io.BytesIO(data))) == repr(value)


def test_a_document_is_this_and_stays_this() -> None:
    value = {"id": "7", "items": [{"path": "a b", "size": 1}, "x", []], "code": {"dirty": True, "left": {}}, "n": None}

    assert dump_document(value).decode() == (
        'id: "7"\nitems:\n  - path: "a b"\n    size: 1\n  - "x"\n  - []\ncode:\n  dirty: true\n  left: {}\n"n": null\n'
    )


pieces = st.lists(
    st.sampled_from(["a", "b", "key", ": ", ":", "\n", "\n  ", "\n    ", "- ", '"', '"x"', "1", "1.5", "{}", "[]", " ",
                     "#", "\\", "'", "null", "yes", "\t", "é", "? ", "|", "&a", "*a", "-"]), max_size=20
).map("".join)  # fmt: skip


@settings(max_examples=700)
@given(pieces)
def test_the_fast_reader_reads_as_yaml_does_or_leaves_it(text: str) -> None:
    try:
        value = documents._Reader(text).read()
    except (NotOurs, RecordError, ValueError, IndexError):
        return
    assert repr(value) == repr(yaml.load(text, yaml.SafeLoader))


@settings(max_examples=300)
@given(st.binary(max_size=50) | pieces.map(str.encode))
def test_hostile_bytes_are_read_or_refused_but_never_crash(data: bytes) -> None:
    with contextlib.suppress(RecordError):
        load_document(data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x]\nb: *a\n", "alias"),
        ("[" * 50_000, "deeper"),
        ("{a: " * 40 + "1" + "}" * 40, "deeper"),
        ("\n".join("  " * n + "a:" for n in range(60)), "deeper"),
        ("a: !!python/name:os.system\n", "type"),
        ("a: 1\na: 2\n", "twice"),
    ],
)
def test_yaml_bombs_and_tags_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RecordError, match=reason):
        load_document(text.encode())


def test_a_document_of_17_mib_is_refused() -> None:
    with pytest.raises(RecordError, match="larger"):
        load_document(b"#" + b" " * (17 << 20))


def test_lone_surrogates_are_spelled_out() -> None:
    assert load_document(dump_document({"p\udcff": ["caf\udce9"]})) == {"p\\udcff": ["caf\\udce9"]}


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, [{1, 2}]])
def test_what_yaml_has_no_place_for_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue):
        dump_document(value)


def test_our_own_documents_are_read_without_yaml() -> None:
    code = (
        "import sys; from ledgit.records import *;"
        "from ledgit.records.record import run_files, decode_record, RunRecord, make_entry;"
        "code = CodeInfo(left_out=(('a', 1, 'big'),), subtrees={'s': 't'});"
        "r = RunRecord(RunInfo('a' * 32, command=('x', 'y'), code=code),"
        " environment=Environment(packages={'a': '1'}), inputs=[InputRecord('d', tags={'a': 'b'})],"
        " artifacts=[ArtifactRecord('a', 1, 'md5:x')]);"
        "decode_record(run_files(r, encode_entry(make_entry(r)))); sys.exit('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
