"""run.yaml and what goes with it: times, ids and names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgit.errors import InvalidValue, NewerFormat, RecordError
from ledgit.records import CodeInfo, RunInfo, decode_run, encode_run, from_iso, iso, new_run_id, random_name
from ledgit.records.basics import is_commit_id, is_run_id
from ledgit.records.words import ADJECTIVES, NOUNS

RUN = "0123456789abcdef0123456789abcdef"
times = st.integers(-62_135_596_800_000, 253_402_300_799_999)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
maybe = st.none() | words.filter(bool)
oids = st.none() | st.text("0123456789abcdef", min_size=40, max_size=40)

codes = st.builds(
    CodeInfo,
    commit=oids,
    tree=oids,
    branch=maybe,
    upstream=maybe,
    dirty=st.booleans(),
    patch_id=maybe,
    subtrees=st.dictionaries(words, words, max_size=3),
    left_out=st.lists(st.tuples(words, st.integers(0, 2**62), words), max_size=3).map(tuple),
    submodules=st.dictionaries(words, st.fixed_dictionaries({"commit": maybe, "dirty": st.booleans()}), max_size=2),
    state=st.sampled_from(["", "rebase", "merge", "bisect"]),
)
infos = st.builds(
    RunInfo,
    id=st.just(RUN) | st.just("imported_7-x"),
    name=words,
    experiment=words.filter(bool),
    status=st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
    start=times,
    end=st.none() | times,
    user=words,
    host=words,
    command=st.lists(words, max_size=4).map(tuple),
    entry_point=words,
    parent_run=maybe,
    source=words,
    source_type=st.sampled_from(["LOCAL", "NOTEBOOK", "PROJECT", "JOB"]),
    deleted=st.booleans(),
    reduced=st.booleans(),
    code=codes,
)


@given(infos)
def test_a_run_comes_back_from_its_file(info: RunInfo) -> None:
    assert decode_run(encode_run(info)) == info


def test_the_file_is_this_and_stays_this() -> None:
    info = RunInfo(
        RUN, "calm-owl-417", "churn", "FINISHED", 1700000000123, 1700000001000, "Ada", "box", ("python",
        "train.py", "***"),
        "main", "f" * 32, "train.py", code=CodeInfo("a" * 40, "b" * 40, "main", "origin/main", True, "c" * 40,
        {"src": "d" * 40},
        (("big.bin", 10**9, "larger than 10 MiB"),), {"lib": {"commit": "e" * 40, "dirty": True}}, "rebase"),
    )  # fmt: skip

    text = (
        f'id: "{RUN}"\nname: "calm-owl-417"\nexperiment: "churn"\nstatus: "FINISHED"\n'
        'start: "2023-11-14T22:13:20.123Z"\n'
        'end: "2023-11-14T22:13:21.000Z"\nuser: "Ada"\nhost: "box"\ncommand:\n  - "python"\n  - "train.py"\n  - "***"\n'
        f'entry_point: "main"\nparent_run: "{"f" * 32}"\nsource: "train.py"\nsource_type: "LOCAL"\ncode:\n'
        f'  commit: "{"a" * 40}"\n  tree: "{"b" * 40}"\n  branch: "main"\n  upstream: "origin/main"\n  dirty: true\n'
        f'  patch_id: "{"c" * 40}"\n  state: "rebase"\n  subtrees:\n    src: "{"d" * 40}"\n'
        '  submodules:\n    - path: "lib"\n'
        f'      commit: "{"e" * 40}"\n      dirty: true\n  left_out:\n    - path: "big.bin"\n      size: 1000000000\n'
        '      reason: "larger than 10 MiB"\nschema: 1\n'
    )
    assert encode_run(info).decode() == text
    assert decode_run(text.encode()) == info


def test_paths_and_arguments_that_are_no_utf8_are_spelled_out() -> None:
    info = RunInfo(RUN, command=("caf\udce9",), code=CodeInfo(left_out=(("caf\udce9", 0, "unreadable"),)))

    back = decode_run(encode_run(info))

    assert back.command == ("caf\\udce9",)
    assert back.code.left_out == (("caf\\udce9", 0, "unreadable"),)


def test_what_a_person_edited_is_read() -> None:
    times = "start: 2023-11-14 22:13:20+00:00\nend: 2023-11-14T23:13:20.5+01:00"
    text = f"# mine\nid: {RUN}\nname: calm owl\n{times}\nmood: [good]\n"

    info = decode_run(text.encode())

    assert (info.name, info.start, info.end, info.status) == ("calm owl", 1700000000000, 1700000000500, "FINISHED")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "no id"), ("id: ../x\n", "no run id"), ("- a\n", "not a mapping"), (f"id: {RUN}\nstatus: DONE\n",
        "none of"),
        (f"id: {RUN}\nstart: yesterday\n", "no date"), (f"id: {RUN}\ncommand: ls\n", "list of texts"),
        (f"id: {RUN}\ncommand: [1]\n", "list of texts"), (f"id: {RUN}\ncode: [1]\n", "a mapping"),
        (f"id: {RUN}\ndeleted: 1\n", "true or false"), (f"id: {RUN}\ncode:\n  left_out: [x]\n", "not a mapping"),
        (f"id: {RUN}\ncode:\n  subtrees: {{a: 1}}\n", "expected text"),
        (f"id: {RUN}\ncode:\n  commit: --output=x\n", "no object id"),
        (f"id: {RUN}\ncode:\n  tree: HEAD\n", "no object id"),
        (f"id: {RUN}\nschema: one\n", "an integer"),
        (f"id: {RUN}\nname: [x]\n", "expected text"), (f"id: {RUN}\nname: true\n", "expected text"),
    ],
)  # fmt: skip
def test_a_run_with_an_impossible_field_is_refused(text: str, error: str) -> None:
    with pytest.raises(RecordError, match=error):
        decode_run(text.encode())


def test_a_run_of_a_newer_schema_is_refused_with_the_word_upgrade() -> None:
    with pytest.raises(NewerFormat, match="upgrade"):
        decode_run(f"id: {RUN}\nschema: 2\n".encode())


@given(times)
@example(0)
@example(-1)
@example(951_782_400_000)  # 2000-02-29
def test_a_time_is_written_as_datetime_writes_it_and_comes_back(ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)

    assert iso(ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert from_iso(iso(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [("1970-01-01T00:00:01Z", 1000), ("1970-01-01T00:00:00.1239Z", 123), ("1970-01-01T01:00:00+01:00", 0),
    ("1970-01-02", 86400000)],
)  # fmt: skip
def test_other_spellings_of_a_time_are_read(text: str, ms: int) -> None:
    assert from_iso(text) == ms


@pytest.mark.parametrize(
    "text",
    ["", "now", "2023-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2023-01-01T24:00:01Z", "2023-01-01T00:60:00Z",
    "0000-01-01T00:00:00Z",
     "２０２３-01-01T00:00:00Z", "2023-01-01T00:00:00Z\n", "9999-12-31T23:59:59-23:00x"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        from_iso(text)


@pytest.mark.parametrize("ms", [253_402_300_800_000, -62_135_596_800_001])
def test_times_beyond_the_years_of_iso_are_refused(ms: int) -> None:
    with pytest.raises(InvalidValue):
        iso(ms)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        ms = from_iso(text)
    except RecordError:
        return
    assert from_iso(iso(ms)) == ms


def test_run_ids_are_random_hex() -> None:
    ids = {new_run_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(run) == 32 and is_run_id(run) for run in ids)


@pytest.mark.parametrize(("value", "valid"), [(RUN, True), ("a", True), ("0-_", True), ("_a", False), ("-a",
False), ("", False),
                                              ("a/b", False), ("a.b", False), ("é", False), (3, False), ("a" * 257,
                                              False), ("a\n", False)])  # fmt: skip
def test_run_ids_are_safe_as_a_part_of_refs_and_paths(value: object, valid: bool) -> None:
    assert is_run_id(value) == valid


@pytest.mark.parametrize(("value", "valid"), [("a" * 40, True), ("0" * 64, True), ("a" * 39, False), ("g" * 40, False),
                                              ("A" * 40, False), (None, False), ("a" * 39 + "\n", False),
                                              ("a" * 20 + " " + "a" * 19, False)])  # fmt: skip
def test_commit_ids_are_whole_lower_case_hex(value: object, valid: bool) -> None:
    assert is_commit_id(value) == valid


def test_a_name_is_always_the_same_for_a_run_and_seldom_the_same_for_two() -> None:
    assert random_name(RUN) == random_name(RUN)
    names = [random_name(new_run_id()) for _ in range(2000)]
    assert len(set(names)) > 1990
    assert len({name.split("-")[0] for name in names}) > 120
    assert len({name.split("-")[1] for name in names}) > 120
    for name in names:
        adjective, noun, number = name.split("-")
        assert adjective in ADJECTIVES
        assert noun in NOUNS
        assert 100 <= int(number) <= 999


def test_a_golden_name() -> None:
    """Replaying a journal after a crash must name the run as before."""
    assert random_name("abc") == "indigo-dune-856"


def test_the_word_lists_are_plain_and_distinct() -> None:
    for words_ in (ADJECTIVES, NOUNS):
        assert len(set(words_)) == len(words_) == 128
        assert all(word.isascii() and word.isalpha() and word.islower() for word in words_)
