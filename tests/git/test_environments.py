"""A virtual environment that nobody told Git to ignore."""

from __future__ import annotations

from pathlib import Path

from tests.git.kit import files, shot


def test_environments_stay_out_of_the_snapshot_and_are_named(repo: Path) -> None:
    """A beginner's first run would take in 11,000 files."""
    for folder, mark in (("env", "pyvenv.cfg"), ("tools/conda", "conda-meta/history")):
        (repo / folder / "lib").mkdir(parents=True)
        (repo / folder / "lib" / "os.py").write_text("pass\n")
        (repo / folder / mark).parent.mkdir(exist_ok=True)
        (repo / folder / mark).write_text("\n")
    (repo / "environment.py").write_text("pass\n")

    snapshot = shot(repo)

    assert {"data.csv", "environment.py", "train.py"} == set(files(repo, snapshot.tree))
    assert [("env/", 0), ("tools/conda/", 0)] == [(left.path, left.size) for left in snapshot.left_out]
    assert all(".gitignore" in left.reason for left in snapshot.left_out)
