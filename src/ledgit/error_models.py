"""Errors of models and of the registry; see :mod:`ledgit.errors`, which has them all."""

from __future__ import annotations

from ledgit.error_roots import Conflict, LedgitError, NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FlavorNotFound",
    "InvalidModelInput",
    "ModelNotFound",
    "PolicyRefused",
    "UntrustedModel",
    "VersionExists",
    "VersionNotFound",
]


class InvalidModelInput(UsageError):
    """Data that a model can't predict on: its signature wants something else.

    *name* is the column, tensor or param it is about, '' where it is the whole.
    """

    def __init__(self, name: str, reason: str) -> None:
        Exception.__init__(self, name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return self.reason


class ModelNotFound(NotFound):
    """There is no model at this URI; *reason* says why where there is more to say."""

    kind = "model"

    def __init__(self, ref: str, reason: str = "", near: Sequence[str] = ()) -> None:
        Exception.__init__(self, ref, reason, tuple(near))
        self.ref, self.reason, self.near = ref, reason, tuple(near)

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.reason}" if self.reason else super().__str__()


class FlavorNotFound(NotFound):
    """No flavor has this name, or none knows this kind of model."""

    kind = "flavor"


class VersionNotFound(NotFound):
    """A model has no such version, or none at this stage.

    *model* is its name, *selector* what was asked for, *known* what there is.
    """

    def __init__(self, model: str, selector: str, known: Sequence[str] = ()) -> None:
        Exception.__init__(self, model, selector, tuple(known))
        self.model, self.selector, self.known = model, selector, tuple(known)
        self.ref, self.near = f"{model} {selector}", self.known

    def __str__(self) -> str:
        if self.selector.startswith("@"):
            what = f"no version of {self.model!r} is at stage {self.selector[1:]!r}"
        else:
            what = f"{self.model!r} has no version {self.selector!r}"
        more = f" and {len(self.known) - 5} more" if len(self.known) > 5 else ""
        return f"{what}; it has {', '.join(self.known[:5])}{more}" if self.known else f"{what}; it has none"


class VersionExists(Conflict):
    """A version is taken: by a tag here, or by somebody else on the remote.

    *free* is the next version that isn't; *where* says who has it, *command* what moves ours out of the way.
    """

    def __init__(self, model: str, version: str, free: str, where: str = "", command: str = "") -> None:
        Exception.__init__(self, model, version, free, where, command)
        self.model, self.version, self.free, self.where, self.command = model, version, free, where, command

    def __str__(self) -> str:
        who = f" on {self.where}, by somebody else" if self.where else ""
        how = f"'{self.command}' moves yours there" if self.command else "register it as that, or with a bump"
        return f"{self.model} {self.version} is registered already{who}; the next free version is {self.free}: {how}"


class PolicyRefused(Conflict):
    """The registry's policy does not allow it; *reasons* are one sentence for each rule that does not hold."""

    def __init__(self, reasons: Sequence[str]) -> None:
        Exception.__init__(self, tuple(reasons))
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        return "; ".join(self.reasons)


class UntrustedModel(LedgitError):
    """Loading the model would run code of whoever made it, and nobody has agreed to that.

    *model* is its URI, *what* would run (a file, a list of types), *whose* says who made it.
    """

    exit_code = 10

    def __init__(self, model: str, what: str, whose: str) -> None:
        super().__init__(model, what, whose)
        self.model, self.what, self.whose = model, what, whose

    def __str__(self) -> str:
        return (
            f"loading {self.model} would run code from {self.what}, and {self.whose}; if you trust its author, load it"
            " with trust=True (--trust on the command line), or for good with 'git config --add ledgit.trustedModels"
            " <model name or author's address>'"
        )
