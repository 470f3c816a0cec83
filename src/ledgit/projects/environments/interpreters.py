"""The Python that a project asks for, among those on this machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence

from ledgit.errors import EnvironmentFailed
from ledgit.projects.environments.tools import ask_tool, find_program
from ledgit.records.values import Values

__all__ = ["Interpreter", "ask_interpreter", "find_interpreter", "find_uv"]

# Isolated, without site: what it says does not depend on what is installed for it.
_QUESTION = """\
import json, os, sys, sysconfig
own = os.path.join(os.path.dirname(os.__file__), "ensurepip", "_bundled")
folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or own
try:
    wheels = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl"))
except OSError:
    wheels = []
print(json.dumps([sys.executable, ".".join(map(str, sys.version_info[:3])), sys.implementation.name,
    sysconfig.get_config_var("EXT_SUFFIX") or "", sysconfig.get_platform(), wheels]))
"""
_EXACT = re.compile(r"(?:={1,3})?\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.\*)?")


class Interpreter(Values):
    """A Python on this machine.

    Attributes:
        path: Absolute.
        version: ``3.11.7``.
        implementation: ``cpython``.
        suffix: What its extension modules end in; packages that one interpreter loads, another one of the same
            suffix loads, too.
        platform: ``linux-x86_64``.
        wheels: Of pip, as the standard library has it.
    """

    __slots__ = ("implementation", "path", "platform", "suffix", "version", "wheels")

    def __init__(
        self, path: str, version: str, implementation: str, suffix: str, platform: str, wheels: Sequence[str]
    ) -> None:
        self.path, self.version, self.implementation = path, version, implementation
        self.suffix, self.platform, self.wheels = suffix, platform, tuple(wheels)

    @property
    def minor(self) -> str:
        """``3.11``."""
        return self.version.rpartition(".")[0]


def find_uv() -> str | None:
    """Return uv: on ``PATH``, beside the Python that runs, or where its installer puts it."""
    return find_program("uv", besides=(os.path.dirname(sys.executable), *_homes(".local/bin", ".cargo/bin")))


def find_interpreter(wanted: str, folder: str, manager: str) -> tuple[Interpreter, tuple[str, ...]]:
    """Return the interpreter that fits *wanted* best, and what is to be said about it.

    The one that runs is looked at first, then ``PATH``, then what pyenv and uv have. Where a version with three
    numbers is asked for and not here, the nearest one of the same minor version is taken.

    Args:
        wanted: ``3.11``, ``3.11.7``, ``>=3.10,<3.13``; "" means any.
        folder: Where what was found out about interpreters is kept.
        manager: For the error.

    Raises:
        EnvironmentFailed: There is none, or *wanted* is no version.
    """
    fits, exact, prefix = _wish(wanted, manager)
    known = _Known(folder)
    near: list[Interpreter] = []
    others: set[str] = set()
    tried: set[str] = set()
    try:
        for path in _candidates(prefix):
            real = os.path.realpath(path)
            if real in tried:
                continue
            tried.add(real)
            found = known.ask(path)
            if found is None:
                continue
            if fits(found.version):
                if exact is None or found.version == exact:
                    return found, ()
                near.append(found)
            others.add(found.version)
    finally:
        known.save()
    if near:
        best = min(near, key=lambda found: abs(_numbers(found.version)[2] - _numbers(exact or "")[2]))
        return best, (f"Python {exact} is asked for and not on this machine; {best.version} is used instead",)
    here = ", ".join(sorted(others, key=_numbers, reverse=True))
    example = f"'uv python install {prefix or wanted}'" if prefix else "'uv python install'"
    raise EnvironmentFailed(
        manager, f"Python {wanted} is not on this machine (there is {here or 'none'}); {example} gets one"
    )


def ask_interpreter(path: str, folder: str) -> Interpreter | None:
    """Return what the interpreter at *path* is; None if it doesn't work. What it answers is kept in *folder*."""
    known = _Known(folder)
    found = known.ask(path)
    known.save()
    return found


def _wish(wanted: str, manager: str) -> tuple[_Fits, str | None, str]:
    """Return what fits, the version with three numbers, and the minor version that programs are named by."""
    text = wanted.strip()
    if not text:
        return (lambda _: True), None, ""
    match = _EXACT.fullmatch(text)
    if match is not None:
        major, minor, patch = match.groups()
        prefix = f"{major}.{minor}" if minor is not None else major
        start = f"{prefix}."
        exact = None if patch is None else f"{prefix}.{patch}"
        return (lambda version: version.startswith(start)), exact, prefix
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    # conda's "=3.11" means any 3.11.
    parts = [f"=={p[1:].strip().removesuffix('.*')}.*" if re.match(r"=\d", p) else p for p in text.split(",")]
    try:
        fits = SpecifierSet(",".join(parts))
    except InvalidSpecifier:
        raise EnvironmentFailed(manager, f"python is {wanted!r}, expected a version such as '3.11'") from None
    return fits.contains, None, ""


def _candidates(prefix: str) -> Iterator[str]:
    """Yield paths of interpreters that may fit, the likeliest first."""
    base = getattr(sys, "_base_executable", "") or sys.executable
    if base:
        yield base
    names = [f"python{prefix}", "python3", "python"] if prefix else ["python3", "python"]
    managed: list[str] = []
    for folder in os.get_exec_path():
        if os.path.basename(folder.rstrip("/")) == "shims":  # pyenv's, asdf's: scripts that refuse most versions
            managed.append(os.path.join(os.path.dirname(folder.rstrip("/")), "versions"))
            managed.append(os.path.join(os.path.dirname(folder.rstrip("/")), "installs", "python"))
            continue
        for name in names:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and not _is_script(path):
                yield path
        if not prefix:
            try:
                yield from (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if _VERSIONED(name))
            except OSError:
                continue
    managed += _homes(".pyenv/versions", ".local/share/uv/python")
    for folder in managed:
        try:
            versions = sorted(os.listdir(folder), key=_numbers, reverse=True)
        except OSError:
            continue
        start = re.compile(rf"(cpython-)?{re.escape(prefix)}(\.|-|$)" if prefix else r"(cpython-)?\d")
        for version in versions:
            path = os.path.join(folder, version, "bin", f"python{prefix or '3'}")
            if start.match(version) and os.access(path, os.X_OK):
                yield path
    uv = find_uv()
    if uv is not None and prefix:
        found = ask_tool([uv, "python", "find", "--offline", "--no-python-downloads", "--managed-python", prefix])
        if found:
            yield found


_VERSIONED = re.compile(r"python3\.\d+").fullmatch


def _homes(*names: str) -> list[str]:
    home = os.path.expanduser("~")
    return [os.path.join(home, name) for name in names]


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _numbers(version: str) -> tuple[int, int, int]:
    found = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return (*found, 0, 0, 0)[:3]  # type: ignore[return-value]


class _Known:
    """What interpreters answered, kept as long as their files are the same: asking one takes 30 ms."""

    def __init__(self, folder: str) -> None:
        import json

        self._path = os.path.join(folder, "interpreters.json")
        self._changed = False
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            found = {}
        self._found = found if isinstance(found, dict) else {}

    def ask(self, path: str) -> Interpreter | None:
        try:
            status = os.stat(path)
        except OSError:
            return None
        stamp = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
        known = self._found.get(path)
        if not (isinstance(known, list) and len(known) == 2 and known[0] == stamp):
            import json

            said = ask_tool([path, "-I", "-S", "-c", _QUESTION])
            try:
                known = [stamp, json.loads(said or "null")]
            except ValueError:
                return None
            if known[1] is not None:  # a failure may be one of the moment
                self._found[path] = known
                self._changed = True
        answer = known[1]
        if not (isinstance(answer, list) and len(answer) == 6):
            return None
        executable, version, implementation, suffix, platform, wheels = answer
        return Interpreter(executable or path, version, implementation, suffix, platform, wheels)

    def save(self) -> None:
        """Keep what was found out; a cache that can't be written is none."""
        if not self._changed:
            return
        import json

        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            aside = f"{self._path}.{os.getpid()}"
            with open(aside, "w", encoding="utf-8") as file:
                json.dump(self._found, file)
            os.replace(aside, self._path)
        except OSError:
            pass


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    _Fits = Callable[[str], bool]
