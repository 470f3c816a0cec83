"""Notes which files a Python program opens; put first on ``PYTHONPATH`` of a repetition, see ``repro/trace.py``.

Runs in the user's interpreter, whatever version that is: it imports nothing that is not loaded
already, and never raises into the program.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Question:
    """Stands for a function of ``os``, and tells of what is not there: such questions raise no audit event.

    An object, as functions of Python become methods where a class takes them for its own (pathlib's did).
    """

    def __init__(self, name: str, real: Any, missed: Any) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__, self.__doc__ = "os", real.__doc__
        self.real, self.missed = real, missed

    def __call__(self, path: Any, *args: Any, **named: Any) -> Any:
        try:
            answer = self.real(path, *args, **named)
        except (FileNotFoundError, NotADirectoryError):
            if named.get("dir_fd") is None:
                self.missed(path)
            raise
        if answer is False and named.get("dir_fd") is None:  # of os.access
            self.missed(path)
        return answer

    def __reduce__(self) -> str:
        return self.__name__


def _watch(target: str, folder: str, skipped: tuple[str, ...]) -> None:
    """Append a line for each file that is opened for the first time to *target*.

    ``r`` read, ``w`` written, ``c`` made, ``m`` wanted and missing, ``q`` not wanted but asked for, and missing,
    ``d`` a package's folder, ``i`` a module that was asked for and never came. Lines are whole: each is one write to
    a file opened for appending.
    """
    out = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[object] = set()
    asked: dict[str, None] = {}
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    fsencode, getcwd, write, stat = os.fsencode, os.getcwd, os.write, os.stat
    top = os.environ.get("LEDGIT_REPO") or folder
    inside = (os.path.join(top, ""), os.path.join(os.path.realpath(top), ""))
    folders = {"os.mkdir": b"c", "os.listdir": b"q", "os.scandir": b"q"}
    shared = os.path.join("/dev", "shm", "")  # where people keep data, unlike the rest of /dev
    packages = ("site-packages" + os.sep, "dist-packages" + os.sep, *_elsewhere(folder))

    def exists(path: str) -> bool:
        try:
            stat(path)
        except (OSError, ValueError):
            return False
        return True

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

    def missed(path: object, kind: bytes = b"q") -> None:
        try:
            if isinstance(path, bytes):
                path = os.fsdecode(path)
            elif isinstance(path, os.PathLike):
                path = os.fspath(path)
            if isinstance(path, str) and (kind, path) not in seen:
                seen.add((kind, path))
                if not os.path.isabs(path):
                    path = os.path.join(getcwd(), path)
                if path.startswith(inside) and not exists(path):
                    note(kind, path)
        except Exception:
            return

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            try:
                opened(args[0], args[1], args[2])
            except Exception:
                return
        elif event == "import":
            asked[str(args[0])] = None
        elif event in folders:
            missed(args[0], folders[event])

    def leave() -> None:
        for name in asked:
            if name not in sys.modules and "." not in name:
                note(b"i", name)

    import atexit

    for name in ("stat", "access"):  # what os.path.exists, isfile and isdir, and pathlib's, come down to
        real = getattr(os, name)
        asking = _Question(name, real, missed)
        for able in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if real in able:
                able.add(asking)
        setattr(os, name, asking)
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


def _elsewhere(folder: str) -> tuple[str, ...]:
    """Return the folders outside of *folder* that PYTHONPATH names and pip installed into (``--target``)."""
    found = []
    for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        place = os.path.join(os.path.abspath(entry), "")
        if not entry or place.startswith(os.path.join(folder, "")):
            continue
        try:
            if any(name.endswith(".dist-info") for name in os.listdir(place)):
                found.append(place)
        except OSError:
            continue
    return tuple(found)


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
