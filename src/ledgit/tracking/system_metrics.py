"""CPU, memory, disk, network and GPU of the machine, as metrics of the run, under MLflow's names.

``system/cpu_utilization_percentage``, ``system/system_memory_usage_megabytes`` and
``_percentage``, ``system/disk_usage_megabytes`` and ``_percentage``,
``system/disk_available_megabytes``, ``system/network_receive_megabytes`` and
``_transmit_megabytes`` (since the run started), and for each NVIDIA GPU
``system/gpu_0_utilization_percentage``, ``_memory_usage_megabytes``,
``_memory_usage_percentage``, ``_power_usage_watts``, ``_power_usage_percentage``.
A megabyte has 1,000,000 bytes. Needs psutil; GPUs need nvidia-ml-py.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import ConfigError, InvalidValue, MissingDependency
from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.store import ActiveRun as StoreRun

__all__ = [
    "Monitor",
    "Plan",
    "disable_system_metrics_logging",
    "enable_system_metrics_logging",
    "enabled",
    "make_plan",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
]

PREFIX = "system/"
MEGA = 1_000_000

_enabled: bool | None = None
_interval: float | None = None
_samples: int | None = None
_node: str | None = None


def enable_system_metrics_logging() -> None:
    """Log system metrics in every run started from now on."""
    global _enabled  # noqa: PLW0603 - a process-wide switch, as in MLflow
    _enabled = True


def disable_system_metrics_logging() -> None:
    """Log no system metrics in runs started from now on."""
    global _enabled  # noqa: PLW0603
    _enabled = False


def set_system_metrics_sampling_interval(interval: float | None) -> None:
    """Sample every *interval* seconds; None goes back to the default of 10.

    Raises:
        InvalidValue: It is not above zero.
    """
    global _interval  # noqa: PLW0603
    if interval is not None and not interval > 0:
        raise InvalidValue("the sampling interval", interval, "seconds above zero, or None for 10")
    _interval = interval


def set_system_metrics_samples_before_logging(samples: int | None) -> None:
    """Log the mean of this many samples; None goes back to every single one.

    Raises:
        InvalidValue: It is less than one.
    """
    global _samples  # noqa: PLW0603
    if samples is not None and samples < 1:
        raise InvalidValue("the number of samples", samples, "a whole number from 1, or None for 1")
    _samples = samples


def set_system_metrics_node_id(node_id: str | None) -> None:
    """Log as ``system/<node_id>/...``, so that several machines can log into one run."""
    global _node  # noqa: PLW0603
    _node = node_id


def enabled() -> bool:
    """Whether runs started now log system metrics: the switch, or ``LEDGIT_SYSTEM_METRICS``."""
    if _enabled is not None:
        return _enabled
    return session.is_on(session.environment("LEDGIT_SYSTEM_METRICS", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"))


def _number(value: float | None, names: tuple[str, str], default: float) -> float:
    if value is not None:
        return value
    text = session.environment(*names)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:
        raise ConfigError(names[0], text, "a number above zero")
    return number


@dataclass(frozen=True)
class Plan:
    """How a run is monitored: seconds between samples, samples a point, prefix of the names."""

    psutil: Any
    interval: float
    samples: int
    prefix: str


def make_plan() -> Plan:
    """Return how a run started now is monitored, by the settings and the environment.

    Raises:
        MissingDependency: psutil is not installed.
        ConfigError: A variable's value is no number above zero.
    """
    try:
        import psutil
    except ImportError as error:
        raise MissingDependency("logging system metrics", "psutil") from error
    interval = _number(_interval, ("LEDGIT_SYSTEM_METRICS_INTERVAL", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"), 10.0)
    samples = _number(_samples, ("LEDGIT_SYSTEM_METRICS_SAMPLES", "MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING"), 1.0)
    node = _node or session.environment("LEDGIT_SYSTEM_METRICS_NODE_ID", "MLFLOW_SYSTEM_METRICS_NODE_ID")
    return Plan(psutil, interval, max(1, int(samples)), f"{PREFIX}{node}/" if node else PREFIX)


class Monitor:
    """A thread that samples the machine and logs into one run until :meth:`stop`."""

    def __init__(self, run: StoreRun, plan: Plan) -> None:
        self._run = run
        self._plan = plan
        self._psutil = plan.psutil
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._step = 0
        self._network = self._counters()
        self._gpus = _gpus()

    def start(self, *, resumed: bool = False) -> None:
        """Begin; a resumed run goes on behind the steps it has."""
        if resumed:
            self._step = _next_step(self._run, f"{self._plan.prefix}cpu_utilization_percentage")
        self._psutil.cpu_percent()  # the first call only sets the starting point
        self._thread = threading.Thread(target=self._loop, name="ledgit-system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until the thread has."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _loop(self) -> None:
        gathered: list[dict[str, float]] = []
        while not self._stop.wait(self._plan.interval):
            try:
                gathered.append(self.sample())
                if len(gathered) >= self._plan.samples:
                    self._log(gathered)
                    gathered = []
            except Exception as error:
                session.report(error, "system metrics")
                return

    def _log(self, gathered: list[dict[str, float]]) -> None:
        if self._stop.is_set():
            return  # the run is about to end
        points = []
        for name in gathered[-1]:
            values = [sample[name] for sample in gathered if name in sample]
            # Counters are totals: their newest value counts, not a mean.
            value = values[-1] if name.startswith("network_") else round(sum(values) / len(values), 1)
            points.append((self._plan.prefix + name, value, self._step, None))
        self._run.log_batch(metrics=points)
        self._step += 1

    def sample(self) -> dict[str, float]:
        """Return one sample: name without prefix → value."""
        psutil = self._psutil
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(os.sep)
        received, sent = self._counters()
        found = {
            "cpu_utilization_percentage": float(psutil.cpu_percent()),
            "system_memory_usage_megabytes": memory.used / MEGA,
            "system_memory_usage_percentage": memory.used / memory.total * 100,
            "disk_usage_percentage": float(disk.percent),
            "disk_usage_megabytes": disk.used / MEGA,
            "disk_available_megabytes": disk.free / MEGA,
            "network_receive_megabytes": (received - self._network[0]) / MEGA,
            "network_transmit_megabytes": (sent - self._network[1]) / MEGA,
        }
        for number, handle in enumerate(self._gpus):
            found |= {f"gpu_{number}_{name}": value for name, value in _gpu_sample(handle).items()}
        return found

    def _counters(self) -> tuple[int, int]:
        counters = self._psutil.net_io_counters()
        return (counters.bytes_recv, counters.bytes_sent) if counters is not None else (0, 0)


def _next_step(run: StoreRun, name: str) -> int:
    known = session.repository(run.repo).run(run.id)
    return max(known.history(name).steps) + 1 if name in known.metrics else 0


def _gpus() -> list[Any]:
    """Return handles of the NVIDIA GPUs; none where the driver or its library is missing."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _gpu_sample(handle: Any) -> dict[str, float]:
    """Return what one GPU can tell; cards differ in that."""
    import pynvml

    found: dict[str, float] = {}
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        found["memory_usage_percentage"] = round(memory.used / memory.total * 100, 1)
        found["memory_usage_megabytes"] = memory.used / MEGA
    except pynvml.NVMLError:
        pass
    try:
        found["utilization_percentage"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError:
        pass
    try:
        watts = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
        found["power_usage_watts"] = watts
        found["power_usage_percentage"] = watts * 100_000 / pynvml.nvmlDeviceGetEnforcedPowerLimit(handle)
    except pynvml.NVMLError:
        pass
    return found
