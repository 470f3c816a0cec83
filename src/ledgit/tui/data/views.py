"""Saved views: filters, orders and columns that a repository shares, in ``.ledgit/config.yaml`` under ``views``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ledgit.errors import ConfigError, StorageError, UsageError

if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["View", "drop_view", "read_views", "save_view", "with_view"]

_MOST = 1 << 20
_FILE = ".ledgit/config.yaml"


class View(NamedTuple):
    """One saved view; what is empty or None was not said.

    Attributes:
        filter: In the query language.
        branch: Runs of the code on this branch.
        experiment: Runs of this experiment.
        sort: As ``ls --sort`` takes it: ``-metrics.accuracy``.
        columns: Names of columns.
        group: What runs are grouped by.
    """

    filter: str = ""
    branch: str = ""
    experiment: str = ""
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    group: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what it says, as the file has it."""
        said = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in zip(self._fields, self, strict=True)
        }
        return {name: value for name, value in said.items() if value}


def read_views(repo: Repo) -> dict[str, View]:
    """Return the saved views by name, in the file's order; what is none of ours in one is left out.

    Raises:
        RecordError: The file does not decode.
    """
    from ledgit.store import committed_config

    found = committed_config(repo, "views").get("views")
    views = {}
    for name, said in found.items() if isinstance(found, dict) else ():
        if isinstance(said, dict):
            views[str(name)] = View(
                filter=_text(said.get("filter")),
                branch=_text(said.get("branch")),
                experiment=_text(said.get("experiment")),
                sort=_texts(said.get("sort")),
                columns=_texts(said.get("columns")),
                group=_text(said.get("group")),
            )
    return views


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def save_view(repo: Repo, name: str, view: View) -> str:
    """Write a view into the work tree's file, in place of one of the same name; return the file's path.

    Raises:
        UsageError: There is no work tree, or the name is empty.
        ConfigError: The file can't take it: it is no YAML mapping.
        StorageError: It can't be written.
    """
    if not name.strip():
        raise UsageError("a view needs a name")
    return _change(repo, name.strip(), view)


def drop_view(repo: Repo, name: str) -> str:
    """Take a view out of the work tree's file; return the file's path.

    Raises:
        As :func:`save_view`.
    """
    return _change(repo, name, None)


def _change(repo: Repo, name: str, view: View | None) -> str:
    if repo.work_tree is None:
        raise UsageError("a bare repository has no work tree to save views in")
    path = os.path.realpath(os.path.join(repo.work_tree, _FILE))
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(_MOST + 1)
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(path, str(error)) from error
    if len(text) > _MOST:
        raise StorageError(path, "it is larger than 1 MiB")
    new = with_view(text, name, view.to_dict() if view is not None else None)
    beside = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(beside, "w", encoding="utf-8", newline="") as file:
            file.write(new)
        if os.path.exists(path):
            os.chmod(beside, os.stat(path).st_mode & 0o7777)
        os.replace(beside, path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return path


def with_view(text: str, name: str, view: Mapping[str, Any] | None) -> str:
    """Return the file's *text* with a view set or taken out; every other line stays as it is.

    Args:
        text: The file.
        name: The view's.
        view: What it says; None takes it out.

    Raises:
        ConfigError: The text is no YAML mapping, or can't be changed in place.
    """
    import yaml

    try:
        before = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(_FILE, "no YAML", f"a mapping ({str(error).splitlines()[0]})") from error
    if before is None:
        before = {}
    if not isinstance(before, dict):
        raise ConfigError(_FILE, type(before).__name__, "a mapping")
    wanted = dict(before)
    views = dict(before["views"]) if isinstance(before.get("views"), dict) else {}
    if view is not None:
        views[name] = dict(view)
    else:
        views.pop(name, None)
    wanted["views"] = views
    if not views:
        wanted.pop("views")
    pairs = root.value if root is not None else []
    place = next((pair for pair in pairs if pair[0].value == "views"), None)
    new = _in_place(text, place, name, view, views)
    try:
        after = yaml.safe_load(new) or {}
    except yaml.YAMLError:
        after = None
    if after not in (wanted, {**wanted, "views": None}):
        raise ConfigError("views", name, f"something that can be added to {_FILE} as it is written; add it by hand")
    return new


def _in_place(text: str, place: Any, name: str, view: Mapping[str, Any] | None, views: Mapping[str, Any]) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += ending
    if place is None:
        lines = _block({"views": {name: view}}) if view is not None else ""
        gap = ending if text.strip() else ""
        return text + (gap + lines.replace("\n", ending) if lines else "")
    key, value = place
    entries = getattr(value, "value", None)
    if not isinstance(entries, list) or value.flow_style or not entries:
        # Nothing, or on one line: written anew.
        lines = _block({"views": dict(views)}) if views else ""
        start, end = key.start_mark.index, _line_end(text, value.end_mark.index)
        return text[:start] + lines.replace("\n", ending) + text[end:]
    mine = next(((own, said) for own, said in entries if own.value == name), None)
    indent = entries[0][0].start_mark.column
    lines = "" if view is None else _block({name: dict(view)}, indent).replace("\n", ending)
    if mine is None:
        at = _content_end(text, entries[-1][1].end_mark.index)
        return text[:at] + lines + text[at:]
    start = text.rfind("\n", 0, mine[0].start_mark.index) + 1
    end = _content_end(text, mine[1].end_mark.index)
    if view is None and len(entries) == 1:
        start = key.start_mark.index
    return text[:start] + lines + text[end:]


def _content_end(text: str, index: int) -> int:
    """Return where the line after a block's last line of content begins: a block's own end is past its comments."""
    lines = text[:index].splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        if lines[-1].strip():  # a flow value or scalar that ends within its line
            return _line_end(text, index)
        lines.pop()
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return sum(map(len, lines))


def _line_end(text: str, index: int) -> int:
    if index and text[index - 1] == "\n":
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _block(document: Mapping[str, Any], indent: int = 0) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100_000)
    return "".join(" " * indent + line for line in text.splitlines(keepends=True)) if indent else text
