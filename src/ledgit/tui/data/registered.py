"""What the screen of models shows: models, versions, stages and what was done, as of now or of another day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.records.registry_state import Event, ModelVersion, RegisteredModel
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.store.registry import RegistryState

__all__ = [
    "Inside",
    "Registered",
    "board_stages",
    "chosen_metrics",
    "copies",
    "inside",
    "matching_models",
    "matching_versions",
    "predecessor",
    "read_registered",
    "runs_of",
    "standing",
    "version_table",
]

#: Stages that most registries have, in the order in which a model goes through them backwards.
_USUAL = ("prod", "production", "champion", "staging", "stage", "challenger", "dev", "test", "archived")
_MOST_FILES = 2_000


class Registered(NamedTuple):
    """The registry at one moment.

    Attributes:
        state: All of it.
        models: Models that were not deleted, by name.
        at: When, ms since the epoch; None: now.
    """

    state: RegistryState
    models: Sequence[RegisteredModel]
    at: int | None = None

    def model(self, name: str) -> RegisteredModel | None:
        """Return the model of this name, or None."""
        found = self.state.models.get(name)
        return None if found is None or (found.deleted and self.at is None) else found


def read_registered(repository: Repository, at: int | None = None) -> Registered:
    """Return the registry as it is, or was at *at* (ms since the epoch). Takes 0.1 ms where nothing has changed."""
    from ledgit.registry.reading import RegistryReading

    reading = RegistryReading(repository)
    state = reading.state
    if at is None:
        return Registered(state, [model for model in state.models.values() if not model.deleted])
    before = state.at(at)
    return Registered(before, [model for model in before.models.values() if model.versions], at)


def matching_models(models: Iterable[RegisteredModel], text: str) -> list[RegisteredModel]:
    """Return the models that have each word of *text* in their name, description, stages or tags."""
    words = text.casefold().split()
    if not words:
        return list(models)
    return [model for model in models if _has(_model_words(model), words)]


def _model_words(model: RegisteredModel) -> str:
    tags = " ".join(f"{key}={value}" for key, value in model.tags.items())
    state = "deprecated" if model.deprecated is not None else ""
    stages = " ".join(f"{stage} {version.version}" for stage, version in model.stages.items())
    return f"{model.name} {stages} {tags} {state} {model.kind} {model.description}".casefold()


def matching_versions(
    versions: Iterable[ModelVersion], text: str, runs: Mapping[str, Run] | None = None
) -> list[ModelVersion]:
    """Return the versions that have each word of *text* in what their lines say; their runs' names count, too."""
    words = text.casefold().split()
    if not words:
        return list(versions)
    runs = runs or {}
    return [version for version in versions if _has(_version_words(version, runs.get(version.run or "")), words)]


def _version_words(version: ModelVersion, run: Run | None) -> str:
    tags = " ".join(f"{key}={value}" for key, value in version.tags.items())
    event = version.event
    state = "" if version.active else "deregistered"
    said = f"{version.version} {version.number or ''} {' '.join(version.stages)} {version.run or ''} {state}"
    name = run.name if run is not None else ""
    return f"{said} {name} {event.author} {event.reason} {tags} {version.description}".casefold()


def _has(said: str, words: Sequence[str]) -> bool:
    return all(word in said for word in words)


def runs_of(repository: Repository, versions: Iterable[ModelVersion]) -> dict[str, Run]:
    """Return the runs that versions came from, by id, as far as they are here; deleted ones too."""
    from ledgit.query import Query

    ids = tuple(sorted({version.run for version in versions if version.run}))
    if not ids:
        return {}
    return {run.id: run for run in repository.search(Query(ids=ids, view="all"))}


def chosen_metrics(runs: Iterable[Run], directions: Mapping[str, str], most: int = 3) -> list[str]:
    """Return the metrics worth a column: those whose direction is configured, then what most runs have."""
    counts: dict[str, int] = {}
    for run in runs:
        for name in run.metrics:
            counts[name] = counts.get(name, 0) + 1
    order = sorted(counts, key=lambda name: (name not in directions, name.startswith("system/"), -counts[name], name))
    return order[:most]


def board_stages(models: Iterable[RegisteredModel]) -> list[str]:
    """Return all stages that anything stands at, the usual ones first, then by how many models have them."""
    counts: dict[str, int] = {}
    for model in models:
        for stage in model.stages:
            counts[stage] = counts.get(stage, 0) + 1
    usual = {name: place for place, name in enumerate(_USUAL)}
    return sorted(counts, key=lambda name: (usual.get(name.lower(), len(usual)), -counts[name], name))


def standing(model: RegisteredModel, stage: str) -> Event | None:
    """Return the event by which the version that stands at *stage* came there."""
    version = model.stages.get(stage)
    if version is None:
        return None
    wanted = ("assign", stage, version.version)
    return next((one for one in reversed(model.events) if (one.action, one.stage, one.version) == wanted), None)


def predecessor(model: RegisteredModel, version: ModelVersion) -> ModelVersion | None:
    """Return the version of another run that was registered before *version*, the newest; None if there is none."""
    before: ModelVersion | None = None
    for one in model.versions.values():
        if one.version == version.version:
            return before
        if one.active and one.run and one.run != version.run:
            before = one
    return None


def copies(version: ModelVersion) -> list[tuple[str, str]]:
    """Return what of a version is worth copying: (what it is, the text)."""
    name = version.model
    number = version.number if version.number is not None else version.version
    found = [("URI", f"models:/{name}/{number}")]
    found += [(f"URI of {stage}", f"models:/{name}@{stage}") for stage in version.stages]
    best = found[1][1] if version.stages else found[0][1]
    if version.kind == "model":
        found += [
            ("command to serve it", f"ledgit models serve {_quoted(best)}"),
            ("Python that loads it", f"ledgit.pyfunc.load_model({best!r})"),
        ]
    found += [("command to verify it", f"ledgit registry verify {_quoted(version.tag)}"), ("tag", version.tag)]
    found += [("run id", version.run)] if version.run else []
    found += [("commit", version.commit)]
    found += [("digest", version.digest)] if version.digest else []
    return found


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def version_table(versions: Sequence[ModelVersion], runs: Mapping[str, Run]) -> tuple[list[str], list[list[object]]]:
    """Return versions as a table for a file: its titles, and a row for each."""
    from ledgit.records.wording import moment

    names = sorted({name for one in versions if (run := runs.get(one.run or "")) for name in run.metrics})
    titles = [
        "model",
        "version",
        "number",
        "stages",
        "run",
        "registered",
        "author",
        "reason",
        "commit",
        "digest",
        *names,
    ]
    rows: list[list[object]] = []
    for one in versions:
        run = runs.get(one.run or "")
        metrics = [run.metrics.get(name) if run is not None else None for name in names]
        facts = (one.model, one.version, one.number, " ".join(one.stages), one.run, moment(one.created))
        rows.append([*facts, one.event.author, one.event.reason, one.commit, one.digest, *metrics])
    return titles, rows


# ---------------------------------------------------------------------- what is in a version


class Inside(NamedTuple):
    """What a version's folder holds.

    Attributes:
        flavors: Flavor → its version, or "".
        inputs: (name, type) of each input, as the signature has them.
        outputs: Likewise.
        params: Likewise.
        files: (path below the model's folder, size) of each.
        left: Files that are not among *files*.
        problem: Why less is known than there could be; "" if nothing.
    """

    flavors: Mapping[str, str] = {}
    inputs: Sequence[tuple[str, str]] = ()
    outputs: Sequence[tuple[str, str]] = ()
    params: Sequence[tuple[str, str]] = ()
    files: Sequence[tuple[str, int]] = ()
    left: int = 0
    problem: str = ""


def inside(version: ModelVersion, run: Run | None) -> Inside:
    """Return what is in the folder of *version*, read from its run; what can't be read is said."""
    if version.kind != "model":
        return Inside(problem="a project's version is a folder of code")
    if run is None:
        return Inside(problem="its run is not in this clone; 'ledgit pull' may bring it")
    folder = version.path or ""
    prefix = f"{folder}/" if folder else ""
    try:
        records = [one for one in run.artifacts() if one.path == folder or one.path.startswith(prefix)]
    except (LedgitError, OSError) as error:
        return Inside(problem=str(error))
    files = [(one.path[len(prefix) :] if one.path != folder else one.path, one.size) for one in records]
    found = Inside(files=files[:_MOST_FILES], left=max(len(files) - _MOST_FILES, 0))
    if not any(name == "MLmodel" for name, _ in files):
        return found
    try:
        from ledgit.models.mlmodel import Model

        model = Model.decode(run.read_artifact(f"{prefix}MLmodel"))
        flavors = {name: _version_in(values) for name, values in model.flavors.items() if name != "python_function"}
        signature = model.signature
    except (LedgitError, OSError) as error:
        return found._replace(problem=f"MLmodel: {error}")
    if signature is None:
        return found._replace(flavors=flavors)
    return found._replace(
        flavors=flavors,
        inputs=_specs(signature.inputs),
        outputs=_specs(signature.outputs),
        params=_specs(signature.params),
    )


def _version_in(values: object) -> str:
    """Return the version of the library that a flavor names, whatever it calls it."""
    if not isinstance(values, Mapping):
        return ""
    named = {str(key): value for key, value in values.items() if str(key).endswith("_version")}
    named.pop("python_version", None)
    return str(next(iter(named.values()), ""))


def _specs(schema: Iterable[object] | None) -> list[tuple[str, str]]:
    """Return the name and the type of each part of a schema."""
    found = []
    for place, spec in enumerate(schema or ()):
        name = getattr(spec, "name", None)
        found.append((f"[{place}]" if name is None else str(name), _type_of(spec)))
    return found


def _type_of(spec: object) -> str:
    kind = getattr(spec, "type", None) or getattr(spec, "dtype", None)
    words = str(getattr(kind, "name", None) or kind)
    shape = getattr(spec, "shape", None)
    if shape:
        words += f" {tuple(shape)}"
    default = getattr(spec, "default", None)
    if default is not None:
        words += f" = {default}"
    return words if getattr(spec, "required", True) else f"{words} (optional)"
