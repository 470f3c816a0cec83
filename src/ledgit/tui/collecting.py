"""Memory while the UI starts, and while it is used: Python's garbage collector, and the C library's heaps.

A full collection looks at every object there is: with Textual loaded that takes 60 ms, and it comes in the middle of
a key's answer. So there is none while modules are loaded, where next to nothing is garbage; and what is there once the
first screen stands, which stays as long as the UI, is not looked at again.
"""

from __future__ import annotations

import gc
import sys

__all__ = ["hold", "settle"]

#: Objects made between two looks at the youngest ones: 700, as Python has it, is what drawing a line or two makes.
_YOUNG = 3_000
#: Names of mallopt's parameters, and from how many bytes on a piece of memory is given back when it is let go.
_ARENA_MAX, _MMAP_THRESHOLD, _PIECE = -8, -3, 1 << 18


def hold() -> None:
    """Collect nothing until :func:`settle`: the UI starts. Before the first thread does."""
    gc.disable()
    _share_one_heap()


def settle() -> None:
    """Collect again, but of what comes from now on alone. Does nothing where nothing was held."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
        gc.enable()


def _share_one_heap() -> None:
    """Have threads share one heap: with one each, as glibc does it, what one let go no other can use (18 MB in all).

    Each question to the index takes megabytes for a moment. Nothing but the memory differs where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    from ctypes import CDLL

    try:
        mallopt = CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, _PIECE)
