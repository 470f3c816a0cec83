"""Previews: what is in a file, in a few harmless lines."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.artifacts.previews import Preview, preview, preview_folder
from ledgit.artifacts.previews.source import LIMIT
from ledgit.records.harmless import width as columns

NAMES = [
    "a.txt", "a.csv", "a.tsv", "a.json", "a.jsonl", "a.yaml", "a.npy", "a.npz", "a.zip", "a.tar", "a.tar.gz", "a.gz",
    "a.dir", "a.png", "a.svg", "a.safetensors", "a.parquet", "a.bin", "a", "\x1b[2J.txt",
]  # fmt: skip


def harmless(found: Preview, width: int, height: int) -> bool:
    """Nothing in it can steer a terminal, and it fits."""
    lines = [found.title, *found.lines]
    controls = any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066" for line in lines for char in line
    )
    return not controls and len(found.lines) <= height and all(columns(line) <= width for line in found.lines)


# ------------------------------------------------------------------ text


def test_a_short_text_is_shown_whole() -> None:
    """Colours and other controls are spelled out, tabs are spaces."""
    found = preview("a.txt", b"hello\n\x1b[31mred\x1b[0m\n\tx\n")

    assert ("text", "a.txt · text · 3 lines · 22 B") == (found.kind, found.title)
    assert ("hello", r"\x1b[31mred\x1b[0m", "    x") == found.lines


def test_a_long_text_is_shown_with_its_end() -> None:
    """What a log ends with is what one looks for."""
    found = preview("a.log", "".join(f"line {n}\n" for n in range(100)).encode(), height=7)

    assert ("line 0", "line 1", "line 2", "line 3", "… 94 lines …", "line 98", "line 99") == found.lines
    huge = preview("a.log", "".join(f"line {n}\n" for n in range(300_000)).encode(), height=6)
    assert ("line 0", "line 1", "line 2", "… most of 3.3 MiB …", "line 299998", "line 299999") == huge.lines


def test_of_a_progress_bar_the_last_state_is_shown() -> None:
    """As a terminal would."""
    assert ("100 %", "done") == preview("a.log", b"10 %\r50 %\r100 %\r\ndone\n").lines


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", ""), ("utf-8-sig", " · UTF-8"), ("utf-16", " · UTF-16"), ("latin-1", " · Latin-1")]
)
def test_encodings_are_recognised(encoding: str, said: str) -> None:
    """By their mark, or by what UTF-8 is not."""
    data = "Größe und Länge\n".encode(encoding)

    found = preview("a.txt", data)
    assert ("Größe und Länge",) == found.lines
    assert f"a.txt · text{said} · 1 line · {len(data)} B" == found.title


def test_a_character_that_the_limit_cuts_does_not_make_a_text_binary() -> None:
    """The limit knows nothing of characters."""
    assert "text" == preview("a.txt", b"a" + "é".encode() * LIMIT).kind


def test_an_endless_line_is_cut_before_it_is_looked_at() -> None:
    """Also one of marks that take no column."""
    for text in ("x" * 3_000_000, "e" + "\u0301" * 2_000_000):
        (line, *_) = preview("a.txt", text.encode(), 40, 5).lines
        assert line.endswith("…")
        assert len(line) <= 400


# ------------------------------------------------------------------ tables


def test_a_table_is_laid_out() -> None:
    """Numbers to the right; wide characters count."""
    found = preview("a.csv", 'name,loss,n\nä,0.5,1\n"b,\nc",1.25,200\n日本,,3\n'.encode())

    assert ("table", "a.csv · CSV · 3 rows · 3 columns · 47 B") == (found.kind, found.title)
    assert ("name   loss    n", "ä       0.5    1", r"b,\nc  1.25  200", "日本           3") == found.lines


def test_columns_without_room_are_left_out_and_counted() -> None:
    """A line that breaks is no table."""
    found = preview("a.csv", b",".join(b"column%d" % n for n in range(50)) + b"\n" + b"1," * 49 + b"1\n", width=30)

    assert "a.csv · CSV · 1 row · 50 columns, 3 shown · 540 B" == found.title
    assert ("column0  column1  column2", "      1        1        1") == found.lines


def test_rows_of_a_large_table_are_guessed() -> None:
    """From the beginning and the size."""
    found = preview("a.csv", b"a,b\n" + b"1234,5678\n" * 400_000, height=4)

    assert ("a.csv · CSV · about 400000 rows · 2 columns · 3.8 MiB", "…") == (found.title, found.lines[-1])


@pytest.mark.parametrize(
    ("name", "data", "title"),
    [
        ("a.tsv", b"a\tb\n1\t2\n", "a.tsv · TSV · 1 row · 2 columns · 8 B"),
        ("a.csv", b"a;b\n1;2\n", "a.csv · separated by ; · 1 row · 2 columns · 8 B"),
        ("a.jsonl", b'{"a": 1}\n{"b": 2}\n', "a.jsonl · JSON lines · 2 rows · 2 columns · 18 B"),
        ("a.json", b'{"columns": ["a", "b"], "data": [[1, 2]]}', "a.json · table · 1 row · 2 columns · 41 B"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), "a.csv.gz · gzip · CSV · 1 row · 2 columns · 28 B"),
    ],
)
def test_tables_are_known_in_many_forms(name: str, data: bytes, title: str) -> None:
    """Those that experiments write."""
    found = preview(name, data)

    assert ("table", title) == (found.kind, found.title)
    assert ["a", "b"] == found.lines[0].split()


@pytest.mark.frameworks
def test_parquet_is_a_table(tmp_path: Path) -> None:
    """Where pyarrow is installed; a damaged one is bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(1000), "t": ["x\x1b"] * 1000}), path)

    found = preview("a.parquet", path, height=4)
    assert ("table", ("n  t", r"0  x\x1b", r"1  x\x1b", "…")) == (found.kind, found.lines)
    assert "1000 rows · 2 columns" in found.title
    data = path.read_bytes()
    assert "binary" == preview("a.parquet", data[:50] + b"\xff" * 20 + data[-8:]).kind


# ------------------------------------------------------------------ JSON and YAML


def test_json_is_opened_as_far_as_it_fits() -> None:
    """Deep parts are counted."""
    document = {"lr": 0.1, "layers": [{"units": n, "deep": {"x": [n]}} for n in range(3)], "tags": ["a", "b"]}
    data = json.dumps(document).encode()

    assert ("lr: 0.1", "layers: [3 items]", 'tags: ["a", "b"]') == preview("a.json", data, height=4).lines
    assert ("lr: 0.1", "layers:", "  - {2 keys}", "  - {2 keys}", "  - {2 keys}", 'tags: ["a", "b"]') == preview(
        "a.json", data, height=8
    ).lines
    deep = preview("a.json", data).lines
    assert ("  -", "    units: 0", "    deep:", "      x: [0]") == deep[2:6]


def test_yaml_is_text_until_it_is_long() -> None:
    """Short files are for reading as they are."""
    text = "a:\n" + "".join(f"  k{n}: {n}\n" for n in range(20))

    assert ("text", ("a: 1", "# why")) == (
        preview("a.yaml", b"a: 1\n# why\n").kind,
        preview("a.yaml", b"a: 1\n# why\n").lines,
    )
    assert ("yaml", ("a: {20 keys}",)) == (
        preview("a.yml", text.encode(), height=10).kind,
        preview("a.yml", text.encode(), height=10).lines,
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"[" * 500_000),
        ("a.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("a.json", b"1" * 100_000),
        ("a.jsonl", b"[" * 500_000 + b"\n"),
        (
            "a.yaml",
            b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 120)),
        ),
        ("a.yaml", b"- " * 50_000 + b"\n" * 30),
        ("a.csv", b'a,b\n"' + b"x" * 900_000),
        ("a.csv", b"," * 1_000_000),
        ("a.csv", b"\n" * 1_000_000),
        ("a.svg", b"<!---->" * 100_000),
        ("a.npy", b"\x93NUMPY\x02\0\xff\xff\xff\xff" + b"{" * 1000),
        ("a.npy", b"\x93NUMPY\x01\0\xff\xff" + b"'shape': (" + b"9," * 30_000),
        ("a.gz", gzip.compress(gzip.compress(bytes(50_000_000)))),
        ("a.gz", gzip.compress(bytes(50_000_000))),
        ("a.zip", b"PK\x05\x06" + bytes(6) + struct.pack("<HII", 65_535, 0xFFFFFFF0, 0) + b"\0\0"),
        ("a.tar", (b"x" * 100 + bytes(24) + b"77777777777\0" + bytes(121) + b"ustar\0" + bytes(249))[:512] * 3),
        ("a.safetensors", struct.pack("<Q", 2**63) + b"{}"),
        ("a.parquet", b"PAR1" + bytes(100) + struct.pack("<I", 2**31) + b"PAR1"),
        ("a.dir", b'[{"md5": "' + b"a" * 32 + b'", "relpath": "../../x"}]'),
    ],
    ids=range(19),
)
def test_hostile_files_are_shown_all_the_same(name: str, data: bytes) -> None:
    """Nesting, bombs, and headers that lie; each within a second or so."""
    import time

    start = time.process_time()
    found = preview(name, data)

    assert harmless(found, 80, 24)
    assert time.process_time() - start < 3


# ------------------------------------------------------------------ arrays and archives


def test_arrays_are_described_by_their_headers(tmp_path: Path) -> None:
    """Type and shape, and the first values where NumPy is not needed for them."""
    import numpy as np

    np.save(tmp_path / "a.npy", np.array([[1.5, 2], [3, 4]], order="F"))
    np.savez_compressed(tmp_path / "b.npz", weights=np.zeros((1000, 20), "f4"), flag=np.array(True))

    one, several = (preview(name, tmp_path / name) for name in ("a.npy", "b.npz"))
    assert ("a.npy · NumPy array · float64 · 160 B", "array") == (one.title, one.kind)
    assert ("type   float64", "shape  2 × 2", "order  Fortran's", "first  1.5 3 2 4") == one.lines
    assert ("weights  float32  1000 × 20", "flag  bool  one value") == several.lines


def test_safetensors_lists_its_tensors() -> None:
    """The header is JSON."""
    header = json.dumps(
        {"__metadata__": {}, "w\x1b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    ).encode()

    found = preview("m.safetensors", struct.pack("<Q", len(header)) + header + bytes(24))
    assert ("array", (r"F32   2 × 3            w\x1b",)) == (found.kind, found.lines)


def test_archives_are_listed() -> None:
    """Names and sizes; nothing is unpacked."""
    packed, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", "x" * 3000)
        archive.writestr("ü\x1b", "")
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("short", "long/" + "n" * 200):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))

    found = preview("a.zip", packed.getvalue())
    assert ("archive", ("2.9 KiB  a/b.txt", r"    0 B  ü\x1b")) == (found.kind, found.lines)
    for name, data in (("a.tar", tar.getvalue()), ("a.tgz", gzip.compress(tar.getvalue()))):
        found = preview(name, data, width=220)
        assert ("archive", ("3 B  short", "3 B  long/" + "n" * 200)) == (found.kind, found.lines)


def test_pax_names_are_read() -> None:
    """Python's own tarfile writes them."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("é" * 120))

    assert ("0 B  " + "é" * 120,) == preview("a.tar", tar.getvalue(), width=200).lines


def test_folders_are_listed(tmp_path: Path) -> None:
    """From DVC's list, or from whoever knows their files."""
    data = json.dumps([{"md5": "a" * 32, "relpath": f"{n}.png"} for n in range(30)]).encode()

    listed = preview("images.dir", data, height=3)
    assert ("folder", "images.dir · folder · 30 files") == (listed.kind, listed.title)
    assert ("0.png", "1.png", "… and 28 more") == listed.lines
    given = preview_folder("data/images", [("a.png", 10), ("b/c.png", 2000)])
    assert ("images · folder · 2 files · 2.0 KiB", ("   10 B  a.png", "2.0 KiB  b/c.png")) == (given.title, given.lines)


# ------------------------------------------------------------------ everything


def test_anything_else_is_shown_as_bytes() -> None:
    """With a name where the beginning gives one away."""
    found = preview("model.pkl", b"\x80\x04\x95\x00\x1b[2Jabc" + bytes(100), height=3)

    assert ("binary", "model.pkl · pickle · 111 B") == (found.kind, found.title)
    assert "00000000  80 04 95 00 1b 5b 32 4a 61 62 63 00 00 00 00 00  .....[2Jabc....." == found.lines[0]
    assert 3 == len(found.lines)


def test_an_empty_file_is_said_to_be() -> None:
    assert Preview("empty", "a.csv · empty · 0 B", ()) == preview("dir/a.csv", b"")


def test_a_stream_that_can_not_go_back_is_read_once() -> None:
    """A download; how large it is remains unknown."""

    class Stream(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            buffer[:5] = b"line\n"
            return 5

    found = preview("a.txt", Stream(), height=4)  # type: ignore[arg-type]

    assert ("a.txt · text · more than 1.0 MiB", ("line", "line", "line", "… the rest")) == (found.title, found.lines)


def test_of_a_huge_file_little_is_read(tmp_path: Path) -> None:
    """A hole of 50 GB costs nothing."""
    path = tmp_path / "hole.bin"
    with path.open("wb") as file:
        file.write(b"\x00\x01")
        file.truncate(50_000_000_000)

    assert "hole.bin · binary · 46.6 GiB" == preview("hole.bin", path).title


# fmt: off
PIECES = st.sampled_from([
    b"a,b\n", b"1;2", b"\t", b'"', b'{"a":', b"[", b"]", b"}", b"- ", b": ", b"\n", b"\r", b"\x1b[2J", b"\0",
    b"\xff\xfe",
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF", b"WEBPVP8X", b"BM", b"<svg ", b"\x93NUMPY\x01\0",
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"PAR1", b"\xe2\x80\xae", b"1e999", b"'shape': (1,)",
    b"'descr': '<f8'",
])
# fmt: on


@given(
    st.sampled_from(NAMES),
    st.one_of(st.binary(max_size=300), st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=20).map(b"".join)),
    st.integers(1, 100),
    st.integers(1, 30),
)
def test_no_bytes_make_it_fail(name: str, data: bytes, width: int, height: int) -> None:
    """Whatever they are and whatever they are called, the answer is harmless and fits."""
    assert harmless(preview(name, data, width, height), max(width, 20), max(height, 3))
    packed = gzip.compress(data)
    assert harmless(preview(name + ".gz", packed, width, height), max(width, 20), max(height, 3))


@given(st.sampled_from(["a.csv", "a.json", "a.txt", "a.jsonl", "a.yaml"]), st.text(max_size=200))
def test_no_text_steers_the_terminal(name: str, text: str) -> None:
    """Nor makes it fail."""
    assert harmless(preview(name, text.encode("utf-8", "surrogatepass"), 40, 5), 40, 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(JSON, st.integers(3, 12))
def test_all_json_is_outlined(value: object, height: int) -> None:
    """Within the lines there are."""
    found = preview("a.json", json.dumps(value).encode(), 40, height)

    assert found.kind in ("json", "table")
    assert harmless(found, 40, height)
    assert found.lines


def test_a_damaged_picture_is_measured(tmp_path: Path) -> None:
    """Its header is whole, its content is not."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))

    found = preview("a.png", data)
    assert ("picture", "a.png · PNG · 640 × 480 · 33 B", ()) == (found.kind, found.title, found.lines)
