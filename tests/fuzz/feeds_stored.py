"""What repositories hold: files of runs, the ledger, the journal, Git's objects, the registry's tags."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from tests.fuzz.decoders import target, text_of

from ledgit.errors import LedgitError

# ------------------------------------------------------------------ a run's files


@target
def run_yaml(data: bytes) -> None:
    from ledgit.records.run import decode_run, encode_run

    kept = encode_run(decode_run(encode_run(decode_run(data))))  # an empty source_type becomes the usual one
    assert kept == encode_run(decode_run(kept))


@target
def params_yaml(data: bytes) -> None:
    from ledgit.records.flat import dump_flat, load_flat

    found = load_flat(data)
    assert repr(sorted(found.items())) == repr(sorted(load_flat(dump_flat(found)).items()))


@target
def history_tsv(data: bytes) -> None:
    from ledgit.records.history import decode_history, encode_history

    name, points = decode_history(data)
    again, same = decode_history(encode_history(name, points))
    assert (name, repr(list(points))) == (again, repr(list(same)))


@target
def once_tsv(data: bytes) -> None:
    from ledgit.records.history import decode_once, encode_once

    found = decode_once(data)
    assert found == decode_once(encode_once(found))


@target
def inputs_yaml(data: bytes) -> None:
    from ledgit.compare.inputs import input_facts
    from ledgit.records.inputs import decode_inputs, encode_inputs, input_refs

    found = decode_inputs(data)
    assert found == decode_inputs(encode_inputs(found))
    input_refs(found)
    input_facts(found)


@target
def environment_yaml(data: bytes) -> None:
    from ledgit.records.environment import decode_environment, encode_environment, requirements_txt

    found = decode_environment(data)
    assert found == decode_environment(encode_environment(found))
    requirements_txt(found)


@target
def artifacts_yaml(data: bytes) -> None:
    from ledgit.records.artifacts import decode_artifacts, encode_artifacts
    from ledgit.records.names import inert_path

    found = decode_artifacts(data)
    kept = encode_artifacts(found)
    assert kept == encode_artifacts(decode_artifacts(kept))
    for record in found:
        parts = inert_path(record.path).split("/")
        assert not record.path.startswith("/")
        assert not {"..", ".git"} & {part.lower() for part in parts}


@target
def clock_json(data: bytes) -> None:
    from ledgit.records.clock import decode_clocks, encode_clocks

    clocks = decode_clocks(data)
    assert clocks == decode_clocks(encode_clocks(clocks))


@target
def run_record(data: bytes) -> None:
    """All of a run's files, as ``path length`` and the bytes."""
    from ledgit.compare import diff_runs, view_of
    from ledgit.records import decode_record, make_entry, run_files
    from ledgit.records.entry import encode_entry
    from ledgit.records.line_reader import decode_entry
    from ledgit.records.merge import merge_records

    files: dict[str, bytes] = {}
    stream = io.BytesIO(data)
    while head := stream.readline():
        path, _, length = head.decode("utf-8", "replace").strip().rpartition(" ")
        files[path] = stream.read(int(length) if length.isdecimal() and len(length) < 9 else 0)
    record = decode_record(files)
    entry = make_entry(record)
    assert decode_entry(encode_entry(entry)).id == record.info.id
    run_files(record, encode_entry(entry))
    merge_records([record, record])
    diff_runs([view_of(record), view_of(record)]).to_dict()


@target
def dvc_pointer(data: bytes) -> None:
    from ledgit.records.artifacts import decode_pointers

    decode_pointers(data, "x.dvc")


@target
def dvc_config(data: bytes) -> None:
    from ledgit.artifacts.place import parse_dvc_config
    from ledgit.records.dvcfiles import unmark

    unmark(data)
    parse_dvc_config(data)


@target
def dvc_files(data: bytes) -> None:
    """The user's ``.dvc`` files and ``dvc.lock``."""
    from ledgit.tracking.data_dvc import find_tracked, list_in_cache, outputs_in, remote_of

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".dvc").mkdir()
        for name in ("data.csv.dvc", "dvc.lock", ".dvc/config"):
            Path(folder, name).write_bytes(data)
        list(outputs_in(folder, folder))
        found = find_tracked(os.path.join(folder, "data.csv"))
        if found is not None:
            remote_of(found)
            list_in_cache(found)


@target
def folder_list(data: bytes) -> None:
    from ledgit.artifacts.folders import decode_list

    for path, _ in decode_list(data):
        assert not path.startswith("/")
        assert ".." not in path.split("/")


@target
def histories_table(data: bytes) -> None:
    from ledgit.store.artifacts.table import decode_table

    decode_table(io.BytesIO(data))


@target
def full_history(data: bytes) -> None:
    from ledgit.records.record import _full

    _full(data)


# ------------------------------------------------------------------ the ledger, the journal, Git's objects


@target
def ledger_leaf(data: bytes) -> None:
    """Lines never raise; what is decoded is kept byte for byte, and what is joined can be listed."""
    from ledgit.errors import RecordError
    from ledgit.records.line_reader import decode_entry
    from ledgit.records.state import join
    from ledgit.records.table import decode_leaf, encode_leaf, unite_leaf

    lines = decode_leaf(data)
    for line in lines:
        try:
            state = join([decode_entry(line.raw)])
        except RecordError:
            continue
        repr(state)
    united, _, _ = unite_leaf([], lines)
    kept = encode_leaf(united)
    assert kept == encode_leaf(unite_leaf(decode_leaf(kept), decode_leaf(kept))[0])


@target
def clocked_document(data: bytes) -> None:
    from ledgit.records.clocked import decode_clocked, join_clocked

    half = data.partition(b"\n%%\n")
    decode_clocked(half[0])
    both = join_clocked(half[0], half[2] or half[0])
    assert both == join_clocked(half[2] or half[0], half[0])
    assert both == join_clocked(both, half[0])


@target
def ledger_format(data: bytes) -> None:
    from ledgit.records.clocked import join_format

    join_format(data, data)


@target
def experiment(data: bytes) -> None:
    from ledgit.store.experiments import decode_experiment

    decode_experiment(data)


@target
def marks(data: bytes) -> None:
    from ledgit.store.artifacts.marks import decode_marks

    decode_marks(data, "ab.yaml")


@target
def journal(data: bytes) -> None:
    """Torn and foreign records are counted, never raised; what the rest says becomes a run."""
    from ledgit.store.build import build_record
    from ledgit.store.journal import read_parts
    from ledgit.store.live import summarize

    with tempfile.TemporaryDirectory() as folder:
        lines = data.split(b"\n")
        Path(folder, "0.log").write_bytes(data)
        # The same with right checksums: a writer's, though not ours.
        Path(folder, "1.log").write_bytes(b"".join(_summed(line[9:]) for line in lines if line))
        state = read_parts(folder)
        summarize(folder)
    build_record(state, None)


def _summed(payload: bytes) -> bytes:
    from zlib import crc32

    return b"\n%08x " % crc32(payload) + payload


@target
def git_commit(data: bytes) -> None:
    from ledgit.git.parsing import parse_commit

    parse_commit("0" * 40, data)


@target
def git_tree(data: bytes) -> None:
    from ledgit.git.parsing import parse_tree

    parse_tree(data)


@target
def git_pack(data: bytes) -> None:
    from hashlib import sha1

    from ledgit.git.parcels import read_pack

    for pack in (data, data[:-20] + sha1(data[:-20]).digest()):
        try:
            read_pack(pack)
        except LedgitError:
            continue


@target
def git_delta(data: bytes) -> None:
    from ledgit.git.deltas import apply_delta

    base, _, delta = data.partition(b"%%")
    apply_delta(base, delta)


@target
def git_index(data: bytes) -> None:
    from ledgit.git.indexfile import read_index

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "index")
        Path(path).write_bytes(data)
        read_index(path)


@target
def git_config(data: bytes) -> None:
    from ledgit.git.repo import read_simple_config

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config")
        Path(path).write_bytes(data)
        read_simple_config(path)


# ------------------------------------------------------------------ the registry


@target
def registry_tag(data: bytes) -> None:
    """A tag's object never raises: what is wrong is told."""
    from ledgit.registry.tags import parse_tag_object

    parse_tag_object("0" * 40, data)


@target
def registry_message(data: bytes) -> None:
    from ledgit.records.registry_message import decode_message, encode_message

    message = decode_message(data)
    if message is not None:
        assert encode_message(message) == encode_message(decode_message(encode_message(message)) or message)


@target
def registry_names(data: bytes) -> None:
    from ledgit.records.registry_names import parse_tag
    from ledgit.registry.receiving import parse_updates
    from ledgit.registry.references import parse_reference

    text = text_of(data)
    parse_tag(text)
    for feed in (parse_reference, lambda text: parse_reference(text, whole=True), lambda text: parse_updates([text])):
        try:
            feed(text)
        except LedgitError as error:
            str(error)


@target
def registry_filter(data: bytes) -> None:
    from ledgit.registry.filters import matches, parse, parse_order

    text = text_of(data)
    keys = ("name", "version_number", "run_id", "stage", "aliases")
    try:
        parse_order([text], keys)
    except LedgitError as error:
        str(error)
    for values in ({"name": "churn", "version_number": 3}, {}):
        matches(parse(text, keys), values.get)
