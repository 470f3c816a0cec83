"""A server's processes: sockets, workers, signals."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ledgit.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ledgit.models.serving.settings import ServeSettings

__all__ = ["serve"]

_APPLICATION = "application_"
_COUNTS = "PROMETHEUS_MULTIPROC_DIR"


def serve(settings: ServeSettings, ready: Callable[[str], None] | None = None) -> None:
    """Serve a model until the process is told to stop (SIGINT, SIGTERM); requests in progress are answered first.

    Args:
        settings: What to serve, and how.
        ready: Told the server's address once it listens.

    Raises:
        MissingDependency: The extra ``serve`` is not installed.
        UsageError: The address can't be listened at.
        LedgitError: Whatever loading the model says.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingDependency("serving a model", "ledgit[serve]") from error
    from ledgit.models.serving.app import create_app

    listening = _listen(settings)
    with listening:
        host, port = listening.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if settings.workers > 1:
            _try(settings)
            if ready is not None:
                ready(address)
            _several(settings, listening.fileno())
            return
        app = create_app(settings)
        if ready is not None:
            ready(address)
        uvicorn.Server(uvicorn.Config(app, **_options(settings))).run(sockets=[listening])


def _several(settings: ServeSettings, fd: int) -> None:
    """Serve with several processes; each is new, and is told the settings by the name of what it serves."""
    import uvicorn

    told = json.dumps(asdict(settings)).encode().hex()
    with tempfile.TemporaryDirectory(prefix="ledgit-serve-") as scratch:
        os.putenv(_COUNTS, scratch)  # for the workers, where prometheus_client reads it when it is imported
        try:
            where = f"{__name__}:{_APPLICATION}{told}"
            uvicorn.run(where, factory=True, workers=settings.workers, fd=fd, **_options(settings))
        finally:
            os.unsetenv(_COUNTS)


def __getattr__(name: str) -> Callable[[], Any]:
    """Return what makes a worker's application: ``application_`` and the settings."""
    if not name.startswith(_APPLICATION):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ledgit.models.serving.app import create_app
    from ledgit.models.serving.settings import ServeSettings

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    settings = ServeSettings(**json.loads(bytes.fromhex(name.removeprefix(_APPLICATION))))
    return lambda: create_app(settings)


def _options(settings: ServeSettings) -> dict[str, Any]:
    return {
        "access_log": settings.access_log,
        "log_level": "info" if settings.access_log else "warning",
        "timeout_graceful_shutdown": max(1, round(settings.grace)),
        "server_header": False,
        "lifespan": "on",
    }


def _try(settings: ServeSettings) -> None:
    """Load the model once before there are workers, which would be started again and again if they could not."""
    from ledgit.models.serving.keeper import Keeper

    Keeper(settings)


def _listen(settings: ServeSettings) -> socket.socket:
    import socket

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Without it an answer may wait 40 ms for an acknowledgement of the one before.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        where = f"{settings.host}:{settings.port}"
        raise UsageError(f"can't listen at {where}: {reason}; choose another with --host or --port") from error
    listening.listen(2048)
    return listening
