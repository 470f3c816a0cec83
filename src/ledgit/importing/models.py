"""MLflow's registered models to tags of the registry: version N is ``vN.0.0`` with the number N."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidName, LedgitError, NotFound
from ledgit.importing.found import LOGGED, FoundRun
from ledgit.importing.places import shown

SEMVER = "ledgit.version"

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.importing.bringing import Brought
    from ledgit.importing.found import FoundModel, FoundVersion
    from ledgit.importing.making import Making
    from ledgit.records.registry_state import ModelVersion, RegisteredModel
    from ledgit.repository import Repository

__all__ = ["bring_models"]

_IN_RUN = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,255})/artifacts(?:/+(.*?))?/*$")
_LOGGED_ID = re.compile(r"\b(m-[0-9a-f]{32})\b")
_RUNS = re.compile(r"runs:/+([^/]+)/?(.*?)/*$")
_OTHER = re.compile(r"models:/+([^/@]+)(?:/(\d+)|@([^/]+))$")
_SEMVER = "ledgit.version"  # what Ledgit's own export tags versions with
_DEEPEST = 8  # a version that was copied from a copy …
_STAGES = ("Staging", "Production", "Archived")


def bring_models(
    repository: Repository,
    models: list[FoundModel],
    done: Brought,
    making: Making,
    tell: Callable[[str, int, int | None], None],
) -> None:
    """Register what the store has registered; versions that are here already stay as they are."""
    repository.refresh()
    bringing = _Models(repository, models, done, making)
    total = sum(len(model.versions) for model in models)
    at = 0
    for model in models:
        try:
            name = bringing.begin(model)
        except LedgitError as error:
            done.failed[f"model {model.name}"] = str(error)
            continue
        made: dict[int, ModelVersion] = {}
        for version in model.versions:
            at += 1
            tell("registering", at, total)
            if version.deleted:
                continue
            try:
                made[version.number] = bringing.version(model, name, version)
            except LedgitError as error:
                done.failed[f"{model.name} version {version.number}"] = str(error)
        try:
            bringing.finish(model, name, made)
        except LedgitError as error:
            done.failed[f"model {model.name}"] = str(error)


class _Models:
    def __init__(self, repository: Repository, models: list[FoundModel], done: Brought, making: Making) -> None:
        self.repository, self.done, self.making = repository, done, making
        self._found = {model.name: model for model in models}

    def begin(self, model: FoundModel) -> str:
        """Make the model, where it is not here yet; return what it is called here."""
        from ledgit.records.registry_names import check_model_name

        name = model.name
        try:
            check_model_name(name)
        except InvalidName:
            kept = "".join(char if char.isalnum() or char in "-_ ." else "-" for char in name).strip("-. ")[:100]
            name = f"{kept or 'model'}-{sha256(model.name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"
            self.done.changed.append(("", model.name, name))
        here = self._here(name)
        if here is None:
            values: dict[str, Any] = {f"tags.{key}": value for key, value in model.tags.items()}
            if model.description:
                values["description"] = model.description
            if model.created is not None:
                values["created"] = model.created
            self.repository.edit_model(name, values or {"created": 0})
            self.done.models.append(model.name)
        return name

    def _here(self, name: str) -> RegisteredModel | None:
        return self.repository.registered().models.get(name)

    def version(self, model: FoundModel, name: str, version: FoundVersion) -> ModelVersion:
        """Register one version, or find the one that an import before this has made."""
        from ledgit.store.registry import Registration, register

        reason = f"imported: MLflow's version {version.number} of {model.name}"
        if version.created is not None:
            from ledgit.records.run import iso

            reason += f", made {iso(version.created)}"
        here = self._here(name)
        for other in here.versions.values() if here is not None else ():
            if other.event.message is not None and other.event.message.reason == reason:
                self.done.versions_known.append(other.tag)
                return other
        run_id, path = self._files(version) or self._alone(model, version)
        state = self.repository.index.get(run_id)
        if state is None:
            raise NotFound(run_id)
        taken = {str(other.version) for other in here.versions.values()} if here is not None else set()
        numbers = {other.number for other in here.versions.values()} if here is not None else set()
        semver: str | None = _semver(version.tags.get(_SEMVER, "")) or f"v{version.number}.0.0"
        number: int | None = version.number
        if semver in taken or number in numbers:  # of another store, or somebody's here
            semver, number = None, None
        wanted = Registration(
            name, state, path, version=semver, bump="major", reason=reason, when=version.created, number=number
        )
        made = register(self.repository.repo, self.repository.folder, wanted)
        if made.number != version.number:
            self.done.changed.append((run_id, f"{model.name} version {version.number}", f"version {made.number}"))
        prefix = f"version.{made.version}."
        tags = {key: value for key, value in version.tags.items() if key != _SEMVER}
        if version.user and version.user != made.event.author:
            tags["ledgit.import.user"] = version.user
        values: dict[str, Any] = {f"{prefix}tags.{key}": value for key, value in tags.items()}
        if version.description:
            values[f"{prefix}description"] = version.description
        if values:
            self.repository.edit_model(name, values)
        self.done.versions.append(made.tag)
        return made

    def finish(self, model: FoundModel, name: str, made: dict[int, ModelVersion]) -> None:
        """Let aliases and stages stand where they stood, and numbers of deleted versions stay taken."""
        here = self._here(name)
        # One that stood somewhere once is this repository's own affair since.
        stages = {event.stage for event in here.events} if here is not None else set()
        wanted = {
            version.stage: version.number
            for version in sorted(model.versions, key=lambda one: (one.updated or 0, one.number))
            if version.stage in _STAGES[:2] and version.number in made
        }
        for version in model.versions:  # a stage stands at one version here; at the others it is said
            if version.stage in _STAGES and version.number in made and wanted.get(version.stage) != version.number:
                archived = version.stage == "Archived"
                key = f"version.{made[version.number].version}.{'stage' if archived else 'tags.ledgit.import.stage'}"
                if here is None or here.values.get(key) != version.stage:
                    self.repository.edit_model(name, {key: version.stage})
        for alias, number in sorted({**wanted, **model.aliases}.items(), key=lambda pair: (pair[1], pair[0])):
            if number in made and alias not in stages:
                try:
                    self.repository.assign(made[number], alias, reason="imported from MLflow")
                except InvalidName as error:
                    self.done.failed[f"{model.name} alias {alias}"] = str(error)
        gone = max((version.number for version in model.versions if version.deleted), default=0)
        if here is not None and gone > max((version.number or 0 for version in here.versions.values()), default=0):
            self.repository.edit_model(name, {"highest": gone})

    # ------------------------------------------------------------------ whose files

    def _files(self, version: FoundVersion, depth: int = 0) -> tuple[str, str] | None:
        """Return (run, path) of a version's files, where a run here has them."""
        for logged in (version.logged, *(_LOGGED_ID.findall(f"{version.source} {version.location}"))):
            found = self._logged(logged, version.run)
            if found is not None:
                return found
        other = _OTHER.match(version.source)
        if other is not None and depth < _DEEPEST and other[1] in self._found:
            model = self._found[other[1]]
            number = int(other[2]) if other[2] else model.aliases.get(other[3], 0)
            for one in model.versions:
                if one.number == number:
                    return self._files(one, depth + 1)
        for uri in (version.source, version.location):
            match = _RUNS.match(uri) or _IN_RUN.search(uri)
            if match is not None and self._has(match[1], match[2] or ""):
                return match[1], match[2] or ""
        return None

    def _logged(self, model_id: str, run_id: str) -> tuple[str, str] | None:
        if not model_id:
            return None
        for holder in (run_id, model_id):
            state = self.repository.index.get(holder) if holder else None
            if state is None:
                continue
            run = self.repository.run(holder)
            try:
                about = json.loads(run.read_artifact(f"{LOGGED}/{model_id}.json"))
            except (LedgitError, ValueError):
                continue
            path = about.get("path") if isinstance(about, dict) else None
            if isinstance(path, str) and self._has(holder, path):
                return holder, path
        return None

    def _has(self, run_id: str, path: str) -> bool:
        state = self.repository.index.get(run_id)
        if state is None or state.purged:
            return False
        paths = [one.path for one in self.repository.run(run_id).artifacts()]
        return bool(paths) if not path else any(one == path or one.startswith(f"{path}/") for one in paths)

    def _alone(self, model: FoundModel, version: FoundVersion) -> tuple[str, str]:
        """Make a run for a version whose files are elsewhere: it says where, so that the version is not lost."""
        seed = f"{model.name}\0{version.number}\0{version.created}\0{version.source}"
        run_id = sha256(seed.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        place = "registered"
        if self.repository.index.get(run_id) is not None:
            return run_id, place
        about = {
            "model": model.name,
            "version": version.number,
            "source": shown(version.source),
            "location": shown(version.location),
            "run": version.run,
        }
        tags = {"ledgit.import.version": f"{model.name} version {version.number}"}
        if version.source:
            tags["ledgit.import.artifacts"] = shown(version.source)
        run = FoundRun(run_id, "imported models", start=version.created or 0, tags=tags, user=version.user)
        run.more[f"{place}/source.json"] = (json.dumps(about, indent=1) + "\n").encode("utf-8", "backslashreplace")
        if self.repository.index.get(version.run) is not None:
            run.tags["mlflow.parentRunId"] = version.run
        record, contents = self.making.record(run)
        with self.repository.bulk() as bulk:
            bulk.add(record, contents, author=(run.user, ""))
        self.repository.refresh()
        self.done.elsewhere[run_id] = shown(version.source)
        return run_id, place


def _semver(text: str) -> str:
    """Return the version that Ledgit's own export says; "" where it says none."""
    from ledgit.records.registry_names import Semver

    try:
        return str(Semver.parse(text)) if text else ""
    except LedgitError:
        return ""
