"""What is said of the version under the cursor: facts, signature, files, the model, its history, its verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from ledgit.tui.data.registered import Inside, inside
from ledgit.tui.screens.modelacts import ModelActs
from ledgit.tui.screens.modelsshown import chain_lines, history_lines, inside_lines, model_lines, version_lines
from ledgit.tui.widgets.lines import Lines
from ledgit.tui.widgets.tabline import TabLine

if TYPE_CHECKING:
    from ledgit.records.registry_state import ModelVersion
    from ledgit.run import Run

__all__ = ["TABS", "ModelDetails"]

TABS = (
    ("version", "Version"),
    ("signature", "Signature"),
    ("files", "Files"),
    ("model", "Model"),
    ("history", "History"),
    ("verify", "Verify"),
)
_KEPT = 200  # versions whose folders stay known


class ModelDetails(ModelActs):
    """The part of the screen of models below the versions.

    Attributes:
        runs: Run id → run, of the versions that are shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: Mapping[str, Run] = {}
        self._inside: dict[str, Inside] = {}

    @property
    def tabs(self) -> TabLine:
        """What the details are about."""
        return self.query_one("#tabs", TabLine)

    @property
    def details(self) -> Lines:
        """The details."""
        return self.query_one("#details", Lines)

    def draw_details(self, *, keep: bool = False) -> None:
        """Draw what the chosen tab says; *keep* stays at the same line."""
        model, tab = self.model(), self.tabs.current
        if model is None:
            self.details.show([])
            return
        version, room = self.version(), self._room
        if tab == "history":
            lines = history_lines(model, self.session)
        elif tab == "model" or version is None:
            lines = model_lines(model, self.session, room)
        elif tab == "version":
            lines = version_lines(version, model, self.runs.get(version.run or ""), self.session, room)
        elif tab == "verify":
            lines = self._verify_lines(version)
        else:
            lines = self._inside_lines(version, files=tab == "files")
        self.details.show(lines, keep=keep)

    @property
    def _room(self) -> int:
        return max((self.details.size.width or self.app.size.width - 2) - 3, 20)

    def show_details(self) -> None:
        """Draw the details again."""
        self.draw_details(keep=True)

    def show_tab(self, key: str) -> None:
        """Show other details."""
        self.tabs.choose(key)

    def _inside_lines(self, version: ModelVersion, *, files: bool) -> list[Text]:
        key = version.event.oid
        known = self._inside.get(key)
        if known is not None:
            return inside_lines(known, files=files)
        run = self.runs.get(version.run or "")

        def taken(found: Inside) -> None:
            if len(self._inside) > _KEPT:
                self._inside.clear()
            if run is not None:  # else it may come with a pull
                self._inside[key] = found
            here = self.version()
            if here is not None and here.event.oid == key:
                self.details.show(inside_lines(found, files=self.tabs.current == "files"))

        self.ask(lambda: inside(version, run), taken, group="inside", what="reading the model")
        return [Text("reading " + self.session.glyph("more"), "dim")]

    def _verify_lines(self, version: ModelVersion) -> list[Text]:
        chain = self.chains.get(version.event.oid)
        if chain is not None:
            return chain_lines(chain, self.session, self._room)
        if self.verifying is not None and self.verifying.version.event.oid == version.event.oid:
            return self.verifying.lines(self.session)
        words = "V follows this version from its tag over run and code to the last byte of its data."
        return [Text("not verified yet", "head"), Text(words, "dim")]
