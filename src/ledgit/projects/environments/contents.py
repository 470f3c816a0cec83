"""What is in a file or folder, as a digest: the same wherever it lies and whenever it was written."""

from __future__ import annotations

import os

__all__ = ["SKIPPED", "copy_source", "digest"]

SKIPPED = frozenset((".git", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"))
"""Names of folders that are no part of a project's source."""


def digest(path: str) -> str:
    """Return the SHA-256 of what is at *path*: of a file its bytes, of a folder names, modes and bytes of its files."""
    from hashlib import sha256

    total = sha256()
    if os.path.isfile(path):
        _add(total, path)
        return total.hexdigest()
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            file = os.path.join(folder, name)
            if not os.path.isfile(file):
                continue
            one = sha256()
            _add(one, file)
            executable = os.access(file, os.X_OK)
            total.update(f"{os.path.relpath(file, path)}\0{executable:d}\0{one.hexdigest()}\n".encode(errors="replace"))
    return total.hexdigest()


def copy_source(path: str, to: str) -> None:
    """Copy the folder at *path*, without what :data:`SKIPPED` names.

    Its ``.git`` is linked, for versions that are told from Git.
    """
    import shutil

    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(path, to, ignore=lambda _, names: SKIPPED.intersection(names), ignore_dangling_symlinks=True)
    git = os.path.join(path, ".git")
    if os.path.exists(git):
        os.symlink(git, os.path.join(to, ".git"))


def _add(total: object, path: str) -> None:
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            total.update(data)  # type: ignore[attr-defined]
