"""Small windows over a screen: a question, a list to pick from, an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from ledgit.records.harmless import clean, clean_lines
from ledgit.tui.data.asking import Choice

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.app import LedgitApp

__all__ = ["Choice", "ChooseDialog", "ConfirmDialog", "Dialog", "ProblemDialog", "lines_of"]


def lines_of(text: str) -> Text:
    """Return *text* for a dialog: harmless, with its line breaks."""
    return Text("\n".join(clean_lines(text)))


class Dialog(ModalScreen[None]):
    """A window in the middle that escape closes."""

    app: LedgitApp
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .dialog {
        width: 72; max-width: 96%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
        border-title-color: $text-primary; border-title-style: bold;
    }
    Dialog .dialog--text { width: 1fr; height: auto; }
    Dialog .dialog--scroll { height: auto; max-height: 60vh; scrollbar-size: 1 1; }
    Dialog .dialog--hint { width: 1fr; height: auto; color: $text-muted; margin-top: 1; }
    Dialog Input, Dialog Input:focus { border: none; height: 1; padding: 0 1; margin-top: 1; background: $panel; }
    Dialog .dialog--buttons { height: auto; width: 1fr; align-horizontal: right; margin-top: 1; }
    Dialog Button, Dialog Button:focus { height: 1; min-width: 10; border: none !important; margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", id="dialog.close")]

    def on_mount(self) -> None:
        """Draw the frame as the terminal can."""
        if not self.app.session.unicode:
            for frame in self.query(".dialog"):
                frame.styles.border = ("ascii", self.app.theme_variables["primary"])

    def action_close(self) -> None:
        """Close the window; nothing happens."""
        self.dismiss()


class ConfirmDialog(Dialog):
    """Asks before something happens: ``y`` or enter does it, ``n`` or escape doesn't.

    Args:
        title: What is about to happen, as a question.
        text: What follows from it.
        done: Called with the reason ("" if none is asked for).
        reason: Whether a reason is asked for; it may be empty.
        typed: What has to be typed first; "" for nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="dialog.yes"),
        Binding("n", "close", "No", id="dialog.no"),
    ]

    def __init__(
        self, title: str, text: str, done: Callable[[str], None], *, reason: bool = False, typed: str = ""
    ) -> None:
        super().__init__()
        self._title, self._text, self._done, self._reason, self._typed = title, text, done, reason, typed

    def compose(self) -> ComposeResult:
        """Make the question."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = Text(clean(self._title))
            if self._text:
                with VerticalScroll(classes="dialog--scroll", can_focus=False):
                    yield Static(lines_of(self._text), classes="dialog--text")
            if self._reason:
                yield Input(placeholder="reason", id="reason")
            if self._typed:
                yield Static(Text(f"Type {clean(self._typed)} to go on:"), classes="dialog--hint")
                yield Input(id="typed")
            with Horizontal(classes="dialog--buttons"):
                yield Button(Text("No"), id="no")
                yield Button(Text("Yes"), id="yes", variant="primary", disabled=bool(self._typed))

    def on_mount(self) -> None:
        """Stand where the answer is given."""
        super().on_mount()
        first = self.query(Input)
        (first.first() if first else self.query_one("#yes", Button)).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Let it go on once what has to be typed was typed."""
        if event.input.id == "typed":
            self.query_one("#yes", Button).disabled = event.value != self._typed

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to what is asked next, or do it."""
        if event.input.id == "reason" and self._typed:
            self.query_one("#typed", Input).focus()
        else:
            self.action_yes()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do it, or don't."""
        if event.button.id == "yes":
            self.action_yes()
        else:
            self.action_close()

    def action_yes(self) -> None:
        """Do what was asked about."""
        if self.query_one("#yes", Button).disabled:
            return
        reason = self.query_one("#reason", Input).value.strip() if self._reason else ""
        self.dismiss()
        self.app.call_later(self._done, reason)


class ChooseDialog(Dialog):
    """A list to pick from, filtered by typing."""

    DEFAULT_CSS = """
    ChooseDialog OptionList, ChooseDialog OptionList:focus {
        border: none; height: auto; max-height: 60vh; padding: 0; background: $surface;
        scrollbar-size: 1 1; margin-top: 1;
    }
    ChooseDialog Input { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", "Down", show=False, priority=True, id="choose.down"),
        Binding("up,ctrl+p", "move(-1)", "Up", show=False, priority=True, id="choose.up"),
        Binding("pagedown", "move(10)", "Page down", show=False, priority=True, id="choose.page_down"),
        Binding("pageup", "move(-10)", "Page up", show=False, priority=True, id="choose.page_up"),
    ]
    _MOST = 500

    def __init__(self, title: str, items: Sequence[Choice], done: Callable[[str], None]) -> None:
        super().__init__()
        self._title, self._items, self._done = title, items, done

    def compose(self) -> ComposeResult:
        """Make the line to type into, and the list."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = Text(clean(self._title))
            yield Input(placeholder="type to filter", id="needle")
            yield OptionList(id="items", markup=False)

    def on_mount(self) -> None:
        """Show all, and be ready to be typed into."""
        super().on_mount()
        self._fill("")
        self.query_one("#items", OptionList).can_focus = False
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what has all the typed words in it."""
        self._fill(event.value)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Take the item under the cursor."""
        items = self.query_one("#items", OptionList)
        if items.highlighted is not None:
            self._take(items.get_option_at_index(items.highlighted).id or "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the item that was pressed."""
        self._take(event.option.id or "")

    def action_move(self, step: int) -> None:
        """Move the cursor in the list."""
        items = self.query_one("#items", OptionList)
        if items.option_count:
            at = (items.highlighted or 0) + step
            items.highlighted = at % items.option_count if abs(step) == 1 else max(0, min(at, items.option_count - 1))

    def _fill(self, needle: str) -> None:
        words = needle.casefold().split()
        muted = self.app.rich_color("text-muted")
        shown = []
        for at, item in enumerate(self._items):
            if all(word in f"{item.text} {item.detail}".casefold() for word in words):
                line = Text(clean(item.text), no_wrap=True)
                if item.detail:
                    line.append("  " + clean(item.detail), muted)
                shown.append(Option(line, id=str(at)))
            if len(shown) == self._MOST:
                break
        items = self.query_one("#items", OptionList)
        items.clear_options()
        items.add_options(shown)
        items.highlighted = 0 if shown else None

    def _take(self, at: str) -> None:
        self.dismiss()
        self.app.call_later(self._done, self._items[int(at)].key)


class ProblemDialog(Dialog):
    """What went wrong, where, and what to do."""

    DEFAULT_CSS = """
    ProblemDialog > .dialog { border: round $error; border-title-color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "close", "Close", show=False, id="problem.close"),
        Binding("y", "copy", "Copy", id="problem.copy"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self.title_text, self.text = title, text

    def compose(self) -> ComposeResult:
        """Make the panel."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = Text(clean(self.title_text))
            with VerticalScroll(classes="dialog--scroll", can_focus=False):
                yield Static(lines_of(self.text), classes="dialog--text")
            yield Static(Text("esc closes   y copies"), classes="dialog--hint")

    def action_copy(self) -> None:
        """Copy the words, for a report."""
        self.app.copy_to_clipboard(self.text)
        self.app.notify("copied", markup=False)
