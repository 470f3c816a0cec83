"""The web application: MLflow's scoring protocol, a page that says what the model takes, and what is counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ledgit._version import __version__
from ledgit.errors import InvalidModelInput, LedgitError, MissingDependency
from ledgit.models.kinds import is_frame
from ledgit.models.serving.answers import answer
from ledgit.models.serving.describing import openapi, page
from ledgit.models.serving.keeper import Keeper, Served
from ledgit.models.serving.measures import Measures
from ledgit.models.serving.requests import Refused, media_type, parse

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from ledgit.models.serving.settings import ServeSettings

__all__ = ["create_app"]

log = logging.getLogger("ledgit.serve")

# Handing a prediction to a thread and back takes longer than a small model does; what is quick is done
# at once, and what has ever been slower than this keeps nobody else waiting.
_QUICK = 0.005
_QUICK_BODY = 64 << 10
_CODES = {400: "BAD_REQUEST", 413: "REQUEST_LIMIT_EXCEEDED", 415: "INVALID_PARAMETER_VALUE", 500: "INTERNAL_ERROR"}


def create_app(settings: ServeSettings) -> FastAPI:
    """Load the model and return the application that answers for it.

    Raises:
        MissingDependency: The extra ``serve`` is not installed.
        LedgitError: Whatever loading the model says.
    """
    try:
        from fastapi import FastAPI
        from starlette.routing import Route
    except ImportError as error:
        raise MissingDependency("serving a model", "ledgit[serve]") from error
    server = _Server(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        server.keeper.start()
        yield
        server.close()

    app = FastAPI(
        title=f"{server.keeper.now.name}", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    # Plain routes: FastAPI's own look into a signature and check what the model's signature checks already.
    for path, handler, method in (
        ("/invocations", server.invocations, "POST"),
        ("/ping", server.health, "GET"),
        ("/health", server.health, "GET"),
        ("/version", server.version, "GET"),
        ("/metrics", server.metrics, "GET"),
        ("/model", server.model, "GET"),
        ("/docs", server.page, "GET"),
        ("/", server.page, "GET"),
    ):
        app.router.routes.append(Route(path, handler, methods=[method], include_in_schema=False))
    app.openapi = lambda: openapi(server.keeper.now, settings)  # type: ignore[method-assign]
    return app


class _Server:
    """What the routes lead to."""

    def __init__(self, settings: ServeSettings) -> None:
        from starlette.responses import Response

        self.settings = settings
        self.keeper = Keeper(settings)
        self.measures = Measures(self.keeper, several=settings.workers > 1)
        self._response = Response
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="ledgit-predict")
        self._busy = 0
        self._slowest = _QUICK  # of the model's recent predictions on little; the first is taken for slow
        self._model: Served | None = None

    def close(self) -> None:
        self.keeper.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ predicting

    async def invocations(self, request: Request) -> Response:
        started = perf_counter()
        self.measures.begin()
        status = 500
        try:
            status, body = await self._answer(request)
        except Refused as error:
            status = error.status
            body = _error(status, error.reason, error.name)
        except InvalidModelInput as error:
            status = 400
            body = _error(status, error.reason, error.name)
        except Exception:
            log.exception("a request could not be answered")
            body = _error(status, "the server failed", "")
        finally:
            self.measures.end(status, perf_counter() - started)
        headers = {"Retry-After": "1"} if status == 503 else None
        return self._response(body, status, headers, "application/json")

    async def _answer(self, request: Request) -> tuple[int, bytes]:
        served = self.keeper.now
        if served is not self._model:
            self._model, self._slowest = served, _QUICK
        kind = media_type(request.headers.get("content-type", ""))
        body = await self._read(request)
        if len(body) <= _QUICK_BODY and self._slowest < _QUICK:
            return self._predict(served, body, kind)
        if self._busy >= self.settings.threads + self.settings.waiting:
            raise Refused(503, f"{self._busy} requests are being answered already; try again in a moment")
        loop = asyncio.get_running_loop()
        self._busy += 1
        work = loop.run_in_executor(self._threads, self._predict, served, body, kind)
        work.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(work), self.settings.timeout)
        except TimeoutError:
            work.cancel()
            raise Refused(504, f"the model did not answer within {self.settings.timeout:g} s") from None

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._busy -= 1
        if not work.cancelled():
            work.exception()  # it was told, or nobody waits for it any more

    def _predict(self, served: Served, body: bytes, kind: str) -> tuple[int, bytes]:
        try:
            data, params, fits = parse(body, kind, served)
        except LedgitError:
            raise
        except Exception:
            log.exception("a request to %s can't be read", served)
            raise Refused(400, "the request can't be read") from None
        started = perf_counter()
        try:
            predictions = served.predict(data, params, checked=fits)
            seconds = perf_counter() - started
            self.measures.predicted(len(data) if hasattr(data, "__len__") else 1, seconds)
            if len(body) <= _QUICK_BODY:
                # The slowest counts, and is forgotten slowly: one that was quick by chance proves nothing.
                self._slowest = max(seconds, self._slowest * 0.9)
            return 200, answer(predictions)
        except InvalidModelInput:
            raise
        except Exception as error:
            log.exception("%s could not answer", served)
            _look_at(data)
            if served.model.input_schema is None:  # nothing said what it takes, so it may well be the input
                raise Refused(400, f"the model could not predict on this: {type(error).__name__}") from None
            raise Refused(500, "the model could not predict on this, although it fits its signature") from None

    async def _read(self, request: Request) -> bytes:
        """Return the request's body.

        Raises:
            Refused: It is too large, or does not come.
        """
        most = self.settings.max_body
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise Refused(413, f"the request has {int(length):,} bytes, at most {most:,} are read")
        try:
            async with asyncio.timeout(self.settings.timeout):
                parts, size = [], 0
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise Refused(413, f"the request has more than {most:,} bytes")
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the request did not arrive within {self.settings.timeout:g} s") from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # ------------------------------------------------------------------ saying what there is

    async def health(self, _request: Request) -> Response:
        return self._response(b"\n", media_type="application/json")

    async def version(self, _request: Request) -> Response:
        return self._response(__version__, media_type="text/plain")

    async def metrics(self, _request: Request) -> Response:
        return self._response(self.measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def model(self, _request: Request) -> Response:
        from starlette.responses import JSONResponse

        now = self.keeper.now
        metadata = now.model.metadata
        said = {
            "uri": self.settings.uri,
            "name": now.name,
            "version": now.version or None,
            "run_id": now.run_id or None,
            "flavor": now.model.flavor,
            "signature": None if metadata.signature is None else metadata.signature.to_dict(),
            "loaded": now.since,
        }
        return JSONResponse(said)

    async def page(self, _request: Request) -> Response:
        return self._response(page(self.keeper.now, self.settings), media_type="text/html; charset=utf-8")


def _look_at(data: Any) -> None:
    """Say what about *data* many models don't take, although its types fit.

    Raises:
        Refused: There are no rows, or values are missing.
    """
    if not is_frame(data):
        return
    if not len(data):
        raise Refused(400, "the request has no rows")
    missing = [str(name) for name, gaps in zip(data.columns, data.isna().any(), strict=True) if gaps]
    if missing:
        listed = ", ".join(map(repr, missing[:5]))
        raise Refused(400, f"the model does not take missing values, and there are some in {listed}", missing[0])


def _error(status: int, reason: str, name: str) -> bytes:
    """Return the body of an error, with MLflow's keys."""
    import orjson

    said = {"error_code": _CODES.get(status, "TEMPORARILY_UNAVAILABLE"), "message": reason}
    return orjson.dumps({**said, "column": name} if name else said)
