"""What is done in the registry: register, assign, unassign, deregister, deprecate. Each is one step, or nothing."""

from __future__ import annotations

from ledgit.errors import InvalidName, InvalidValue, RefMoved, RunStateError, VersionExists, VersionNotFound
from ledgit.records.registry_message import RegistryMessage
from ledgit.records.registry_names import (
    ASSIGN,
    DEPRECATE,
    DEREGISTER,
    REGISTER,
    UNASSIGN,
    Semver,
    check_model_name,
    check_stage,
    next_free,
    slug_of,
    tag_name,
)
from ledgit.records.registry_state import ModelVersion
from ledgit.records.values import Values
from ledgit.store.journal import now_ms
from ledgit.store.registry.digest import model_digest, model_path
from ledgit.store.registry.kinds import MODEL, check_kind
from ledgit.store.registry.modeltags import KEPT, TAGS, VERSIONS, ModelTags
from ledgit.store.registry.source import find_source
from ledgit.store.registry.tagging import RegistryLock, Tagging, wants_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.records.registry_state import Event, RegisteredModel
    from ledgit.records.state import RunState
    from ledgit.store.folder import Folder

__all__ = ["Registration", "assign", "deprecate", "deregister", "register", "unassign"]

_ATTEMPTS = 8
_LONGEST_REASON = 4_000  # characters


class Registration(Values):
    """A version to be registered.

    Attributes:
        model: The model's name.
        run: The run it is from, as the index has it; finished, or still being written.
        path: The model's folder among the run's artifacts; "" for all of them.
        version: ``v1.2.0`` or ``1.2.0``; None: *bump* says.
        bump: ``major``, ``minor`` or ``patch``: what of the greatest version so far goes one up. The first is
            ``v1.0.0``, ``v0.1.0`` or ``v0.0.1``.
        reason: Why; free text.
        sign: Whether the tag is signed; None: as Git's configuration says.
        when: Milliseconds since the epoch; None: now. Never before the model's newest tag.
        number: The integer version, for one that has it elsewhere already; None: the next one.
    """

    __slots__ = ("bump", "model", "number", "path", "reason", "run", "sign", "version", "when")

    def __init__(
        self,
        model: str,
        run: RunState,
        path: str = "",
        version: str | None = None,
        bump: str = "patch",
        reason: str = "",
        sign: bool | None = None,
        when: int | None = None,
        number: int | None = None,
    ) -> None:
        self.number = number
        self.model, self.run, self.path, self.version, self.bump = model, run, path, version, bump
        self.reason, self.sign, self.when = reason, sign, when


def register(repo: Repo, folder: Folder, registration: Registration) -> ModelVersion:
    """Register a version of a model: a registration commit, its tag, and the claim of its number.

    Raises:
        InvalidName: It can't be a model's name, or differs from another's only in case.
        InvalidValue: It can't be a version.
        VersionExists: The version is registered, or was; with the next one that is free.
        ArtifactNotFound: The run has nothing at this path.
        RunNotFound: The run became a commit at this moment: ask the index again.
        RunStateError: The run was purged.
        NotHere: The run's commit is not in this clone.
        StorageError: The disk refused; nothing has changed.
        GitFailed: The tag could not be signed.
    """
    from ledgit.git import Objects

    check_model_name(registration.model)
    path = model_path(registration.path)
    objects = Objects.of(repo)
    for attempt in range(_ATTEMPTS):
        try:
            with RegistryLock(folder):
                tags = ModelTags(repo, objects, registration.model)
                version = _free_version(tags, registration)
                if not tags.names:
                    check_name(repo, folder, registration.model, MODEL)
                else:
                    check_kind(repo, objects, tags, registration.model, MODEL)
                return _register(repo, folder, objects, tags, registration, path, version)
        except RefMoved as error:
            # Git or GTO took the number, or the next version, between looking and writing.
            if attempt + 1 == _ATTEMPTS or not error.ref.startswith((TAGS, KEPT, VERSIONS)):
                raise
    raise AssertionError


def _free_version(tags: ModelTags, registration: Registration) -> str:
    if registration.version is None:
        greatest = tags.greatest()
        return str((Semver(0, 0, 0) if greatest is None else Semver.parse(greatest)).bump(registration.bump))
    version = str(Semver.parse(registration.version))
    if tags.has(version):
        raise VersionExists(registration.model, version, next_free(version, tags.versions))
    return version


def check_name(repo: Repo, folder: Folder, name: str, kind: str) -> None:
    """Check that a model, or project, that has no tags yet can have this name."""
    from ledgit.store.registry.reading import read_registry

    for other, model in read_registry(repo, folder).models.items():
        if other == name:
            continue
        if other.casefold() == name.casefold():
            reason = (
                f"differs from {other!r} only in case; macOS and Windows can't have both: use that, or another name"
            )
            raise InvalidName(kind, name, reason)
        if model.slug == slug_of(name) and model.events:
            raise InvalidName(kind, name, f"would have the same tags as {other!r}")


def _register(
    repo: Repo,
    folder: Folder,
    objects: Objects,
    tags: ModelTags,
    registration: Registration,
    path: str,
    version: str,
) -> ModelVersion:
    from ledgit.git import identity

    name, run = registration.model, registration.run
    tag = tag_name(name, REGISTER, version=version)
    who = identity(repo)
    sign = wants_signature(repo) if registration.sign is None else registration.sign
    step = Tagging(repo, folder, (who[0] or "ledgit", who[1]), sign=sign)
    now = (now_ms() if registration.when is None else registration.when) // 1000
    now = max(now, tags.newest() + 1)
    source = find_source(repo, folder, objects, step.fresh, run, path, now)
    date = max(now, source.date)
    number = tags.next_number() if registration.number is None else registration.number
    subject = f"Register {_line(name)} {version} from run {_line(run.name)}"
    trailers = f"Ledgit-Run: {run.id}\nLedgit-Version: {tag}\n"
    signature = step.who(date)
    commit = step.fresh.commit(source.tree, [source.commit], signature, signature, f"{subject}\n\n{trailers}")
    message = RegistryMessage(
        summary=f"Register {name} {version} (version {number}) from run {run.name}",
        model=name,
        version=version,
        number=number,
        run=run.id,
        path=path,
        digest=model_digest(source.files, path),
        reason=checked_reason(registration.reason),
    )
    step.add(tag, commit, date, message)
    try:
        (event,) = step.write()
    except RefMoved as error:
        if error.ref in (TAGS + tag, KEPT + tag) and registration.version is not None:
            raise VersionExists(name, version, next_free(version, [*tags.versions, version])) from error
        raise
    tags.note(event)
    return ModelVersion(name, version, event)


def assign(
    repo: Repo,
    folder: Folder,
    version: ModelVersion,
    stage: str,
    *,
    reason: str = "",
    previous: str | None = None,
    sign: bool | None = None,
    when: int | None = None,
) -> Event:
    """Let *stage* stand at *version*, and nowhere else of the same model.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        version: The version, which must be active.
        stage: MLflow's *alias*.
        reason: Why; free text.
        previous: The version it stood at before, for the record.
        sign: Whether the tag is signed; None: as Git's configuration says.
        when: Milliseconds since the epoch; None: now. Never before the model's newest tag.

    Raises:
        InvalidName: It can't be a stage's name.
        RunStateError: The version was deregistered.
        StorageError, GitFailed: As for :func:`register`.
    """
    check_stage(stage)
    if not version.active:
        raise RunStateError(f"{version.model} {version.version} was deregistered; no stage can stand there")
    before = f", was {previous}" if previous else ""
    message = RegistryMessage(
        summary=f"Assign {stage} to {version.model} {version.version}{before}",
        model=version.model,
        version=version.version,
        run=version.run,
        reason=checked_reason(reason),
        stage=stage,
        previous=previous,
    )
    return _counted(repo, folder, [(version, message)], ASSIGN, sign, when)[0]


def unassign(
    repo: Repo,
    folder: Folder,
    model: RegisteredModel,
    stage: str,
    *,
    reason: str = "",
    sign: bool | None = None,
    when: int | None = None,
) -> list[Event]:
    """Let *stage* stand nowhere.

    By GTO's law it would go back to the version it stood at before, so it is taken from each version that it was
    ever assigned to and not taken from: one tag each, mostly one in all.

    Raises:
        VersionNotFound: It stands nowhere.
        StorageError, GitFailed: As for :func:`register`.
    """
    here = model.stages.get(stage)
    if here is None:
        raise VersionNotFound(model.name, f"@{stage}", [f"@{name}" for name in model.stages])
    last: dict[str, str] = {}
    for event in model.events:
        if event.action in (ASSIGN, UNASSIGN) and event.stage == stage and event.version in model.versions:
            last[event.version] = event.action
    held = [model.versions[text] for text, action in last.items() if action == ASSIGN]
    held = [version for version in held if version.active and version is not here]
    todo = []
    for version in (*held, here):
        message = RegistryMessage(
            summary=f"Unassign {stage} from {model.name} {version.version}",
            model=model.name,
            version=version.version,
            run=version.run,
            reason=checked_reason(reason),
            stage=stage,
        )
        todo.append((version, message))
    return _counted(repo, folder, todo, UNASSIGN, sign, when)


def deregister(
    repo: Repo,
    folder: Folder,
    version: ModelVersion,
    *,
    reason: str = "",
    sign: bool | None = None,
    when: int | None = None,
) -> Event:
    """End a version. Its number and name never come back; its data stays, as long as its tags do.

    Raises:
        RunStateError: It was deregistered already, or a stage stands at it.
        StorageError, GitFailed: As for :func:`register`.
    """
    if not version.active:
        raise RunStateError(f"{version.model} {version.version} was deregistered already")
    if version.stages:
        stages = f"{'stage' if len(version.stages) == 1 else 'stages'} {' and '.join(version.stages)}"
        raise RunStateError(
            f"{version.model} {version.version} is at {stages}; move or unassign that first, or by the law of"
            " GTO it would go back to an older version"
        )
    message = RegistryMessage(
        summary=f"Deregister {version.model} {version.version}",
        model=version.model,
        version=version.version,
        run=version.run,
        reason=checked_reason(reason),
    )
    return _plain(repo, folder, version.commit, message, DEREGISTER, sign, when)


def deprecate(
    repo: Repo,
    folder: Folder,
    model: RegisteredModel,
    *,
    reason: str = "",
    sign: bool | None = None,
    when: int | None = None,
) -> Event:
    """Say that a whole model is not to be used any more. Whatever is done to it later takes that back.

    Raises:
        RunStateError: It is deprecated already.
        VersionNotFound: It has no version a tag could point to.
        StorageError, GitFailed: As for :func:`register`.
    """
    if model.deprecated is not None:
        raise RunStateError(f"{model.name} is deprecated already, by {model.deprecated.tag}")
    newest = next(reversed(model.versions.values()), None)
    if newest is None:
        raise VersionNotFound(model.name, "latest")
    message = RegistryMessage(summary=f"Deprecate {model.name}", model=model.name, reason=checked_reason(reason))
    return _plain(repo, folder, newest.commit, message, DEPRECATE, sign, when)


def _plain(
    repo: Repo,
    folder: Folder,
    commit: str,
    message: RegistryMessage,
    action: str,
    sign: bool | None,
    when: int | None,
) -> Event:
    """Make a tag that is the only one of its kind; counted where there was one already."""
    from ledgit.git import Objects

    model = message.model or ""
    for attempt in range(_ATTEMPTS):
        try:
            with RegistryLock(folder):
                tags = ModelTags(repo, Objects.of(repo), model)
                tag = tag_name(model, action, version=message.version)
                if tag in tags.names:
                    tag = tag_name(model, action, version=message.version, counter=tags.next_counter())
                return _make(repo, folder, tags, [(tag, commit, message)], sign, when)[0]
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _counted(
    repo: Repo,
    folder: Folder,
    todo: list[tuple[ModelVersion, RegistryMessage]],
    action: str,
    sign: bool | None,
    when: int | None,
) -> list[Event]:
    from ledgit.git import Objects

    model = todo[0][0].model
    for attempt in range(_ATTEMPTS):
        try:
            with RegistryLock(folder):
                tags = ModelTags(repo, Objects.of(repo), model)
                made = []
                for version, message in todo:
                    tag = tag_name(model, action, stage=message.stage, counter=tags.next_counter())
                    made.append((tag, version.commit, message))
                return _make(repo, folder, tags, made, sign, when)
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _make(
    repo: Repo,
    folder: Folder,
    tags: ModelTags,
    made: list[tuple[str, str, RegistryMessage]],
    sign: bool | None,
    when: int | None,
) -> list[Event]:
    from ledgit.git import identity

    who = identity(repo)
    step = Tagging(repo, folder, (who[0] or "ledgit", who[1]), sign=wants_signature(repo) if sign is None else sign)
    date = max((now_ms() if when is None else when) // 1000, tags.newest() + 1)
    for number, (tag, commit, message) in enumerate(made):
        step.add(tag, commit, date + number, message)
    events = step.write()
    for event in events:
        tags.note(event)
    return events


def _line(text: str) -> str:
    """Return *text* as part of a commit's subject."""
    return " ".join(text.split())[:120]


def checked_reason(text: str) -> str | None:
    """Return *text* as a message has it.

    Raises:
        InvalidValue: It is too long.
    """
    if len(text) > _LONGEST_REASON:
        raise InvalidValue("reason", text, f"at most {_LONGEST_REASON:,} characters")
    return text or None
