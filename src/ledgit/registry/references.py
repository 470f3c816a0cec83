"""How people name versions: ``churn@v1.2.0``, ``churn@3``, ``churn#prod``, ``models:/churn/3``."""

from __future__ import annotations

from ledgit.errors import UsageError

__all__ = ["Reference", "parse_reference"]


class Reference:
    """A model's name and what says which version of it.

    Attributes:
        model: The name.
        selector: As :meth:`RegistryState.version` takes it: ``v1.2.0``, ``3``, ``latest``, ``@prod``; "" where
            only the model is named.
    """

    __slots__ = ("model", "selector")

    def __init__(self, model: str, selector: str) -> None:
        self.model, self.selector = model, selector

    def __repr__(self) -> str:
        return f"Reference({self.model!r}, {self.selector!r})"


def parse_reference(text: str, *, whole: bool = False) -> Reference:
    """Read how somebody names a version.

    Args:
        text: ``NAME@v1.2.0``, ``NAME@1.2.0``, ``NAME@3``, ``NAME@latest``, ``NAME@greatest``, ``NAME@STAGE``,
            ``NAME#STAGE``, a tag such as ``NAME#prod#3``, or ``models:/NAME/VERSION`` and ``models:/NAME@STAGE``.
        whole: A model's name alone will do.

    Raises:
        UsageError: It names no version.
    """
    if text.startswith("models:"):
        return _uri(text)
    from ledgit.records.registry_names import ASSIGN, parse_tag

    tag = parse_tag(text)
    if tag is not None and tag.action == ASSIGN and tag.stage is not None:
        return Reference(tag.name, f"@{tag.stage}")
    name, mark, rest = text.rpartition("@")
    if mark and name and rest:
        return Reference(name, _selector(rest))
    name, mark, rest = text.rpartition("#")
    if mark and name and rest:
        return Reference(name, f"@{rest}")
    if whole and text:
        return Reference(text, "")
    raise UsageError(f"{text!r} names no version; write NAME@v1.2.0, NAME@3, NAME@latest or NAME#STAGE")


def _selector(text: str) -> str:
    from ledgit.errors import InvalidValue
    from ledgit.records.registry_names import Semver

    if text in ("latest", "greatest") or (text.isascii() and text.isdigit()):
        return text
    try:
        return str(Semver.parse(text))
    except InvalidValue:
        # `v1` and `1.2` are nobody's stages: the registry refuses such names.
        return text if text.lstrip("vV").replace(".", "").isdigit() else f"@{text}"


def _uri(text: str) -> Reference:
    rest = text.removeprefix("models:").lstrip("/")
    name, slash, last = rest.rpartition("/")
    before, at, stage = rest.rpartition("@")
    if at and before and stage and "/" not in stage:
        return Reference(before, _selector(stage))
    if not slash or not name or not last:
        raise UsageError(f"{text!r} names no version; it should be models:/NAME/VERSION or models:/NAME@STAGE")
    found = _selector(last)
    return Reference(name, found)
