"""What differs within artifacts: lines of a text, keys of JSON and YAML, cells of a table, the measures of a picture.

Contents are somebody's: no more than `LARGEST` bytes of one are read, nothing of them is run or imported, no link in
them is followed, and what comes out is plain text that is yet to be escaped for where it is shown.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.compare import ArtifactRow
    from ledgit.repository import Repository, Run

__all__ = ["LARGEST", "MOST", "KindDiff", "compare_artifacts", "compare_content", "flatten"]

#: Bytes of a file that is compared; of larger ones only sizes are.
LARGEST = 1 << 20
#: Artifacts of two runs that are compared, the first by path.
MOST = 50
# Lines, keys or cells of one artifact that are kept.
_LINES = 200
_KEYS = 10_000
_DEEP = 30
_TEXT = 300
_CELLS = 200_000
# An alias in YAML stands for as much as it likes; with them a small file can become gigabytes.
_LARGEST_YAML = 64 << 10
# What a page shows: both sides of a picture together have at most so many bytes.
_SHOWABLE = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_LARGEST_SHOWN = 400 << 10


@dataclass(frozen=True, slots=True)
class KindDiff:
    """How two contents of one artifact differ.

    Attributes:
        path: The artifact's.
        kind: ``text``, ``keys`` (JSON, YAML), ``table``, ``picture``, ``bytes`` or ``not here``.
        summary: One line for people.
        lines: The difference: of a text as a patch, of keys and cells one line each, with ``-`` and ``+``.
        more: How many lines were left out.
        pictures: Both contents of a small PNG or JPEG, its media type before each; where they were asked for.
    """

    path: str
    kind: str
    summary: str
    lines: tuple[str, ...] = ()
    more: int = 0
    pictures: tuple[tuple[str, bytes], ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "path": self.path,
            "kind": self.kind,
            "summary": self.summary,
            "lines": list(self.lines),
            "more": self.more,
        }


def compare_artifacts(
    rows: Sequence[ArtifactRow],
    base: tuple[Run, Repository],
    head: tuple[Run, Repository],
    *,
    fetch: bool = False,
    pictures: bool = False,
) -> list[KindDiff]:
    """Compare the artifacts of *rows* that differ and are files of both runs.

    Args:
        rows: From the comparison of the two runs.
        base: The first run, and where it is read.
        head: The second.
        fetch: Get contents from the artifact remote that are not in this clone; else that is said of them.
        pictures: Keep the contents of small pictures, to be shown.
    """
    found: list[KindDiff] = []
    for row in rows:
        if not row.differs or any(size is None for size in row.sizes):
            continue
        if len(found) >= MOST:
            break
        if any(size > LARGEST for size in row.sizes if size is not None):
            found.append(KindDiff(row.key, "bytes", _sizes(*(size or 0 for size in row.sizes))))
            continue
        contents = [_content(where, run, row.key, fetch=fetch) for run, where in (base, head)]
        old, new = contents
        if old is None or new is None:
            found.append(KindDiff(row.key, "not here", "the content is not in this clone"))
        else:
            one = compare_content(row.key, old, new)
            found.append(replace(one, pictures=_shown(old, new)) if pictures and one.kind == "picture" else one)
    return found


def _shown(*contents: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return *contents* with their types, by what they begin with, if a page can show all: SVG can have scripts."""
    types = [next((kind for start, kind in _SHOWABLE.items() if data.startswith(start)), "") for data in contents]
    if not all(types) or sum(map(len, contents)) > _LARGEST_SHOWN:
        return ()
    return tuple(zip(types, contents, strict=True))


def _content(repository: Repository, run: Run, path: str, *, fetch: bool) -> bytes | None:
    from ledgit.errors import LedgitError

    try:
        with repository.open_artifact(run, path, fetch=fetch) as file:
            return file.read(LARGEST + 1)
    except (LedgitError, OSError):
        return None


def compare_content(path: str, old: bytes, new: bytes) -> KindDiff:
    """Compare two contents of the artifact *path*, by what both are; never raises for what is in them."""
    if max(len(old), len(new)) > LARGEST:
        return KindDiff(path, "bytes", _sizes(len(old), len(new)))
    return (
        _pictures(path, old, new)
        or _tables(path, old, new)
        or _keys(path, old, new)
        or _texts(path, old, new)
        or KindDiff(path, "bytes", _sizes(len(old), len(new)))
    )


def _sizes(old: int, new: int) -> str:
    return f"{old:,} → {new:,} bytes" if old != new else f"{new:,} bytes, others"


def _kept(path: str, kind: str, summary: str, lines: Iterable[str]) -> KindDiff:
    shown = [line if len(line) <= _TEXT else line[: _TEXT - 1] + "…" for line in lines]
    return KindDiff(path, kind, summary, tuple(shown[:_LINES]), max(0, len(shown) - _LINES))


def _pictures(path: str, old: bytes, new: bytes) -> KindDiff | None:
    from ledgit.artifacts.previews.pictures import measure

    one, other = measure(old[:65536]), measure(new[:65536])
    if one is None or other is None:
        return None
    before, after = (f"{kind} {wide}×{high}" for kind, wide, high in (one, other))
    shape = f"{before} → {after}" if before != after else before
    return KindDiff(path, "picture", f"{shape}, {_sizes(len(old), len(new))}")


def _decode(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _texts(path: str, old: bytes, new: bytes) -> KindDiff | None:
    from difflib import unified_diff

    before, after = _decode(old), _decode(new)
    if before is None or after is None:
        return None
    one, other = before.splitlines(), after.splitlines()
    if len(one) * len(other) > 4_000_000:  # difflib takes that long where every line differs
        return KindDiff(path, "text", f"{len(one):,} → {len(other):,} lines")
    lines = list(unified_diff(one, other, "baseline", "head", n=2, lineterm=""))[2:]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return _kept(path, "text", f"{added:,} lines added, {removed:,} removed", lines)


def _keys(path: str, old: bytes, new: bytes) -> KindDiff | None:
    before, after = flatten(old, path), flatten(new, path)
    if before is None or after is None:
        return None
    lines, counts = [], [0, 0, 0]
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        counts[2 if one is not None and other is not None else 0 if one is None else 1] += 1
        lines += [f"-{name}: {one}"] if one is not None else []
        lines += [f"+{name}: {other}"] if other is not None else []
    summary = f"keys: {counts[2]:,} changed, {counts[0]:,} added, {counts[1]:,} removed"
    return _kept(path, "keys", summary, lines)


def flatten(data: bytes, path: str) -> dict[str, str] | None:
    """Return the values in JSON or YAML by their place (``model.layers.0.size``), as texts; None if it is neither.

    JSON's text of a value tells 1 from "1"; what is too deep stands as one value, and of more than 10,000 the first.
    """
    text = _decode(data)
    if text is None:
        return None
    try:
        if path.lower().endswith(".json"):
            value = json.loads(text)
        elif path.lower().endswith((".yaml", ".yml")) and len(data) <= _LARGEST_YAML and "*" not in text:
            import yaml

            value = yaml.safe_load(text)  # not libyaml's: brackets without end overflow its stack
        else:
            return None
    except RecursionError:
        return None
    except Exception:  # of a parser on what anybody wrote: it is shown as text then
        return None
    if not isinstance(value, dict | list):
        return None
    found: dict[str, str] = {}
    _walk(value, "", found, 0)
    return found


def _walk(value: object, name: str, found: dict[str, str], depth: int) -> None:
    if len(found) >= _KEYS:
        return
    members: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    if isinstance(value, Mapping | list) and value and depth < _DEEP:
        for key, member in members:
            _walk(member, f"{name}.{key}" if name else str(key), found, depth + 1)
        return
    found[name] = "…" if depth >= _DEEP else json.dumps(value, default=str, ensure_ascii=False)[:_TEXT]


def _tables(path: str, old: bytes, new: bytes) -> KindDiff | None:
    one, other = _table(old, path), _table(new, path)
    if one is None or other is None:
        return None
    (titles, rows), (new_titles, new_rows) = one, other
    if max(len(titles) * len(rows), len(new_titles) * len(new_rows)) > _CELLS:
        return KindDiff(path, "table", f"{len(rows):,}×{len(titles):,} → {len(new_rows):,}×{len(new_titles):,}")
    shared = [name for name in titles if name in new_titles]
    places = [(name, titles.index(name), new_titles.index(name)) for name in shared]
    lines = [f"-column {name}" for name in titles if name not in new_titles]
    lines += [f"+column {name}" for name in new_titles if name not in titles]
    changed = 0
    for number, (before, after) in enumerate(zip_longest(rows, new_rows), start=1):
        if before is None or after is None:
            continue  # the count of rows says it
        for name, place, new_place in places:
            was, now = (row[at] if at < len(row) else "" for row, at in ((before, place), (after, new_place)))
            if was != now:
                changed += 1
                lines.append(f" row {number}, {name}: {was} → {now}")
    size = f"{len(rows):,} → {len(new_rows):,} rows" if len(rows) != len(new_rows) else f"{len(rows):,} rows"
    columns = f"{len(titles)} → {len(new_titles)}" if len(titles) != len(new_titles) else f"{len(titles)}"
    return _kept(path, "table", f"{size}, {columns} columns, {changed:,} cells changed", lines)


def _table(data: bytes, path: str) -> tuple[list[str], list[list[str]]] | None:
    """Return titles and rows of CSV, TSV, or what `log_table` wrote: ``{"columns": […], "data": [[…], …]}``."""
    text = _decode(data)
    if text is None:
        return None
    ending = path.lower().rpartition(".")[2]
    if ending in ("csv", "tsv"):
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if ending == "tsv" else ","))
        except csv.Error:
            return None
        return (rows[0], rows[1:]) if rows else None
    if ending != "json" or '"columns"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        return None
    titles, found = value["columns"], value["data"]
    if not isinstance(titles, list) or not isinstance(found, list) or not all(isinstance(row, list) for row in found):
        return None
    return [str(name) for name in titles], [[json.dumps(cell, ensure_ascii=False) for cell in row] for row in found]
