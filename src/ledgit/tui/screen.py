"""The base of all screens: asking in threads, edits, dialogs, the prompt, header and footer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen

from ledgit.records.harmless import clean
from ledgit.tui.data.asking import Choice, Problem
from ledgit.tui.data.editing import Edit
from ledgit.tui.data.watching import Change
from ledgit.tui.widgets.dialogs import ChooseDialog, ConfirmDialog
from ledgit.tui.widgets.header import Header, KeyLine
from ledgit.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.app import LedgitApp
    from ledgit.tui.session import Session

__all__ = ["Change", "Choice", "Edit", "LedgitScreen", "Problem"]

T = TypeVar("T")
#: Seconds after which it is said what is being read.
_BUSY = 0.3


class _Answer(Message):
    """A thread's answer, or what it failed with."""

    def __init__(
        self, ticket: int, group: str, then: Callable[[], None] | None, error: BaseException | None = None
    ) -> None:
        super().__init__()
        self.ticket, self.group, self.then, self.error = ticket, group, then, error


class LedgitScreen(Screen[None]):
    """What every screen is made of. Subclasses yield their widgets in :meth:`body`.

    Attributes:
        NAME: In the header, the key map (``runs.sort``) and the tests.
        headline: What the screen is about at this moment, for the first line.
    """

    app: LedgitApp
    NAME: ClassVar[str] = ""
    DEFAULT_CSS = """
    LedgitScreen { layout: vertical; background: $background; }
    LedgitScreen > #body { height: 1fr; width: 1fr; layout: vertical; }
    LedgitScreen.-flat > Header, LedgitScreen.-flat > KeyLine { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False, id="app.back"),
        Binding("q", "back_or_quit", "Back or quit", show=False, id="app.back_or_quit"),
        Binding("u", "undo", "Undo", show=False, id="app.undo"),
        Binding("ctrl+r", "redo", "Redo", show=False, id="app.redo"),
        Binding("R", "look_again", "Look again", show=False, id="app.refresh"),
    ]
    headline: reactive[str] = reactive("", init=False)

    def __init__(self) -> None:
        super().__init__()
        self._tickets: dict[str, int] = {}
        self._next = 0
        self._busy: dict[int, str] = {}
        self._missed: Change | None = None
        self._prompt_done: Callable[[str], None] | None = None
        self._prompt_live: Callable[[str], None] | None = None
        self._prompt_value = ""
        self.typed_ahead: list[events.Key] | None = None  # keys meant for a line that is not there yet

    @property
    def session(self) -> Session:
        """What all screens share."""
        return self.app.session

    # ------------------------------------------------------------------ what is on it

    def compose(self) -> ComposeResult:
        """Make header, body and footer; override :meth:`body`."""
        yield Header()
        with Vertical(id="body"):
            yield from self.body()
        yield KeyLine()

    def body(self) -> ComposeResult:
        """Make what is between header and footer."""
        yield from ()

    def watch_headline(self) -> None:
        """Draw the header again."""
        for header in self.query(Header):
            header.refresh()

    def on_resize(self) -> None:
        """Leave everything to the main part where there is no room."""
        width, height = self.app.size
        self.set_class(height < 5, "-flat")
        self.set_class(width < 40 or height < 8, "-small")

    # ------------------------------------------------------------------ asking the repository

    def ask(self, work: Callable[[], T], then: Callable[[T], None], *, group: str = "", what: str = "") -> None:
        """Have a question answered by a thread.

        Args:
            work: Asks; runs in a thread and touches no widget. A LedgitError or OSError is shown as a panel.
            then: Is told the answer, on the screen's own thread.
            group: A later question of the same group makes this one's answer void; "" is no group.
            what: Shown at the bottom when it takes longer than 0.3 s: ``reading 3 runs``.
        """
        self._next += 1
        ticket = self._next
        if group:
            self._tickets[group] = ticket
        jobs, indexing = self.app.jobs, self.app.indexing

        def job() -> None:
            if group and self._tickets.get(group) != ticket:  # asked again while it waited
                answer = _Answer(ticket, group, None)
            else:
                try:
                    found = work()
                    answer = _Answer(ticket, group, lambda: then(found))
                except BaseException as error:
                    answer = _Answer(ticket, group, None, error)
                indexing.end()
            if not self.post_message(answer):
                jobs.end(self)

        jobs.give(job, self)
        if what:
            self.set_timer(_BUSY, lambda: self._show_busy(ticket, what))
            self._busy[ticket] = ""

    def on__answer(self, event: _Answer) -> None:
        """Hand a thread's answer on, unless a later question made it void."""
        event.stop()
        self.app.jobs.end(self)
        if self._busy.pop(event.ticket, ""):
            self._say_busy()
        if event.group and self._tickets.get(event.group) != event.ticket:
            return
        if event.error is not None:
            self.problem(event.error)
        elif event.then is not None:
            event.then()

    def on_unmount(self) -> None:
        """Let go of answers that nobody waits for."""
        self.app.jobs.leave(self)

    def _show_busy(self, ticket: int, what: str) -> None:
        if ticket in self._busy:
            self._busy[ticket] = what
            self._say_busy()

    def _say_busy(self) -> None:
        said = next((what for what in reversed(self._busy.values()) if what), "")
        for line in self.query(KeyLine):
            line.show_busy(said and f"{said} {self.session.glyph('more')}")

    # ------------------------------------------------------------------ changes

    def write(self, edit: Edit, then: Callable[[], None] | None = None) -> None:
        """Make an edit in a thread, and say what was done; refused, with the reason, where nothing can be written."""
        if self._may_write():
            self._write(lambda: self.session.undo.do(edit), then, undoable=edit.undo is not None)

    def action_undo(self) -> None:
        """Take the newest edit of this sitting back: tags, notes, names, stars, deletions."""
        if self._may_write():
            self._write(lambda: self._reversed(self.session.undo.undo(), "undone", "nothing to undo"), None)

    def action_redo(self) -> None:
        """Make the edit again that was taken back last."""
        if self._may_write():
            self._write(lambda: self._reversed(self.session.undo.redo(), "again", "nothing to do again"), None)

    @staticmethod
    def _reversed(what: str | None, how: str, nothing: str) -> str:
        return nothing if what is None else f"{how}: {what}"

    def _may_write(self) -> bool:
        if self.session.read_only:
            self.tell(f"Nothing can be changed: {self.session.read_only}.", good=False)
            return False
        return True

    def may_save(self) -> bool:
        """Whether files may be written; says why not. In a browser, read-only is for those who have only the link."""
        if self.session.read_only:
            self.tell(f"No file can be written: {self.session.read_only}.", good=False)
            return False
        return True

    def _write(self, work: Callable[[], str], then: Callable[[], None] | None, *, undoable: bool = False) -> None:
        def told(what: str) -> None:
            self.tell(what[:1].upper() + what[1:] + ("; u takes it back" if undoable else ""))
            if then is not None:
                then()
            self.app.look_now()

        self.ask(work, told, what="writing")

    def changed(self, change: Change) -> None:
        """Override: runs changed, in this process or another. Called at most twice a second, and only while seen."""

    def notice(self, change: Change) -> None:
        """Take a change in: at once while this screen is seen, else when it is seen again."""
        if self.is_mounted and self.app.seen is self:
            self.changed(change)
        else:
            self._missed = change if self._missed is None else self._missed.joined(change)

    def on_screen_resume(self) -> None:
        """Catch up with what changed while another screen was in front."""
        missed, self._missed = self._missed, None
        if missed is not None:
            self.changed(missed)

    def action_look_again(self) -> None:
        """Read everything on this screen again."""
        self.session.forget()
        self.changed(Change(frozenset(), self.app.live, everything=True))

    # ------------------------------------------------------------------ words for the person

    def tell(self, text: str, *, good: bool = True) -> None:
        """Say one line that passes."""
        self.app.notify(clean(text), severity="information" if good else "warning", markup=False)

    def problem(self, error: BaseException) -> None:
        """Show what went wrong, where, and what to do."""
        self.app.show_problem(error)

    def copy(self, text: str, what: str) -> None:
        """Copy *text* through the terminal (OSC 52: it works over SSH), and say that *what* was copied."""
        self.app.copy_to_clipboard(text)
        self.tell(f"Copied {what}.")

    def confirm(
        self, title: str, text: str, done: Callable[..., None], *, reason: bool = False, typed: str = ""
    ) -> None:
        """Ask before something happens.

        Args:
            title: The question.
            text: What follows from it.
            done: Called if the answer is yes: with the reason if one is asked for, else without arguments.
            reason: Ask for one.
            typed: What has to be typed before it goes.
        """
        self.app.push_screen(
            ConfirmDialog(title, text, done if reason else lambda _: done(), reason=reason, typed=typed)
        )

    def choose(self, title: str, items: Sequence[Choice], done: Callable[[str], None]) -> None:
        """Let the person pick one of *items* from a list that typing filters; *done* is told its key."""
        self.app.push_screen(ChooseDialog(title, items, done))

    # ------------------------------------------------------------------ the line at the bottom

    def prompt(
        self,
        label: str,
        done: Callable[[str], None],
        *,
        value: str = "",
        check: Callable[[str], Problem | None] | None = None,
        complete: Callable[[str, int], Sequence[str]] | None = None,
        live: Callable[[str], None] | None = None,
    ) -> None:
        """Let the person type a line. Escape goes back; *live* is then told *value* again.

        Args:
            label: Said before the line.
            done: Is told the line.
            value: What stands there at first.
            check: Says which character is wrong; called in a thread.
            complete: Words for the place before the cursor; called in a thread (:class:`~.widgets.prompt.Prompt`).
            live: Is told each line that nothing is wrong with 120 ms after typing stopped.
        """
        self._close_prompt()
        self._prompt_done, self._prompt_live, self._prompt_value = done, live, value
        self._prompt_label = label
        self._focus_before = self.focused
        past = self.app.typed_before.get(label, [])
        prompt = Prompt(label, value, check=check, complete=complete, live=live is not None, past=past)
        self.typed_ahead = []
        self.mount(prompt, before=self.query_one(KeyLine))

    async def on_prompt_ready(self, event: Prompt.Ready) -> None:
        """Give the line what was typed since it was asked for."""
        event.stop()
        keys, self.typed_ahead = self.typed_ahead or [], None
        for key in keys:
            await self.app.on_event(events.Key(key.key, key.character))

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Hand a line on while it is typed."""
        event.stop()
        if self._prompt_live is not None:
            self._prompt_live(event.text)

    def on_prompt_done(self, event: Prompt.Done) -> None:
        """Hand the line on."""
        event.stop()
        done = self._prompt_done
        if event.text:
            past: list[str] = self.app.typed_before.setdefault(self._prompt_label, [])
            past[:] = [*[line for line in past if line != event.text][-99:], event.text]
        self._close_prompt()
        if done is not None:
            done(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        """Go back to how it was."""
        event.stop()
        live, value = self._prompt_live, self._prompt_value
        self._close_prompt()
        if live is not None:
            live(value)

    def _close_prompt(self) -> None:
        self._prompt_done = self._prompt_live = self.typed_ahead = None
        found = self.query(Prompt)
        if found:
            before = self._focus_before
            if before is not None and before.is_mounted:
                before.focus()
            found.remove()

    # ------------------------------------------------------------------ going back

    def action_back(self) -> None:
        """Go back to the screen before this one; on a main screen nothing happens."""
        self.app.go_back()

    def action_back_or_quit(self) -> None:
        """Go back, or quit where there is nothing to go back to."""
        if not self.app.go_back():
            self.app.exit(0)


def ledgit_screen(screen: object) -> LedgitScreen | None:
    """Return *screen* if it is one of ours and no dialog."""
    return screen if isinstance(screen, LedgitScreen) else None
