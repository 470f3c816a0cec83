"""Sharing runs: the remote's ledger, pulled and pushed.

The verbs are ``sync.pull.pull`` and ``sync.push.push``: a package can't show a function under its module's name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.sync.pull import Pulled, PullOptions
    from ledgit.store.sync.pushed import Pushed, PushOptions
    from ledgit.store.sync.remote import Remote, find_remote

_HOME = {
    "PullOptions": "pull",
    "Pulled": "pull",
    "PushOptions": "pushed",
    "Pushed": "pushed",
    "Remote": "remote",
    "find_remote": "remote",
}

__all__ = ["PullOptions", "Pulled", "PushOptions", "Pushed", "Remote", "find_remote"]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.store.sync' has no attribute {name!r}")
    value: object = getattr(__import__(f"ledgit.store.sync.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value
