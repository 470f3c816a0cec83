"""The model that a server has at the moment, and the next one when its stage moves."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError
from ledgit.models.example import read_serving_input
from ledgit.models.loading import PyFuncModel, load_model
from ledgit.models.serving.quick import QuickFrame
from ledgit.models.uris import find_model
from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.models.serving.settings import ServeSettings
    from ledgit.models.sources import ModelSource

__all__ = ["Keeper", "Served"]

_LARGEST_EXAMPLE = 64 << 10
log = logging.getLogger("ledgit.serve")


class Served:
    """A loaded model and what to say about it.

    Attributes:
        model: It.
        quick: Makes its input in one step, where its signature allows that.
        name: The registered model's name, or its folder's.
        version: ``v1.2.0``, or ''.
        run_id: The run it belongs to, or ''.
        since: When it was loaded, in seconds since the epoch.
    """

    def __init__(self, model: PyFuncModel, source: ModelSource, folder: str) -> None:
        self.model = model
        self.quick = QuickFrame.of(model.input_schema)
        self.name = source.name
        self.version = "" if source.version is None else str(source.version.version)
        self.run_id = "" if source.run is None else source.run.id
        self.identity = identity(source)
        self.since = time.time()
        self.example = _example(model, folder)

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"{self.name}{version}" + (f" of run {self.run_id[:8]}" if self.run_id else "")

    def predict(self, data: Any, params: dict[str, Any] | None, *, checked: bool) -> Any:
        """Return what the model predicts; *checked*: *data* is known to fit the signature.

        Raises:
            InvalidModelInput: It does not fit.
        """
        allowed = self.model.metadata.get_params_schema()
        if checked and not params and allowed is None:
            return self.model._predict(data, None)  # what predict does once it has checked
        return self.model.predict(data, params)


def _example(model: PyFuncModel, folder: str) -> Any:
    """Return the body of a request that was saved with *model*, or None."""
    import json

    try:
        text = read_serving_input(model.metadata, folder)
        return None if text is None or len(text) > _LARGEST_EXAMPLE else json.loads(text)
    except (LedgitError, ValueError):
        return None


def identity(source: ModelSource) -> tuple[str, str, str, int]:
    """Return what tells a model from the one that a URI led to before."""
    version = "" if source.version is None else f"{source.version.version} {source.version.commit}"
    stamp = 0
    if source.run is None and source.version is None:
        try:
            stamp = os.stat(os.path.join(source.path, "MLmodel")).st_mtime_ns
        except OSError:
            pass
    return ("" if source.run is None else source.run.id, version, source.path, stamp)


class Keeper:
    """Loads the model of *settings*, and another when the URI leads elsewhere.

    Attributes:
        now: The model that answers; whoever answers takes it once, and so keeps one for the whole answer.
        reloads: How often another came.
        failures: How often that failed; the former model stays.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        if settings.folder is not None:
            session.set_tracking_uri(settings.folder)
        self.reloads = self.failures = 0
        self._failed: tuple[str, str, str, int] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.now = self._load()

    def _load(self) -> Served:
        uri = self.settings.uri
        # The URI may lead elsewhere between the two look-ups: what was loaded is what both agree on.
        while True:
            before = find_model(uri)
            scratch = tempfile.mkdtemp(prefix="ledgit-serve-")
            try:
                model = load_model(uri, trust=self.settings.trust, dst_path=scratch)
                if identity(before) == identity(find_model(uri)):
                    assert model._opened is not None
                    served = Served(model, before, model._opened.folder)
                    weakref.finalize(served, shutil.rmtree, scratch, ignore_errors=True)
                    return served
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
            shutil.rmtree(scratch, ignore_errors=True)

    def look(self) -> bool:
        """See where the URI leads; load what is there if it is another model. Return whether it was.

        A model that can't be loaded leaves the former one in place, is told once, and is tried again when
        the URI leads elsewhere.
        """
        if self.settings.pull:
            self._pull()
        found = None
        try:
            found = identity(find_model(self.settings.uri))
            if found in (self.now.identity, self._failed):
                return False
            fresh = self._load()
        except LedgitError as error:
            log.warning("%s: %s; %s goes on", self.settings.uri, error, self.now)
        except Exception:  # whatever a model's own code raises
            log.exception("%s can't be loaded; %s goes on", self.settings.uri, self.now)
        else:
            log.info("%s instead of %s", fresh, self.now)
            self.now, self._failed = fresh, None
            self.reloads += 1
            return True
        self.failures += 1
        self._failed = found
        return False

    def _pull(self) -> None:
        try:
            session.repository().pull()
        except LedgitError as error:
            log.warning("pull: %s", error)

    def start(self) -> None:
        """Look again and again, in a thread, if the settings say so."""
        if self.settings.watch is not None and self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="ledgit-watch", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(self.settings.watch):
            self.look()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
