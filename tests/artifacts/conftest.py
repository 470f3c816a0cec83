"""Large files of tests go when the test has ended: all of them together are gigabytes."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

_LARGE = 1 << 20


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    yield
    path = getattr(item, "funcargs", {}).get("tmp_path")
    for folder, _, names in os.walk(path) if isinstance(path, Path) else ():
        for name in names:
            file = os.path.join(folder, name)
            if not os.path.islink(file) and os.path.isfile(file) and os.path.getsize(file) > _LARGE:
                os.unlink(file)
