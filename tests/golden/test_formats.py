"""What earlier versions wrote is read by today's code as it was then: one folder for each format there ever was.

``WRITE_GOLDEN=1`` writes ``read.json`` of a folder that has none; one that is there is never written again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.golden.reading import read_all

from ledgit.cli import main
from ledgit.records.run import SCHEMA
from ledgit.repository import open_repository

FOLDERS = sorted(Path(__file__).parent.glob("format-*"))


@pytest.mark.parametrize("kept", FOLDERS, ids=lambda path: path.name)
def test_a_repository_of_an_earlier_format_is_read_as_it_was(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with all they hold, edits, deletions, experiments, models: from Git's objects alone."""
    repo = tmp_path / "repo"
    run_git(tmp_path, "init", "-q", str(repo))
    run_git(repo, "fetch", "-q", "--update-head-ok", str(kept / "repository.bundle"), "refs/*:refs/*")
    run_git(repo, "reset", "-q", "--hard")
    monkeypatch.chdir(repo)

    found = json.loads(json.dumps(read_all(open_repository(repo))))

    if os.environ.get("WRITE_GOLDEN") and not (kept / "read.json").exists():
        (kept / "read.json").write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert json.loads((kept / "read.json").read_text()) == as_kept(json.loads((kept / "read.json").read_text()), found)
    assert 0 == main(["doctor"])


@pytest.mark.parametrize("kept", FOLDERS, ids=lambda path: path.name)
def test_an_export_of_an_earlier_format_is_imported(kept: Path, repo: Path) -> None:
    """With the id, the values and the files it had."""
    assert 0 == main(["import", str(kept / "runs.tar.gz")])

    [run] = open_repository(repo).runs
    said = json.loads((kept / "read.json").read_text())["runs"][run.id]
    assert (said["params"]["depth"], said["metrics"]["accuracy"]) == (run.params["depth"], run.metrics["accuracy"])
    assert said["histories"]["loss"] == [list(point) for point in run.history("loss")]
    assert b"hello\n" == run.read_artifact("notes/a b.txt")


def test_each_format_has_its_folder() -> None:
    """Whoever raises the number keeps a repository of the one before."""
    assert [f"format-{number}" for number in range(1, SCHEMA + 1)] == [path.name for path in FOLDERS]


def as_kept(kept: object, found: object) -> object:
    """Return *found* without the keys that a later version tells more."""
    if isinstance(kept, dict) and isinstance(found, dict):
        return {key: as_kept(kept[key], value) for key, value in found.items() if key in kept}
    if isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        return [as_kept(one, other) for one, other in zip(kept, found, strict=True)]
    return found
