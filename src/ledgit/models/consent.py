"""Whether code of a model's maker may run here: reading a pickle runs whatever is in it.

Formats that hold data alone need nobody's word. For the others one of these must hold, else
:class:`~ledgit.errors.UntrustedModel` says what would run and who made it:

1. the caller said so (``trust=True``, ``--trust``);
2. the run was made in this clone, and the files are those that its commit names;
3. the version's tag has a signature that Git accepts;
4. ``git config ledgit.trustedModels`` names the model or its author's address. Only the person's own
   configuration counts: nothing that a repository brings along sets it.

A folder on this machine outside of any run counts as the caller's own if the user owns it and no
repository tracks it; see :mod:`ledgit.models.uris`, which finds all this out.
"""

from __future__ import annotations

from collections.abc import Callable

from ledgit.errors import UntrustedModel

__all__ = ["ALWAYS", "Trust", "may_unpickle"]


class Trust:
    """The answer to "may code from this model run?", found out when the question comes up.

    Attributes:
        model: The model's URI, for the error.
    """

    def __init__(self, model: str, objection: Callable[[], str | None]) -> None:
        self.model = model
        self._ask: Callable[[], str | None] | None = objection
        self._objection: str | None = None

    @property
    def objection(self) -> str | None:
        """What speaks against it; None if nothing does."""
        if self._ask is not None:
            self._objection, self._ask = self._ask(), None
        return self._objection

    @property
    def granted(self) -> bool:
        """Whether code may run."""
        return self.objection is None

    def require(self, what: str) -> None:
        """Go on only if code from *what* (a file of the model, a list of types) may run.

        Raises:
            UntrustedModel: It may not.
        """
        if self.objection is not None:
            raise UntrustedModel(self.model, what, self.objection)


#: For what was made in this process.
ALWAYS = Trust("this model", lambda: None)


def may_unpickle(trust: Trust, file: str) -> None:
    """Return if the pickle *file* may be read.

    Raises:
        UntrustedModel: It may not.
    """
    trust.require(file)
