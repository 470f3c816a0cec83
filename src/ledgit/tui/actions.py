"""What can be done where a person is, read from the bindings: for the help and the palette."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode

from ledgit.tui.widgets.header import key_name

if TYPE_CHECKING:
    from textual.screen import Screen

__all__ = ["Action", "actions_of", "all_bindings"]

#: Below these packages every module is looked at for bindings.
_PACKAGES = ("ledgit.tui.screens", "ledgit.tui.widgets")
#: What the parts of a screen are called, where the ids of their bindings begin otherwise.
_GROUPS = {"grid": "table", "lines": "text"}


class Action(NamedTuple):
    """Something that a key does.

    Attributes:
        keys: How a person calls its keys.
        title: Two or three words.
        text: One sentence: the first line of the method's docstring.
        id: In the key map; "" for none.
        group: Where it belongs: a screen's or widget's name, or ``everywhere``.
        node: Whose action it is.
        action: For ``App.run_action``.
    """

    keys: str
    title: str
    text: str
    id: str
    group: str
    node: DOMNode
    action: str


def actions_of(screen: Screen[Any], *, unicode: bool = True) -> list[Action]:
    """Return what can be done on *screen*, from the focused part outwards; each action once, with all its keys."""
    found: dict[tuple[int, str], Action] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or not binding.id or binding.system or not active.enabled:
            continue
        place = (id(active.node), binding.action)
        key = key_name(binding.key, unicode=unicode)
        known = found.get(place)
        if known is not None:
            found[place] = known._replace(keys=f"{known.keys} {key}")
            continue
        found[place] = Action(
            key,
            binding.description[:1].upper() + binding.description[1:],
            _text(active.node, binding),
            binding.id or "",
            _group(active.node, binding),
            active.node,
            binding.action,
        )
    return sorted(found.values(), key=_order)


def _order(action: Action) -> int:
    """What a screen does comes before the moving about in its parts, and what is everywhere the same last."""
    if action.group == "everywhere":
        return 2
    return int(action.id.partition(".")[0] in _GROUPS)


def _group(node: DOMNode, binding: Binding) -> str:
    if (binding.id or "").startswith("app."):
        return "everywhere"
    name = (binding.id or "").partition(".")[0] or getattr(node, "NAME", "") or type(node).__name__.lower()
    return _GROUPS.get(name, name)


def _text(node: DOMNode, binding: Binding) -> str:
    """Return what a binding says of itself, or the first line of its method's docstring."""
    if binding.tooltip:
        return binding.tooltip
    target, _, name = binding.action.partition("(")[0].rpartition(".")
    owner = {"app": node.app, "screen": node.screen}.get(target, node)
    method = getattr(owner, f"action_{name}", None) or getattr(owner, f"_action_{name}", None)
    text = (getdoc(method) or "").partition("\n")[0].rstrip(".")
    return "" if text == binding.description else text


def all_bindings() -> dict[str, Binding]:
    """Return every binding of the UI that has an id. Imports all screens: some 100 ms."""
    found: dict[str, Binding] = {}
    for kind in _classes():
        for given in kind.__dict__.get("BINDINGS", ()):
            if isinstance(given, Binding) and given.id:
                found.setdefault(given.id, given)
    return dict(sorted(found.items()))


def _classes() -> Iterator[type[DOMNode]]:
    modules = ["ledgit.tui.app", "ledgit.tui.screen"]
    for package in _PACKAGES:
        modules += [info.name for info in walk_packages(import_module(package).__path__, f"{package}.")]
    for name in modules:
        module = import_module(name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, DOMNode) and value.__module__ == name:
                yield value
