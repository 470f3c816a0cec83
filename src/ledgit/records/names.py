"""Names: which are allowed, and which file holds them.

Files must survive Git (also with ``core.protectNTFS`` and ``protectHFS``), DVC, and systems that
fold case, so a name that is not plainly safe gets a slug and a piece of its SHA-256. True names
stand in the records themselves.
"""

from __future__ import annotations

from ledgit.errors import InvalidName

TYPE_CHECKING = False  # typing and re take milliseconds to import, and checking a key is on the way of every start
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "RUN_FOLDER",
    "check_artifact_path",
    "check_key",
    "check_run_name",
    "history_file",
    "history_files",
    "inert_path",
    "is_reserved",
    "path_problem",
    "safe_file",
    "stored_path",
    "stored_paths",
]

RUN_FOLDER = ".ledgit/run"
"""Where a run commit holds its run."""
MAX_KEY = 250
MAX_STORED = 200
MAX_PART = 255  # bytes of a file's name that file systems take

_KEY_MARKS = "_.- :/"
_AS_LETTERS = str.maketrans(_KEY_MARKS, "a" * len(_KEY_MARKS))
_SAFE = r"[a-z0-9][a-z0-9_-]{0,63}"
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"]
)
_UNSEEN = frozenset(map(chr, (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)))
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+=,@()[]{} !#$%&'^;")


def check_key(kind: str, name: str) -> None:
    """Check the name of a param, metric or tag (*kind* says which) by MLflow's rules.

    Letters and digits of any script, ``_ - . : /`` and space, at most 250 characters, and nothing
    that a path would normalise away (``../x``, ``a//b``, ``/x``, ``a/``).

    Raises:
        InvalidName: the name breaks one of them.
    """
    if not isinstance(name, str):
        raise InvalidName(kind, repr(name), "is no text")
    if not name:
        raise InvalidName(kind, name, "is empty")
    if len(name) > MAX_KEY:
        raise InvalidName(kind, name, f"has {len(name)} characters, at most {MAX_KEY} are allowed")
    if not name.translate(_AS_LETTERS).isalnum():
        bad = next(char for char in name if not char.isalnum() and char not in _KEY_MARKS)
        raise InvalidName(kind, name, f"has {bad!r}; letters, digits, spaces and _ - . : / are allowed")
    if "/" in name or name[0] == ".":
        parts = name.split("/")
        if "" in parts or "." in parts or ".." in parts or name.startswith(".."):
            raise InvalidName(kind, name, "looks like a path that points elsewhere; drop the extra dots and slashes")


def check_run_name(name: str) -> None:
    """Check the readable name of a run: any text of 1 to 250 characters without control characters.

    It is for people (``lr=0.1 (v2)``) and never part of a file's name, so a key's rules would be
    in the way; control characters could write over a terminal.

    Raises:
        InvalidName: it is empty, too long, or not printable.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidName("run", str(name), "is empty")
    if len(name) > MAX_KEY:
        raise InvalidName("run", name, f"has {len(name)} characters, at most {MAX_KEY} are allowed")
    if not name.isprintable():
        raise InvalidName("run", name, "has control characters or undecodable bytes")


def _digest(name: str, digits: int) -> str:
    from hashlib import sha256

    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def _slug(name: str, length: int = 48) -> str:
    import re

    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:length].rstrip("-")
    # "git~1" is .git on NTFS, so nothing of ours begins with "git~".
    return "x-git" if slug == "git" else slug or "x"


def safe_file(name: str) -> str:
    """Return a file name for *name* (an experiment, a model), safe everywhere; no extension.

    It is the name itself if that is short, lower-case and plain, else a slug, ``~`` and 8 hex
    digits of its SHA-256.
    """
    import re

    if re.fullmatch(_SAFE, name) and name not in _DEVICES:
        return name
    return f"{_slug(name)}~{_digest(name, 8)}"


def history_file(name: str) -> str:
    """Return the file below ``history/`` that holds the points of metric *name*."""
    return safe_file(name) + ".tsv"


def history_files(names: Iterable[str]) -> dict[str, str]:
    """Return the history file of each metric; two names never share one.

    Where 8 hex digits collide, those names take all 64.
    """
    result = {name: history_file(name) for name in names}
    if len(set(result.values())) < len(result):
        taken = list(result.values())
        for name, file in result.items():
            if taken.count(file) > 1:
                result[name] = f"{_slug(name)}~{_digest(name, 64)}.tsv"
    return result


def path_problem(path: str) -> str | None:
    """Return why *path* can't be an artifact's path (the end of a sentence), or None."""
    if not path:
        return "is empty"
    if "\0" in path:
        return "has a NUL character"
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "has half a character, which no file name can hold"
    drive = path[0].isascii() and path[0].isalpha() and path[1:2] == ":" and path[2:3] in ("/", "\\")
    if path[0] in "/\\" or drive:
        return "is absolute; give a path inside the run's artifacts"
    if ".." in path.replace("\\", "/").split("/"):
        return "has '..', which would leave the run's artifacts"
    return None


def check_artifact_path(path: str) -> str:
    """Return *path* normalised (``./a//b/`` is ``a/b``).

    Raises:
        InvalidName: empty, absolute, with ``..`` (also behind backslashes) or NUL.
    """
    normal = "/".join(part for part in path.split("/") if part not in ("", "."))
    problem = path_problem(path) or ("names no file" if not normal else path_problem(normal))
    if problem is not None:
        raise InvalidName("artifact", path, problem)
    return normal


def is_reserved(path: str) -> bool:
    """Say whether a component of *path* means something to Git, DVC or Windows."""
    return any(_reserved(part) for part in path.split("/"))


def inert_path(path: str) -> str:
    """Return the name under which the artifact *path* is written out among others: its own, or an inert one.

    Git, DVC and Ledgit have programs run by what stands in a folder ``.git``, ``.dvc`` or ``.ledgit``
    (``.git/commondir``, ``.dvc/config.local``), and whoever made the run chose its artifacts' names.
    Such parts are escaped, and so are those that no file system holds.
    """
    parts = path.split("/")
    last = len(parts) - 1
    return "/".join(_escaped(part) if _is_live(part, number < last) else part for number, part in enumerate(parts))


def _is_live(part: str, folder: bool) -> bool:
    if len(part.encode("utf-8", "surrogateescape")) > MAX_PART:
        return True
    # As NTFS and HFS+ read it: streams, dots and spaces at the end, and marks that nobody sees don't count.
    low = part.lower() if part.isascii() else "".join(char for char in part.lower() if char not in _UNSEEN)
    low = low.partition(":")[0].partition("\\")[0].rstrip(". ")
    return low in (".git", "git~1") or (folder and low in (".dvc", ".ledgit"))


def _reserved(part: str) -> bool:
    low = part.lower().rstrip(". ")
    return (
        low.startswith((".git", "git~", ".dvc"))
        or low in ("", "dvc.yaml", "dvc.lock")
        or low.endswith(".dvc")
        or low.partition(".")[0].rstrip() in _DEVICES
    )


def _is_safe(part: str) -> bool:
    if _reserved(part) or part[-1] in ". ":
        return False
    return all(char in _PLAIN or (char > "\x7f" and char.isprintable()) for char in part)


def _escaped(part: str, digits: int = 8) -> str:
    import re

    # "~" is not a safe character, so no other name looks like this.
    stem, dot, extension = part.rpartition(".")
    if not dot or not stem or not re.fullmatch("[A-Za-z0-9]{1,8}", extension) or extension.lower() == "dvc":
        return f"{_slug(part)}~{_digest(part, digits)}"
    return f"{_slug(stem)}~{_digest(part, digits)}.{extension.lower()}"


def stored_path(path: str) -> str:
    """Return where the artifact *path* stands below ``artifacts/``: itself, or escaped where unsafe.

    Twins that only a case-sensitive system tells apart need `stored_paths`.
    """
    parts = [part if _is_safe(part) else _escaped(part) for part in path.split("/")]
    return _bounded("/".join(parts), path)


def _bounded(stored: str, path: str) -> str:
    if len(stored.encode()) <= MAX_STORED:
        return stored
    return _escaped(path, 16)


def _fold(name: str) -> str:
    if name.isascii():
        return name.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFC", name).casefold())


def stored_paths(paths: Iterable[str]) -> dict[str, str]:
    """Return where each artifact stands, all of them together.

    No two stand in the same place on a system that folds case, and none stands where another
    needs a folder. Who comes first in sorted order keeps the plain name.
    """
    result: dict[str, str] = {}
    taken: dict[str, tuple[str, bool]] = {}  # folded place -> (its place, is a folder)
    for path in sorted(set(paths)):
        result[path] = _place(path, taken)
    return result


def _candidates(part: str) -> Iterator[str]:
    if _is_safe(part):
        yield part
    for digits in (8, 16, 32, 64):
        yield _escaped(part, digits)


def _place(path: str, taken: dict[str, tuple[str, bool]]) -> str:
    parts = path.split("/")
    place = ""
    for number, part in enumerate(parts):
        folder = number < len(parts) - 1
        for candidate in _candidates(part):
            here = f"{place}{candidate}"
            holder = taken.get(_fold(here))
            if holder is None or (folder and holder == (here, True)):
                break
        else:
            raise InvalidName("artifact", path, "can't be told apart from another artifact's")
        place = here + "/"
        taken[_fold(here)] = (here, folder)
    stored = place[:-1]
    if len(stored.encode()) > MAX_STORED:
        stored = _escaped(path, 16)
        taken[_fold(stored)] = (stored, False)
    return stored
