"""The screen of models: what is registered, where it stands, and what a person does about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import run_git
from tests.tui.conftest import NOON, look, press, run, type_line, ui
from tests.tui.modelkit import model_run, register

from ledgit.registry import Registry
from ledgit.repository import open_repository
from ledgit.tui.data.promoting import promote_edit
from ledgit.tui.data.registered import board_stages, copies, matching_models, predecessor, read_registered
from ledgit.tui.screens.models import ModelsScreen
from ledgit.tui.screens.verifying import Verifying
from ledgit.tui.widgets.dialogs import ConfirmDialog, ProblemDialog
from ledgit.tui.widgets.grid import Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.pilot import Pilot


def screen(pilot: Pilot[Any]) -> ModelsScreen:
    found = pilot.app.screen_stack[1]
    assert isinstance(found, ModelsScreen)
    return found


def texts(grid: Grid) -> list[list[str]]:
    """The cells of a table."""
    return [[cell.text for cell in grid.rows.cells(place) or ()] for place in range(len(grid.rows))]


def details(pilot: Pilot[Any]) -> str:
    lines = screen(pilot).query_one("#details", Lines)
    return "\n".join(lines._source.line(place).plain for place in range(len(lines)))  # type: ignore[union-attr]


def test_a_model_shows_its_versions_where_they_stand_and_what_their_runs_measured(repo: Path) -> None:
    """And enter goes on from a version to its run."""
    register(repo)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            opened: list[str] = []
            pilot.app.open_run = opened.append  # type: ignore[attr-defined]
            assert ["churn"] == [row[0] for row in texts(screen(pilot).models_grid)]
            rows = texts(screen(pilot).versions_grid)
            assert ["v0.3.0", "v0.2.0", "v0.1.0"] == [row[0] for row in rows]
            assert ["prod", "0.81"] == rows[2][2:4]
            assert ["", "0.83"] == rows[0][2:4]
            await press(pilot, "tab", "G")
            assert "go live" in details(pilot)
            await press(pilot, "right_square_bracket")
            assert "sklearn 1.7.2" in details(pilot)
            assert "tenure" in details(pilot)
            await press(pilot, "right_square_bracket")
            assert "weights.bin" in details(pilot)
            await press(pilot, "enter")
            assert ["1" * 32] == opened
            await press(pilot, "w", "enter")
            written = (repo / "churn.csv").read_text().splitlines()
            assert "model,version,number,stages,run" == ",".join(written[0].split(",")[:5])
            assert f"churn,v0.1.0,1,prod,{'1' * 32}" == ",".join(written[3].split(",")[:5])

    run(main())


def test_a_promotion_asks_for_stage_and_reason_and_is_taken_back_by_one_more_tag(repo: Path) -> None:
    """Nothing that a tag says is unsaid: the history has all three."""
    registry = register(repo)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            await press(pilot, "tab", "p")
            await press(pilot, *"prod", "enter")
            assert isinstance(pilot.app.screen, ConfirmDialog)
            await type_line(pilot, "beats it")
            await press(pilot, "enter")
            assert "v0.3.0" == registry.which("churn", "prod").version  # type: ignore[union-attr]
            assert "prod" in texts(screen(pilot).versions_grid)[0]
            await press(pilot, "u")
            assert "v0.1.0" == registry.which("churn", "prod").version  # type: ignore[union-attr]
            await look(pilot)
            assert "prod" in texts(screen(pilot).versions_grid)[2]
            await press(pilot, "ctrl+r")

    run(main())
    events = [(event.version, event.reason) for event in registry.history("churn", "prod")]
    undone = "undo: promoted churn v0.3.0 to prod"
    assert [("v0.3.0", "beats it"), ("v0.1.0", undone), ("v0.3.0", "beats it"), ("v0.1.0", "go live")] == events


def test_a_policy_that_refuses_is_shown_before_anybody_thinks_of_a_reason(repo: Path) -> None:
    """And nothing is changed."""
    registry = register(repo)
    (repo / ".ledgit").mkdir(exist_ok=True)
    (repo / ".ledgit/config.yaml").write_text("registry:\n  policy:\n    - {stages: prod, signed: true}\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-qm", "policy")

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            await press(pilot, "tab", "p", *"prod", "enter")
            shown = pilot.app.screen
            assert isinstance(shown, ProblemDialog)
            assert "sign" in str(shown.query("Static").first().render())
            await press(pilot, "escape")

    run(main())
    assert "v0.1.0" == registry.which("churn", "prod").version  # type: ignore[union-attr]


def test_what_stage_nothing_stood_at_before_is_left_empty_by_undo(repo: Path) -> None:
    """A promotion to where nothing stood is taken back by taking the version out."""
    registry = register(repo, 2)
    repository = open_repository(repo)
    edit = promote_edit(repository, registry.version("churn@2"), "staging", "try it")
    edit.do()
    assert edit.undo is not None
    edit.undo()

    assert {"prod"} == set(registry.model("churn").stages)
    assert ["unassign", "assign"] == [event.action for event in registry.history("churn", "staging")]


def test_a_version_is_verified_to_its_last_byte_or_until_somebody_gives_up(repo: Path) -> None:
    """The mark stays with the version; a cancelled verification says nothing."""
    registry = register(repo, 1)
    given_up = Verifying(registry.version("churn@1"))
    given_up.cancel()
    assert given_up.run(open_repository(repo)) is None

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            await press(pilot, "V")
            assert "is what it says" in details(pilot)
            assert any("true" in cell for cell in texts(screen(pilot).versions_grid)[0])

    run(main())


def test_people_describe_and_tag_versions_and_take_it_back(repo: Path) -> None:
    """The model where the cursor is among the models, the version elsewhere."""
    registry = register(repo, 1)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            await press(pilot, "e")
            await type_line(pilot, "who leaves")
            await press(pilot, "enter", "tab", "t")
            await type_line(pilot, "card=x team='a b'")
            await press(pilot, "enter")
            assert ("who leaves", {"card": "x", "team": "a b"}) == (
                registry.model("churn").description, registry.version("churn@1").tags,
            )  # fmt: skip
            await press(pilot, "u", "u")

    run(main())
    assert ("", {}) == (registry.model("churn").description, registry.version("churn@1").tags)


def test_a_version_is_deregistered_only_after_its_name_was_typed(repo: Path) -> None:
    """It can't be taken back, so it can't happen by a slip."""
    registry = register(repo, 2)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            await press(pilot, "tab", "x", *"dereg", "enter")
            assert isinstance(pilot.app.screen, ConfirmDialog)
            await press(pilot, "enter", "enter")
            assert registry.version("churn@2").active
            await type_line(pilot, "v0.2.0")
            await press(pilot, "enter")

    run(main())
    assert not registry.version("churn@2", deregistered=True).active


def test_the_registry_can_be_seen_as_it_was_and_as_a_board(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another day nothing can be changed; escape goes back to now."""
    register(repo)
    now = open_repository(repo).registered().models["churn"].events[0].time * 1000

    async def main() -> None:
        async with ui(repo, screen="models", now=now + 86_400_000) as pilot:
            await press(pilot, "B")
            board = screen(pilot).query_one("#board", Grid)
            assert ["model", "latest", "prod"] == [column.title for column in board.columns]
            assert texts(board)[0][2].startswith("v0.1.0")
            await press(pilot, "escape", "at")
            await type_line(pilot, "2020-01-01")
            await press(pilot, "enter")
            assert screen(pilot).has_class("-empty")
            await press(pilot, "p")
            await press(pilot, "escape")
            assert 1 == len(screen(pilot).models_grid.rows)

    run(main())


def test_marked_versions_are_compared_by_their_runs(repo: Path) -> None:
    """With none marked, a version is compared with the one before it."""
    register(repo)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            diffs: list[list[str]] = []
            pilot.app.open_diff = diffs.append  # type: ignore[attr-defined]
            await press(pilot, "tab", "d", "space", "down", "space", "d")
            assert [["2" * 32, "3" * 32], ["3" * 32, "1" * 32]] == diffs
            await press(pilot, "M")
            assert {} == pilot.app.session.marks  # type: ignore[attr-defined]

    run(main())


def test_an_empty_registry_says_how_to_begin_and_fills_when_something_is_registered(repo: Path) -> None:
    """By another process, while the screen is looked at; and a filter finds it."""

    async def main() -> None:
        async with ui(repo, (80, 24), screen="models") as pilot:
            nothing = screen(pilot).query_one("#nothing", Lines)
            assert "ledgit registry register" in "".join(nothing._source.line(at).plain for at in range(len(nothing)))  # type: ignore[union-attr]
            register(repo)
            model_run(repo, 9, 0.5)
            Registry(open_repository(repo)).register("9" * 32, "team/ltv", path="model")
            await look(pilot)
            assert ["churn", "team/ltv"] == [row[0] for row in texts(screen(pilot).models_grid)]
            await press(pilot, "slash")
            await type_line(pilot, "ltv")
            await press(pilot, "enter")
            assert ["team/ltv"] == [row[0] for row in texts(screen(pilot).models_grid)]
            await press(pilot, "escape")
            assert 2 == len(screen(pilot).models_grid.rows)

    run(main())


EVIL = "[bold]x[/] \x1b[31m\u202eevil\u202c 名前 " + "w" * 300


def test_hostile_words_and_tiny_terminals_do_no_harm(repo: Path) -> None:
    """Names, reasons, descriptions and tags are drawn as they are, and a terminal of 10×3 is survived."""
    registry = Registry(open_repository(repo))
    run_id = model_run(repo, 1, float("nan"), name=EVIL)
    name = "[link=x]团队 m"
    version = registry.register(run_id, name, path="model", reason=EVIL + "\nmore")
    registry.describe_model(name, EVIL)
    registry.edit_version_tags(version, {"card": EVIL})
    registry.promote(version, "[blink]prod", reason=EVIL)

    async def main() -> None:
        async with ui(repo, screen="models") as pilot:
            for size in ((100, 30), (10, 3), (160, 45), (39, 9), (80, 24)):
                await pilot.resize_terminal(*size)
                await press(pilot, *(["right_square_bracket"] * 3))
                await press(pilot, "B", "B", "tab")
            svg = pilot.app.export_screenshot()
            assert "\x1b" not in svg
            assert "\u202e" not in svg

    run(main())


def test_what_is_copied_offered_and_searched_is_what_people_mean(repo: Path) -> None:
    """The URI of the stage for commands; usual stages first; every word of a filter has to be there."""
    registry = register(repo)
    found = read_registered(open_repository(repo))
    [model] = found.models
    first = model.versions["v0.1.0"]

    said = dict(copies(first))
    assert ("models:/churn/1", "ledgit models serve models:/churn@prod") == (said["URI"], said["command to serve it"])
    registry.promote("churn@2", "canary", reason="")
    registry.promote("churn@2", "staging", reason="")
    [model] = read_registered(open_repository(repo)).models
    assert ["prod", "staging", "canary"] == board_stages([model])
    assert [model] == matching_models([model], "CHURN canary")
    assert [] == matching_models([model], "churn nowhere")
    assert "v0.2.0" == predecessor(model, model.versions["v0.3.0"]).version  # type: ignore[union-attr]
    assert predecessor(model, first) is None
    assert read_registered(open_repository(repo), NOON - 10**12).models == []
