"""The registry as its tags and records say it is: events folded into models, versions and stages.

The law is GTO's (1.10), so that both show the same:

- events of a model are in order of (time, tag);
- a version is active if the last that was done to it was to register it;
- a stage stands at a version from its assigning until it is unassigned *from that version* or the
  version is deregistered; of several it stands at the one it was assigned to last;
- a model is deprecated if that was the last thing done to it.

What contradicts something else is kept, with its problem.
"""

from __future__ import annotations

from operator import attrgetter

from ledgit.records.registry_event import Event
from ledgit.records.registry_names import (
    ASSIGN,
    DEPRECATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    Semver,
    slug_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = ["Event", "ModelVersion", "RegisteredModel", "fold"]

_VERSION = "version."


class ModelVersion:
    """One version of a model.

    Attributes:
        model: The model's name.
        version: ``v1.2.0``.
        number: MLflow's integer version; None if nobody gave it one, or somebody else has it.
        event: Its registration.
        deregistered: What ended it; None while it is active.
        stages: Where it stands now, in alphabetical order.
        description: What people wrote.
        tags: Likewise.
        problem: What is wrong; "" if nothing.
    """

    __slots__ = ("deregistered", "description", "event", "model", "number", "problem", "stages", "tags", "version")

    def __init__(self, model: str, version: str, event: Event) -> None:
        self.model, self.version, self.event = model, version, event
        self.number = event.number
        self.deregistered: Event | None = None
        self.stages: tuple[str, ...] = ()
        self.description = ""
        self.tags: dict[str, str] = {}
        self.problem = event.problem

    def __repr__(self) -> str:
        return f"ModelVersion({self.model!r}, {self.version!r}, number={self.number!r})"

    @property
    def active(self) -> bool:
        """Whether it was not deregistered."""
        return self.deregistered is None

    @property
    def semver(self) -> Semver:
        """Its version as something that compares."""
        return Semver.parse(self.version)

    @property
    def tag(self) -> str:
        """Its tag."""
        return self.event.tag

    @property
    def commit(self) -> str:
        """The commit its tag points to: a registration commit, if it is ours."""
        return self.event.commit

    @property
    def run(self) -> str | None:
        """Id of the run it came from, if its message says so."""
        return self.event.run

    @property
    def path(self) -> str | None:
        """The model's folder among the run's artifacts, if its message says so."""
        return self.event.path

    @property
    def digest(self) -> str | None:
        """Digest of its files, if its message says so."""
        return self.event.digest

    @property
    def kind(self) -> str:
        """What it is a version of: ``model`` or ``project``."""
        return self.event.kind

    @property
    def created(self) -> int:
        """When it was registered, in ms since the epoch."""
        return self.event.time * 1000


class RegisteredModel:
    """One model with its versions.

    Attributes:
        name: As it was given.
        slug: As it stands in tags.
        versions: ``v1.2.0`` → version, in the order they were registered; deregistered ones among them.
        stages: Stage → where it stands.
        events: All that was done to it, oldest first.
        deprecated: What deprecated it; None if nothing, or if something was done to it since.
        description: What people wrote.
        tags: Likewise.
        values: All that its record says, by key.
        problems: What is wrong, but for what stands at a version or event.
    """

    __slots__ = (
        "deprecated",
        "description",
        "events",
        "name",
        "problems",
        "slug",
        "stages",
        "tags",
        "values",
        "versions",
    )

    def __init__(self, name: str, slug: str) -> None:
        self.name, self.slug = name, slug
        self.versions: dict[str, ModelVersion] = {}
        self.stages: dict[str, ModelVersion] = {}
        self.events: list[Event] = []
        self.deprecated: Event | None = None
        self.description = ""
        self.tags: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.problems: list[str] = []

    def __repr__(self) -> str:
        many = "1 version" if len(self.versions) == 1 else f"{len(self.versions)} versions"
        return f"RegisteredModel({self.name!r}, {many})"

    @property
    def kind(self) -> str:
        """What it is: a ``model``, or a ``project``, which is registered the same way; its first version says."""
        return next((version.kind for version in self.versions.values()), "model")

    @property
    def active(self) -> list[ModelVersion]:
        """Its versions that were not deregistered, in the order they were registered."""
        return [version for version in self.versions.values() if version.deregistered is None]

    @property
    def latest(self) -> ModelVersion | None:
        """The active version that was registered last, which is what MLflow calls the latest."""
        return next((one for one in reversed(self.versions.values()) if one.deregistered is None), None)

    @property
    def greatest(self) -> ModelVersion | None:
        """The active version that is the greatest by semantic versioning, which is what GTO calls the latest."""
        return max(self.active, key=lambda one: one.semver.key, default=None)

    @property
    def deleted(self) -> bool:
        """Whether its record says that it was deleted."""
        return bool(self.values.get("deleted", False))

    @property
    def created(self) -> int:
        """When it came to be, in ms since the epoch: by its record, else by its first event."""
        said = self.values.get("created")
        if type(said) is int and said >= 0:
            return said
        return self.events[0].time * 1000 if self.events else 0

    def by_number(self, number: int) -> ModelVersion | None:
        """Return the version with this number; deregistered ones too."""
        return next((one for one in self.versions.values() if one.number == number), None)

    def next_number(self) -> int:
        """Return the number after all that are taken as far as the tags say."""
        return 1 + max((event.number or 0 for event in self.events if event.action == REGISTER), default=0)


def fold(events: Iterable[Event], records: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, RegisteredModel]:
    """Return the models by name that *events* and *records* make, in alphabetical order.

    Args:
        events: In any order. Those up to a moment give the registry as it was then.
        records: Model → what was said about it: ``description``, ``tags.<key>``, ``created``, ``deleted``,
            ``version.<v1.2.0>.description``, ``version.<v1.2.0>.tags.<key>``.
    """
    models: dict[str, RegisteredModel] = {}
    by_model: dict[str, list[Event]] = {}
    for event in sorted(events, key=attrgetter("time", "tag")):
        own = by_model.get(event.model)
        if own is None:
            own = by_model[event.model] = []
        own.append(event)
    for name, own in by_model.items():
        models[name] = _fold_model(name, own)
    for name, values in (records or {}).items():
        model = models.get(name)
        if model is None:
            if values.get("deleted") or "created" not in values:
                continue
            model = models[name] = RegisteredModel(name, slug_of(name))
        _describe(model, values)
    _name_twins(models)
    return {name: models[name] for name in sorted(models)}


def _fold_model(name: str, events: list[Event]) -> RegisteredModel:
    model = RegisteredModel(name, slug_of(name))
    model.events = events
    staged: list[Event] = []
    numbers: dict[int, ModelVersion] = {}
    last = ""  # what was done to the model itself
    for event in events:
        action = event.action
        last = action
        if action == REGISTER:
            _register(model, event, numbers)
        elif action == DEREGISTER:
            known = model.versions.get(event.version)
            if known is None:
                model.problems.append(f"{event.tag} deregisters a version that was never registered")
            else:
                known.deregistered = event
        elif action in (ASSIGN, UNASSIGN):
            staged.append(event)
    if last == DEPRECATE:
        model.deprecated = events[-1]
    if staged:
        _stand(model, staged)
    return model


def _register(model: RegisteredModel, event: Event, numbers: dict[int, ModelVersion]) -> None:
    known = model.versions.get(event.version)
    if known is not None:  # once more, with a counter: as GTO does it after a deregistration
        known.deregistered = None
        if known.commit != event.commit:
            known.problem = known.problem or f"{event.tag} registers it once more, at another commit"
        return
    version = model.versions[event.version] = ModelVersion(model.name, event.version, event)
    if version.kind != model.kind:
        version.problem = version.problem or f"it is of a {version.kind}, and the versions before of a {model.kind}"
    number = version.number
    if number is None:
        return
    first = numbers.setdefault(number, version)
    if first is not version:
        version.number = None
        version.problem = version.problem or f"its number {number} is that of {first.version}, which had it before"


def _stand(model: RegisteredModel, events: list[Event]) -> None:
    """Find out where each stage stands."""
    at: dict[str, list[ModelVersion]] = {}
    for version in model.versions.values():
        at.setdefault(version.commit, []).append(version)
    state: dict[tuple[str, str], Event] = {}
    for event in events:
        found = _find(event, at.get(event.commit, []))
        if found is None:
            model.problems.append(f"{event.tag} is at a commit without a version")
            continue
        event.version = found.version
        key = (event.stage, found.version)
        state.pop(key, None)
        state[key] = event  # the last one of each pair, in their order
    stages: dict[str, ModelVersion] = {}
    for (stage, text), event in state.items():
        version = model.versions[text]
        if event.action == ASSIGN and version.deregistered is None:
            stages[stage] = version
    model.stages = {stage: stages[stage] for stage in sorted(stages)}
    for stage, version in model.stages.items():
        version.stages = (*version.stages, stage)


def _find(event: Event, there: list[ModelVersion]) -> ModelVersion | None:
    """Return which of the versions at its commit *event* is about: nearly always there is just one."""
    if len(there) < 2:
        return there[0] if there else None
    said = None if event.message is None else event.message.version
    named = [version for version in there if version.version == said]
    event.problem = event.problem or "" if named else "several versions are at its commit"
    return (named or there)[-1]


def _describe(model: RegisteredModel, values: Mapping[str, Any]) -> None:
    """Add what people wrote; what is no text was written by nobody's Ledgit and is left out."""
    model.values = dict(values)
    for key, value in values.items():
        if key.startswith(_VERSION):
            version, _, rest = _split(key[len(_VERSION) :])
            found = model.versions.get(version)
            if found is None or not isinstance(value, str):
                continue
            if rest == "description":
                found.description = value
            elif rest.startswith("tags."):
                found.tags[rest[5:]] = value
        elif not isinstance(value, str):
            continue
        elif key == "description":
            model.description = value
        elif key.startswith("tags."):
            model.tags[key[5:]] = value


def _split(key: str) -> tuple[str, str, str]:
    """Split ``v1.2.0.tags.a.b`` into the version, a dot and the rest: versions have dots too."""
    at = key.find(".tags.")
    if at < 0:
        at = len(key) - len(".description") if key.endswith(".description") else len(key)
    return key[:at], ".", key[at + 1 :]


def _name_twins(models: dict[str, RegisteredModel]) -> None:
    folded: dict[str, str] = {}
    for name in sorted(models):
        low = name.casefold()
        if low in folded and models[name].events:
            other = folded[low]
            models[name].problems.append(f"its name differs from {other!r} only in case: some systems can't have both")
        folded.setdefault(low, name)
