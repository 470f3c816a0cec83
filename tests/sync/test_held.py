"""Runs held back are noted in a file that nothing depends on."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import StorageError
from ledgit.store.folder import Folder
from ledgit.store.sync.held import KINDS, REFUSED, SECRET, UNPUSHED, Held, hold, read_held, release

HEAD, OTHER = "a" * 40, "b" * 40
RUN, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def held_file(folder: Folder) -> Path:
    return Path(folder.path) / "held.json"


def test_what_is_held_is_read_back(folder: Folder) -> None:
    """Every value of a note survives the file."""
    note = Held(
        (OTHER, HEAD), "train.py:3 has what looks like a GitHub token (ghp_…) – é", SECRET, 1_700_000_000_123, "origin"
    )

    hold(folder, {RUN: note})

    assert read_held(folder) == {RUN: note}
    assert read_held(folder)[RUN].heads == (HEAD, OTHER)


def test_nothing_is_held_where_there_is_no_file(folder: Folder) -> None:
    """Reading creates nothing."""
    assert read_held(folder) == {}
    assert not Path(folder.path).exists()


def test_a_moved_head_is_another_matter(folder: Folder) -> None:
    """A run that was edited since is to be looked at again; the order of heads is none."""
    note = Held((HEAD, OTHER), "r", UNPUSHED, 1)

    assert note.is_about([OTHER, HEAD])
    assert not note.is_about([HEAD])


def test_holding_again_for_the_same_reason_keeps_the_date(folder: Folder) -> None:
    """`since` says how long it has been waiting; another kind of reason or remote begins anew."""
    hold(folder, {RUN: Held((HEAD,), "old", UNPUSHED, 100, "origin")})
    hold(folder, {RUN: Held((OTHER,), "new", UNPUSHED, 200, "origin")})

    assert read_held(folder)[RUN] == Held((OTHER,), "new", UNPUSHED, 100, "origin")

    hold(folder, {RUN: Held((OTHER,), "hook", REFUSED, 300, "origin")})

    assert read_held(folder)[RUN].since_ms == 300


def test_release_forgets_only_those_named(folder: Folder) -> None:
    """Ids that were never held are passed over, and no file is made for them."""
    release(folder, [RUN])
    assert not held_file(folder).exists()
    note = Held((HEAD,), "r", UNPUSHED, 1)
    hold(folder, {RUN: note, SECOND: note})

    release(folder, [RUN, "unknown"])

    assert read_held(folder) == {SECOND: note}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"runs": []}',
        b'{"runs": {"a": 1}}',
        b"\xff\xfe",
        b'{"runs": {"11111111111111111111111111111111": {"heads": ["x"], "kind": "secret", "reason": "", "since": 1}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(folder: Folder, content: bytes) -> None:
    """Nobody is kept from pushing by a file that only notes things."""
    Path(folder.path).mkdir()
    held_file(folder).write_bytes(content)

    assert read_held(folder) == {}

    hold(folder, {RUN: Held((HEAD,), "r", UNPUSHED, 1)})
    assert list(read_held(folder)) == [RUN]


def test_one_damaged_note_does_not_hide_the_others(folder: Folder) -> None:
    """Each is read by itself."""
    hold(folder, {RUN: Held((HEAD,), "r", UNPUSHED, 1)})
    document = json.loads(held_file(folder).read_text())
    document["runs"][SECOND] = {"heads": "no list"}
    held_file(folder).write_text(json.dumps(document))

    assert list(read_held(folder)) == [RUN]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """The disk's refusal names the file."""
    (tmp_path / "ledgit").write_text("a file where the folder should be")

    with pytest.raises(StorageError, match="ledgit"):
        hold(Folder(str(tmp_path)), {RUN: Held((HEAD,), "r", UNPUSHED, 1)})


def _hold_many(path: str, first: int) -> None:
    for number in range(first, first + 25):
        hold(Folder(path), {f"{number:032x}": Held((HEAD,), "r", UNPUSHED, number)})


def test_processes_that_write_at_once_lose_nothing(folder: Folder) -> None:
    """The file is locked while it is read, changed and put in place."""
    path = str(Path(folder.path).parent)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_hold_many, args=(path, first)) for first in (0, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(read_held(folder)) == 50
    assert [name.name for name in Path(folder.path).iterdir() if name.name.startswith("held.json.")] == [
        "held.json.lock"
    ]


_notes = st.builds(
    Held,
    st.lists(st.text("0123456789abcdef", min_size=40, max_size=40), max_size=3).map(tuple),
    st.text(max_size=50),
    st.sampled_from(KINDS),
    st.integers(0, 2**53),
    st.text(max_size=10),
)
_ids = st.text("0123456789abcdef", min_size=32, max_size=32)


@settings(max_examples=60)
@given(steps=st.lists(st.one_of(st.dictionaries(_ids, _notes, max_size=4), st.lists(_ids, max_size=4)), max_size=6))
def test_any_order_of_holding_and_releasing_is_remembered(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, Held] | list[str]]
) -> None:
    """The file says what a dictionary would, but for dates, which only get older."""
    folder = Folder(str(tmp_path_factory.mktemp("held")))
    expected: dict[str, Held] = {}
    for step in steps:
        if isinstance(step, dict):
            hold(folder, step)
            expected |= step
        else:
            release(folder, step)
            for run_id in step:
                expected.pop(run_id, None)

    found = read_held(folder)

    assert found.keys() == expected.keys()
    for run_id, note in expected.items():
        assert (found[run_id].heads, found[run_id].kind, found[run_id].reason) == (note.heads, note.kind, note.reason)
        assert found[run_id].since_ms <= note.since_ms


@settings(max_examples=150)
@given(cut=st.integers(0, 400), noise=st.binary(max_size=30))
def test_a_file_cut_or_overwritten_anywhere_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    """What is read is a part of what was written."""
    folder = Folder(str(tmp_path_factory.mktemp("held")))
    written = {
        RUN: Held((HEAD,), "reason", UNPUSHED, 1, "origin"),
        SECOND: Held((OTHER,), "other", SECRET, 2, "origin"),
    }
    hold(folder, written)
    data = held_file(folder).read_bytes()
    held_file(folder).write_bytes(data[:cut] + noise + data[cut + len(noise) :])

    found = read_held(folder)

    assert found.keys() <= {RUN, SECOND} or noise
    hold(folder, written)
    assert {run_id: read_held(folder)[run_id].heads for run_id in written} == {RUN: (HEAD,), SECOND: (OTHER,)}
