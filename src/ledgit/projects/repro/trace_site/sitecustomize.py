"""Notes which files a Python program opens; put first on ``PYTHONPATH`` of a repetition, see ``repro/trace.py``.

Runs in the user's interpreter, whatever version that is: it imports nothing that is not loaded
already, and never raises into the program.
"""

from __future__ import annotations

import os
import sys


def _watch(target: str, folder: str, skipped: tuple[str, ...]) -> None:
    """Append a line for each file that is opened for the first time to *target*.

    ``r`` read, ``w`` written, ``m`` wanted and missing, ``d`` a package's folder, ``i`` a module that was
    asked for and never came. Lines are whole: each is one write to a file opened for appending.
    """
    out = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[object] = set()
    asked: dict[str, None] = {}
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    exists, fsencode, getcwd, write = os.path.exists, os.fsencode, os.getcwd, os.write
    shared = os.path.join("/dev", "shm", "")  # where people keep data, unlike the rest of /dev
    packages = ("site-packages" + os.sep, "dist-packages" + os.sep)

    def note(kind: bytes, text: str) -> None:
        try:
            data = fsencode(text)
            if b"\n" not in data:
                write(out, kind + b"\t" + data + b"\n")
        except Exception:
            return

    def opened(path: object, mode: object, flags: object) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        elif isinstance(path, os.PathLike):
            path = os.fspath(path)
        if not isinstance(path, str):
            return  # a descriptor
        for part in packages:
            at = path.find(part)
            if at >= 0:
                top, _, rest = path[at + len(part) :].partition(os.sep)
                if top == "__pycache__":  # a module without a folder of its own, compiled before
                    top = rest.partition(".")[0] + ".py"
                if top not in seen:
                    seen.add(top)
                    note(b"d", top)
                return
        if path.startswith(skipped) and not path.startswith(shared):
            return
        kind = b"r"
        if (isinstance(mode, str) and not set("wax+").isdisjoint(mode)) or (isinstance(flags, int) and flags & writing):
            kind = b"w"
        if (kind, path) in seen:
            return
        seen.add((kind, path))
        if not os.path.isabs(path):
            path = os.path.join(getcwd(), path)
        if not exists(path):
            kind = b"c" if kind == b"w" else b"m"
        note(kind, path)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            try:
                opened(args[0], args[1], args[2])
            except Exception:
                return
        elif event == "import":
            asked[str(args[0])] = None

    def leave() -> None:
        for name in asked:
            if name not in sys.modules and "." not in name:
                note(b"i", name)

    import atexit

    sys.addaudithook(hook)
    atexit.register(leave)
    note(b"s", folder)


def _hand_on(own: str) -> None:
    """Run the ``sitecustomize`` that would have been found without this one."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != own]
    this = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError:
        pass
    if this is not None:
        sys.modules.setdefault("sitecustomize", this)  # who imports this one wants to find some


def _installed() -> tuple[str, ...]:
    """Return the beginnings of paths of what belongs to the interpreter and to the system."""
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/", "/usr"}
    system = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev", "/run")
    return tuple(folder + os.sep for folder in (*own, *system))


try:
    _watch(os.environ["LEDGIT_REPRO_TRACE"], os.getcwd(), _installed())
except Exception:  # noqa: S110 - whatever it is, the program's own business is more important
    pass
_hand_on(os.path.dirname(os.path.abspath(__file__)))
