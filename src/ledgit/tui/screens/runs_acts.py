"""The runs screen's keys about runs: open, mark, compare, edit, copy, export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ledgit.tui.data.export import FORMATS, export_file, export_text
from ledgit.tui.screen import Choice
from ledgit.tui.screens.runs_asking import RunsAsking
from ledgit.tui.widgets.grid import Grid

if TYPE_CHECKING:
    from ledgit.repository import Run
    from ledgit.tui.data.editing import Edit

__all__ = ["RunsActs"]

_NOTE = "mlflow.note.content"
_MOST_DIFF = 8
#: Bytes that terminals take through OSC 52: more is cut by some, and none says so.
_CLIPBOARD = 74_000


class RunsActs(RunsAsking):
    """What is done with runs, by keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="runs.mark"),
        Binding("a", "mark_all", "Mark all shown", show=False, id="runs.mark_all"),
        Binding("M", "clear_marks", "Clear marks", show=False, id="runs.clear_marks"),
        Binding("d", "diff", "diff", id="runs.diff"),
        Binding("c", "compare", "compare", id="runs.compare"),
        Binding("b", "baseline", "baseline", id="runs.baseline"),
        Binding("asterisk", "star", "Star", show=False, id="runs.star"),
        Binding("t", "tags", "Tags", show=False, id="runs.tags"),
        Binding("e", "note", "Note", show=False, id="runs.note"),
        Binding("x", "delete", "Delete or restore", show=False, id="runs.delete"),
        Binding("y", "copy", "copy", id="runs.copy"),
        Binding("w", "export", "Export the table", show=False, id="runs.export"),
        Binding("o", "browse", "Commit in the browser", show=False, id="runs.browse"),
    ]

    def on_grid_opened(self, message: Grid.Opened) -> None:
        """Open a run."""
        message.stop()
        self.app.open_run(message.key)

    # ------------------------------------------------------------------ marks

    def _marked(self) -> None:
        self.grid.refresh_rows()
        self._say()

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        marks, key = self.session.marks, self.grid.cursor_key
        if key is not None:
            if key in marks:
                del marks[key]
            else:
                marks[key] = None
        self._marked()
        self.grid.action_down()

    def on_grid_ranged(self, message: Grid.Ranged) -> None:
        """Mark a range."""
        message.stop()
        self.session.marks.update(dict.fromkeys(message.keys))
        self._marked()

    def action_mark_all(self) -> None:
        """Mark all runs that are shown; once more takes these marks away."""
        if self.rows is None:
            return
        window, marks = self.rows.window, self.session.marks
        ids = [window.id(place) for place in range(len(window))]
        if all(run in marks for run in ids):
            for run in ids:
                del marks[run]
        else:
            marks.update(dict.fromkeys(ids))
        self._marked()

    def action_clear_marks(self) -> None:
        """Clear all marks."""
        self.session.marks.clear()
        self._marked()

    # ------------------------------------------------------------------ looking at several

    def action_diff(self) -> None:
        """Show what differs: between the marked runs, else between the baseline or parent and the run here."""
        here, marks = self.grid.cursor_key, list(self.session.marks)
        base = self.session.baseline
        if len(marks) >= 2:
            ids = marks
        elif here is None:
            return
        elif marks and marks[0] != here:
            ids = [marks[0], here]
        else:
            state = self.rows.state(here) if self.rows is not None else None
            other = base if base != here else None
            other = other or (state.parent_run if state is not None else None)
            if other is None:
                self.tell("Mark two runs with space, or choose a baseline with b, and then d", good=False)
                return
            ids = [other, here]
        if base is not None and base in ids:
            ids = [base, *(run for run in ids if run != base)]
        if len(ids) > _MOST_DIFF:
            self.tell(f"The first {_MOST_DIFF} of {len(ids):,} marked runs; c compares any number", good=False)
        self.app.open_diff(ids[:_MOST_DIFF])

    def action_compare(self) -> None:
        """Compare the marked runs, else all that are shown, in a scatter of two columns."""
        marks = list(self.session.marks)
        if not marks and self.rows is not None:
            window = self.rows.window
            marks = [window.id(place) for place in range(min(len(window), 10_000))]
        self.app.open_compare(marks or None)

    def action_baseline(self) -> None:
        """Make the run here the baseline: others show how much better or worse they are. Again: none."""
        here = self.grid.cursor_key
        if here is None:
            return
        self.session.baseline = None if self.session.baseline == here else here
        self.reload()

    def action_browse(self) -> None:
        """Open the commit that the run's code is of, on the web page of the repository's host."""
        state = self.rows.state(self.grid.cursor_key) if self.rows is not None else None
        if state is None:
            return
        from ledgit.tui.hosts import commit_page

        repo, code = self.session.repository.repo, state.code

        def then(page: object) -> None:
            address, why = getattr(page, "address", ""), getattr(page, "why", "")
            if address:
                self.app.open_url(address)
                self.tell(f"Opened {address}")
            else:
                self.tell(f"Nothing to open: {why}", good=False)

        self.ask(lambda: commit_page(repo, code.commit, code.branch), then)

    # ------------------------------------------------------------------ edits

    def _chosen(self) -> list[Run]:
        """Return the marked runs that are known, or the one under the cursor."""
        from ledgit.repository import Run

        repository = self.session.repository
        ids = list(self.session.marks)
        here = self.grid.cursor_key
        if not ids:
            ids = [here] if here is not None else []
        states = repository.index.states(ids)
        return [Run(repository, states[run]) for run in ids if run in states]

    def _edit(self, make: object) -> None:
        """Have a thread make an edit of the chosen runs, and do it."""
        if not self._may_write() or not callable(make):
            return

        def then(edit: Edit | None) -> None:
            if edit is None:
                self.tell("No run here", good=False)
            else:
                self.write(edit)

        def work() -> Edit | None:
            runs = self._chosen()
            return make(runs) if runs else None

        self.ask(work, then)

    def action_star(self) -> None:
        """Star the run here, or the marked ones; take the star away where all have one."""
        from ledgit.tui.data.editing import STAR, star_edit

        repository = self.session.repository
        self._edit(lambda runs: star_edit(repository, runs, not all(run.tags.get(STAR) == "true" for run in runs)))

    def action_tags(self) -> None:
        """Set tags: key=value; a key with - before it is removed."""
        if not self._may_write():
            return
        count = len(self.session.marks)
        self.prompt(f"tags of {count} runs" if count > 1 else "tags", self._tagged)

    def _tagged(self, text: str) -> None:
        import shlex

        from ledgit.tui.data.editing import Edit, tag_edit, untag_edit

        try:
            words = shlex.split(text)
        except ValueError as error:
            self.tell(f"{error}: quote a value with spaces as key='a b'", good=False)
            return
        gone = [word[1:] for word in words if word.startswith("-") and "=" not in word]
        wrong = [word for word in words if "=" not in word and not word.startswith("-")]
        tags = dict(word.split("=", 1) for word in words if "=" in word)
        if wrong or not words:
            if wrong:
                self.tell(f"{wrong[0]} is no key=value", good=False)
            return
        repository = self.session.repository

        def make(runs: list[Run]) -> Edit:
            edits = [tag_edit(repository, runs, tags)] if tags else []
            edits += [untag_edit(repository, runs, gone)] if gone else []
            if len(edits) == 1:
                return edits[0]
            first, second = edits

            def do() -> None:
                first.do()
                second.do()

            def undo() -> None:
                for edit in (second, first):
                    if edit.undo is not None:
                        edit.undo()

            return Edit(f"{first.what}; {second.what}", do, undo)

        self._edit(make)

    def action_note(self) -> None:
        """Write the note of the run here."""
        if not self._may_write() or self.rows is None:
            return
        state = self.rows.state(self.grid.cursor_key)
        if state is None:
            return
        before = state.tags.get(_NOTE, "")
        if "\n" in before:
            self.app.open_run(state.id)  # several lines are edited there
            return
        from ledgit.repository import Run
        from ledgit.tui.data.editing import note_edit

        repository, run_id = self.session.repository, state.id

        def done(text: str) -> None:
            def work() -> Edit | None:
                now = repository.index.get(run_id)
                return None if now is None else note_edit(repository, Run(repository, now), text)

            self.ask(work, lambda edit: self.write(edit) if edit is not None else None)

        self.prompt(f"note of {state.name}", done, value=before)

    def action_delete(self) -> None:
        """Mark the run here, or the marked ones, as deleted: u takes it back. Deleted ones are restored."""
        if not self._may_write():
            return
        from ledgit.tui.data.editing import delete_edit, restore_edit

        repository, count = self.session.repository, len(self.session.marks)

        def make(runs: list[Run]) -> Edit:
            kind = restore_edit if all(run.deleted for run in runs) else delete_edit
            return kind(repository, runs)

        if count > 1:
            self.confirm(
                f"Delete {count:,} marked runs?",
                "They are marked as deleted and stay in the ledger; u takes it back.",
                lambda: self._edit(make),
            )
        else:
            self._edit(make)

    # ------------------------------------------------------------------ copying and exporting

    def action_copy(self) -> None:
        """Copy the run's id, its URI, its row, or the command that reproduces it."""
        rows, here = self.rows, self.grid.cursor_key
        state = rows.state(here) if rows is not None else None
        if rows is None or state is None:
            return
        names = self._names()
        items = [
            Choice("id", "id", state.id),
            Choice("name", "name", state.name),
            Choice("uri", "URI", f"runs:/{state.id}/"),
            Choice("row", "row", "as Markdown, with its head"),
            Choice("json", "row", "as JSON"),
            Choice("repro", "command to reproduce it", f"ledgit repro {state.id[:8]}"),
            Choice("show", "command to show it", f"ledgit show {state.id[:8]}"),
        ]
        if state.code.commit:
            items.append(Choice("commit", "commit of its code", state.code.commit))
        texts = {
            "id": state.id, "name": state.name, "uri": f"runs:/{state.id}/", "commit": state.code.commit or "",
            "repro": f"ledgit repro {state.id}", "show": f"ledgit show {state.id}",
        }  # fmt: skip
        session, face = self.session, rows.face

        def done(key: str) -> None:
            if key in texts:
                self.copy(texts[key], {item.key: item.text for item in items}[key])
                return
            kind = "json" if key == "json" else "md"
            self.ask(
                lambda: export_text(session, [state.id], names, kind, face), lambda text: self.copy(text, "the row")
            )

        self.choose("Copy", items, done)

    def action_export(self) -> None:
        """Export the table as it is: CSV, JSON or Markdown, into a file or the clipboard."""
        if self.rows is None:
            return
        count = len(self.rows.window)
        items = [
            Choice(f"{kind}:{where}", f"{name} {words}", f"{count:,} runs")
            for where, words in (("file", "into a file"), ("clipboard", "into the clipboard"))
            for kind, name in FORMATS.items()
        ]
        self.choose("Export the table", items, self._export)

    def _export(self, key: str) -> None:
        rows = self.rows
        if rows is None:
            return
        kind, _, where = key.partition(":")
        session, names, face, window = self.session, self._names(), rows.face, rows.window
        if where == "clipboard":

            def copied(text: str) -> None:
                if len(text.encode()) > _CLIPBOARD:
                    self.tell("That is more than terminals take for the clipboard; export it into a file", good=False)
                else:
                    self.copy(text, f"{len(window):,} runs as {FORMATS[kind]}")

            some = [window.id(place) for place in range(min(len(window), 5_000))]
            self.ask(lambda: export_text(session, some, names, kind, face), copied, what="exporting")
            return

        if not self.may_save():
            return

        def done(path: str) -> None:
            if not path.strip():
                return
            target = os.path.join(os.getcwd(), os.path.expanduser(path.strip()))

            def work() -> str:
                ids = [window.id(place) for place in range(len(window))]
                return export_file(session, ids, names, kind, face, target)

            self.ask(
                work, lambda written: self.tell(f"Exported {len(window):,} runs to {written}"),
                what=f"exporting {len(window):,} runs",
            )  # fmt: skip

        self.prompt("export into", done, value=f"runs.{kind}")
