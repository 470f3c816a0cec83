"""What can be done to a run from its screen: edits, stopping it, opening its commit, copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ledgit.records.harmless import clean, fit
from ledgit.tui.data.asking import Choice, Problem
from ledgit.tui.data.editing import (
    STAR,
    delete_edit,
    move_edit,
    note_edit,
    rename_edit,
    restore_edit,
    star_edit,
    tag_edit,
    untag_edit,
)
from ledgit.tui.data.reproduce import as_row, recipes
from ledgit.tui.data.stopping import Stop, look_at, stop
from ledgit.tui.screens.marking import MarkingScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.tui.data.details import Details
    from ledgit.tui.hosts import CommitPage

__all__ = ["RunActs"]


class RunActs(MarkingScreen):
    """The verbs of a run's screen."""

    details: Details | None
    run_id: str
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "note", "note", id="run.note"),
        Binding("t", "tags", "tags", id="run.tags"),
        Binding("r", "rename", "Rename", show=False, id="run.rename"),
        Binding("m", "move", "Move to an experiment", show=False, id="run.move"),
        Binding("asterisk", "star", "Star", show=False, id="run.star"),
        Binding("x", "delete", "Delete or restore", show=False, id="run.delete"),
        Binding("y", "copy", "copy", id="run.copy"),
        Binding("o", "open_commit", "Commit in the browser", show=False, id="run.open_commit"),
        Binding("K", "stop", "stop", id="run.stop"),
        Binding("P", "parent", "Go to its parent", show=False, id="run.parent"),
    ]

    def read_again(self) -> None:
        """Read the run: it was edited."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer stopping only where something runs."""
        if action == "stop":
            return self.details is not None and self.details.live
        if action == "parent":
            return self.details is not None and self.details.run.parent_run is not None
        return super().check_action(action, parameters)

    # ------------------------------------------------------------------ edits

    def action_note(self) -> None:
        """Write the note of this run, here or in your editor."""
        from ledgit.tui.screens.run.noting import NoteDialog

        details = self.details
        if details is None or not self._may_write():
            return
        run, repository = details.run, self.session.repository

        def done(text: str) -> None:
            if text.rstrip() != run.note.rstrip():
                self.write(note_edit(repository, run, text.rstrip()), self.read_again)

        self.app.push_screen(NoteDialog(run.note, done))

    def action_tags(self) -> None:
        """Add or change a tag by key=value, remove one by -key."""
        details = self.details
        if details is None or not self._may_write():
            return
        run, repository = details.run, self.session.repository

        def check(text: str) -> Problem | None:
            if text.startswith("-"):
                known = text[1:].strip() in run.tags or text == "-"
                return None if known else Problem(1, "there is no such tag")
            return None if not text or text.partition("=")[0].strip() else Problem(0, "a tag has a name: key=value")

        def complete(text: str, cursor: int) -> Sequence[str]:
            begun = text[:cursor]
            if begun.startswith("-"):
                return [f"-{key}" for key in sorted(run.tags) if key.startswith(begun[1:])]
            if "=" in begun:
                return []
            keys = dict.fromkeys([*sorted(run.tags), *repository.index.keys("tags")])
            return [f"{key}=" for key in keys if key.startswith(begun)][:50]

        def done(text: str) -> None:
            key, equals, value = text.partition("=")
            if text.startswith("-") and len(text) > 1:
                self.write(untag_edit(repository, [run], [text[1:].strip()]), self.read_again)
            elif key.strip():
                self.write(tag_edit(repository, [run], {key.strip(): value if equals else "true"}), self.read_again)

        self.prompt("tag, or -tag", done, check=check, complete=complete)

    def action_rename(self) -> None:
        """Give this run another name."""
        details = self.details
        if details is None or not self._may_write():
            return
        run, repository = details.run, self.session.repository

        def done(text: str) -> None:
            if text.strip() and text.strip() != run.name:
                self.write(rename_edit(repository, run, text.strip()), self.read_again)

        self.prompt("name", done, value=run.name)

    def action_move(self) -> None:
        """Move this run to another experiment."""
        details = self.details
        if details is None or not self._may_write():
            return
        run, repository = details.run, self.session.repository

        def complete(text: str, cursor: int) -> Sequence[str]:
            return [one.name for one in repository.experiments() if one.name.startswith(text[:cursor])]

        def done(text: str) -> None:
            if text.strip() and text.strip() != run.experiment:
                self.write(move_edit(repository, [run], text.strip()), self.read_again)

        self.prompt("experiment", done, value=run.experiment, complete=complete)

    def action_star(self) -> None:
        """Star this run, or take its star away."""
        if self.details is not None:
            run = self.details.run
            edit = star_edit(self.session.repository, [run], run.tags.get(STAR) != "true")
            self.write(edit, self.read_again)

    def action_delete(self) -> None:
        """Delete this run (lists leave it out), or restore it."""
        if self.details is not None:
            run = self.details.run
            make = restore_edit if run.state.deleted else delete_edit
            self.write(make(self.session.repository, [run]), self.read_again)

    # ------------------------------------------------------------------ stopping

    def action_stop(self) -> None:
        """Ask the process of this run to end (SIGTERM), after a question."""
        if self._may_write():
            self.ask(lambda: look_at(self.session, self.run_id), self._confirm_stop, group="stop", what="looking")

    def _confirm_stop(self, plan: Stop) -> None:
        if plan.why:
            self.tell(plan.why[:1].upper() + plan.why[1:] + ".", good=False)
            return
        command = fit(clean(plan.command), 200) or "(its command is not known)"
        text = f"SIGTERM goes to process {plan.pid} on {plan.host}:\n\n{command}\n"
        if plan.others:
            text += f"\nThe same process writes {', '.join(plan.others[:5])}: they end too.\n"
        text += "\nWhat was logged stays; the run shows as killed."
        self.confirm(f"Stop {plan.name}?", text, lambda: self._stop(plan))

    def _stop(self, plan: Stop) -> None:
        def told(_: None) -> None:
            self.tell(f"Asked process {plan.pid} to end.")
            self.app.look_now()

        self.ask(lambda: stop(self.session, plan), told, what="stopping")

    # ------------------------------------------------------------------ going elsewhere

    def action_parent(self) -> None:
        """Show the run that this one is nested in."""
        if self.details is not None and self.details.run.parent_run:
            self.app.open_run(self.details.run.parent_run)

    def action_open_commit(self) -> None:
        """Open the commit of its code in the browser; without one its address is copied."""
        from ledgit.tui.hosts import commit_page, has_browser

        details, session = self.details, self.session
        if details is None:
            return
        code = details.run.code

        def show(found: tuple[CommitPage, bool]) -> None:
            page, browser = found
            if not page.address:
                self.tell(f"{page.why[:1].upper()}{page.why[1:]}.", good=False)
            elif self.app.is_web or browser:
                self.app.open_url(page.address)
                self.tell(f"Opened {page.address}")
            else:
                self.copy(page.address, f"the address, as there is no browser here: {clean(page.address)}")

        self.ask(
            lambda: (commit_page(session.repository.repo, code.commit, code.branch), has_browser(session.environ)),
            show,
            group="web",
        )

    def action_copy(self) -> None:
        """Copy its id, its URI, a row for Markdown, a command, or its commit."""
        if self.details is None:
            return
        details = self.details
        lines = {recipe.key: recipe for recipe in recipes(details)}
        order = [
            key for key in ("id", "uri", "repro", "commit", "command", "apply", "branch", "python") if key in lines
        ]
        items = [Choice(key, lines[key].title, fit(clean(lines[key].line), 44)) for key in order]
        items.insert(2, Choice("row", "Row as Markdown", ""))

        def done(key: str) -> None:
            if key == "row":
                self.copy(as_row(details), "the row")
            else:
                self.copy(lines[key].line, clean(lines[key].line)[:60])

        self.choose("Copy", items, done)
