"""What runs, entries and lists share: statuses, ids, times, names, the code in short."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.errors import InvalidValue, RecordError
from ledgit.records.shapes import FIRST_MS, LAST_MS, is_commit_id, is_run_id, is_time
from ledgit.records.words import new_run_id, random_name

__all__ = [
    "DEFAULT_EXPERIMENT",
    "FAILED",
    "FINISHED",
    "KILLED",
    "RUNNING",
    "SCHEDULED",
    "STATUSES",
    "CodeRef",
    "from_iso",
    "is_commit_id",
    "is_run_id",
    "is_time",
    "iso",
    "new_run_id",
    "random_name",
]

RUNNING = "RUNNING"
SCHEDULED = "SCHEDULED"
FINISHED = "FINISHED"
FAILED = "FAILED"
KILLED = "KILLED"
STATUSES = (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED)

DEFAULT_EXPERIMENT = "Default"
_ISO = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z"


@dataclass(frozen=True, slots=True)
class CodeRef:
    """Which code, as lists and queries need it: ids are None in an empty or bare repository.

    Attributes:
        commit: the commit that was checked out.
        tree: root tree of the snapshot.
        branch: short name of the branch; None when detached.
        dirty: the snapshot differs from the commit.
        patch_id: of the changes since the branch left its base; None where nobody knew yet.
        subtrees: ids of the declared code paths.
    """

    commit: str | None = None
    tree: str | None = None
    branch: str | None = None
    dirty: bool = False
    patch_id: str | None = None
    subtrees: Mapping[str, str] = field(default_factory=dict, hash=False)


def iso(ms: int) -> str:
    """Return *ms* since the epoch as ``2026-11-23T06:00:00.123Z``.

    Raises:
        InvalidValue: outside the years 1 to 9999.
    """
    if not FIRST_MS <= ms <= LAST_MS:
        raise InvalidValue("a time", ms, "milliseconds since 1970, in the years 1 to 9999")
    seconds, rest = divmod(ms, 1000)
    moment = time.gmtime(seconds)
    return (
        f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}"
        f"T{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}.{rest:03d}Z"
    )


def from_iso(text: str) -> int:
    """Return the ms since the epoch of an ISO 8601 time; one without a zone is UTC.

    Raises:
        RecordError: *text* is no time.
    """
    match = re.fullmatch(_ISO, text, re.ASCII)
    if match is None:
        return _from_any_iso(text)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    ms = int((match.group(7) or "0").ljust(3, "0")[:3])
    result = (((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms
    if not FIRST_MS <= result <= LAST_MS or iso(result)[:19] != text[:19]:  # month 13, hour 25 …
        raise RecordError("time", f"{text[:40]!r} is no date and time")
    return result


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of the Gregorian calendar (calendar.timegm would import datetime)."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _from_any_iso(text: str) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise RecordError("time", f"{text[:40]!r} is no date and time") from None
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
