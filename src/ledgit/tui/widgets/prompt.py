"""A line at the bottom that a person types into: filters, names, tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from ledgit.records.harmless import clean, width
from ledgit.tui.data.asking import Problem

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from ledgit.tui.app import LedgitApp

    Check = Callable[[str], Problem | None]
    Complete = Callable[[str, int], Sequence[str]]

__all__ = ["Problem", "Prompt", "word_before"]

#: Seconds after the last key before a line is looked at.
_PAUSE = 0.12
_ENDS = " \t(),=<>!"


def word_before(text: str, cursor: int) -> str:
    """Return the word that ends at *cursor*: what a completion takes the place of."""
    start = cursor
    while start and text[start - 1] not in _ENDS:
        start -= 1
    return text[start:cursor]


class Prompt(Vertical):
    """A label, a line to type into, and below it what is wrong with it or what could follow.

    Args:
        label: Said before the line.
        value: What stands there at first.
        check: Says what is wrong with a line; called in a thread.
        complete: Given the line and the cursor, returns the words that could stand for the one before the cursor
            (:func:`word_before`), best first; called in a thread. ``tab`` takes the first.
        live: Whether whoever asks wants lines while they are typed (:class:`Prompt.Typed`).
        past: Lines that were given before, oldest first; ``up`` brings them back.
    """

    app: LedgitApp
    DEFAULT_CSS = """
    Prompt { height: auto; width: 1fr; background: $panel; }
    Prompt > Horizontal { height: 1; width: 1fr; }
    Prompt .prompt--label {
        width: auto; max-width: 40%; height: 1; padding: 0 1; color: $text-primary; text-style: bold;
    }
    Prompt Input, Prompt Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    Prompt .prompt--hint { height: 1; width: 1fr; color: $text-muted; display: none; }
    Prompt .prompt--hint.-shown { display: block; }
    Prompt .prompt--hint.-wrong { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="prompt.cancel"),
        Binding("tab", "complete(1)", "Complete", show=False, priority=True, id="prompt.complete"),
        Binding(
            "shift+tab", "complete(-1)", "Previous completion", show=False, priority=True, id="prompt.complete_back"
        ),
        Binding("up", "history(-1)", "Older", show=False, priority=True, id="prompt.older"),
        Binding("down", "history(1)", "Newer", show=False, priority=True, id="prompt.newer"),
    ]

    class Ready(Message):
        """The line is there, and has the focus."""

    class Typed(Message):
        """Typing stopped at a line that nothing is wrong with."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """The line was given."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Cancelled(Message):
        """The person went back."""

    class _Looked(Message):
        """A thread has looked at a line."""

        def __init__(self, text: str, problem: Problem | None, words: Sequence[str], final: bool) -> None:
            super().__init__()
            self.text, self.problem, self.words, self.final = text, problem, words, final

    def __init__(
        self,
        label: str,
        value: str = "",
        *,
        check: Check | None = None,
        complete: Complete | None = None,
        live: bool = False,
        past: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._label, self._first = label, value
        self._check, self._complete, self._live = check, complete, live
        self._past = [*past, value]
        self._at = len(self._past) - 1
        self._timer: Timer | None = None
        self._told = value
        self._words: Sequence[str] = ()
        self._cycle: tuple[str, int, Sequence[str], int] | None = None  # rest after, start, words, at

    def compose(self) -> ComposeResult:
        """Make the line and what is below it."""
        with Horizontal():
            yield Static(Text(clean(self._label)), classes="prompt--label")
            yield Input(self._first, select_on_focus=False)
        yield Static("", classes="prompt--hint")

    @property
    def input(self) -> Input:
        """The line."""
        return self.query_one(Input)

    def on_mount(self) -> None:
        """Be ready to be typed into."""
        self.screen.set_focus(self.input)
        self.post_message(self.Ready())
        if self._complete is not None:
            self._look(final=False)

    # ------------------------------------------------------------------ typing

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look at the line once typing has stopped."""
        event.stop()
        if self._cycle is None or self._cycled() != event.value:
            self._cycle = None
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE, self._paused)

    def _paused(self) -> None:
        self._timer = None
        self._look(final=False)

    def on_unmount(self) -> None:
        """Let go of answers that nobody waits for."""
        self.app.jobs.leave(self)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the line if nothing is wrong with it."""
        event.stop()
        if self._check is None:
            self.post_message(self.Done(event.value))
        else:
            self._look(final=True)

    def _look(self, *, final: bool) -> None:
        text, cursor = self.input.value, self.input.cursor_position
        check, complete = self._check, None if final else self._complete
        if check is None and complete is None:
            self.post_message(self._Looked(text, None, (), final))
            return

        def work() -> None:
            words: Sequence[str] = ()
            try:
                problem = check(text) if check is not None else None
                if complete is not None:
                    words = list(complete(text, cursor))[:50]
            except Exception as error:  # of any kind: it is said where it can be read
                problem = Problem(-1, str(error) or type(error).__name__)
            if not self.post_message(self._Looked(text, problem, words, final)):
                self.app.jobs.end(self)

        self.app.jobs.give(work, self)

    def on_prompt__looked(self, event: Prompt._Looked) -> None:
        """Say what a thread has found, unless the line is another by now."""
        event.stop()
        if self._check is not None or (self._complete is not None and not event.final):
            self.app.jobs.end(self)
        if event.text != self.input.value:
            if event.final:  # letters that were typed before enter came after it
                self._look(final=True)
            return
        self._words = event.words
        if event.problem is not None:
            unfinished = event.problem.position >= len(event.text.rstrip())
            if unfinished and event.words and not event.final:  # what could follow helps more than that it lacks
                self._show_words()
            else:
                self._show_problem(event.problem)
            return
        self._show_words()
        if event.final:
            self.post_message(self.Done(event.text))
        elif self._live and event.text != self._told:
            self._told = event.text
            self.post_message(self.Typed(event.text))

    # ------------------------------------------------------------------ what is said below

    def _hint(self, text: Text, *, wrong: bool = False) -> None:
        hint = self.query_one(".prompt--hint", Static)
        hint.update(text)
        hint.set_class(bool(text.plain), "-shown")
        hint.set_class(wrong, "-wrong")

    def _show_problem(self, problem: Problem) -> None:
        words = clean(problem.text)
        if problem.position < 0:
            self._hint(Text(" " + words), wrong=True)
            return
        before = width(self.input.value[: problem.position]) - int(self.input.scroll_x)
        column = max(self.input.region.x - self.region.x + before, 0)
        room = self.size.width
        if column + width(words) + 2 <= room or column < room // 2:
            self._hint(Text(" " * column + "^ " + self.app.session.fit(words, max(room - column - 2, 0))), wrong=True)
        else:  # the words stand before the mark where there is no room behind it
            self._hint(
                Text(" " * max(column - width(words) - 1, 0) + self.app.session.fit(words, column) + " ^"), wrong=True
            )

    def _show_words(self) -> None:
        if not self._words:
            self._hint(Text(""))
            return
        line, room = Text(" "), self.size.width
        chosen = self._cycle[3] if self._cycle is not None else None
        for at, word in enumerate(self._words):
            shown = clean(word)
            if line.cell_len + width(shown) + 2 > room:
                break
            line.append(shown, "reverse" if at == chosen else "")
            line.append("  ")
        self._hint(line)

    # ------------------------------------------------------------------ keys

    def action_cancel(self) -> None:
        """Close the line; nothing is changed."""
        self.post_message(self.Cancelled())

    def action_history(self, step: int) -> None:
        """Bring back a line that was given before."""
        at = self._at + step
        if 0 <= at < len(self._past):
            self._at = at
            self.input.value = self._past[at]
            self.input.cursor_position = len(self._past[at])

    def action_complete(self, step: int) -> None:
        """Put the next word that could follow in the place of the one before the cursor."""
        line = self.input
        if self._cycle is None:
            if not self._words:
                return
            start = line.cursor_position - len(word_before(line.value, line.cursor_position))
            self._cycle = (line.value[line.cursor_position :], start, self._words, -1 if step > 0 else 0)
        rest, start, words, at = self._cycle
        self._cycle = (rest, start, words, (at + step) % len(words))
        value = self._cycled()
        line.value = value
        line.cursor_position = len(value) - len(rest)
        self._show_words()

    def _cycled(self) -> str:
        assert self._cycle is not None
        rest, start, words, at = self._cycle
        return self.input.value[:start] + words[at] + rest
