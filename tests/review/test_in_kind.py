"""What differs within artifacts, by what they are, whoever wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.review.conftest import commit

import ledgit
from ledgit.cli import main
from ledgit.review.in_kind import LARGEST, compare_content, flatten

PIXEL = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0%c\0\0\0\1\x08\2\0\0\0\0\0\0\0\0\0\0\0IEND\0\0\0\0"


def table(*rows: list[object]) -> bytes:
    return json.dumps({"columns": ["name", "score"], "data": rows}).encode()


@pytest.mark.parametrize(
    ("path", "old", "new", "kind", "summary", "lines"),
    [
        ("a.txt", b"one\ntwo\n", b"one\nthree\n", "text", "1 lines added, 1 removed", ("-two", "+three")),
        (
            "a.yaml",
            b"model: {layers: [1, 2], name: x}\n",
            b"model: {layers: [1, 3, 4]}\n",
            "keys",
            "keys: 1 changed, 1 added, 1 removed",
            ("-model.layers.1: 2", "+model.layers.1: 3", '-model.name: "x"', "+model.layers.2: 4"),
        ),
        ("a.json", b'{"a": 1}', b'{"a": "1"}', "keys", "1 changed", ("-a: 1", '+a: "1"')),
        (
            "a.csv",
            b"name,score\nx,1\ny,2\n",
            b"name,score,extra\nx,1,0\ny,3,0\nz,4,0\n",
            "table",
            "2 → 3 rows, 2 → 3 columns, 1 cells changed",
            ("+column extra", " row 2, score: 2 → 3"),
        ),
        ("t.json", table(["x", 1]), table(["x", 2]), "table", "1 rows, 2 columns, 1 cells", (" row 1, score: 1 → 2",)),
        ("a.png", PIXEL % b"\1", PIXEL % b"\2", "picture", "png 1×1 → png 2×1, 45 bytes", ()),
        ("a.bin", b"\0\1", b"\0\2\3", "bytes", "2 → 3 bytes", ()),
        ("a.txt", b"x", b"y" * (LARGEST + 1), "bytes", "1 → 1,048,577 bytes", ()),
        ("a.json", b"{broken", b"{broken too", "text", "1 lines added", ("-{broken", "+{broken too")),
        ("a.json", b"[" * 100_000, b"[" * 99_999, "text", "1 lines added", None),
        ("a.yaml", b"[" * 60_000, b"[" * 59_999, "text", "1 lines added", None),
        ("a.yaml", b"a: &x [1]\nb: *x\n", b"a: 1\n", "text", "1 lines added", None),
        ("a.yaml", b"!!python/object/apply:os.system [false]\n", b"a: 1\n", "text", "1 lines added", None),
    ],
)
def test_each_kind_is_compared_as_what_it_is(
    path: str, old: bytes, new: bytes, kind: str, summary: str, lines: tuple[str, ...] | None
) -> None:
    """By ending and content; what can't be read as it says is shown as text, or as bytes."""
    found = compare_content(path, old, new)

    assert found.kind == kind
    assert summary in found.summary
    if lines is not None:
        assert tuple(line for line in found.lines if not line.startswith(("@@", " one"))) == lines


def test_what_is_long_is_cut_and_counted() -> None:
    """A table of which every cell differs, and a text of which every line does."""
    old, new = (b"a\n" + b"\n".join(b"%d" % (number + plus) for number in range(5_000)) for plus in (0, 1))

    found = compare_content("a.csv", old, new)

    assert len(found.lines) == 200
    assert found.more == 4_800
    assert compare_content("a.txt", old, new).kind == "text"


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.yaml", "a.png", "a"]))
def test_any_bytes_are_compared(old: bytes, new: bytes, path: str) -> None:
    """Without an exception, whatever they pretend to be."""
    found = compare_content(path, old, new)

    assert found.path == path
    flatten(old, path)


def test_reports_say_what_differs_within_artifacts(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In JSON, Markdown and HTML; markup in a file stays text."""
    for branch, depth in (("main", 2), ("feature", 3)):
        if branch != "main":
            run_git(repo, "switch", "-q", "-c", branch)
            commit(repo, "train.py", "x\n", "deeper")
        with ledgit.start_run():
            ledgit.log_metric("accuracy", 0.9)
            ledgit.log_dict({"model": {"depth": depth, "note": f"</pre><script>{depth}"}}, "config.json")
    capsys.readouterr()

    assert main(["report", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["contents"]
    assert found["lines"][:2] == ["-model.depth: 2", "+model.depth: 3"]
    assert main(["report", "--md"]) == 0
    assert "+model.depth: 3" in capsys.readouterr().out
    assert main(["report", "--html"]) == 0
    page = capsys.readouterr().out
    assert "+model.depth: 3" in page
    assert "<script>2" not in page
    assert main(["diff", "main...HEAD", "--artifacts"]) == 0
    shown = capsys.readouterr().out
    assert "keys: 2 changed" in shown
    assert "+model.depth: 3" in shown
    assert main(["diff", "main...HEAD", "--artifacts", "--md"]) == 0
    assert "+model.depth: 3" in capsys.readouterr().out
    assert main(["diff", "main...HEAD", "--artifacts", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["contents"][0]["kind"] == "keys"


def test_small_pictures_are_shown_side_by_side_where_asked_for(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside the page; what only pretends to be one by its name, or could have a script, is not."""
    for branch, wide in (("main", 1), ("feature", 2)):
        if branch != "main":
            run_git(repo, "switch", "-q", "-c", branch)
            commit(repo, "train.py", "x\n", "deeper")
        (tmp_path / "a.png").write_bytes(PIXEL % bytes([wide]))
        (tmp_path / "b.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="9"/>')
        (tmp_path / "c.png").write_text(f"<script>{wide}</script>")
        with ledgit.start_run():
            ledgit.log_metric("accuracy", 0.9)
            for name in ("a.png", "b.svg", "c.png"):
                ledgit.log_artifact(str(tmp_path / name))
    capsys.readouterr()

    assert main(["report", "--html"]) == 0
    assert "<img" not in capsys.readouterr().out
    assert main(["report", "--html", "--pictures"]) == 0
    page = capsys.readouterr().out
    assert page.count('src="data:image/png;base64,') == 2
    assert page.count("<img") == 2
    assert "<script>1" not in page
