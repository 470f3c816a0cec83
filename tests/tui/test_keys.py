"""Keys: what they do where you are, the palette, and the person's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tui.conftest import press, run, settled, type_line, ui
from textual.widgets import OptionList

from ledgit.errors import ConfigError, RecordError
from ledgit.tui.actions import actions_of, all_bindings
from ledgit.tui.app import LedgitApp
from ledgit.tui.keys import Settings, read_settings, settings_path
from ledgit.tui.screens.help import HelpDialog
from ledgit.tui.session import Session, UiOptions


def settings(folder: Path, text: str) -> Settings:
    path = Path(settings_path({"XDG_CONFIG_HOME": str(folder)}))
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read_settings({"XDG_CONFIG_HOME": str(folder)})


def test_a_key_map_names_actions_by_ids(tmp_path: Path) -> None:
    """Characters as they are typed, and several keys."""
    found = settings(tmp_path, "theme: nord\nkeys:\n  app.refresh: r, f5\n  app.help: '+'\n  app.undo: ctrl+z\n")

    assert {"app.refresh": "r,f5", "app.help": "plus", "app.undo": "ctrl+z"} == found.keys
    assert "nord" == found.theme


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    """Nor is one made."""
    assert Settings({}) == read_settings({"HOME": str(tmp_path)}) == settings(tmp_path, "")
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("theme: ledgit-lihgt\n", 1, "ledgit-light"),
        ("kyes:\n  a: b\n", 1, "keys"),
        ("keys:\n  app.help: h\n  app.refrsh: r\n", 3, "app.refresh"),
        ("keys:\n  app.help: ctrl+entr\n", 2, "enter"),
        ("keys: [a]\n", 1, "id: key"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_is_meant(tmp_path: Path, text: str, line: int, hint: str) -> None:
    """Nobody looks for a misspelled word by hand."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)

    assert f"ui.yaml:{line}: " in str(caught.value)
    assert hint in str(caught.value)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    """As is one that would make objects."""
    with pytest.raises(RecordError):
        settings(tmp_path, "keys: [\n")
    with pytest.raises(RecordError):
        settings(tmp_path, "keys: !!python/object/apply:os.getcwd []\n")


def test_a_mapped_key_does_what_the_old_one_did(repo: Path) -> None:
    """The old one no longer does, and the help says the new one."""
    from ledgit.repository import open_repository

    async def main() -> None:
        app = LedgitApp(Session(open_repository(repo), UiOptions(refresh=3600)), settings=Settings({"app.help": "H"}))
        async with app.run_test() as pilot:
            await settled(pilot)
            assert "H" in {action.keys for action in actions_of(app.screen) if action.id == "app.help"}
            await press(pilot, "question_mark")
            assert not isinstance(app.screen, HelpDialog)
            await press(pilot, "H")
            assert isinstance(app.screen, HelpDialog)

    run(main())


def test_the_help_is_searched_and_does_what_is_chosen(repo: Path) -> None:
    """Whoever looks for a key need not remember it."""

    async def main() -> None:
        async with ui(repo) as pilot:
            await press(pilot, "question_mark")
            assert isinstance(pilot.app.screen, HelpDialog)
            await type_line(pilot, "screen of branches")
            items = pilot.app.screen.query_one("#items", OptionList)
            assert 2 == items.option_count, "its group and itself"
            await press(pilot, "enter")

            assert isinstance(pilot.app, LedgitApp)
            assert "branches" == pilot.app.main_name

    run(main())


def test_the_palette_has_every_action_of_where_you_are(repo: Path) -> None:
    """Each can be found by its words."""

    async def main() -> None:
        async with ui(repo) as pilot:
            app = pilot.app
            assert isinstance(app, LedgitApp)
            await press(pilot, "colon")
            await type_line(pilot, "models")
            await pilot.pause(0.3)
            await press(pilot, "down", "enter")
            for _ in range(50):
                if app.main_name == "models":
                    break
                await pilot.pause(0.1)

            assert "models" == app.main_name

    run(main())


def test_every_binding_says_what_it_does_and_can_be_mapped() -> None:
    """One without words would be missing in the help, one without an id in the key map."""
    from ledgit.tui.actions import _classes

    unnamed = [
        f"{kind.__module__}.{kind.__name__}: {binding.key}"
        for kind in _classes()
        for binding in kind.__dict__.get("BINDINGS", ())
        if not getattr(binding, "id", None) or not binding.description
    ]

    assert [] == unnamed
    assert 20 < len(all_bindings())
