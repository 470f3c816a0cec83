"""What every library's module needs: replacing methods, and the run that a training logs into."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ledgit.tracking import runs, session
from ledgit.tracking.autologging.models import ModelOptions, log_model

if TYPE_CHECKING:
    from ledgit.store import ActiveRun as StoreRun

__all__ = ["Options", "Patches", "Training", "numbers", "safely", "training"]

AUTOLOGGING_TAG = "mlflow.autologging"
_MISSING = object()


@dataclass(frozen=True)
class Options:
    """What a library's ``autolog`` was called with, as far as all have it in common."""

    library: str
    log_datasets: bool = True
    exclusive: bool = False
    silent: bool = False
    extra_tags: Mapping[str, str] | None = None
    models: ModelOptions = field(default_factory=ModelOptions)


@dataclass
class Patches:
    """The replaced methods of one library; :meth:`restore` puts the originals back."""

    undo: list[tuple[Any, str, Any]] = field(default_factory=list)

    def wrap(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Replace ``owner.name`` by a function that calls ``around(original, *args, **kwargs)``.

        *owner* is a class or module. The new function has the old one's name, signature and
        documentation.
        """
        original = getattr(owner, name)

        @functools.wraps(original)
        def replaced(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        self.put(owner, name, replaced)

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Set ``owner.name`` to *value*, to be put back later."""
        self.undo.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def restore(self) -> None:
        """Put everything back, newest first."""
        while self.undo:
            owner, name, original = self.undo.pop()
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


class _Inside(threading.local):
    """Whether this thread is inside a training that is being logged: only the outermost one is."""

    depth = 0


_inside = _Inside()
_lock = threading.Lock()
_under_way = 0


def _begin() -> None:
    global _under_way  # noqa: PLW0603 - counts the trainings of all threads
    _inside.depth += 1
    with _lock:
        _under_way += 1


def _end() -> None:
    global _under_way  # noqa: PLW0603
    _inside.depth -= 1
    with _lock:
        _under_way -= 1


def _is_step() -> bool:
    """Whether a training that begins now is a step of one that is under way.

    It is on the same thread, and on one that has no run of its own: libraries fit in worker
    threads, and nothing tells those from threads that a script started for trainings of their
    own. Parallel trainings that are to be logged each start a run.
    """
    return bool(_inside.depth or (_under_way and not session.local.stack))


@dataclass
class Training:
    """One logged training: the run it goes into.

    Attributes:
        run: Where to log.
        library: The library's name, for the messages.
        own: Whether the run was started for this training.
    """

    run: StoreRun
    options: Options
    own: bool

    def log_model(self, model: Any, name: str = "model", data: Any = None) -> None:
        """Log the *model* that the training ended in, trained on *data*, if autolog is to log models."""
        with safely(self.options, f"the {name.replace('_', ' ')}"):
            log_model(self.run.id, model, name, data, self.options.models)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to log into the same run (data-parallel strategies)."""
        return {"run": self.run.id, "repo": self.run.repo.git_dir, "options": self.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Join the run, which is active in the process this came from."""
        from ledgit.git import Repo
        from ledgit.store import ActiveRun as Store

        self.run = Store.join(Repo.discover(state["repo"], os.environ), state["run"])
        self.options, self.own = state["options"], False


@contextmanager
def training(options: Options) -> Iterator[Training | None]:
    """Give the run that a training logs into, for the time it takes.

    None inside another training (a grid search fits many models, perhaps in threads; that is
    one training), and where the script's own run is to be left alone. A run started here ends with the block,
    FAILED if an exception leaves it.
    """
    active = runs.active_run()
    if _is_step() or (active is not None and options.exclusive):
        yield None
        return
    run = active
    if run is None:
        with safely(options, "starting a run"):
            run = runs.start_run(tags={AUTOLOGGING_TAG: options.library, **(options.extra_tags or {})})
    if run is None:
        yield None
        return
    _begin()
    status = "FAILED"
    try:
        yield Training(run.store, options, own=run is not active)
        status = "FINISHED"
    finally:
        _end()
        if run is not active:
            run.finish(status)


class safely:  # noqa: N801 - used like a function in ``with``
    """Let nothing that goes wrong while logging reach the training; it is said once."""

    def __init__(self, options: Options, what: str) -> None:
        self._options = options
        self._what = what

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        if not self._options.silent:
            session.report(error, f"autologging {self._options.library}, {self._what}")
        return True


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return those of *values* that are single numbers, as floats."""
    from ledgit.errors import InvalidValue
    from ledgit.records.scalars import to_metric

    found = {}
    for key, value in values.items():
        try:
            found[str(key)] = to_metric(value)
        except InvalidValue:
            continue
    return found


def points(values: Mapping[str, float], step: int) -> list[tuple[str, float, int, None]]:
    """Return *values* as points of ``log_batch``."""
    return [(key, value, step, None) for key, value in values.items()]
