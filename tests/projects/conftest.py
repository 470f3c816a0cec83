"""A folder of a user's with nothing but files in it, and no part of the machine's DVC."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.projects.sharekit import write_files


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``train.py``, ``model.py`` and a large ``data.csv``: the working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    write_files(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc-site"))
    return folder
