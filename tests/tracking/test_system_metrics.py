"""System metrics: MLflow's names, a thread a run, nothing when it is off."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import background

import ledgit
from ledgit.errors import ConfigError, InvalidValue, MissingDependency
from ledgit.tracking.system_metrics import Monitor, make_plan

NAMES = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/disk_usage_percentage",
    "system/disk_usage_megabytes",
    "system/disk_available_megabytes",
    "system/network_receive_megabytes",
    "system/network_transmit_megabytes",
}


def wait_for(run: ledgit.ActiveRun, name: str, points: int = 1) -> None:
    """Wait until the monitor's thread has logged that many points."""
    background.wait_for(lambda: len(run.store.read().histories.get(name) or ()) >= points)


def test_a_run_logs_the_machine_until_it_ends(repo: Path) -> None:
    """And its thread is gone then."""
    ledgit.set_system_metrics_sampling_interval(0.01)
    with ledgit.start_run(log_system_metrics=True) as run:
        wait_for(run, "system/cpu_utilization_percentage", 3)

    assert set(run.metrics) >= NAMES
    assert 0 < run.metrics["system/system_memory_usage_percentage"] <= 100
    points = run.history("system/disk_usage_megabytes")
    assert list(range(len(points))) == list(points.steps)
    assert not any(thread.name == "ledgit-system-metrics" for thread in threading.enumerate())


def test_it_is_off_unless_it_is_switched_on(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function, by the environment under either name, or for one run."""
    assert ledgit.start_run()._monitor is None
    ledgit.end_run()
    for variable in ("LEDGIT_SYSTEM_METRICS", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"):
        monkeypatch.setenv(variable, "true")
        assert ledgit.start_run()._monitor is not None
        ledgit.end_run()
        monkeypatch.delenv(variable)
    ledgit.enable_system_metrics_logging()
    assert ledgit.start_run()._monitor is not None
    ledgit.end_run()
    assert ledgit.start_run(log_system_metrics=False)._monitor is None
    ledgit.end_run()
    ledgit.disable_system_metrics_logging()
    assert ledgit.start_run()._monitor is None


def test_a_resumed_run_goes_on_behind_its_steps(repo: Path) -> None:
    """So that the chart is one line."""
    ledgit.set_system_metrics_sampling_interval(0.01)
    name = "system/cpu_utilization_percentage"
    with ledgit.start_run(log_system_metrics=True) as run:
        wait_for(run, name, 2)
    before = len(run.history(name))
    with ledgit.start_run(run_id=run.id, log_system_metrics=True) as again:
        wait_for(again, name)

    steps = list(again.history(name).steps)
    assert len(steps) > before
    assert list(range(len(steps))) == steps


def test_samples_are_averaged_and_nodes_told_apart(repo: Path) -> None:
    """Three samples a point, under the node's name."""
    ledgit.set_system_metrics_sampling_interval(0.01)
    ledgit.set_system_metrics_samples_before_logging(3)
    ledgit.set_system_metrics_node_id("node-7")
    with ledgit.start_run(log_system_metrics=True) as run:
        wait_for(run, "system/node-7/cpu_utilization_percentage")

    assert all(name.startswith("system/node-7/") for name in run.metrics)


def test_settings_that_make_no_sense_are_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting's name; and no run is left behind."""
    with pytest.raises(InvalidValue):
        ledgit.set_system_metrics_sampling_interval(0)
    with pytest.raises(InvalidValue):
        ledgit.set_system_metrics_samples_before_logging(0)
    monkeypatch.setenv("LEDGIT_SYSTEM_METRICS_INTERVAL", "often")
    with pytest.raises(ConfigError, match="LEDGIT_SYSTEM_METRICS_INTERVAL"):
        ledgit.start_run(log_system_metrics=True)
    monkeypatch.delenv("LEDGIT_SYSTEM_METRICS_INTERVAL")
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(MissingDependency, match="psutil"):
        ledgit.start_run(log_system_metrics=True)

    assert ledgit.active_run() is None
    assert [] == list(ledgit.open().runs)


def test_gpus_are_sampled_through_nvidias_library(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no GPU here: a stand-in for the library, one value of which fails, as cards do."""

    class NVMLError(Exception):
        pass

    def refuse(handle: int) -> float:
        raise NVMLError

    library = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=5e8, total=1e9),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=42),
        nvmlDeviceGetPowerUsage=refuse,
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    with ledgit.start_run() as run:
        sample = Monitor(run.store, make_plan()).sample()

    gpu = {name: value for name, value in sample.items() if name.startswith("gpu_")}
    expected = {"memory_usage_percentage": 50.0, "memory_usage_megabytes": 500.0, "utilization_percentage": 42.0}
    assert {f"gpu_0_{name}": value for name, value in expected.items()} == gpu
