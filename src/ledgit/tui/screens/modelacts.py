"""What can be done to models and versions from their screen; each act asks for a reason, which stays with its tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer

from ledgit.errors import LedgitError, PolicyRefused
from ledgit.tui.data.asking import Choice, Problem
from ledgit.tui.data.promoting import (
    archive_edit,
    deprecate_edit,
    deregister_edit,
    describe_edit,
    label_edit,
    promote_edit,
    refusals,
    unassign_edit,
)
from ledgit.tui.data.registered import board_stages, copies, standing
from ledgit.tui.screens.marking import MarkingScreen
from ledgit.tui.screens.verifying import Verifying

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.records.registry_state import ModelVersion, RegisteredModel
    from ledgit.registry.verify import Chain
    from ledgit.run import Run
    from ledgit.tui.data.registered import Registered
    from ledgit.tui.hosts import CommitPage

__all__ = ["ModelActs"]

_USUAL = ("prod", "staging", "dev")


class ModelActs(MarkingScreen):
    """The acts of the screen of models; the screen itself says which model and version are meant.

    Attributes:
        checked: Tag object → whether the version was found to be what it says, in this sitting.
        chains: Tag object → what verifying found.
        verifying: What is being verified.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "promote", "promote", id="models.promote"),
        Binding("V", "verify", "verify", id="models.verify"),
        Binding("x", "end", "Take out", show=False, id="models.end"),
        Binding("e", "describe", "Describe", show=False, id="models.describe"),
        Binding("t", "labels", "Tags", show=False, id="models.tags"),
        Binding("y", "copy", "copy", id="models.copy"),
        Binding("o", "browser", "Commit in the browser", show=False, id="models.browser"),
        Binding("w", "export", "Export", show=False, id="models.export"),
    ]
    found: Registered | None
    at: int | None
    runs: Mapping[str, Run]

    def __init__(self) -> None:
        super().__init__()
        self.checked: dict[str, bool] = {}
        self.chains: dict[str, Chain] = {}
        self.verifying: Verifying | None = None
        self._ticking: Timer | None = None

    # ------------------------------------------------------------------ what the screen says

    def model(self) -> RegisteredModel | None:
        """Return the model under the cursor."""
        raise NotImplementedError

    def version(self) -> ModelVersion | None:
        """Return the version under the cursor."""
        raise NotImplementedError

    def versions_shown(self) -> Sequence[ModelVersion]:
        """Return the versions in the table."""
        raise NotImplementedError

    def about_model(self) -> bool:
        """Whether the model as a whole is meant."""
        raise NotImplementedError

    def reread(self) -> None:
        """Read the registry again."""
        raise NotImplementedError

    def show_details(self) -> None:
        """Draw the details again."""
        raise NotImplementedError

    def show_checked(self) -> None:
        """Draw what was verified."""
        raise NotImplementedError

    def show_tab(self, key: str) -> None:
        """Show other details."""
        raise NotImplementedError

    # ------------------------------------------------------------------ acting

    def _may_act(self) -> bool:
        if self.at is not None:
            self.tell("This is another day's registry; escape goes back to now.", good=False)
            return False
        if self.session.read_only:
            self.tell(f"Nothing can be changed: {self.session.read_only}.", good=False)
            return False
        return True

    def action_promote(self) -> None:
        """Put this version to a stage: asks for the stage, tells what stands there, and wants a reason."""
        model, version = self.model(), self.version()
        if model is None or version is None or not self._may_act():
            return
        if not version.active:
            self.tell(f"{version.version} was deregistered; register the run again.", good=False)
            return
        stages = self._stages(model)
        items = [Choice(stage, stage, self._stands(model, stage, version)) for stage in stages] + [
            Choice("", "another stage", "any word but latest")
        ]

        def chosen(stage: str) -> None:
            if stage:
                self._ask_promotion(model, version, stage)
            else:
                self.prompt(
                    f"promote {version.version} to",
                    lambda text: self._ask_promotion(model, version, text.strip()) if text.strip() else None,
                    check=_check_stage,
                    complete=lambda line, _: [stage for stage in stages if stage.startswith(line)],
                )

        self.choose(f"Promote {model.name} {version.version} to", items, chosen)

    def _stages(self, model: RegisteredModel) -> list[str]:
        """Return stages worth offering: this model's, other models', the usual ones."""
        found = dict.fromkeys(model.stages)
        found.update(dict.fromkeys(event.stage for event in reversed(model.events) if event.stage))
        found.update(dict.fromkeys(board_stages(self.found.models) if self.found is not None else ()))
        found.update(dict.fromkeys(_USUAL))
        return list(found)

    @staticmethod
    def _stands(model: RegisteredModel, stage: str, version: ModelVersion) -> str:
        now = model.stages.get(stage)
        if now is None:
            return "nothing stands there"
        return "stands there already" if now.version == version.version else f"{now.version} stands there"

    def _ask_promotion(self, model: RegisteredModel, version: ModelVersion, stage: str) -> None:
        now = model.stages.get(stage)
        event = standing(model, stage)
        if now is None:
            said = f"Nothing of {model.name} stands at {stage} yet."
        elif now.version == version.version:
            said = f"{now.version} stands at {stage} already; the same person's word is not said twice."
        else:
            said = f"{now.version} stands at {stage} now, and no longer will."
        if event is not None:
            said += f"\nIt came there by {event.author}" + (f": {event.reason}" if event.reason else "")
        said += "\n\nThe tag goes with the next 'ledgit push'; what deploys from it starts then."
        repository = self.session.repository

        def ask(reason: str) -> None:
            self.write(promote_edit(repository, version, stage, reason), self.reread)

        self._judged(
            ("assign", model.name, version, stage),
            lambda: self.confirm(f"Promote {model.name} {version.version} to {stage}?", said, ask, reason=True),
        )

    def _judged(self, act: tuple[str, str, ModelVersion | None, str], then: Callable[[], None]) -> None:
        """Go on if the policies allow *act*; else show which rules do not, before anybody thinks of a reason."""
        repository = self.session.repository

        def taken(reasons: list[str]) -> None:
            if reasons:
                self.problem(PolicyRefused(reasons))
            else:
                then()

        self.ask(lambda: refusals(repository, *act), taken, group="policy", what="asking the policy")

    def action_end(self) -> None:
        """Take something back: leave a stage empty, go back to the version before, archive, deregister, deprecate."""
        model, version = self.model(), self.version()
        if model is None or not self._may_act():
            return
        items = []
        for stage, at in model.stages.items():
            before = _before(model, stage)
            if before is not None:
                items.append(Choice(f"back:{stage}", f"roll {stage} back", f"from {at.version} to {before.version}"))
            items.append(Choice(f"empty:{stage}", f"leave {stage} empty", f"{at.version} stands there"))
        if version is not None and version.active:
            archived = _archived(model, version)
            word = "take out of the archive" if archived else "archive"
            items.append(Choice("archive", f"{word} {version.version}", "a word about it, no more"))
            detail = "its number never comes back"
            if version.stages:
                detail = f"not while it stands at {', '.join(version.stages)}"
            items.append(Choice("deregister", f"deregister {version.version}", detail))
        if model.deprecated is None and model.events:
            items.append(
                Choice("deprecate", f"deprecate {model.name}", "the whole model; doing anything takes it back")
            )
        if items:
            self.choose(f"{model.name}: take out", items, lambda key: self._end(model, version, key))

    def _end(self, model: RegisteredModel, version: ModelVersion | None, key: str) -> None:
        repository = self.session.repository
        what, _, stage = key.partition(":")
        if what == "back":
            before = _before(model, stage)
            if before is not None:
                self._ask_promotion(model, before, stage)
        elif what == "empty":
            at = model.stages[stage]
            self._judged(
                ("unassign", model.name, at, stage),
                lambda: self.confirm(
                    f"Leave {stage} of {model.name} empty?",
                    f"{at.version} stands there now. What loads models:/{model.name}@{stage} will find nothing.",
                    lambda reason: self.write(unassign_edit(repository, model.name, stage, reason), self.reread),
                    reason=True,
                ),
            )
        elif what == "archive" and version is not None:
            self.write(archive_edit(repository, version, archived=not _archived(model, version)), self.reread)
        elif what == "deregister" and version is not None:
            self._judged(
                ("deregister", model.name, version, ""),
                lambda: self.confirm(
                    f"Deregister {model.name} {version.version}?",
                    "It stays in the history, and can't be promoted or loaded by its name any more."
                    " This can't be undone: the version and its number never come back.",
                    lambda reason: self.write(deregister_edit(repository, version, reason), self.reread),
                    reason=True,
                    typed=version.version,
                ),
            )
        elif what == "deprecate":
            self._judged(
                ("deprecate", model.name, None, ""),
                lambda: self.confirm(
                    f"Deprecate {model.name}?",
                    "The model is not to be used any more. Whatever is done to it later takes that back.",
                    lambda reason: self.write(deprecate_edit(repository, model.name, reason), self.reread),
                    reason=True,
                ),
            )

    # ------------------------------------------------------------------ what people write

    def action_describe(self) -> None:
        """Describe this version; the model, where the cursor is among the models."""
        model, version = self.model(), self.version()
        if model is None or not self._may_act():
            return
        if self.about_model():
            version = None
        before = model.description if version is None else version.description
        repository = self.session.repository
        named = model.name if version is None else f"{model.name} {version.version}"
        self.prompt(
            f"describe {named}",
            lambda text: self.write(describe_edit(repository, model.name, version, text.strip()), self.reread),
            value=" ".join(before.split()),
        )

    def action_labels(self) -> None:
        """Set tags of this version or model, as key=value; key- removes one. For a stage (MLflow's alias), promote."""
        model, version = self.model(), self.version()
        if model is None or not self._may_act():
            return
        if self.about_model():
            version = None
        there = model.tags if version is None else version.tags
        repository = self.session.repository

        def done(text: str) -> None:
            tags = _tags(text)
            if tags:
                self.write(label_edit(repository, model.name, version, tags), self.reread)

        def complete(line: str, cursor: int) -> list[str]:
            word = line[:cursor].rpartition(" ")[2]
            return [key for key in sorted(there) if key.startswith(word)]

        named = model.name if version is None else f"{model.name} {version.version}"
        self.prompt(f"tags of {named}", done, check=_check_tags, complete=complete)

    # ------------------------------------------------------------------ looking closer

    def open_run(self) -> None:
        """Open the run of the version under the cursor."""
        version = self.version()
        if version is None:
            return
        if not version.run:
            self.tell("This version came from no run.", good=False)
        else:
            self.app.open_run(version.run)

    def action_verify(self) -> None:
        """Verify this version: from its tag over run and code to the last byte of its data. Escape gives it up."""
        version = self.version()
        if version is None:
            return
        if self.verifying is not None:
            self.tell("One version is being verified; escape gives that up.", good=False)
            return
        verifying = self.verifying = Verifying(version)
        repository = self.session.repository
        self.show_tab("verify")
        self._ticking = self.set_interval(0.15, self.show_details)

        def work() -> Chain | LedgitError | None:
            try:
                return verifying.run(repository)
            except LedgitError as error:
                return error

        def taken(found: Chain | LedgitError | None) -> None:
            self.verifying = None
            if self._ticking is not None:
                self._ticking.stop()
            if found is None:
                self.tell(f"Gave up verifying {version.model} {version.version}.", good=False)
            elif isinstance(found, LedgitError):
                self.problem(found)
            else:
                self.chains[version.event.oid] = found
                self.checked[version.event.oid] = found.genuine
                self.show_checked()
            self.show_details()

        self.ask(work, taken)

    def action_copy(self) -> None:
        """Copy the model's URI, a command to serve or verify it, its tag, run, commit or digest."""
        version = self.version()
        if version is None:
            return
        found = copies(version)
        items = [Choice(str(place), what, text) for place, (what, text) in enumerate(found)]
        self.choose("Copy", items, lambda key: self.copy(found[int(key)][1], f"the {found[int(key)][0]}"))

    def action_browser(self) -> None:
        """Open the commit of this version's code in the browser, where the remote is a known host."""
        version = self.version()
        if version is None:
            return
        repository = self.session.repository

        def work() -> CommitPage:
            from ledgit.tui.hosts import commit_page

            if not version.run:
                return commit_page(repository.repo, version.commit)
            code = repository.run(version.run).code
            return commit_page(repository.repo, code.commit, code.branch)

        def taken(page: CommitPage) -> None:
            if page.address:
                self.app.open_url(page.address)
            self.tell(page.why or f"Opening {page.address}", good=not page.why)

        self.ask(work, taken)

    def action_export(self) -> None:
        """Write the table of versions to a file: CSV, JSON or Markdown, by its ending."""
        from ledgit.tui.data.registered import version_table
        from ledgit.tui.data.tables import write_table

        model = self.model()
        if model is None or not self.may_save():
            return
        titles, rows = version_table(self.versions_shown(), self.runs)
        self.prompt(
            "write the versions to",
            lambda path: self.ask(
                lambda: write_table(path, titles, rows),
                lambda where: self.tell(f"Wrote {len(rows):,} versions to {where}."),
                what="writing",
            ),
            value=f"{model.name.replace('/', '-')}.csv",
        )


def _check_stage(text: str) -> Problem | None:
    from ledgit.records.registry_names import check_stage

    try:
        check_stage(text.strip())
    except LedgitError as error:
        return Problem(0, str(error)) if text.strip() else None
    return None


def _check_tags(text: str) -> Problem | None:
    for word in _words(text):
        key, sign, _ = word.partition("=")
        if (not sign and (not word.endswith("-") or len(word) < 2)) or (sign and not key):
            return Problem(max(text.find(word), 0), "neither key=value nor key-, which removes")
    return None


def _words(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _tags(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for word in _words(text):
        key, sign, value = word.partition("=")
        found[key if sign else word[:-1]] = value if sign else None
    return found


def _archived(model: RegisteredModel, version: ModelVersion) -> bool:
    return model.values.get(f"version.{version.version}.stage") == "Archived"


def _before(model: RegisteredModel, stage: str) -> ModelVersion | None:
    from ledgit.registry.reading import came_before

    return came_before(model, stage)
