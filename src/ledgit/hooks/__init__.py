"""What Git's hooks do for Ledgit, and how they get into a repository beside others.

The scripts in ``/hooks`` and the blocks that ``ledgit hooks install`` writes are a few lines of shell: they look
whether there is anything to do, and call ``ledgit hook NAME``, which comes here. All hooks only add: what runs belong
to which commit is found without them, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.hooks.dispatch import HOOKS as HOOKS
    from ledgit.hooks.dispatch import Call as Call
    from ledgit.hooks.dispatch import run_hook as run_hook
    from ledgit.hooks.installing import HookStatus as HookStatus
    from ledgit.hooks.installing import install as install
    from ledgit.hooks.installing import status as status
    from ledgit.hooks.installing import uninstall as uninstall

_WHERE = {"dispatch": "HOOKS Call run_hook", "installing": "HookStatus install status uninstall"}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)
    globals()[name] = value
    return value
