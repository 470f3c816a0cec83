"""Journals: whatever happened to the bytes, every whole record comes back."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.store import read_parts
from ledgit.store.journal import dump_json, encode, encode_metric, parse_lines, read_blocks

KEYS = st.sampled_from(["loss", "acc/val", "näme 1", "a.b", "x:y"])
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
POINTS = st.tuples(KEYS, st.floats(), INT64, st.integers(0, 1 << 50))
EVENTS = st.tuples(
    st.sampled_from(["params", "tags", "note", "field"]),
    st.integers(0, 1 << 50),
    st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(-9, 9) | st.none(), max_size=3),
)
RECORDS = st.lists(st.one_of(POINTS, EVENTS), max_size=12)
SLOW = settings(max_examples=150)


def spell(record: tuple[Any, ...]) -> bytes:
    if len(record) == 4:
        return encode_metric(*record)
    kind, at, values = record
    return encode(kind, {"at": at, "values": values})


def tell(data: bytes) -> tuple[list[str], list[str], int]:
    """Return the points and the events in *data* as comparable text, and how many lines were torn."""
    histories: dict[str, Any] = {}
    events, torn, _ = parse_lines(data, histories)
    points = [f"{key} {value!r} {step} {time}" for key, rows in histories.items() for step, time, value in rows]
    return sorted(points), [f"{kind} {item['at']} {item['values']}" for _, kind, item in events], torn


def expected(records: Iterable[tuple[Any, ...]]) -> tuple[list[str], list[str]]:
    points = [f"{r[0]} {r[1]!r} {r[2]} {r[3]}" for r in records if len(r) == 4]
    return sorted(points), [f"{r[0]} {r[1]} {r[2]}" for r in records if len(r) == 3]


@SLOW
@given(RECORDS, st.data())
def test_of_any_prefix_all_whole_records_come_back(records: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """A cut loses the record it cuts, and counts it."""
    spelled = [spell(record) for record in records]
    whole = b"".join(spelled)
    cut = data.draw(st.integers(0, len(whole)))

    kept, at = [], 0
    for record, text in zip(records, spelled, strict=True):
        at += len(text)
        if at <= cut:
            kept.append(record)
    rest = cut - sum(len(spell(record)) for record in kept)

    assert (*expected(kept), int(rest > 1)) == tell(whole[:cut])


@SLOW
@given(RECORDS.filter(bool), st.data())
def test_a_flipped_byte_costs_the_record_it_is_in(records: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """And, where it is the newline between two, both; never another one."""
    spelled = [spell(record) for record in records]
    number = data.draw(st.integers(0, len(records) - 1))
    place = data.draw(st.integers(0, len(spelled[number]) - 1))
    bits = data.draw(st.integers(1, 255))
    # The checksum's own hex digits may be upper case as well.
    hex_case = 1 <= place <= 8 and bits == 0x20 and spelled[number][place : place + 1].isalpha()
    broken = bytearray(spelled[number])
    broken[place] ^= bits
    torn = [*spelled[:number], bytes(broken), *spelled[number + 1 :]]

    lost = {number, number - 1} if place == 0 else {number}
    kept = records if hex_case else [record for at, record in enumerate(records) if at not in lost]
    points, events, count = tell(b"".join(torn))

    assert expected(kept) == (points, events)
    assert (count == 0) == hex_case


@SLOW
@given(RECORDS, RECORDS, st.binary(max_size=40).filter(lambda noise: b"\n" not in noise))
def test_noise_between_records_harms_only_itself(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], noise: bytes
) -> None:
    """A torn half, zeros that a power cut left: the next record starts on a line of its own."""
    data = b"".join(map(spell, before)) + b"\n" + noise + b"".join(map(spell, after))

    points, events, torn = tell(data)

    assert expected([*before, *after]) == (points, events)
    assert int(bool(noise)) == torn


@SLOW
@given(st.lists(POINTS, max_size=20), st.lists(POINTS, max_size=20), st.data())
def test_records_interleaved_by_threads_and_parts_all_come_back(
    tmp_path_factory: Any, one: list[tuple[Any, ...]], two: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """A record is one piece; in which order or file it stands does not matter."""
    folder = tmp_path_factory.mktemp("parts")
    mixed = data.draw(st.permutations([*one, *two]))
    split = data.draw(st.integers(0, len(mixed)))
    (folder / "1-1-aaaa.log").write_bytes(b"".join(map(spell, mixed[:split])))
    (folder / "2-2-bbbb.log").write_bytes(b"".join(map(spell, mixed[split:])))

    state = read_parts(str(folder))

    found = [f"{key} {v!r} {s} {t}" for key, rows in state.histories.items() for s, t, v in rows]
    assert expected([*one, *two])[0] == sorted(found)
    assert 0 == state.torn


@SLOW
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8), min_size=1, max_size=3))
def test_events_stand_in_the_order_they_happened(tmp_path_factory: Any, parts: list[list[int]]) -> None:
    """Within a part as written, whatever the clock said; between parts by time."""
    folder = tmp_path_factory.mktemp("order")
    for number, times in enumerate(parts):
        text = b"".join(encode("note", {"at": at, "part": number, "place": p}) for p, at in enumerate(times))
        (folder / f"{number}-x.log").write_bytes(text)

    events = [item for _, item in read_parts(str(folder)).events]

    for number, times in enumerate(parts):
        assert list(range(len(times))) == [item["place"] for item in events if item["part"] == number]
    rising = [(max(parts[item["part"]][: item["place"] + 1]), item["part"], item["place"]) for item in events]
    assert sorted(rising) == rising


def test_every_bit_of_a_value_comes_back() -> None:
    values = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, 1e-05, 2.0**53 + 2]
    histories: dict[str, Any] = {}
    parse_lines(b"".join(encode_metric("m", value, n, 0) for n, value in enumerate(values)), histories)

    assert [value.hex() for value in values] == [value.hex() for _, _, value in histories["m"]]


def test_a_folder_without_parts_is_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    state = read_parts(str(tmp_path))

    assert ([], {}, 0, None) == (state.events, state.histories, state.torn, state.first("start"))


@SLOW
@given(RECORDS, st.integers(1, 60), st.integers(0, 20))
def test_in_blocks_of_any_size_a_part_says_the_same(records: list[tuple[Any, ...]], size: int, cut: int) -> None:
    """Blocks end where a record does; the last one is the record that may still be on its way."""
    whole = b"".join(map(spell, records))
    whole = whole[: max(0, len(whole) - cut)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledgit.store.journal._BLOCK", size)
        blocks = list(read_blocks(BytesIO(whole)))

    assert whole == b"".join(blocks)
    assert all(block.startswith(b"\n") for block in blocks)
    assert not blocks or whole[whole.rindex(b"\n") :] == blocks[-1]
    told = [tell(block) for block in blocks]
    assert tell(whole) == (
        sorted(point for points, _, _ in told for point in points),
        [event for _, events, _ in told for event in events],
        sum(torn for _, _, torn in told),
    )


def test_a_long_journal_is_not_held_in_memory_as_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgit.store.journal._BLOCK", 1 << 16)
    with (tmp_path / "0.log").open("wb") as file:
        file.writelines(encode_metric("m", step / 7, step, 1_700_000_000_000 + step) for step in range(50_000))

    tracemalloc.start()
    state = read_parts(str(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 50_000 == len(state.histories["m"])
    assert (tmp_path / "0.log").stat().st_size > peak


JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@SLOW
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_our_json_says_what_orjson_would_have_said(data: dict[str, Any]) -> None:
    """It is written by hand because orjson takes 5 ms to import; nothing else is to change by that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledgit.store.journal._library", None)
        ours = dump_json(data)

    assert orjson.loads(orjson.dumps(data)) == orjson.loads(ours)


@pytest.mark.parametrize("library", [None, orjson.dumps])
@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"a": ("b", 1)}, b'{"a":["b",1]}'),
        ({"a": "caf\udce9"}, b'{"a": "caf\\udce9"}'),
        ({1: "one"}, b'{"1": "one"}'),
    ],
)
def test_what_orjson_refuses_is_written_as_the_standard_library_does(
    data: dict[Any, Any], text: bytes, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no UTF-8 in a path, keys that are no text."""
    monkeypatch.setattr("ledgit.store.journal._library", library)

    assert text == dump_json(data)
