"""A project's own data in DVC: added, compared and located by DVC itself, as ``dvc add`` and ``dvc status`` do.

DVC's functions talk to a terminal; here they are quiet.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from ledgit.errors import Conflict, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["add_data", "changed_data", "data_cache", "init_dvc"]


def init_dvc(top: str) -> list[str]:
    """Make a DVC project of the folder *top*, the top of a Git work tree, as ``dvc init`` does.

    Returns:
        The files that belong into a commit, from *top*: also when DVC was there already.

    Raises:
        Conflict: DVC refuses.
    """
    if not os.path.isdir(os.path.join(top, ".dvc")):
        with _quietly(top, "make a DVC project of it"):
            from dvc.repo import Repo

            Repo.init(top).close()
    names = (".dvc/config", ".dvc/.gitignore", ".dvcignore")
    return [name for name in names if os.path.isfile(os.path.join(top, name))]


def add_data(root: str, paths: Sequence[str]) -> list[str]:
    """Add files and folders to the DVC project *root*: their content to its cache, a pointer beside each.

    Args:
        root: The folder that has ``.dvc``.
        paths: Absolute.

    Returns:
        Absolute paths of the files that DVC wrote: pointers, and the ``.gitignore`` beside each.

    Raises:
        Conflict: DVC refuses, because a path is tracked otherwise, for instance.
        StorageError: The disk refused.
    """
    if not paths:
        return []
    with _quietly(root, f"add {os.path.relpath(paths[0], root)}"), _opened(root) as repo:
        stages = repo.add(list(paths))
        pointers = [os.path.abspath(stage.path) for stage in stages]
    ignores = {os.path.join(os.path.dirname(pointer), ".gitignore") for pointer in pointers}
    return [*pointers, *sorted(path for path in ignores if os.path.isfile(path))]


def changed_data(root: str, pointers: Sequence[str]) -> list[str]:
    """Return the data that are not what their pointers say, as DVC names them; data that are not here don't count.

    Args:
        root: The folder that has ``.dvc``.
        pointers: Absolute paths of ``.dvc`` files.

    Raises:
        Conflict: DVC can't read one.
    """
    if not pointers:
        return []
    changed: list[str] = []
    with _quietly(root, "compare its data"), _opened(root) as repo:
        for about in repo.status(targets=list(pointers)).values():
            for part in about:
                outs = part.get("changed outs", {}) if isinstance(part, dict) else {}
                changed += [path for path, state in outs.items() if state in ("modified", "new")]
    return changed


def data_cache(root: str) -> str:
    """Return the cache of the DVC project *root*: the folder that has ``files/md5``.

    Raises:
        Conflict: DVC can't make sense of its configuration.
    """
    with _quietly(root, "find its cache"), _opened(root) as repo:
        return str(repo.cache.local_cache_dir)


@contextlib.contextmanager
def _opened(root: str) -> Iterator[Any]:
    from dvc.repo import Repo

    repo = Repo(root)
    try:
        yield repo
    finally:
        repo.close()


@contextlib.contextmanager
def _quietly(root: str, doing: str) -> Iterator[None]:
    """Keep DVC from talking, and raise what it raises as ours."""
    import logging
    import warnings
    from io import StringIO

    from dvc.exceptions import DvcException
    from dvc.scm import SCMError
    from dvc.ui import ui
    from rich.console import Console

    logger = logging.getLogger("dvc")
    before, shown = logger.level, vars(ui).get("error_console")
    logger.setLevel(logging.CRITICAL)
    vars(ui)["error_console"] = Console(file=StringIO())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of DVC's own libraries: nobody here can mend them
            yield
    except (DvcException, SCMError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = lines[0] if lines else type(error).__name__
        raise Conflict(f"DVC can't {doing} in {root}: {said}") from error
    except OSError as error:
        raise StorageError(root, error.strerror or str(error)) from error
    finally:
        logger.setLevel(before)
        if shown is None:
            vars(ui).pop("error_console", None)
        else:
            vars(ui)["error_console"] = shown
