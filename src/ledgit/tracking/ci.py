"""What CI says of the pull request it runs for: GitHub Actions and GitLab CI, from their environment.

Sources: GitHub's "Variables" and the ``pull_request`` event's payload; GitLab's predefined CI/CD variables for merge
requests. Anything else that sets none of these is no CI to us.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["HEAD_TAG", "PULL_TAG", "ci_tags", "pull_request_facts"]

#: On runs made in CI for a pull request: the commit under review, by which they are found.
HEAD_TAG = "ledgit.ci.head"
PULL_TAG = "ledgit.ci.pull_request"
_LARGEST = 1 << 24


def ci_tags() -> dict[str, str]:
    """Return the tags of a run that is made for a pull request: its head and its number; none elsewhere.

    A pull request's checkout is a merge commit that the host made for the moment: without the head's id nobody would
    find the run again.
    """
    if not (os.environ.get("GITHUB_EVENT_PATH") or os.environ.get("CI_MERGE_REQUEST_IID")):
        return {}
    facts = pull_request_facts()
    if facts is None or not facts["head"]:
        return {}
    return {HEAD_TAG: facts["head"], **({PULL_TAG: str(facts["number"])} if facts["number"] else {})}


def pull_request_facts() -> dict[str, Any] | None:
    """Return number, head, base, base_ref, head_ref, fork and address of the pull request; None without one."""
    if os.environ.get("CI_MERGE_REQUEST_IID"):
        return _gitlab()
    path = os.environ.get("GITHUB_EVENT_PATH")
    return _github(path) if path else None


def _github(path: str) -> dict[str, Any] | None:
    import json

    try:
        with open(path, "rb") as file:
            event = json.loads(file.read(_LARGEST))
    except (OSError, ValueError):
        return None
    pull = event.get("pull_request") if isinstance(event, dict) else None
    if not isinstance(pull, dict):
        return None
    head, base = _section(pull, "head"), _section(pull, "base")
    theirs, ours = _section(head, "repo"), _section(base, "repo")
    number = pull.get("number")
    return {
        "number": number if isinstance(number, int) else 0,
        "head": _commit(head.get("sha")),
        "base": _commit(base.get("sha")),
        "base_ref": _text(base.get("ref")),
        "head_ref": _text(head.get("ref")),
        # A deleted fork has no repository any more.
        "fork": theirs.get("full_name") != ours.get("full_name"),
        "address": _text(pull.get("html_url")),
    }


def _gitlab() -> dict[str, Any]:
    get = os.environ.get
    number = get("CI_MERGE_REQUEST_IID", "")
    address = get("CI_MERGE_REQUEST_PROJECT_URL", "")
    # In a merged-results pipeline CI_COMMIT_SHA is the merge; the branch's own tip has a variable of its own.
    head = get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or get("CI_COMMIT_SHA")
    return {
        "number": int(number) if number.isdigit() else 0,
        "head": _commit(head),
        "base": _commit(get("CI_MERGE_REQUEST_DIFF_BASE_SHA")),
        "base_ref": get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        "head_ref": get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", ""),
        "fork": get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != get("CI_MERGE_REQUEST_PROJECT_ID"),
        "address": f"{address}/-/merge_requests/{number}" if address and number else "",
    }


def _section(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _commit(value: Any) -> str:
    """Return a commit's id; it reaches git as an argument, so anything else is nothing."""
    from ledgit.records.shapes import is_commit_id

    return value if isinstance(value, str) and is_commit_id(value) else ""
