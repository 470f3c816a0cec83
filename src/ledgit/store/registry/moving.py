"""Tags that nobody else has seen yet get another name or number: what somebody else took stays theirs."""

from __future__ import annotations

from ledgit.errors import Conflict, RefMoved, RunStateError, VersionExists
from ledgit.records.registry_message import RegistryMessage, decode_message, split_message
from ledgit.records.registry_names import REGISTER, Semver, next_free, parse_tag, tag_name
from ledgit.records.registry_state import ModelVersion
from ledgit.store.registry.events import tag_headers
from ledgit.store.registry.modeltags import KEPT, TAGS, ModelTags
from ledgit.store.registry.tagging import RegistryLock, Tagging, claim_ref, wants_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, RefUpdate, Repo
    from ledgit.store.folder import Folder

__all__ = ["Unshared", "drop_unshared", "move_version", "recount", "renumber", "unshared_tags"]


class Unshared:
    """A tag of ours that was not seen on the remote yet.

    Attributes:
        tag: Its name.
        oid: The tag object.
        commit: What it points to.
        date: When, in seconds since the epoch.
        message: What it says.
        signed: Whether it has a signature.
        data: The message as it stands.
    """

    __slots__ = ("commit", "data", "date", "message", "oid", "signed", "tag")

    def __init__(
        self, tag: str, oid: str, commit: str, date: int, message: RegistryMessage, *, signed: bool, data: bytes
    ) -> None:
        self.tag, self.oid, self.commit, self.date = tag, oid, commit, date
        self.message, self.signed, self.data = message, signed, data

    @property
    def action(self) -> str:
        """What it does."""
        name = parse_tag(self.tag)
        assert name is not None
        return name.action

    @property
    def model(self) -> str:
        """The model's name."""
        name = parse_tag(self.tag)
        assert name is not None
        return self.message.model or name.name


def unshared_tags(repo: Repo, objects: Objects) -> list[Unshared]:
    """Return the registry's tags that were made here and not seen on the remote, oldest first.

    What is no tag of ours (somebody wrote below ``refs/ledgit/registry/`` by hand) is left out.
    """
    from ledgit.git import list_refs

    found = []
    for ref, oid in list_refs(repo, KEPT).items():
        one = read_unshared(objects, ref[len(KEPT) :], oid)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda one: (one.date, one.tag))


def read_unshared(objects: Objects, tag: str, oid: str) -> Unshared | None:
    """Return the tag *tag*, which is the object *oid*; None if it is none of ours."""
    from ledgit.errors import RecordError
    from ledgit.store.registry.events import row_of

    if objects.kind(oid) != "tag" or parse_tag(tag) is None:
        return None
    data = objects.read(oid)[1]
    row = row_of(tag, oid, "tag", data)
    if row is None or len(row) == 3:
        return None
    headers, text = tag_headers(data)
    text, signed = split_message(text)
    try:
        message = decode_message(text, tag)
    except RecordError:
        return None
    if message is None:
        return None
    return Unshared(tag, oid, headers["object"], row[10], message, signed=signed, data=text)


def move_version(
    repo: Repo, folder: Folder, version: ModelVersion, new: str, *, sign: bool | None = None
) -> ModelVersion:
    """Give a version that nobody else has seen another name: somebody else's has that one on the remote.

    Its registration commit, tag and number are made anew, and so are the stages that were assigned to it; the
    old ones go.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        version: The version.
        new: ``v1.3.0`` or ``1.3.0``.
        sign: Whether the tags are signed; None: if the old ones are, or Git's configuration says so.

    Raises:
        InvalidValue: *new* is no version.
        RunStateError: Others have the version.
        VersionExists: *new* is taken.
        StorageError, GitFailed: As for :func:`ledgit.store.registry.register`.
    """
    from ledgit.git import Objects, RefUpdate

    objects = Objects.of(repo)
    name = str(Semver.parse(new))
    known = {one.tag: one for one in unshared_tags(repo, objects)}
    old = known.get(version.tag)
    if old is None:
        raise RunStateError(
            f"{version.model} {version.version} was pushed, or made elsewhere, so others may rely on it; register"
            " the run once more under another version instead"
        )
    tags = ModelTags(repo, objects, version.model)
    if tags.has(name):
        raise VersionExists(version.model, name, next_free(name, tags.versions))
    commit = objects.commit(old.commit)
    signed = old.signed or wants_signature(repo) if sign is None else sign
    step = Tagging(repo, folder, _who(repo), sign=signed)
    tag = tag_name(version.model, REGISTER, version=name)
    date = max(old.date, tags.newest() + 1)
    text = commit.message.replace(f"Ledgit-Version: {old.tag}", f"Ledgit-Version: {tag}")
    text = text.replace(f" {version.version} from run", f" {name} from run", 1)
    text = text.replace(f" {version.version}\n\nLedgit-Version", f" {name}\n\nLedgit-Version", 1)  # of a project
    fresh = step.fresh.commit(commit.tree, commit.parents, step.who(date), step.who(date), text)
    number = tags.next_number()
    message = _changed(old.message, version=name, number=number)
    message.summary = (old.message.summary or "").replace(version.version, name, 1)
    if old.message.number is not None:
        message.summary = message.summary.replace(f"(version {old.message.number})", f"(version {number})", 1)
        step.drop(RefUpdate(claim_ref(version.model, old.message.number), None, RefUpdate.ANY))
    step.add(tag, fresh, date, message)
    _forget(step, old)
    for one in known.values():
        if one.commit == old.commit and one is not old:
            _forget(step, one)
            if one.message.stage is None:
                continue  # deregistered already: so it goes
            date += 1
            again = _changed(one.message, version=name)
            again.summary = (one.message.summary or "").replace(version.version, name, 1)
            made = tag_name(version.model, one.action, stage=one.message.stage, counter=tags.next_counter())
            step.add(made, fresh, date, again)
    with RegistryLock(folder):
        events = step.write()
    for event in events:
        tags.note(event)
    return ModelVersion(version.model, name, events[0])


def renumber(repo: Repo, folder: Folder, one: Unshared, taken: int) -> Unshared:
    """Give a version the next number, because somebody else's has this one; the rest stays as it is.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        one: The version's tag.
        taken: The greatest number that is taken on the remote.
    """
    from ledgit.git import Objects, RefUpdate

    old = one.message.number
    assert old is not None
    tags = ModelTags(repo, Objects.of(repo), one.model)
    number = max(tags.next_number(), taken + 1)
    message = _changed(one.message, number=number)
    message.summary = (message.summary or "").replace(f"(version {old})", f"(version {number})", 1)
    return _again(repo, folder, one, one.tag, message, [RefUpdate(claim_ref(one.model, old), None, one.oid)])


def recount(repo: Repo, folder: Folder, one: Unshared, taken: int) -> Unshared:
    """Give a tag of a stage the next counter, because somebody else's has this one; its date stays."""
    from ledgit.git import Objects

    tags = ModelTags(repo, Objects.of(repo), one.model)
    counter = max(tags.next_counter(), taken + 1)
    tag = tag_name(one.model, one.action, stage=one.message.stage, counter=counter)
    return _again(repo, folder, one, tag, one.message, [])


def _again(
    repo: Repo, folder: Folder, one: Unshared, tag: str, message: RegistryMessage, drops: list[RefUpdate]
) -> Unshared:
    from ledgit.git import Objects

    step = Tagging(repo, folder, _who(repo), sign=one.signed)
    step.add(tag, one.commit, one.date, message)
    _forget(step, one)
    for drop in drops:
        step.drop(drop)
    with RegistryLock(folder):
        (event,) = step.write()
    found = read_unshared(Objects.of(repo), tag, event.oid)
    assert found is not None
    return found


def drop_unshared(repo: Repo, one: Unshared) -> None:
    """Let a tag of ours go, because somebody else's says the same."""
    from ledgit.git import RefUpdate, update_refs

    drops = [RefUpdate(TAGS + one.tag, None, one.oid), RefUpdate(KEPT + one.tag, None, one.oid)]
    try:
        update_refs(repo, drops)
    except RefMoved as error:
        raise Conflict(str(error)) from error


def _forget(step: Tagging, one: Unshared) -> None:
    from ledgit.git import RefUpdate

    step.drop(RefUpdate(TAGS + one.tag, None, one.oid))
    step.drop(RefUpdate(KEPT + one.tag, None, one.oid))


def _changed(message: RegistryMessage, **values: object) -> RegistryMessage:
    new = RegistryMessage()
    for key in RegistryMessage.__slots__:
        setattr(new, key, values.get(key, getattr(message, key)))
    return new


def _who(repo: Repo) -> tuple[str, str]:
    from ledgit.git import identity

    name, email = identity(repo)
    return name or "ledgit", email
