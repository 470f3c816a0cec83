"""Fixtures of the store's tests; children come from the fault tests' fork server."""

from tests.faults.conftest import fork_server, forks
from tests.store.code_kit import project

__all__ = ["fork_server", "forks", "project"]
