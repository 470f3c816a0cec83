"""Environment and hardware compared, fact by fact."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ledgit.projects.repro.blame import environment_findings, hardware_findings
from ledgit.projects.repro.repeating import _has_packages
from ledgit.projects.repro.trace import Trace, read_trace, traced_environment
from ledgit.records import Environment

HERE = Environment("3.11.7", "cpython", "Linux 6.1", "x86_64", 8, cpu="A", packages={"numpy": "2", "PyYAML": "6"})


def test_each_fact_of_the_machine_is_compared_where_both_know_it() -> None:
    """What an older record has not says nothing."""
    there = Environment(
        "3.11.7", "cpython", "Linux 5.4", "aarch64", 64, gpus=("H100",), driver="550", cpu="B", cuda="12.4"
    )

    assert [
        "architecture: aarch64 → x86_64",
        "CPU: B → A",
        "number of CPUs: 64 → 8",
        "system: Linux 5.4 → Linux 6.1",
        "GPUs: H100 → none",
    ] == [one.text for one in hardware_findings(there, HERE)]
    assert [] == hardware_findings(Environment(), HERE) == hardware_findings(None, HERE)


def test_packages_blame_something_only_if_the_program_imports_them(tmp_path: Path) -> None:
    """Names are normalised, the import's name is another, and Ledgit itself is not compared."""
    info = tmp_path / "odd_name-2.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("oddly/__init__.py,,\n../../bin/odd,,\n")
    there = Environment("3.12.0", "CPython", packages={"numpy": "1", "pyyaml": "5", "gone": "1", "ledgit": "0"})
    present = Environment("3.11.7", "cpython", packages={**HERE.packages, "odd-name": "2"})
    trace = Trace(active=True, packages=frozenset({"yaml", "oddly"}), modules=frozenset({"gone"}))
    found = environment_findings(there, present, trace, [str(tmp_path)])

    assert [
        "Python: 3.12.0 → 3.11.7",
        "gone: 1 → not installed",
        "odd-name: not installed → 2",
        "pyyaml: 5 → 6",
    ] == [one.text for one in found if one.differs]
    assert ["packages that the program does not import: numpy: 1 → 2"] == [one.text for one in found if not one.differs]
    assert 5 == sum(one.differs for one in environment_findings(there, present, Trace()))
    assert [] == environment_findings(None, present, trace)


def test_a_trace_is_read_whatever_is_in_it(tmp_path: Path) -> None:
    """A killed program may have left half a line."""
    path = tmp_path / "trace"
    path.write_bytes(b"s\t/w\nr\t/w/a.py\nm\t/w/\xff\nc\t/w/new\nr\t/w/new\nd\tnumpy\ni\tgone\nr")
    trace = read_trace(str(path))

    assert (True, {"/w/a.py"}, {"/w/\udcff"}, {"numpy"}, {"gone"}) == (
        trace.active,
        trace.read,
        trace.missing,
        trace.packages,
        trace.modules,
    )
    assert Trace() == read_trace(str(tmp_path / "none"))


def test_packages_that_pip_put_elsewhere_are_packages_and_no_code(tmp_path: Path) -> None:
    """``pip install --target`` and PYTHONPATH: what the program imports from there is named as a package."""
    target, work = tmp_path / "wheels", tmp_path / "work"
    for path in (target / "small-1.0.dist-info", target / "small", work):
        path.mkdir(parents=True)
    (target / "small-1.0.dist-info" / "RECORD").write_text("small/__init__.py,,\n")
    (target / "small" / "__init__.py").write_text("VALUE = 1\n")
    environ = traced_environment({**os.environ, "PYTHONPATH": str(target)}, str(tmp_path / "trace"), [])
    subprocess.run([sys.executable, "-c", "import small"], env=environ, cwd=work, check=True)

    trace = read_trace(str(tmp_path / "trace"))

    assert trace.active
    assert "small" in trace.packages
    assert not [path for path in trace.read if path.startswith(str(target))]
    old, new = (Environment(packages={"small": version}) for version in ("0.9", "1.0"))
    (finding,) = environment_findings(old, new, trace, [folder for folder in (str(target),) if _has_packages(folder)])
    assert (finding.text, finding.differs) == ("small: 0.9 → 1.0", True)
