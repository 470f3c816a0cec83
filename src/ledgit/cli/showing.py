"""``ledgit show RUN --artifact PATH``: what is in a file that a run logged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledgit.cli import graphics, render, terminal, text
from ledgit.errors import RunNotFound

if TYPE_CHECKING:
    from ledgit.artifacts import Preview
    from ledgit.repository import Repository, Run

__all__ = ["find", "show_artifact"]

_LINES = 24


def find(repository: Repository, ref: str) -> tuple[Run, str | None]:
    """Return the run that *ref* names, and the artifact behind it in ``RUN:PATH``.

    Raises:
        RunNotFound: No run is called so, with or without what follows a colon.
    """
    try:
        return repository.run(ref), None
    except RunNotFound:
        place = ref.find(":")
        while place > 0:  # names may have colons too
            try:
                return repository.run(ref[:place]), ref[place + 1 :]
            except RunNotFound:
                place = ref.find(":", place + 1)
        raise


def show_artifact(found: Run, path: str, form: str, *, fetch: bool) -> int:
    """Print what is in the artifact *path*, a file or a folder, and return the exit code.

    Args:
        found: The run.
        path: Where it was logged.
        form: ``text`` or ``json``.
        fetch: Get it from the artifact remote if it is not here.

    Raises:
        ArtifactNotFound: There is none, or its content is not here.
    """
    from ledgit.artifacts import preview, preview_folder

    path = path.strip("/")
    columns, lines = terminal.columns(), _height()
    files = found.artifact_files(path)
    if [(file.path, file.nfiles) for file in files] != [(path, None)]:
        inside = [
            (file.path.removeprefix(path).lstrip("/") or "(files that are not here)", file.size) for file in files
        ]
        _print(preview_folder(path or found.name, inside, columns, lines), form, "")
        return 0
    with found.open_artifact(path, fetch=fetch) as file:
        seen = preview(path, file, columns, lines)
        how = graphics.protocol(terminal=terminal.output_is_terminal(), color=terminal.use_color())
        drawn = graphics.picture_text(seen, file, how, columns, lines) if form == "text" else ""
    _print(seen, form, drawn)
    return 0


def _height() -> int:
    """Return how many lines there are for the content, beside the title and the next prompt."""
    try:
        return max(os.get_terminal_size(1).lines - 4, 8)
    except OSError:
        return _LINES


def _print(seen: Preview, form: str, drawn: str) -> None:
    if form == "json":
        size = None if seen.picture is None else {"width": seen.picture.width, "height": seen.picture.height}
        shown = {"title": seen.title, "kind": seen.kind, "picture": size, "lines": list(seen.lines)}
        terminal.write(render.json_text(shown))
        return
    style = text.Style(terminal.use_color())
    terminal.write(style.bold(seen.title) + "\n" + (drawn or "".join(line + "\n" for line in seen.lines)))
