"""Files are shown for what they are, and nothing in them is run, fetched or trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

import ledgit
from ledgit.repository import Run
from ledgit.tui.data.filetree import read_tree
from ledgit.tui.data.preview import preview
from ledgit.tui.session import Session


@pytest.fixture
def files(repo: Path) -> Run:
    (repo / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (repo / "weights.pkl").write_bytes(b"\x80\x04cos\nsystem\n.")
    with ledgit.start_run() as run:
        ledgit.log_text("one\ntwo \x1b[2J\n", "logs/train.txt")
        ledgit.log_text("id;note\n1;a\n2;b;extra\n", "table.csv")
        ledgit.log_dict({"deep": {"a": [1, None]}}, "config.json")
        ledgit.log_dict({"columns": ["x", "y"], "data": [[1, None], [2, True]]}, "eval.json")
        ledgit.log_text("[" * 200_000, "bomb.json")
        ledgit.log_text("", "empty.txt")
        ledgit.log_artifact(str(repo / "noise.bin"), "model")
        ledgit.log_artifact(str(repo / "weights.pkl"), "model")
        ledgit.log_text("<svg>", "not.png")
    return ledgit.open(repo).run(run.info.run_id)


def test_each_kind_of_file_has_a_look(files: Run) -> None:
    text = preview(files, "logs/train.txt")
    assert (text.kind, text.about) == ("text", "2 lines, 13 B")
    assert text.log is not None
    assert text.log.line(0) == "one"
    text.log.close()
    assert preview(files, "table.csv").table == (["id", "note", ""], [["1", "a", ""], ["2", "b", "extra"]])
    assert preview(files, "eval.json").table == (["x", "y"], [["1", ""], ["2", "true"]])
    assert preview(files, "config.json").lines[:2] == ("{", '  "deep": {')
    bomb = preview(files, "bomb.json")
    assert bomb.kind == "text"
    assert bomb.log is not None
    bomb.log.close()
    assert preview(files, "empty.txt").kind == "empty"
    assert preview(files, "model/noise.bin").lines[1].startswith("00000010  10 11 12")
    assert "pickle (not opened" in preview(files, "model/weights.pkl").about
    assert preview(files, "not.png").kind == "binary"
    assert preview(files, "nothing.txt").kind == "missing"


def test_pictures_are_made_as_small_as_the_room(repo: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (400, 100), (255, 0, 0)).save(repo / "red.png")
    with ledgit.start_run() as run:
        ledgit.log_artifact(str(repo / "red.png"))
    seen = preview(ledgit.open(repo).run(run.info.run_id), "red.png", (40, 20))

    assert seen.about.startswith("PNG image, 400 × 100")
    assert (len(seen.pixels[0]), len(seen.pixels)) == (40, 10)
    assert {pixel for row in seen.pixels for pixel in row} == {(255, 0, 0)}


def test_files_stand_in_folders_that_open_and_close(files: Run, repo: Path) -> None:
    tree = read_tree(Session(ledgit.open(repo)), files)

    assert [node.path for node in tree.rows()][:5] == [
        "logs",
        "logs/train.txt",
        "model",
        "model/noise.bin",
        "model/weights.pkl",
    ]
    tree.toggle("model")
    assert [node.path for node in tree.rows()][2:4] == ["model", "bomb.json"]
    node = tree.node("model")
    assert node is not None
    assert (node.files, node.size, node.here) == (2, 10_254, True)
