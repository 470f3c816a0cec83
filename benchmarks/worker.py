"""One measurement in a process of its own: ``python -m benchmarks.worker CASE SUBJECT FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.case import Case, Subject


def main() -> None:
    """Do the work and print its measures as JSON: ``{measure: [wall, cpu]}``."""
    module, subject_name, folder = sys.argv[1:]
    case: Case = import_module(f"benchmarks.cases.{module}").CASE
    subject = next(subject for subject in case.subjects if subject.name == subject_name)
    assert isinstance(subject, Subject)
    os.chdir(folder)
    print(json.dumps(dict(subject.work(Path(folder)))))


if __name__ == "__main__":
    main()
