"""How a model is served."""

from __future__ import annotations

from dataclasses import dataclass

from ledgit.errors import InvalidValue

__all__ = ["ServeSettings"]


@dataclass(frozen=True)
class ServeSettings:
    """How a model is served; every worker process gets the same.

    Attributes:
        uri: The model: any URI of :mod:`ledgit.models.uris`.
        folder: The repository it is looked up in; the current folder if None.
        host: Address to listen at. Only this machine by default: there is no login.
        port: Port to listen at; 0 for a free one.
        workers: Processes.
        threads: Predictions a worker makes at a time, apart from quick ones.
        waiting: Requests a worker lets wait for a thread; more are told 503.
        max_body: Most bytes of a request; more is told 413.
        timeout: Seconds for a request to be read and answered; then 408 or 504.
        grace: Seconds that requests get to finish when the server is told to stop.
        watch: Seconds between looks where the URI leads; None: it is looked up once.
        pull: Fetch runs and registry tags before each look.
        trust: Whether code of the model's maker may run; None: found out.
        access_log: Write a line for each request.

    Raises:
        InvalidValue: A number that can't be.
    """

    uri: str
    folder: str | None = None
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    threads: int = 4
    waiting: int = 64
    max_body: int = 64 << 20
    timeout: float = 60.0
    grace: float = 30.0
    watch: float | None = None
    pull: bool = False
    trust: bool | None = None
    access_log: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidValue("the port", self.port, "0 to 65535")
        for name in ("workers", "threads", "max_body", "timeout"):
            if getattr(self, name) <= 0:
                raise InvalidValue(f"{name}", getattr(self, name), "more than 0")
        for name in ("waiting", "grace"):
            if getattr(self, name) < 0:
                raise InvalidValue(f"{name}", getattr(self, name), "0 or more")
        if self.watch is not None and self.watch <= 0:
            raise InvalidValue("watch", self.watch, "more than 0 seconds")
        if self.pull and self.watch is None:
            raise InvalidValue("pull", self.pull, "used together with watch")
