"""The application: which screen is shown, what all of them share, and the looks at the repository."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from ledgit.errors import LedgitError
from ledgit.records.harmless import clean
from ledgit.tui.collecting import settle
from ledgit.tui.data.indexing import Indexing
from ledgit.tui.data.jobs import Jobs
from ledgit.tui.data.watching import Change, Watch
from ledgit.tui.screen import LedgitScreen, ledgit_screen
from ledgit.tui.themes import default_theme, own_themes
from ledgit.tui.widgets.dialogs import ProblemDialog
from ledgit.tui.widgets.header import MAIN

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.driver import Driver

    from ledgit.tui.keys import Settings
    from ledgit.tui.session import Session

__all__ = ["LedgitApp"]

#: Where each screen lives; modules are imported when one is shown.
_SCREENS = {
    "runs": ("ledgit.tui.screens.runs", "RunsScreen"),
    "run": ("ledgit.tui.screens.run", "RunScreen"),
    "diff": ("ledgit.tui.screens.diff", "DiffScreen"),
    "codediff": ("ledgit.tui.screens.codediff", "CodeDiffScreen"),
    "branches": ("ledgit.tui.screens.branches", "BranchesScreen"),
    "models": ("ledgit.tui.screens.models", "ModelsScreen"),
    "sweeps": ("ledgit.tui.screens.sweeps", "SweepsScreen"),
    "sweep": ("ledgit.tui.screens.sweeps", "SweepScreen"),
    "compare": ("ledgit.tui.screens.compare", "CompareScreen"),
}
#: Seconds between looks while the terminal says that it is not looked at.
_AWAY = 5.0
#: Seconds after which the first screen stands.
_SETTLED = 2.0


class _Looked(Message):
    """A thread has looked at the repository."""

    def __init__(self, change: Change | None, error: BaseException | None) -> None:
        super().__init__()
        self.change, self.error = change, error


class _Indexed(Message):
    """A thread has read a part of much into the index."""


class _PlainBars(ScrollBarRender):
    """Scroll bars of coloured spaces, for terminals that lack the eighths of a block."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


def _commands() -> type[Provider]:
    from ledgit.tui.commands import LedgitCommands

    return LedgitCommands


class LedgitApp(App[int]):
    """``ledgit ui``.

    Attributes:
        session: What all screens share.
        jobs: The threads that ask the repository.
        indexing: How far the index is while much is read into it.
        live: Ids of the runs that are being written.
        main_name: Which main screen is at the bottom of the stack.
        typed_before: Lines that were given to prompts, by label.
        unexpected: Errors that nobody foresaw; a test looks at them.
    """

    TITLE = "ledgit"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {_commands}
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-tiny"),
        (60, "-narrow"),
        (100, "-normal"),
        (140, "-wide"),
    ]
    DEFAULT_CSS = """
    ToastRack { margin-bottom: 1; }
    Toast { padding: 0 1; margin-top: 0; }
    LedgitApp.-ascii Toast { border: none; }
    """
    # What has a line at its side has it of + - | where there is no Unicode; over the screens' own defaults.
    CSS = """
    LedgitApp.-ascii DiffScreen #pane, LedgitApp.-ascii CodeDiffScreen #patch { border-top: ascii $panel; }
    LedgitApp.-ascii RunsTable.-below Inspector { border-top: ascii $panel; }
    LedgitApp.-ascii DiffScreen.-wide #pane { border-top: none; border-left: ascii $panel; }
    LedgitApp.-ascii CodeDiffScreen.-wide #patch { border-top: none; border-left: ascii $panel; }
    LedgitApp.-ascii BranchesScreen #tips, LedgitApp.-ascii RunsTable.-wide Inspector { border-left: ascii $panel; }
    LedgitApp.-ascii BranchesScreen.-over #tips { border-left: none; }
    LedgitApp.-ascii ColumnsDialog > Vertical, LedgitApp.-ascii .dialog { border: ascii $primary; }
    LedgitApp.-ascii ProblemDialog > .dialog { border: ascii $error; }
    LedgitApp.-ascii CommandPalette #--input, LedgitApp.-ascii CommandList { border: blank; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(at),
                f"show('{name}')",
                title,
                show=False,
                id=f"app.{name}",
                tooltip=f"Go to the screen of {title.lower()}",
            )
            for at, (name, title) in enumerate(MAIN.items(), 1)
        ),
        Binding("question_mark", "help", "help", id="app.help"),
        Binding("colon", "command_palette", "Commands", show=False, id="app.commands"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True, id="app.quit"),
        Binding("ctrl+z", "suspend_process", "Stop; fg goes on", show=False, priority=True, id="app.suspend"),
        Binding("ctrl+g", "save_picture", "Save a picture", show=False, priority=True, id="app.picture"),
        Binding("ctrl+l", "redraw", "Draw again", show=False, id="app.redraw"),
    ]

    def __init__(self, session: Session, *, settings: Settings | None = None) -> None:
        super().__init__()
        self.session = session
        self.jobs = Jobs()
        self.main_name = "runs"
        self.typed_before: dict[str, list[str]] = {}
        self.unexpected: list[BaseException] = []
        self._mains: dict[str, LedgitScreen] = {}
        self.indexing = Indexing(lambda: self.post_message(_Indexed()))
        self._looking = False
        self._again = False
        ScrollBar.renderer = ScrollBarRender if session.unicode else _PlainBars
        self.set_class(not session.unicode, "-ascii")
        for theme in own_themes():
            self.register_theme(theme)
        wanted = session.options.theme or (settings.theme if settings else "") or default_theme(session.environ)
        self.theme = wanted if wanted in self.available_themes else "ledgit-dark"
        self.session.light = not self.current_theme.dark
        if settings is not None and settings.keys:
            self.set_keymap(settings.keys)
        self._watcher = Watch(session)
        session.on_progress(self.indexing.read)

    # ------------------------------------------------------------------ keys that are typed ahead

    async def on_event(self, event: events.Event) -> None:
        """Give keys that were typed right after the one that opened a line to that line.

        Textual sends a key to what is focused when it arrives; before the line is there that is the table, for which
        the same letters are commands.
        """
        if isinstance(event, events.Key):
            line = self._line_for(event)
            if line is not None:
                line(event)
                return
        await super().on_event(event)

    def _line_for(self, event: events.Key) -> Callable[[events.Key], object] | None:
        screen = ledgit_screen(self.screen_stack[-1]) if self.screen_stack else None
        if screen is None:
            return None
        if screen.typed_ahead is not None:
            return screen.typed_ahead.append
        focused = screen.focused
        if event.is_forwarded and focused is not None and focused.check_consume_key(event.key, event.character):
            # Had it been sent there it would not have come back: it was sent to what was focused before.
            return lambda event: focused._forward_event(events.Key(event.key, event.character))
        return None

    # ------------------------------------------------------------------ start and end

    def on_mount(self) -> None:
        """Show the first screen, and begin to look at the repository."""
        self._catch_signals()
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        options = self.session.options
        self.show_screen(options.screen if options.screen in MAIN else "runs")
        if options.run:
            self.open_run(options.run)
        self._timer = self.set_interval(max(options.refresh, 0.05), self.look_now)
        self.set_timer(_SETTLED, settle)

    def _catch_signals(self) -> None:
        """End in good order when the terminal goes (SSH) or somebody says so."""
        import asyncio

        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self.exit, 128 + number)
            except (ValueError, NotImplementedError, RuntimeError):  # not the main thread: a test, a server
                return

    def _theme_changed(self, _: object) -> None:
        self.session.light = not self.current_theme.dark
        for screen in self.screen_stack:
            screen.refresh(layout=True)

    def get_driver_class(self) -> type[Driver]:
        """Return what draws: in a terminal, what bears that the terminal goes."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":  # a browser's, a test's
            return found
        from ledgit.tui.driver import TerminalDriver

        return TerminalDriver

    def get_default_screen(self) -> Screen[Any]:
        """Return what is below all screens."""
        return Screen(id="_default")

    # ------------------------------------------------------------------ looking

    @property
    def live(self) -> frozenset[str]:
        """Ids of the runs that were being written at the last look."""
        return self._watcher.live

    @property
    def seen(self) -> LedgitScreen | None:
        """The screen that is seen, also below a dialog."""
        return next((found for screen in reversed(self.screen_stack) if (found := ledgit_screen(screen))), None)

    def look_now(self) -> None:
        """Have a thread look at what changed, unless one is at it."""
        if self._looking:
            self._again = True
            return
        self._looking = True

        def job() -> None:
            try:
                looked = _Looked(self._watcher.look(), None)
            except Exception as error:
                looked = _Looked(None, error)
            if not self.post_message(looked):
                self.jobs.end(self)

        self.jobs.give(job, self)

    def on__looked(self, event: _Looked) -> None:
        """Hand a change on to all screens."""
        event.stop()
        self.jobs.end(self)
        self._looking = False
        if event.error is not None and not isinstance(event.error, LedgitError | OSError):
            self.show_problem(event.error)
        if event.change is not None:
            if event.change.everything:
                self.session.forget()
            for screen in self._all_screens():
                screen.notice(event.change)
        if self._again:
            self._again = False
            self.look_now()

    def _all_screens(self) -> Iterable[LedgitScreen]:
        found: dict[int, LedgitScreen] = {}
        for screen in [*self._mains.values(), *self.screen_stack]:
            ours = ledgit_screen(screen)
            if ours is not None and ours.is_running:
                found[id(ours)] = ours
        return found.values()

    def on_app_blur(self) -> None:
        """Look less often while the terminal says nobody looks."""
        self._pace(max(_AWAY, self.session.options.refresh))

    def on_app_focus(self) -> None:
        """Look again at once."""
        self._pace(self.session.options.refresh)
        self.look_now()

    def _pace(self, seconds: float) -> None:
        if hasattr(self, "_timer"):
            self._timer.stop()
            self._timer = self.set_interval(max(seconds, 0.05), self.look_now)

    def on__indexed(self) -> None:
        """Say in the first line how far the index is, or no more."""
        for header in self.screen.query("Header"):
            header.refresh()

    # ------------------------------------------------------------------ screens

    def _make(self, name: str, *args: object, **kwargs: object) -> LedgitScreen | None:
        """Return a new screen; None, and a word about it, where this installation has none of the name."""
        module, kind = _SCREENS[name]
        try:
            there = find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            self.notify(f"the screen {name!r} is not in this version", severity="warning", markup=False)
            return None
        made: LedgitScreen = getattr(import_module(module), kind)(*args, **kwargs)
        return made

    def show_screen(self, name: str, **what: object) -> None:
        """Show a main screen as it was left; with arguments, a new one.

        Args:
            name: ``runs branches models sweeps compare``.
            what: For the screen's constructor.
        """
        screen = None if what else self._mains.get(name)
        if screen is None:
            screen = self._make(name, **what)
            if screen is None:
                if len(self.screen_stack) > 1:
                    return
                from ledgit.tui.screens.notices import MissingScreen

                screen = MissingScreen(name)
            self._leave_all()
            old = self._mains.pop(name, None)
            if old is not None:
                self.uninstall_screen(old)
                if self.screen is not old:
                    old.remove()
            self._mains[name] = screen
            self.install_screen(screen, f"main-{name}")  # so that it stays as it is while another is shown
        self.main_name = name
        self._leave_all()
        if len(self.screen_stack) < 2:
            self.push_screen(screen)
        elif self.screen is not screen:
            self.switch_screen(screen)
        for header in screen.query("Header"):
            header.refresh()

    def _leave_all(self) -> None:
        """Leave everything above the main screen."""
        while len(self.screen_stack) > 2:
            self.pop_screen()

    def action_show(self, name: str) -> None:
        """Go to a main screen."""
        self.show_screen(name)

    def open_run(self, run_id: str, tab: str = "") -> None:
        """Show one run."""
        self._push("run", run_id, tab)

    def open_diff(self, run_ids: Sequence[str]) -> None:
        """Show what differs between 2 to 8 runs, the baseline first."""
        self._push("diff", list(run_ids))

    def open_code_diff(self, one: str, other: str, title: str) -> None:
        """Show what differs between two revisions."""
        self._push("codediff", one, other, title)

    def open_compare(self, run_ids: Sequence[str] | None = None) -> None:
        """Show runs as a scatter of two columns; all of them without *run_ids*."""
        if run_ids is None:
            self.show_screen("compare")
        else:
            self._push("compare", list(run_ids))

    def show_sweep(self, run_id: str) -> None:
        """Show the trials of one sweep."""
        self._push("sweep", run_id)

    def show_runs(
        self,
        *,
        filter: str | None = None,  # noqa: A002 - what it is called everywhere
        branch: str | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Show the runs, narrowed down."""
        self.show_screen("runs")
        screen = self._mains.get("runs")
        narrow: Callable[..., None] | None = getattr(screen, "narrow", None)
        if narrow is not None:
            self.call_later(narrow, filter=filter, branch=branch, ids=ids)

    def _push(self, name: str, *args: object) -> None:
        screen = self._make(name, *args)
        if screen is not None:
            self.push_screen(screen)

    def go_back(self) -> bool:
        """Leave the screen on top; False on a main one."""
        if len(self.screen_stack) <= 2:
            return False
        self.pop_screen()
        return True

    # ------------------------------------------------------------------ words for the person

    def show_problem(self, error: BaseException) -> None:
        """Show an error as one panel: what is wrong, where, what to do."""
        if isinstance(error, LedgitError):
            title, text = "That did not work", str(error)
        elif isinstance(error, OSError):
            named = f"{error.filename}: " if error.filename else ""
            title, text = "That did not work", named + (error.strerror or str(error))
        else:
            self.unexpected.append(error)
            title = "Something unexpected happened"
            text = f"{type(error).__name__}: {error}\n\nPlease report it, with what LEDGIT_TRACEBACK=1 ledgit ui shows."
            if self.session.environ.get("LEDGIT_TRACEBACK") == "1":
                import traceback

                text += "\n\n" + "".join(traceback.format_exception(error))
        if isinstance(self.screen, ProblemDialog):
            return  # one at a time: the first is the cause
        self.push_screen(ProblemDialog(title, text))

    def action_command_palette(self) -> None:
        """Show every command."""
        from ledgit.tui.commands import PlainPalette

        if self.session.unicode:
            super().action_command_palette()
        elif not PlainPalette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(PlainPalette())

    def action_help(self) -> None:
        """Show what the keys do where you are; enter does it."""
        from ledgit.tui.screens.help import HelpDialog

        if ledgit_screen(self.screen) is not None:
            self.push_screen(HelpDialog(self.screen))

    async def action_quit(self) -> None:
        """Quit."""
        self.exit(0)

    def action_redraw(self) -> None:
        """Draw the whole screen again, after something else wrote into the terminal."""
        self.refresh(layout=True, repaint=True)
        self.screen.refresh(layout=True, repaint=True)

    def rich_color(self, name: str) -> str:
        """Return a colour of the theme (``text-muted``) for Rich."""
        from textual.color import Color

        value = self.theme_variables.get(name, "")
        if not value or value.startswith("ansi"):
            return "default"
        if value.startswith("auto"):  # a share of the text's colour over the background
            share = float(value.partition(" ")[2].rstrip("%") or 100) / 100
            ground = Color.parse(self.theme_variables["surface"])
            return ground.blend(Color.parse(self.theme_variables["foreground"]), share).hex6
        return Color.parse(value).hex6

    def action_save_picture(self) -> None:
        """Save the screen as an SVG file in the current folder."""
        if self.session.read_only:
            self.notify(f"No file can be written: {self.session.read_only}.", markup=False)
            return
        name = f"ledgit-ui-{self.session.now()}.svg"
        try:
            path = self.save_screenshot(name)
        except OSError as error:
            self.show_problem(error)
        else:
            self.notify(f"Saved {clean(path)}.", markup=False)

    def tell_keys(self) -> None:
        """Say which file changes keys."""
        from ledgit.tui.keys import settings_path

        text = (
            f"{settings_path(self.session.environ)}\n\ntheme: ledgit-light\nkeys:\n  runs.sort: o\n"
            "  app.refresh: r,f5\n\n'ledgit ui --keys' lists every id with its keys."
        )
        self.push_screen(ProblemDialog("Where keys and the theme are changed", text))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return variables that not every theme of Textual's has."""
        return {"footer-key-foreground": self.current_theme.accent or self.current_theme.primary}
