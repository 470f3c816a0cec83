"""Versions of projects: a registration commit above a commit of code, with the same files; no run is involved.

The tag's message says ``kind: "project"``, the project's folder as ``path``, and the id of that folder's tree as
``digest``. ``ledgit project share`` sends such a tag, after data and branch; ``ledgit push`` leaves it alone.
"""

from __future__ import annotations

from ledgit.errors import CodeNotFound, RefMoved, VersionExists
from ledgit.records.registry_message import RegistryMessage
from ledgit.records.registry_names import (
    REGISTER,
    Semver,
    check_model_name,
    next_free,
    tag_name,
)
from ledgit.records.registry_state import ModelVersion
from ledgit.records.values import Values
from ledgit.store.journal import now_ms
from ledgit.store.registry.kinds import PROJECT, check_kind
from ledgit.store.registry.modeltags import KEPT, TAGS, VERSIONS, ModelTags
from ledgit.store.registry.tagging import RegistryLock, Tagging, wants_signature
from ledgit.store.registry.writing import check_name, checked_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder

__all__ = ["ProjectRegistration", "folder_digest", "register_project"]

_ATTEMPTS = 8


class ProjectRegistration(Values):
    """A version of a project to be registered.

    Attributes:
        name: The project's name.
        commit: The commit of code it is.
        subdir: Its folder in that commit; "" for the top.
        version: ``v1.2.0`` or ``1.2.0``; None: *bump* says.
        bump: ``major``, ``minor`` or ``patch``: what of the greatest version so far goes one up.
        reason: Why; free text.
        sign: Whether the tag is signed; None: as Git's configuration says.
        when: Milliseconds since the epoch; None: now. Never before the project's newest tag.
    """

    __slots__ = ("bump", "commit", "name", "reason", "sign", "subdir", "version", "when")

    def __init__(
        self,
        name: str,
        commit: str,
        subdir: str = "",
        version: str | None = None,
        bump: str = "minor",
        reason: str = "",
        sign: bool | None = None,
        when: int | None = None,
    ) -> None:
        self.name, self.commit, self.subdir, self.version, self.bump = name, commit, subdir, version, bump
        self.reason, self.sign, self.when = reason, sign, when


def folder_digest(objects: Objects, commit: str, subdir: str) -> str:
    """Return ``tree:…``, the id of the tree that *subdir* ("": the top) is in *commit*.

    Raises:
        NotFound: There is no such folder.
    """
    from ledgit.git import TREE

    if not subdir:
        return f"tree:{objects.commit(commit).tree}"
    entry = objects.find(commit, subdir)
    if entry is None or entry.mode != TREE:
        raise CodeNotFound(subdir)
    return f"tree:{entry.oid}"


def register_project(repo: Repo, folder: Folder, registration: ProjectRegistration) -> ModelVersion:
    """Register a version of a project: a registration commit, its tag, and the claim of its number.

    Raises:
        InvalidName: It can't be a project's name, or is that of a model, or differs from another's only in case.
        InvalidValue: It can't be a version.
        VersionExists: The version is registered, or was; with the next one that is free.
        NotFound: The commit, or the folder in it, is not here.
        StorageError: The disk refused; nothing has changed.
        GitFailed: The tag could not be signed.
    """
    from ledgit.git import Objects

    check_model_name(registration.name)
    objects = Objects.of(repo)
    for attempt in range(_ATTEMPTS):
        try:
            with RegistryLock(folder):
                tags = ModelTags(repo, objects, registration.name)
                if tags.names:
                    check_kind(repo, objects, tags, registration.name, PROJECT)
                else:
                    check_name(repo, folder, registration.name, PROJECT)
                return _register(repo, folder, objects, tags, registration)
        except RefMoved as error:
            if attempt + 1 == _ATTEMPTS or not error.ref.startswith((TAGS, KEPT, VERSIONS)):
                raise
    raise AssertionError


def _register(
    repo: Repo, folder: Folder, objects: Objects, tags: ModelTags, registration: ProjectRegistration
) -> ModelVersion:
    from ledgit.git import identity

    name, version = registration.name, _free_version(tags, registration)
    code = objects.commit(registration.commit)
    digest = folder_digest(objects, code.oid, registration.subdir)
    tag = tag_name(name, REGISTER, version=version)
    who = identity(repo)
    sign = wants_signature(repo) if registration.sign is None else registration.sign
    step = Tagging(repo, folder, (who[0] or "ledgit", who[1]), sign=sign)
    now = (now_ms() if registration.when is None else registration.when) // 1000
    date = max(now, tags.newest() + 1, code.committer[2])
    number = tags.next_number()
    signature = step.who(date)
    subject = f"Register project {' '.join(name.split())[:120]} {version}"
    commit = step.fresh.commit(code.tree, [code.oid], signature, signature, f"{subject}\n\nLedgit-Version: {tag}\n")
    message = RegistryMessage(
        summary=f"Register project {name} {version} (version {number}) at {code.oid[:8]}",
        model=name,
        kind=PROJECT,
        version=version,
        number=number,
        path=registration.subdir,
        digest=digest,
        reason=checked_reason(registration.reason),
    )
    step.add(tag, commit, date, message)
    (event,) = step.write()
    tags.note(event)
    return ModelVersion(name, version, event)


def _free_version(tags: ModelTags, registration: ProjectRegistration) -> str:
    if registration.version is None:
        greatest = tags.greatest()
        if greatest is None:
            return "v1.0.0"
        return str(Semver.parse(greatest).bump(registration.bump))
    version = str(Semver.parse(registration.version))
    if tags.has(version):
        raise VersionExists(registration.name, version, next_free(version, tags.versions))
    return version
