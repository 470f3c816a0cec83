"""What looks like a secret in what would become public.

Only fixed shapes and telling names count, never how random a string looks (:mod:`.secret_rules`).
A finding holds the first characters of a secret, never the secret.

Lines that say ``pragma: allowlist secret`` (or follow one that says ``pragma: allowlist nextline
secret``), as other scanners have it, and what ``secrets: {allow: […]}`` of ``.ledgit/config.yaml``
names are passed over.
"""

from __future__ import annotations

from itertools import chain

from ledgit.errors import ConfigError
from ledgit.store.sync.secret_rules import (
    ASSIGNMENT,
    KEYWORDS,
    RULES,
    SHORTEST,
    WORDS,
    Expression,
    is_placeholder,
    is_secret_assignment,
    may_assign,
    takes_bare_values,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence

    Place = tuple[tuple[int, int], str, bytes]  # where, what it looks like, and the text itself

__all__ = ["MAX_BYTES", "Allowed", "Hit", "as_text", "is_excused", "is_scanned", "scan_blob"]

MAX_BYTES = 5 << 20  #: larger files are data; they are named in a note, not scanned

_PRAGMA = Expression(rb"(?i)pragma:\s*(?:allow|white)list[\s_-]+(nextline[\s_-]+)?secret|gitleaks:allow")
# For the rules about words everything else is a blank.
_WORDS = bytes(c if chr(c).isascii() and (chr(c).isalnum() or chr(c) in "+/_-.~=:") else 32 for c in range(256))
_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_.-")
_LONGEST_NAME = 60
_MOST_HITS = 20  # in one file; one is enough to hold a run back
_ENDINGS = (
    ".png .jpg .jpeg .gif .webp .bmp .tif .tiff .ico .pdf .zip .gz .bz2 .xz .zst .7z .tar .whl .jar .so .dll .dylib .o"
    " .a .pyc .npy .npz .pt .pth .ckpt .safetensors .onnx .pb .h5 .hdf5 .parquet .feather .arrow .mp3 .mp4 .wav .flac"
    " .ogg .avi .mov .woff .woff2 .ttf .otf .eot .bin .exe .mo"
)
_BINARY = frozenset(_ENDINGS.split())
# Written by us out of files that are scanned themselves.
_DERIVED = (".ledgit/run/entry.json", ".ledgit/run/clock.json")
_HISTORY = ".ledgit/run/history/"


class Hit:
    """One suspicious place in one file.

    Attributes:
        line: Its number, from 1.
        kind: What it looks like: ``a GitHub token``.
        shown: The first characters of it.
        secret: All of it, for comparing with what is allowed; never shown, never stored.
    """

    __slots__ = ("kind", "line", "secret", "shown")

    def __init__(self, line: int, kind: str, secret: str) -> None:
        self.line, self.kind, self.secret = line, kind, secret
        self.shown = _redacted(secret)

    def __repr__(self) -> str:
        return f"Hit({self.line}, {self.kind!r}, {self.shown!r})"  # a traceback must not show it either


def is_scanned(path: str) -> bool:
    """Whether a file called *path* is worth reading."""
    name = path.rpartition("/")[2].lower()
    _, dot, ending = name.rpartition(".")
    if dot and f".{ending}" in _BINARY:
        return False
    return path not in _DERIVED and not path.startswith(_HISTORY)


def scan_blob(path: str, data: bytes) -> list[Hit]:
    """Return the suspicious places in a file, by line; none in what is no text.

    Args:
        path: Its path, which decides whether values stand in quotes.
        data: Its content.
    """
    text = as_text(data)
    if text is None:
        return []
    found: dict[tuple[int, int], tuple[str, bytes]] = {}
    for span, kind, secret in chain(_tokens(text), _assignments(path, text)):
        if not (_overlaps(found, span) or is_excused(text, span[0])):
            found[span] = (kind, secret)
            if len(found) == _MOST_HITS:
                break
    return [
        Hit(text.count(b"\n", 0, start) + 1, kind, secret.decode("utf-8", "replace"))
        for (start, _), (kind, secret) in sorted(found.items())
    ]


def as_text(data: bytes) -> bytes | None:
    """Return *data* as UTF-8, or nearly so; None if it is no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode()
    return None if b"\0" in data[:8192] else data


def _long_words(text: bytes) -> bytes:
    """Return the long words of *text*, a line each: a tenth of a source file, with all tokens in it."""
    return b"\n".join({word for word in text.translate(_WORDS).split() if len(word) >= SHORTEST})


def _tokens(text: bytes) -> Iterator[Place]:
    words = _long_words(text)
    some = any(anchor in words for anchor in WORDS)
    for rule in RULES:
        if rule.word and (not some or next(rule.matches(words), None) is None):
            continue
        for match in rule.matches(text):
            group = "s" if "s" in match.re.groupindex else 0
            if not (rule.kind.endswith(" in a URL") and _is_sample_url(match)):
                yield match.span(group), rule.kind, match.group(group)


def _assignments(path: str, text: bytes) -> Iterator[Place]:
    lower = text.lower()  # as long as the text: only ASCII letters change
    bare = takes_bare_values(path)
    for keyword in KEYWORDS:
        at = lower.find(keyword)
        while at >= 0:
            match = ASSIGNMENT.match(lower, at) if may_assign(lower, at, keyword) else None
            if match is not None and match.group("after" if match.group("quote") else "value"):
                yield from _assigned(text, lower, match, bare)
            at = lower.find(keyword, at + len(keyword))


def _assigned(text: bytes, lower: bytes, match: re.Match[bytes], bare: bool) -> Iterator[Place]:
    quoted = match.group("quote") is not None
    if not quoted and not bare:
        return  # a bare word in code is a variable
    start, end = match.span("value")
    value = text[start:end] if quoted else text[start:end].rstrip(b",;)}]")
    begin, last = match.span("name")
    lowest = max(0, begin - _LONGEST_NAME)
    while begin > lowest and lower[begin - 1] in _NAME:
        begin -= 1
    if is_secret_assignment(lower[begin:last], value, quoted=quoted):
        yield (start, start + len(value)), _named(text[begin:last]), value


def _named(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return f"the value of {text.lstrip('_.-')}"


def _is_sample_url(match: re.Match[bytes]) -> bool:
    secret = match.group("s").decode("utf-8", "replace")
    if "u" not in match.re.groupindex:
        return not (any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret))
    return (secret.isdigit() and len(secret) <= 5) or is_placeholder(secret)  # a port, or a word that stands for one


def _overlaps(found: dict[tuple[int, int], tuple[str, bytes]], span: tuple[int, int]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in found)


def is_excused(text: bytes, start: int) -> bool:
    """Whether the line with *start* says that it holds no secret, or the line before says it for it."""
    begin = text.rfind(b"\n", 0, start) + 1
    end = text.find(b"\n", start)
    pragma = _PRAGMA.search(text, begin, len(text) if end < 0 else end)
    if pragma is not None and not pragma.group(1):
        return True
    pragma = _PRAGMA.search(text, text.rfind(b"\n", 0, max(begin - 1, 0)) + 1, begin) if begin else None
    return pragma is not None and pragma.group(1) is not None


def _redacted(secret: str) -> str:
    first = " ".join(secret.split())
    keep = 4 if len(first) >= 16 else 2 if len(first) >= 6 else 1
    return first[:keep] + "…"


class Allowed:
    """What a repository says is no secret: ``secrets: {allow: […]}`` of ``.ledgit/config.yaml``.

    An item is the pattern of a path (``tests/**``, ``*.ipynb``), or ``re:`` and a regular expression that
    the whole suspicious text matches (``re:dummy-.*``).
    """

    def __init__(self, items: Sequence[object] = ()) -> None:
        import re

        self._paths: list[re.Pattern[str]] = []
        self._texts: list[re.Pattern[str]] = []
        for item in items:
            if not isinstance(item, str) or not item.strip():
                raise ConfigError("secrets.allow", str(item), "a path's pattern, or re: and a regular expression")
            if item.startswith("re:"):
                try:
                    self._texts.append(re.compile(item[3:]))
                except re.error as error:
                    raise ConfigError("secrets.allow", item, f"a regular expression ({error})") from None
            else:
                self._paths.append(_path_pattern(item))

    def __bool__(self) -> bool:
        return bool(self._paths or self._texts)

    def covers(self, path: str, hit: Hit) -> bool:
        """Whether *hit* in the file *path* is allowed."""
        return any(pattern.fullmatch(path) for pattern in self._paths) or any(
            pattern.fullmatch(hit.secret) for pattern in self._texts
        )


def _path_pattern(glob: str) -> re.Pattern[str]:
    """Turn a pattern as .gitignore has them into an expression: without a slash it names files in any folder."""
    import re

    glob = glob.removeprefix("./")
    anchored = "/" in glob.rstrip("/")
    glob = glob.lstrip("/")
    if glob.endswith("/"):
        glob += "**"
    out = "" if anchored else "(?:.*/)?"
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif glob[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif glob[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(glob[at]), at + 1
    return re.compile(out)
