"""One tag of the registry, as everything above reads it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ledgit.records.registry_message import RegistryMessage

__all__ = ["FACTS", "Event"]

FACTS = ("summary", "model", "version", "number", "run", "path", "digest", "reason", "stage", "previous", "kind")
"""What an event keeps of its message, in this order; then what a newer Ledgit added."""
_NUMBER, _RUN, _PATH, _DIGEST, _REASON, _PREVIOUS, _KIND = map(
    FACTS.index, ("number", "run", "path", "digest", "reason", "previous", "kind")
)


class Event:
    """One tag of the registry.

    Attributes:
        tag: Its name, without ``refs/tags/``.
        oid: Id of the tag object.
        action: ``register deregister assign unassign deprecate``.
        model: The model's name: as it was given, or as GTO reads it from the tag.
        version: ``v1.2.0``; of assign and unassign what the fold found out, before what the message says.
        stage: For assign and unassign.
        counter: Number at the tag's end.
        commit: What it is about: a registration commit, if the tag is ours.
        author: The tagger's name.
        email: The tagger's address.
        time: When, in seconds since the epoch.
        signed: Whether it has a signature. Whether that is a good one, only Git can say.
        text: The message as it stands, if it is not one of ours: its first 2,000 characters.
        problem: What is wrong with it; "" if nothing.
    """

    __slots__ = (
        "_facts", "_message", "action", "author", "commit", "counter", "email", "model", "oid", "problem", "signed",
        "stage", "tag", "text", "time", "version",
    )  # fmt: skip

    def __init__(
        self,
        tag: str,
        oid: str,
        action: str,
        model: str,
        version: str,
        stage: str,
        counter: int | None,
        commit: str,
        author: str,
        email: str,
        time: int,
        signed: bool,
        text: str,
        message: RegistryMessage | None,
        problem: str = "",
    ) -> None:
        self.tag, self.oid, self.action, self.model, self.version, self.stage = tag, oid, action, model, version, stage
        self.counter, self.commit, self.author, self.email, self.time = counter, commit, author, email, time
        self.signed, self.text, self.problem = signed, text, problem
        self._message = message
        self._facts = None if message is None else [*(getattr(message, key) for key in FACTS), message.extra]

    def words(self, *, within: bool = False) -> str:
        """Return what it did, for people; *within*: where the model is said already."""
        named = f"{self.model}@{self.version}" if self.version and not within else self.version or self.model
        if self.action == "assign":
            before = f" (before: {self.previous})" if self.previous else ""
            return f"promoted {named} to {self.stage}{before}"
        if self.action == "unassign":
            return f"took {named} out of {self.stage}"
        done = {"register": f"registered {named}", "deregister": f"deregistered {named}"}
        return done.get(self.action, f"deprecated {self.model}")

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Event:
        """Return the event whose values, in the order of the constructor's, are *row*; of the message its facts.

        Of ten thousand events hardly one's message is looked at whole.
        """
        self = cls.__new__(cls)
        (
            self.tag, self.oid, self.action, self.model, self.version, self.stage, self.counter, self.commit,
            self.author, self.email, self.time, self.signed, self.text, self._facts, self.problem,
        ) = row  # fmt: skip
        self._message = None
        return self

    def to_row(self) -> list[Any]:
        """Return what :meth:`of_row` takes."""
        return [
            self.tag, self.oid, self.action, self.model, self.version, self.stage, self.counter, self.commit,
            self.author, self.email, self.time, self.signed, self.text, self._facts, self.problem,
        ]  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.to_row() == other.to_row()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Event({self.tag!r}, {self.oid!r}, time={self.time})"

    @property
    def message(self) -> RegistryMessage | None:
        """What the message says, if it is one of ours."""
        if self._message is None and self._facts is not None:
            from ledgit.records.registry_message import RegistryMessage

            self._message = RegistryMessage(*self._facts)
        return self._message

    @property
    def number(self) -> int | None:
        """The integer version that the message claims."""
        return None if self._facts is None else self._facts[_NUMBER]

    @property
    def run(self) -> str | None:
        """Id of the run, if the message says so."""
        return None if self._facts is None else self._facts[_RUN]

    @property
    def path(self) -> str | None:
        """The model's folder among the run's artifacts, if the message says so."""
        return None if self._facts is None else self._facts[_PATH]

    @property
    def digest(self) -> str | None:
        """Digest of the model's files, if the message says so."""
        return None if self._facts is None else self._facts[_DIGEST]

    @property
    def reason(self) -> str:
        """Why: what ours says, or the whole message of a foreign tag."""
        return self.text if self._facts is None else self._facts[_REASON] or ""

    @property
    def kind(self) -> str:
        """What it is about: ``model``, or ``project``, if the message says so."""
        return "model" if self._facts is None else self._facts[_KIND] or "model"

    @property
    def previous(self) -> str | None:
        """Of an assign: the version that the stage stood at before, if the message says so."""
        return None if self._facts is None else self._facts[_PREVIOUS]
