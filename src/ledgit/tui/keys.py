"""The person's own keys and theme: one file in the configuration folder, ``ledgit/ui.yaml``.

::

    theme: ledgit-light
    keys:
      runs.sort: o            # the ids are those of 'ledgit ui --keys'
      app.refresh: r,f5
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ledgit.errors import ConfigError

__all__ = ["Settings", "read_settings", "settings_path"]

_MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
_KNOWN = ("keys", "theme")


class Settings(NamedTuple):
    """What the person's file says.

    Attributes:
        keys: Binding id → keys, comma-separated, in Textual's spelling.
        theme: A theme's name; "" for none.
    """

    keys: dict[str, str]
    theme: str = ""


def settings_path(environ: Mapping[str, str]) -> str:
    """Return where the file is, or would be."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    return os.path.join(base, "ledgit", "ui.yaml")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return what the person's file says; nothing where there is none.

    Raises:
        ConfigError: Something in it can't be used: the file, the line, and what is meant perhaps.
        RecordError: It is no YAML.
    """
    path = settings_path(environ)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Settings({})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, getattr(error, "strerror", None) or str(error), "a file of UTF-8 text") from None
    return _Reader(path, text).settings()


class _Reader:
    """One file, read with the line of what is wrong at hand."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text

    def settings(self) -> Settings:
        from ledgit.records.safeyaml import load_yaml

        found = load_yaml(self.text, self.path)
        if found is None:
            return Settings({})
        if not isinstance(found, dict):
            raise ConfigError(self.path, type(found).__name__, "'keys:' and 'theme:'")
        for name in found:
            if name not in _KNOWN:
                raise self._wrong([name], name, "'keys' or 'theme'" + _meant(str(name), _KNOWN))
        return Settings(self._keys(found.get("keys")), self._theme(found.get("theme")))

    def _theme(self, theme: Any) -> str:
        if theme is None:
            return ""
        from textual.theme import BUILTIN_THEMES

        from ledgit.tui.themes import own_themes

        known = {*BUILTIN_THEMES, *(own.name for own in own_themes())}
        if theme not in known:
            raise self._wrong(["theme"], theme, "a theme, such as 'ledgit-light'" + _meant(str(theme), known))
        return str(theme)

    def _keys(self, keys: Any) -> dict[str, str]:
        if not keys:
            return {}
        if not isinstance(keys, dict):
            raise self._wrong(["keys"], keys, "lines of 'id: key'")
        from ledgit.tui.actions import all_bindings

        known = all_bindings()
        chosen = {}
        for name, given in keys.items():
            if name not in known:
                raise self._wrong(
                    ["keys", name], name, "an id that 'ledgit ui --keys' lists" + _meant(str(name), known)
                )
            listed = given if isinstance(given, list) else str(given).split(",") if str(given) != "," else [","]
            chosen[str(name)] = ",".join(self._key(str(name), str(key).strip()) for key in listed)
        return chosen

    def _key(self, name: str, key: str) -> str:
        from textual.keys import Keys, _character_to_key

        *modifiers, last = key.split("+") if len(key) > 1 else [key]
        named = {str(known.value) for known in Keys}
        good = len(last) == 1 or last in named or (last.isidentifier() and _is_character(last))
        if not good or any(modifier not in _MODIFIERS for modifier in modifiers):
            hint = _meant(last, named) or ""
            raise self._wrong(["keys", name], key, "a key such as 's', 'S', 'ctrl+s', 'enter' or 'f5'" + hint)
        return "+".join([*modifiers, _character_to_key(last) if len(last) == 1 else last])

    def _wrong(self, path: list[str | int], value: object, expected: str) -> ConfigError:
        from ledgit.records.yamllines import line_of

        line = line_of(self.text, path)
        where = f"{self.path}:{line}" if line else self.path
        return ConfigError(f"{where}: {path[0]}", str(value), expected)


def _is_character(name: str) -> bool:
    """Whether *name* is Textual's word for a character: ``question_mark``."""
    import unicodedata

    from textual.keys import _character_to_key

    try:
        return _character_to_key(unicodedata.lookup(name.replace("_", " ").upper())) == name
    except KeyError:
        return name in ("plus", "minus", "underscore", "at", "slash", "backslash", "full_stop", "comma")


def _meant(word: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1, 0.6)
    return f" (did you mean {near[0]}?)" if near else ""
