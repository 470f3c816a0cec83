"""Writing a run's note: in a window, or in the person's own editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from ledgit.tui.widgets.dialogs import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult

__all__ = ["NoteDialog"]


class NoteDialog(Dialog):
    """A text to write; ``ctrl+s`` keeps it, escape does not.

    Args:
        text: As it is.
        done: Is told the new one.
    """

    DEFAULT_CSS = """
    NoteDialog TextArea, NoteDialog TextArea:focus {
        height: 14; max-height: 60vh; border: none; background: $panel; padding: 0 1;
    }
    NoteDialog > .dialog { width: 84; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="note.save", priority=True),
        Binding("ctrl+o", "editor", "Your editor", id="note.editor", priority=True),
    ]

    def __init__(self, text: str, done: Callable[[str], None]) -> None:
        super().__init__()
        self._text, self._done = text, done

    def compose(self) -> ComposeResult:
        """Make the window."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Note"
            yield TextArea(self._text, soft_wrap=True, tab_behavior="focus")
            yield Static("ctrl+s saves   ctrl+o opens your editor   esc leaves it as it was", classes="dialog--hint")

    def action_save(self) -> None:
        """Keep the text."""
        text = self.query_one(TextArea).text
        self.dismiss()
        self._done(text)

    def action_editor(self) -> None:
        """Write the note in the editor that Git would use."""
        from textual.app import SuspendNotSupported

        area = self.query_one(TextArea)
        try:
            with self.app.suspend():
                text = _edited(
                    area.text, self.app.session.environ, self.app.session.repository.repo.config().get("core.editor")
                )
        except SuspendNotSupported:
            self.app.notify("There is no terminal for an editor here.", severity="warning", markup=False)
            return
        except OSError as error:
            self.app.show_problem(error)
            return
        if text is None:
            self.app.notify("The editor failed; the note is as it was.", severity="warning", markup=False)
        else:
            area.text = text


def _edited(text: str, environ: dict[str, str], configured: str | None) -> str | None:
    """Let the person change *text* in an editor; None if that failed."""
    import os
    import shlex
    import subprocess
    import tempfile

    editor = environ.get("GIT_EDITOR") or configured or environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="ledgit-note-") as folder:
        path = os.path.join(folder, "NOTE.md")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text.rstrip("\n") + "\n" if text else "")
        code = subprocess.run([*shlex.split(editor), path], check=False).returncode
        if code != 0:
            return None
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rstrip("\n")
