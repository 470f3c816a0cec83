"""What ids and times look like: for those who need no more of a record, and should load no more."""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = ["FIRST_MS", "LAST_MS", "is_commit_id", "is_run_id", "is_time"]

LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
FIRST_MS = -62_135_596_800_000  # 0001-01-01T00:00:00Z


def is_run_id(value: object) -> TypeGuard[str]:
    """Say whether *value* is a run id as MLflow allows them: safe as a part of a ref and a path."""
    return (
        isinstance(value, str)
        and value.isascii()
        and len(value) <= 256
        and value[:1].isalnum()
        and value.replace("_", "a").replace("-", "a").isalnum()
    )


def is_commit_id(value: object) -> TypeGuard[str]:
    """Say whether *value* is a whole SHA-1 or SHA-256 object id."""
    return isinstance(value, str) and len(value) in (40, 64) and not value.strip("0123456789abcdef")


def is_time(value: object) -> TypeGuard[int]:
    """Say whether *value* is an integer of ms in the years 1 to 9999."""
    return type(value) is int and FIRST_MS <= value <= LAST_MS
