"""What the keys do where you are: searchable, and enter does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ledgit.records.harmless import pad, width
from ledgit.tui.actions import Action, actions_of
from ledgit.tui.widgets.dialogs import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.screen import Screen

__all__ = ["HelpDialog"]


class HelpDialog(Dialog):
    """The keys of a screen, by where they belong."""

    DEFAULT_CSS = """
    HelpDialog > .dialog { width: 110; height: 90%; }
    HelpDialog OptionList, HelpDialog OptionList:focus {
        border: none; height: 1fr; padding: 0; background: $surface; scrollbar-size: 1 1; margin-top: 1;
    }
    HelpDialog Input, HelpDialog Input:focus { margin-top: 0; }
    HelpDialog .dialog--hint { margin-top: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", "Down", show=False, priority=True, id="help.down"),
        Binding("up,ctrl+p", "move(-1)", "Up", show=False, priority=True, id="help.up"),
        Binding("pagedown", "move(10)", "Page down", show=False, priority=True, id="help.page_down"),
        Binding("pageup", "move(-10)", "Page up", show=False, priority=True, id="help.page_up"),
        Binding("question_mark", "close", "Close", show=False, priority=True, id="help.close"),
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about
        self._actions: list[Action] = []

    def compose(self) -> ComposeResult:
        """Make the line to type into, and the list."""
        self._actions = actions_of(self.about, unicode=self.app.session.unicode)
        with Vertical(classes="dialog") as frame:
            frame.border_title = "What the keys do here"
            yield Input(placeholder="type to search", id="needle")
            yield OptionList(id="items", markup=False)
            yield Static(Text("enter does it   esc closes   : has every command"), classes="dialog--hint")

    def on_mount(self) -> None:
        """Show all, and be ready to be typed into."""
        super().on_mount()
        self.query_one("#items", OptionList).can_focus = False
        self.query_one(Input).focus()

    def on_resize(self) -> None:
        """Lay the columns out for the width there is."""
        self._fill(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what has all the typed words in it."""
        self._fill(event.value)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Do what stands under the cursor."""
        items = self.query_one("#items", OptionList)
        if items.highlighted is not None:
            self._do(items.get_option_at_index(items.highlighted).id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do what was pressed."""
        self._do(event.option.id)

    def action_move(self, step: int) -> None:
        """Move the cursor in the list."""
        items = self.query_one("#items", OptionList)
        for _ in range(abs(step)):
            (items.action_cursor_down if step > 0 else items.action_cursor_up)()

    def _do(self, at: str | None) -> None:
        if at is None:
            return
        action = self._actions[int(at)]
        self.dismiss()
        self.app.call_later(self.app.run_action, action.action, action.node)

    def _fill(self, needle: str) -> None:
        words = needle.casefold().split()
        muted, key, strong = (self.app.rich_color(name) for name in ("text-muted", "footer-key-foreground", "primary"))
        room = max(self.query_one("#items").size.width - 2, 10)
        keys = min(max((width(action.keys) for action in self._actions), default=0), 14)
        titles = min(max((width(action.title) for action in self._actions), default=0), 24)
        shown: list[Option] = []
        group = ""
        for at, action in enumerate(self._actions):
            line = f"{action.keys} {action.title} {action.text} {action.id} {action.group}"
            if not all(word in line.casefold() for word in words):
                continue
            if action.group != group:
                group = action.group
                shown.append(Option(Text(group, f"bold {strong}"), disabled=True))
            text = Text(no_wrap=True)
            text.append(f" {pad(self.app.session.fit(action.keys, keys), keys)}  ", key)
            text.append(pad(self.app.session.fit(action.title, titles), titles))
            left = room - text.cell_len - 2
            if left > 8:
                text.append("  " + self.app.session.fit(action.text, left), muted)
            shown.append(Option(text, id=str(at)))
        items = self.query_one("#items", OptionList)
        items.clear_options()
        items.add_options(shown)
        items.highlighted = next((at for at, option in enumerate(shown) if not option.disabled), None)
