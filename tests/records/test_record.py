"""A run whole: its files, and what comes back from them."""

from __future__ import annotations

import contextlib
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import InvalidName, RecordError, UnsafePath
from ledgit.records import (
    ArtifactRecord,
    Clocks,
    CodeInfo,
    Entry,
    Environment,
    InputRecord,
    Points,
    RunInfo,
    RunRecord,
    check_artifact_path,
    decode_artifacts,
    decode_clocks,
    decode_entry,
    decode_environment,
    decode_inputs,
    decode_record,
    dvc_pointer,
    encode_artifacts,
    encode_clocks,
    encode_entry,
    encode_environment,
    encode_inputs,
    make_entry,
    make_state,
    requirements_txt,
    run_files,
    stored_path,
)
from ledgit.records.record import once_points

RUN = "0123456789abcdef0123456789abcdef"
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
keys = st.text("abcXYZ019_-./: é", min_size=1, max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
clock = st.tuples(st.integers(0, 2**53), st.text("0123456789abcdef", max_size=16))
points = st.lists(st.tuples(st.integers(-5, 99), st.integers(0, 2**41), st.floats()), min_size=1, max_size=6).map(
    Points.of
)
file_names = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8) | st.just("caf\udce9")


def usable(path: str) -> bool:
    try:
        return check_artifact_path(path) == path
    except InvalidName:
        return False


inputs = st.builds(
    InputRecord, words, words, words, words, words, words, words, st.dictionaries(words, words, max_size=2)
)
environments = st.builds(
    Environment, words, words, words, words, st.none() | st.integers(0, 512), st.none() | st.integers(0, 2**50),
    st.none() | words.filter(bool), st.none() | words.filter(bool), st.lists(words, max_size=2).map(tuple),
    st.none() | words.filter(bool), st.none() | words.filter(bool), st.dictionaries(words, words, max_size=4),
    words, st.dictionaries(words, words, max_size=2),
)  # fmt: skip
artifacts = st.builds(
    lambda path, size, digest, stored, nfiles: ArtifactRecord(
        path, size, digest, stored, None if stored_path(path) == path else stored_path(path), nfiles
    ),
    st.lists(file_names, min_size=1, max_size=3).map("/".join).filter(usable),
    st.integers(0, 2**60),
    st.text("0123456789abcdef", max_size=32).map("md5:".__add__),
    st.sampled_from(["git", "dvc"]),
    st.none() | st.integers(1, 9),
)
records = st.builds(
    RunRecord,
    info=st.builds(
        RunInfo, id=st.just(RUN), name=words, start=st.integers(0, 2**41), status=st.just("FINISHED"),
        code=st.builds(CodeInfo, commit=st.just("a" * 40)),
    ),
    params=st.dictionaries(keys, scalars, max_size=5),
    metrics=st.dictionaries(keys, st.floats(), max_size=5),
    histories=st.dictionaries(keys, points, max_size=3),
    tags=st.dictionaries(keys, words, max_size=4),
    inputs=st.lists(inputs, max_size=2),
    environment=st.none() | environments,
    artifacts=st.lists(artifacts, max_size=3, unique_by=lambda one: one.path).map(
        lambda found: sorted(found, key=lambda one: one.path.encode("utf-8", "surrogateescape"))
    ),
    clocks=st.builds(Clocks, clock, st.dictionaries(keys.map("tags.".__add__), clock, max_size=3)),
)  # fmt: skip


def plain(record: RunRecord) -> str:
    return repr(
        [record.info, sorted(record.params.items()), sorted(record.metrics.items()), sorted(record.tags.items()),
         sorted((name, list(history)) for name, history in record.histories.items()), encode_inputs(record.inputs),
         record.artifacts,
         record.clocks.default, sorted(record.clocks.keys.items()),
         record.environment and (sorted(record.environment.packages.items()), encode_environment(record.environment))]
    )  # fmt: skip


@settings(max_examples=80)
@given(records)
def test_a_record_comes_back_from_its_files(record: RunRecord) -> None:
    line = encode_entry(make_entry(record))

    files = run_files(record, line)

    assert plain(decode_record(files)) == plain(record)
    assert files["entry.json"] == line
    assert run_files(decode_record(files), line) == files


def example() -> RunRecord:
    return RunRecord(
        RunInfo(RUN, "calm-owl-417", "churn", "FINISHED", 1700000000000, 1700000001000),
        params={"lr": 0.1},
        metrics={"loss": 0.5, "val/acc": math.nan},
        histories={"loss": Points.of([(0, 1, 2.0), (1, 2, 0.5)]), "val/acc": Points.of([(0, 1, math.nan)])},
        tags={"note": "good"},
        clocks=Clocks((1, "aa")),
    )


def test_a_run_has_exactly_these_files() -> None:
    record = example()
    record.environment = Environment("3.11.9", packages={"b": "2", "A": "1"})
    record.inputs = [InputRecord("d")]
    record.artifacts = [ArtifactRecord("model.pkl", 3, "md5:x")]

    files = run_files(record, b"{}\n")

    assert sorted(files) == [
        "artifacts.yaml", "clock.json", "dvc.yaml", "entry.json", "environment.yaml", "history/loss.tsv",
        "inputs.yaml", "metrics.yaml", "once.tsv", "params.yaml", "requirements.txt", "run.yaml", "tags.yaml",
    ]  # fmt: skip
    assert files["metrics.yaml"] == b"loss: 0.5\nval/acc: .nan\n"
    assert files["once.tsv"] == b"metric\tstep\ttimestamp\nval/acc\t0\t1\n"
    assert files["requirements.txt"] == b"A==1\nb==2\n"
    assert sorted(run_files(RunRecord(RunInfo(RUN)), b"")) == [
        "clock.json", "dvc.yaml", "entry.json", "metrics.yaml", "params.yaml", "run.yaml", "tags.yaml"
    ]  # fmt: skip


def test_a_point_that_metrics_yaml_does_not_have_gets_a_file() -> None:
    """It would be lost: that its value is the latest is what once.tsv relies on."""
    record = example()
    record.metrics = {"loss": 0.5, "zero": -0.0}
    record.histories["zero"] = Points.of([(3, 4, 0.0)])

    files = run_files(record, b"")

    assert "once.tsv" not in files
    assert {"history/loss.tsv", "history/zero.tsv"} < files.keys()
    assert any(path.startswith("history/val-acc~") for path in files)
    assert decode_record(files).histories == record.histories
    record.metrics["zero"] = 0.0
    files = run_files(record, b"")
    assert "history/zero.tsv" not in files
    assert once_points(files["once.tsv"], files["metrics.yaml"], "zero") == record.histories["zero"]
    assert once_points(files["once.tsv"], files["metrics.yaml"], "loss") is None


def test_dvc_yaml_names_params_metrics_and_each_plot() -> None:
    record = example()
    record.histories["val/acc"].append(1, 2, 0.25)
    assert yaml.safe_load(run_files(record, b"")["dvc.yaml"]) == {
        "params": ["params.yaml"],
        "metrics": ["metrics.yaml"],
        "plots": [
            {"history/loss.tsv": {"x": "step", "y": "loss"}},
            {"history/val-acc~6293503f.tsv": {"x": "step", "y": "val/acc"}},
        ],
    }


def test_reduced_histories_have_1000_points_a_metric_and_run_yaml_says_so() -> None:
    record = example()
    record.histories["loss"] = Points.of((n, n, math.sin(n)) for n in range(5000))

    back = decode_record(run_files(record, b"", reduced=True))

    assert 900 < len(back.histories["loss"]) <= 1000
    assert back.info.reduced
    assert back.histories["loss"].minmax() == record.histories["loss"].minmax()
    assert not decode_record(run_files(record, b"")).info.reduced


def test_files_of_a_run_may_be_missing_but_for_run_yaml() -> None:
    files = run_files(example(), b"")

    bare = decode_record({"run.yaml": files["run.yaml"]})

    assert bare == RunRecord(example().info)
    with pytest.raises(RecordError, match=r"no run\.yaml"):
        decode_record({"params.yaml": b"a: 1\n"})


def test_tags_that_a_person_left_unquoted_are_text() -> None:
    files = run_files(example(), b"") | {"tags.yaml": b"n: 3\nok: true\nnone:\nt: x\n"}

    assert decode_record(files).tags == {"n": "3", "ok": "True", "none": "", "t": "x"}


@pytest.mark.parametrize(
    ("file", "data", "where"),
    [
        ("metrics.yaml", b"a: x\n", "metrics.yaml"), ("metrics.yaml", b"a: true\n", "metrics.yaml"),
        ("metrics.yaml", b"a: 1" + b"0" * 400 + b"\n", "metrics.yaml"), ("params.yaml", b"a: [1]\n", "params.yaml"),
        ("history/x.tsv", b"", "history/x.tsv"), ("history/x.tsv", b"step\ttimestamp\tloss\n1\t1\t1\n",
        "history/x.tsv"),
        ("once.tsv", b"", "once.tsv"), ("once.tsv", b"metric\tstep\ttimestamp\nx\t1\t2\n", "once.tsv"),
        ("once.tsv", b"metric\tstep\ttimestamp\nloss\t1\t2\n", "history/loss.tsv"),
        ("clock.json", b"[]", "clock.json"), ("inputs.yaml", b"inputs: [{}]\n", "inputs.yaml"),
        ("environment.yaml", b"packages: [a]\n", "environment.yaml"), ("artifacts.yaml", b"artifacts: [a]\n",
        "artifacts.yaml"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_that_is_wrong(file: str, data: bytes, where: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_record({**run_files(example(), b""), file: data})

    assert caught.value.where == where


@settings(max_examples=300)
@given(
    st.sampled_from(["run.yaml", "params.yaml", "metrics.yaml", "tags.yaml", "inputs.yaml", "environment.yaml",
                     "artifacts.yaml", "clock.json", "history/a.tsv", "once.tsv"]),
    st.binary(max_size=40) | st.text("{}[]:\"',&*!- \nabinputsrfk0123.", max_size=40).map(str.encode),
)  # fmt: skip
def test_hostile_files_are_decoded_or_refused_but_never_crash(file: str, data: bytes) -> None:
    with contextlib.suppress(RecordError):
        decode_record({**run_files(example(), b""), file: data})


def test_an_entry_says_what_the_record_says_with_the_ranges_that_differ() -> None:
    record = example()
    record.clocks.set("tags.note", (2, "bb"))
    record.clocks.set("tags.gone", (3, "bb"))
    record.clocks.set("name", (1, "aa"))

    entry = make_entry(record, ["c" * 40, "d" * 40])

    assert entry.ranges == {"loss": (0.5, 2.0)}
    assert entry.state == {"tags.note": (2, "bb"), "tags.gone": (3, "bb")}
    assert entry.commit == "c" * 40
    assert (entry.name, entry.tags, entry.params) == ("calm-owl-417", {"note": "good"}, {"lr": 0.1})
    assert decode_entry(encode_entry(entry)).state == entry.state


def test_the_state_of_an_active_run_has_no_head_and_no_commit() -> None:
    state = make_state(example())

    assert (state.heads, state.head, state.commit, state.id) == ((), None, None, RUN)
    assert make_state(example(), ["a" * 40], "b" * 40).head == "a" * 40


@given(st.builds(Clocks, clock, st.dictionaries(words, clock, max_size=4)))
def test_clocks_come_back_from_their_file(clocks: Clocks) -> None:
    assert decode_clocks(encode_clocks(clocks)) == clocks
    assert clocks.greatest() == max([clocks.default, *clocks.keys.values()])


def test_the_clock_file_is_this_and_stays_this() -> None:
    clocks = Clocks((1, "aa"), {"tags.b": (3, "bb"), "name": (2, "aa")})

    assert encode_clocks(clocks) == (
        b'{\n  "default": "1 aa",\n  "keys": {\n    "name": "2 aa",\n    "tags.b": "3 bb"\n  }\n}\n'
    )
    assert (clocks.get("name"), clocks.get("other")) == ((2, "aa"), (1, "aa"))
    other = clocks.copy()
    other.set("name", (9, "z"))
    assert clocks.get("name") == (2, "aa")


@pytest.mark.parametrize(
    "data", [b"", b"3", b'{"default":3}', b'{"keys":[]}', b'{"keys":{"a":"x"}}', b'{"keys":{"a":"-1 c"}}',
    b'{"default":"1' + b"0" * 30 + b' c"}', b'{"default":"9223372036854775808 c"}']
)  # fmt: skip
def test_what_is_no_clock_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_clocks(data)


@given(st.builds(Clocks, clock, st.dictionaries(words, clock, max_size=4)))
def test_what_is_changed_now_is_later_than_all_before(clocks: Clocks) -> None:
    assert clocks.next("") > max([clocks.default, *clocks.keys.values()])


@pytest.mark.parametrize("forged", [999_999_999_999_999_999, 2**63 - 2, 2**63 - 1])
def test_a_forged_clock_leaves_a_run_that_can_be_edited(forged: int) -> None:
    """What an edit writes must decode, in clock.json and in the line."""
    clocks = Clocks((forged, "aa"), {})
    for _ in range(3):
        clocks.set("name", clocks.next("bb"))
        assert decode_clocks(encode_clocks(clocks)) == clocks
    entry = Entry(RUN, clock=clocks.default, state=dict(clocks.keys))
    assert decode_entry(encode_entry(entry)).state == clocks.keys


def test_a_line_with_a_clock_that_no_file_could_hold_does_not_decode() -> None:
    for clock in (b"[9223372036854775808", b"[-1"):
        line = encode_entry(Entry(RUN, clock=(7, "aa"))).replace(b'"clock":[7', b'"clock":' + clock)
        with pytest.raises(RecordError):
            decode_entry(line)


@given(st.lists(inputs, max_size=3))
def test_inputs_come_back_in_their_order(found: list[InputRecord]) -> None:
    assert decode_inputs(encode_inputs(found)) == found


@given(environments)
def test_an_environment_comes_back(environment: Environment) -> None:
    assert decode_environment(encode_environment(environment)) == environment
    lines = requirements_txt(environment).decode()
    assert sum(
        f"{name}=={version}\n" in lines or f"{name} @ {environment.origins.get(name)}\n" in lines
        for name, version in environment.packages.items()
    ) == len(environment.packages)


@given(st.lists(artifacts, unique_by=lambda one: one.path, max_size=4))
def test_artifacts_come_back_with_their_true_paths(found: list[ArtifactRecord]) -> None:
    back = decode_artifacts(encode_artifacts(found))

    assert {one.path: one for one in back} == {one.path: one for one in found}
    for one in back:
        assert one.tree_path.endswith(".dvc") == (one.stored == "dvc")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "", "..\\x", "C:/x", "a\\u0000b"])
@pytest.mark.parametrize("field", ["path", "file"])
def test_an_artifact_whose_path_leaves_its_folder_is_refused(path: str, field: str) -> None:
    other = {"path": "file", "file": "path"}[field]
    text = f'artifacts:\n  - {field}: "{path}"\n    {other}: "a"\n'.replace("\\", "\\\\").replace("\\\\u", "\\u")

    with pytest.raises(UnsafePath):
        decode_artifacts(text.encode())


@pytest.mark.parametrize(
    "text", ["artifacts: [{path: a, stored: s3}]", "artifacts: [{path: a, bytes: xyz}]",
    "artifacts: [{path: a, size: big}]", "artifacts: 3", "artifacts: [{path: a, size: -1}]",
    f"artifacts: [{{path: a, size: 1{'0' * 400}}}]", "artifacts: [{path: a, nfiles: -1}]"]
)  # fmt: skip
def test_an_artifact_with_an_impossible_field_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        decode_artifacts(text.encode())


def test_a_path_hidden_in_bytes_is_checked_too() -> None:
    with pytest.raises(UnsafePath):
        decode_artifacts(f'artifacts:\n  - path: "ok"\n    bytes: "{b"../x".hex()}"\n'.encode())


def test_a_pointer_is_what_dvc_writes() -> None:
    assert yaml.safe_load(dvc_pointer("m.bin", "a" * 32, 5)) == {
        "outs": [{"md5": "a" * 32, "size": 5, "hash": "md5", "path": "m.bin", "remote": "ledgit"}]
    }
    assert yaml.safe_load(dvc_pointer("d", "a" * 32 + ".dir", 5, 2, remote=""))["outs"][0]["nfiles"] == 2
