r"""Names in the registry: tags as GTO has them, models, stages, semantic versions.

=====================  =========================================================
``name@v1.2.0``        registers a version
``name@v1.2.0!``       deregisters it
``name#prod#3``        assigns a stage; the counter may be left out
``name#prod!#4``       unassigns it
``name@deprecated``    deprecates the whole model
=====================  =========================================================

GTO writes a name ``folder:model`` with ``=`` for the colon. What its grammar (1.10) doesn't take is a
slug in the tag, and stands as it is in the tag's message.
"""

from __future__ import annotations

from ledgit.errors import InvalidName, InvalidValue
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

__all__ = [
    "ASSIGN",
    "CREATE",
    "DEPRECATE",
    "DEREGISTER",
    "REGISTER",
    "UNASSIGN",
    "Semver",
    "TagName",
    "check_model_name",
    "check_stage",
    "claim_slug",
    "next_free",
    "parse_tag",
    "slug_of",
    "tag_name",
]

REGISTER, DEREGISTER, ASSIGN, UNASSIGN = "register", "deregister", "assign", "unassign"
DEPRECATE, CREATE = "deprecate", "create"

MAX_NAME = 250
_LONGEST_SLUG = 100  # characters of a name that stands in a tag as it is: a file of this name must be possible
_LONGEST_TAG = 240  # bytes of a part of a tag's name; its lock file needs five more
_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-/_]*[a-zA-Z0-9])?"
_FOLDER = r"[a-zA-Z0-9\-_./]+"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = (
    r"(?P<major>0|[1-9][0-9]*)\.(?P<minor>0|[1-9][0-9]*)\.(?P<patch>0|[1-9][0-9]*)"
    rf"(?:-(?P<pre>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+(?P<build>[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_TAG = (
    rf"(?P<artifact>(?:{_FOLDER}=)?{_NAME})"
    rf"(?:(?:#(?P<stage>{_NAME})|@(?P<version>v{_SEMVER}))(?P<cancel>!?)|@(?P<whole>deprecated|created))"
    r"(?:#(?P<counter>[0-9]+))?"
)
_compiled: dict[str, re.Pattern[str]] = {}


def _pattern(text: str) -> re.Pattern[str]:
    found = _compiled.get(text)
    if found is None:
        import re  # a millisecond, and most commands never ask

        found = _compiled[text] = re.compile(text)
    return found


class TagName(Values):
    """What the name of a registry tag says.

    Attributes:
        action: ``register deregister assign unassign deprecate create``.
        artifact: The model's name as it stands in the tag.
        version: ``v1.2.0``, for register and deregister.
        stage: As it stands in the tag, for assign and unassign.
        counter: The number at the end; None if there is none.
    """

    __slots__ = ("action", "artifact", "counter", "stage", "version")

    def __init__(
        self,
        action: str,
        artifact: str,
        version: str | None = None,
        stage: str | None = None,
        counter: int | None = None,
    ) -> None:
        self.action, self.artifact, self.version, self.stage, self.counter = action, artifact, version, stage, counter

    @property
    def name(self) -> str:
        """The model's name as GTO reads it: ``folder:model`` where the tag has ``folder=model``."""
        return self.artifact.replace("=", ":")


def parse_tag(tag: str) -> TagName | None:
    """Return what *tag* (without ``refs/tags/``) says; None if it is none of the registry's."""
    # Most tags of a repository are releases.
    if "@" not in tag and "#" not in tag:
        return None
    match = _pattern(_TAG).fullmatch(tag)
    if match is None or not match["artifact"].isascii():
        return None
    counter = match["counter"]
    if counter is not None and len(counter) > 15:
        return None  # no number that anybody counted up to
    stage, version, cancelled = match["stage"], match["version"], bool(match["cancel"])
    if version is not None:
        action = DEREGISTER if cancelled else REGISTER
    elif stage is not None:
        action = UNASSIGN if cancelled else ASSIGN
    else:
        action = DEPRECATE if match["whole"] == "deprecated" else CREATE
    return TagName(action, match["artifact"], version, stage, None if counter is None else int(counter))


def tag_name(
    model: str, action: str, *, version: str | None = None, stage: str | None = None, counter: int | None = None
) -> str:
    """Return the tag by which *action* is done to *model*.

    Args:
        model: The model's name, as it was given.
        action: ``register deregister assign unassign deprecate``.
        version: ``v1.2.0``; for register and deregister.
        stage: For assign and unassign.
        counter: Number at the end, if there is to be one.

    Raises:
        InvalidName: The tag would be too long for a file's name.
    """
    slug = slug_of(model)
    if action in (REGISTER, DEREGISTER):
        tag = f"{slug}@{version}"
    elif action in (ASSIGN, UNASSIGN):
        tag = f"{slug}#{slug_of(stage or '')}"
    else:
        tag = f"{slug}@deprecated"
    tag += "!" if action in (DEREGISTER, UNASSIGN) else ""
    tag += "" if counter is None else f"#{counter}"
    if max(map(len, tag.split("/"))) > _LONGEST_TAG:
        raise InvalidName("tag", tag, f"is too long; {_LONGEST_TAG} characters between slashes are possible")
    return tag


def slug_of(name: str) -> str:
    """Return *name* (a model's or a stage's) as it stands in tags: itself where GTO and Git take it, else a slug.

    The slug ends in ``-`` and 8 hex digits of the name's SHA-256, so that two names never share one.
    """
    if len(name) <= _LONGEST_SLUG and name.isascii() and _is_plain(name):
        return name.replace(":", "=")
    from hashlib import sha256

    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = _pattern(r"[^a-zA-Z0-9]+").sub("-", name).strip("-")[:48].rstrip("-")
    return f"{words}-{digest}" if words else f"x-{digest}"


def _is_plain(name: str) -> bool:
    if _pattern(rf"(?:{_FOLDER}:)?{_NAME}").fullmatch(name) is None or name[0] in "-./" or ".." in name:
        return False
    parts = name.replace(":", "=").split("/")
    return not any(not part or part[0] == "." or part.endswith((".", ".lock")) for part in parts)


def claim_slug(name: str) -> str:
    """Return *name* as one part of a ref: ``refs/ledgit/versions/<claim slug>/<number>``.

    Lower-case and without slashes: no two models share one, on any file system.
    """
    from ledgit.records.names import safe_file

    return safe_file(name).replace("~", ".")


def check_model_name(name: str) -> None:
    """Check the name of a model: any text of 1 to 250 characters without control characters.

    Raises:
        InvalidName: The name breaks this.
    """
    _check("model", name)


def check_stage(name: str) -> None:
    """Check the name of a stage (MLflow's *alias*).

    ``latest``, ``greatest`` and what reads as a version or number are taken: ``models:/churn@v1`` must mean one thing.

    Raises:
        InvalidName: The name breaks this.
    """
    _check("stage", name)
    if name.lower() in ("latest", "greatest") or _pattern(r"[vV]?[0-9]+(\.[0-9]+)*").fullmatch(name):
        raise InvalidName("stage", name, "reads as a version; choose a word such as prod")


def _check(kind: str, name: str) -> None:
    if not isinstance(name, str):
        raise InvalidName(kind, str(name), f"is {type(name).__name__}, not text; give it a name such as 'churn'")
    if not name.strip():
        raise InvalidName(kind, name, "is empty")
    if len(name) > MAX_NAME:
        raise InvalidName(kind, name, f"has {len(name)} characters, at most {MAX_NAME} are allowed")
    if not name.isprintable():
        raise InvalidName(kind, name, "has control characters or undecodable bytes")
    if name != name.strip():
        raise InvalidName(kind, name, "begins or ends with a space")


class Semver:
    """A semantic version (semver.org, 2.0.0); compares by its precedence, where the build doesn't count."""

    __slots__ = ("build", "key", "major", "minor", "patch", "pre")

    def __init__(self, major: int, minor: int, patch: int, pre: str = "", build: str = "") -> None:
        self.major, self.minor, self.patch, self.pre, self.build = major, minor, patch, pre, build
        #: By what versions are ordered: numbers before words, a release after all that lead to it.
        self.key = (major, minor, patch, not pre, tuple(map(_rank, pre.split("."))) if pre else ())

    @classmethod
    def parse(cls, text: str) -> Semver:
        """Read ``v1.2.0`` or ``1.2.0``.

        Raises:
            InvalidValue: It is no semantic version.
        """
        match = _pattern(rf"v?{_SEMVER}").fullmatch(text) if isinstance(text, str) and len(text) <= 120 else None
        if match is None:
            raise InvalidValue("version", text, "a semantic version such as v1.2.0")
        return cls(
            int(match["major"]), int(match["minor"]), int(match["patch"]), match["pre"] or "", match["build"] or ""
        )

    @classmethod
    def greatest(cls, texts: Sequence[str]) -> str | None:
        """Return the greatest of *texts*, the first one of equals; None of none."""
        return max(texts, key=lambda text: cls.parse(text).key, default=None)

    def bump(self, part: str) -> Semver:
        """Return the next version: *part* (``major``, ``minor`` or ``patch``) one up, what is below it 0.

        Raises:
            InvalidValue: Another *part*.
        """
        if part == "major":
            return Semver(self.major + 1, 0, 0)
        if part == "minor":
            return Semver(self.major, self.minor + 1, 0)
        if part == "patch":
            return Semver(self.major, self.minor, self.patch + 1)
        raise InvalidValue("bump", part, "major, minor or patch")

    def __str__(self) -> str:
        """``v1.2.0``, as tags have it."""
        pre = f"-{self.pre}" if self.pre else ""
        build = f"+{self.build}" if self.build else ""
        return f"v{self.major}.{self.minor}.{self.patch}{pre}{build}"

    def __repr__(self) -> str:
        return f"Semver({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: Semver) -> bool:
        return self.key < other.key

    def __le__(self, other: Semver) -> bool:
        return self.key <= other.key

    def __gt__(self, other: Semver) -> bool:
        return self.key > other.key

    def __ge__(self, other: Semver) -> bool:
        return self.key >= other.key


def _rank(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


def next_free(version: str, taken: Sequence[str]) -> str:
    """Return the version that stands for *version* where that is taken: the next patch of its own that isn't."""
    found = Semver.parse(version)
    if found.pre:
        found = Semver(found.major, found.minor, found.patch)
        if str(found) not in taken:
            return str(found)
    known = {Semver.parse(one).key[:3] for one in taken}
    while True:
        found = found.bump("patch")
        if found.key[:3] not in known:
            return str(found)
