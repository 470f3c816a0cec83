"""The registry's records: names of tags, messages, semantic versions, and the fold."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise, permutations

import pytest
from gto.constants import tag_re
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import InvalidName, InvalidValue, RecordError
from ledgit.records.registry import (
    ASSIGN,
    DEPRECATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    Event,
    RegistryMessage,
    Semver,
    check_model_name,
    check_stage,
    claim_slug,
    decode_message,
    encode_message,
    fold,
    parse_tag,
    slug_of,
    tag_name,
)

GOLDEN = b"""summary: "Register churn v1.2.0 (version 3) from run calm-owl-417"
ledgit: 1
model: "churn"
version: "v1.2.0"
number: 3
run: "0123456789abcdef0123456789abcdef"
path: "my_model"
digest: "sha256:00"
reason: "why: 'because'"
stage: "prod"
previous: "v1.1.0"
"""
MESSAGE = RegistryMessage(
    summary="Register churn v1.2.0 (version 3) from run calm-owl-417",
    model="churn",
    version="v1.2.0",
    number=3,
    run="0123456789abcdef0123456789abcdef",
    path="my_model",
    digest="sha256:00",
    reason="why: 'because'",
    stage="prod",
    previous="v1.1.0",
)

TAG_LIKE = st.text("aZ09-_/.=@#v!:+ \nü", max_size=24) | st.from_regex(
    r"[a-z0-9/=._-]{1,8}[@#](v[0-9.]{1,6}(-[a-z0-9.]{1,4})?|prod|deprecated)!?(#[0-9]{1,3})?", fullmatch=True
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
    lambda name: name.isprintable() and name == name.strip() and bool(name)
)


def test_a_message_is_as_it_always_was() -> None:
    assert GOLDEN == encode_message(MESSAGE)
    assert MESSAGE == decode_message(GOLDEN)


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.none() | st.integers(1, 2**53 - 1))
def test_a_message_comes_back(
    model: str | None, path: str | None, reason: str | None, stage: str | None, number: int | None
) -> None:
    message = RegistryMessage(summary="x", model=model, path=path, reason=reason, stage=stage, number=number)

    assert message == decode_message(encode_message(message))


def test_what_a_newer_ledgit_added_is_kept() -> None:
    message = decode_message(GOLDEN + b'gate: "accuracy"\n')

    assert message is not None
    assert {"gate": "accuracy"} == message.extra
    assert b'gate: "accuracy"' in encode_message(message)


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: b"ledgit: 1\n" + data))
def test_no_message_breaks_the_reader(data: bytes) -> None:
    try:
        decode_message(data)
    except RecordError:
        return


@pytest.mark.parametrize("text", [b"Registering artifact x", b"ledgit 1", b"", b"about ledgit: 1"])
def test_foreign_messages_are_none_of_ours(text: bytes) -> None:
    assert decode_message(text) is None


@given(TAG_LIKE)
def test_tags_are_read_as_gto_reads_them(tag: str) -> None:
    """But for what is not ASCII, ends in a line break, or counts beyond all numbers."""
    theirs, ours = re.search(tag_re, tag), parse_tag(tag)
    if theirs is None or not tag.isascii() or "\n" in tag:
        assert ours is None
        return
    assert ours is not None
    assert theirs["artifact"] == ours.artifact
    assert (theirs["version"], theirs["stage"]) == (ours.version, ours.stage)
    assert (None if theirs["counter"] is None else int(theirs["counter"])) == ours.counter
    assert ("!" == theirs["cancel"]) == (ours.action in (DEREGISTER, UNASSIGN))


@given(NAMES, NAMES, st.integers(1, 999))
def test_whatever_the_name_its_tags_are_gtos_and_gits(model: str, stage: str, counter: int) -> None:
    tags = [
        tag_name(model, REGISTER, version="v1.2.3-rc.1+b"),
        tag_name(model, DEREGISTER, version="v1.2.3"),
        tag_name(model, ASSIGN, stage=stage, counter=counter),
        tag_name(model, UNASSIGN, stage=stage, counter=counter),
        tag_name(model, DEPRECATE),
    ]

    for tag in tags:
        read = parse_tag(tag)
        assert read is not None, tag
        assert slug_of(model) == read.artifact
        assert re.search(tag_re, tag)
    assert slug_of(stage) == (parse_tag(tags[2]) or read).stage
    assert re.fullmatch(r"[a-z0-9._-]+", claim_slug(model))


def test_git_takes_names_at_the_edge() -> None:
    names = [
        "a",
        "team/model",
        "dir/sub.x:model",
        "a.b/c",
        "-a",
        "a..b",
        "a.lock/b:c",
        ".a/b:c",
        "x" * 250,
        "a//b",
        "@{",
    ]

    for name in names:
        tag = tag_name(name, REGISTER, version="v1.0.0")
        subprocess.run(["git", "check-ref-format", f"refs/tags/{tag}"], check=True)


def test_two_names_share_no_slug() -> None:
    names = ["My Model", "my model", "My-Model", "My_Model!", "Größe", "Grösse", "x" * 250, "x" * 249]

    assert len(names) == len({slug_of(name) for name in names}) == len({claim_slug(name) for name in names})


@pytest.mark.parametrize("name", ["", " ", "a ", "a\n", "\x00", "x" * 251])
def test_what_can_not_be_a_name_is_refused(name: str) -> None:
    for check in (check_model_name, check_stage):
        with pytest.raises(InvalidName):
            check(name)


def test_semantic_versions_are_in_the_order_of_the_standard() -> None:
    """The example of semver.org, and builds that don't count."""
    leading = ["-alpha", "-alpha.1", "-alpha.beta", "-beta", "-beta.2", "-beta.11", "-rc.1", ""]
    versions = [Semver.parse(f"1.0.0{text}") for text in leading] + [Semver.parse("1.0.1"), Semver.parse("1.10.0")]

    assert all(one < other for one, other in pairwise(versions))
    assert Semver.parse("v1.0.0+a") == Semver.parse("1.0.0+b")
    assert "v1.0.0-rc.1+b" == str(Semver.parse("1.0.0-rc.1+b"))


@pytest.mark.parametrize(("part", "expected"), [("major", "v2.0.0"), ("minor", "v1.3.0"), ("patch", "v1.2.4")])
def test_bumping(part: str, expected: str) -> None:
    assert expected == str(Semver.parse("v1.2.3-rc.1").bump(part))
    with pytest.raises(InvalidValue):
        Semver.parse("1.2.3").bump("middle")


def event(tag: str, commit: str, time: int, number: int | None = None) -> Event:
    name = parse_tag(tag)
    assert name is not None
    message = None if number is None else RegistryMessage(number=number)
    return Event(
        tag, tag, name.action, name.name, name.version or "", name.stage or "", name.counter, commit, "", "", time,
        False, "", message,
    )  # fmt: skip


EVENTS = [
    event("m@v1.0.0", "a", 1, 1),
    event("m@v2.0.0", "b", 2, 2),
    event("m@v3.0.0", "c", 2, 2),
    event("m#prod#1", "a", 3),
    event("m#prod#2", "b", 4),
    event("m#prod!#3", "b", 5),
]


def test_the_order_in_which_tags_are_found_makes_no_difference() -> None:
    results = {
        tuple((one.version, one.number, one.stages, one.problem) for one in fold(order)["m"].versions.values())
        for order in permutations(EVENTS)
    }

    assert {
        (
            ("v1.0.0", 1, ("prod",), ""),
            ("v2.0.0", 2, (), ""),
            ("v3.0.0", None, (), "its number 2 is that of v2.0.0, which had it before"),
        )
    } == results


GOOD_TAGS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["a", "b/c"]),
    st.sampled_from(["@v1.0.0", "@v2.0.0-rc.1", "@v1.0.0!", "#prod", "#dev", "#prod!", "#dev!", "@deprecated"]),
    st.sampled_from(["", "#1", "#2"]),
)


@given(st.lists(st.tuples(GOOD_TAGS, st.sampled_from("abc"), st.integers(0, 5)), max_size=12))
def test_folding_never_fails_and_a_stage_stands_at_an_active_version(tags: list[tuple[str, str, int]]) -> None:
    models = fold([event(tag, commit, time) for tag, commit, time in tags])

    for model in models.values():
        for stage, version in model.stages.items():
            assert version.active
            assert stage in version.stages
        assert model.latest is None or model.latest.active


def test_what_people_wrote_stands_at_models_and_versions_and_the_rest_is_left_out() -> None:
    records = {
        "m": {
            "description": "d",
            "tags.a.b": "c",
            "version.v1.0.0.description": "one",
            "version.v1.0.0.tags.x.tags.y": "z",
            "version.v9.9.9.description": "nobody's",
            "version.v2.0.0.description": 3,
            "tags.n": None,
        },
        "empty": {"created": 5_000},
        "gone": {"created": 5_000, "deleted": True},
    }

    models = fold(EVENTS, records)

    assert ["empty", "m"] == list(models)
    model = models["m"]
    assert ("d", {"a.b": "c"}) == (model.description, model.tags)
    assert ("one", {"x.tags.y": "z"}) == (model.versions["v1.0.0"].description, model.versions["v1.0.0"].tags)
    assert "" == model.versions["v2.0.0"].description
    assert 5_000 == models["empty"].created
