"""What a server counts: Prometheus' text format, summed over all worker processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledgit.models.serving.keeper import Keeper

__all__ = ["Measures"]

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Measures:
    """Counters and durations of one server; with several workers each keeps its own and any tells the sum."""

    def __init__(self, keeper: Keeper, *, several: bool) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._several = several
        self.registry = CollectorRegistry()
        register: dict[str, Any] = {"registry": None if several else self.registry}
        self._requests = Counter("ledgit_requests", "Requests to /invocations, by status.", ["status"], **register)
        self._seconds = Histogram(
            "ledgit_request_seconds", "Seconds from a request's first byte to its answer.", buckets=_SECONDS, **register
        )
        self._predicting = Histogram(
            "ledgit_prediction_seconds", "Seconds that the model took for a request.", buckets=_SECONDS, **register
        )
        self._rows = Counter("ledgit_rows", "Rows that were predicted on.", **register)
        self._waiting = Gauge(
            "ledgit_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum", **register
        )
        self._since = Gauge(
            "ledgit_model_loaded_timestamp_seconds",
            "When the model was loaded.",
            ["model", "version", "run"],
            multiprocess_mode="livemax",
            **register,
        )
        self._reloads = Gauge(
            "ledgit_model_reloads", "Times that another model came.", multiprocess_mode="livemax", **register
        )
        self._failures = Gauge(
            "ledgit_model_reload_failures", "Times that it could not.", multiprocess_mode="livemax", **register
        )
        self._keeper = keeper
        self._ok = self._requests.labels("200")
        self._told: tuple[str, str, str] | None = None

    def begin(self) -> None:
        """A request is being answered."""
        self._waiting.inc()

    def end(self, status: int, seconds: float) -> None:
        """It was."""
        self._waiting.dec()
        (self._ok if status == 200 else self._requests.labels(str(status))).inc()
        self._seconds.observe(seconds)

    def predicted(self, rows: int, seconds: float) -> None:
        """The model predicted on *rows*."""
        self._predicting.observe(seconds)
        self._rows.inc(rows)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        self.tell_model()
        registry = self.registry
        if self._several:
            from prometheus_client import CollectorRegistry
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry))

    def tell_model(self) -> None:
        """Say which model there is."""
        now = self._keeper.now
        labels = (now.name, now.version, now.run_id)
        if self._told is not None and self._told != labels and not self._several:
            self._since.remove(*self._told)
        self._told = labels
        self._since.labels(*labels).set(now.since)
        self._reloads.set(self._keeper.reloads)
        self._failures.set(self._keeper.failures)
