"""Putting hooks into a repository beside what is there, and taking out only our own.

A hook that is a shell script gets a block of ours behind its first line and goes on as it was: what Git tells it on
standard input is read, handed to Ledgit, and put back. One that is anything else, or a link, is kept under another
name and called after our block. Where a manager owns the place (husky, lefthook, pre-commit, a ``core.hooksPath`` of
somebody's), its files are not touched: the lines to add there are returned.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from ledgit.errors import Conflict, StorageError, UsageError
from ledgit.hooks.dispatch import HOOKS, REFUSED, STOPPING
from ledgit.hooks.managers import Manager, find_manager
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["DEFAULT", "HookStatus", "block", "install", "status", "uninstall"]

#: What is installed where nobody names any.
DEFAULT = ("pre-commit", "post-commit", "post-merge", "post-rewrite", "pre-push")

_BEGIN = "# >>> ledgit >>> 'ledgit hooks uninstall' takes this block out"
_END = "# <<< ledgit <<<"
_ASIDE = ".before-ledgit"
# Hooks that Git tells something on standard input.
_TOLD = ("post-rewrite", "pre-push")
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh", "ash")


class HookStatus(Values):
    """One hook as it is.

    Attributes:
        name: Of the hook.
        state: ``installed``, ``absent``, ``managed`` (somebody else owns the place), ``stale`` (our block is not what
            this version writes) or ``off`` (it may not be executed, so Git passes it over).
        path: Of its file.
        beside: Whether there is something else in it, or it calls what was there before.
        manager: Who owns the place; "" where nobody does.
        lines: What to add there; "" where nothing is to be added.
    """

    __slots__ = ("beside", "lines", "manager", "name", "path", "state")

    def __init__(
        self, name: str, state: str, path: str, *, beside: bool = False, manager: str = "", lines: str = ""
    ) -> None:
        self.name, self.state, self.path = name, state, path
        self.beside, self.manager, self.lines = beside, manager, lines


def block(name: str) -> str:
    """Return our lines for the hook *name*, for a POSIX shell.

    Without Ledgit, or in a repository that has no folder of its own, they cost a few milliseconds and start no Python.
    """
    guard = (
        'if command -v ledgit >/dev/null 2>&1 && [ -z "${LEDGIT_SKIP_HOOKS-}" ]'
        if name == "pre-commit"
        else 'if [ -d "$(git rev-parse --git-common-dir)/ledgit" ] && command -v ledgit >/dev/null 2>&1'
        ' && [ -z "${LEDGIT_SKIP_HOOKS-}" ]'
    )
    # Any other code is Ledgit's fault, as where its environment is gone, and stops nobody.
    stop = [f"        [ $ledgit_code -ne {REFUSED} ] || exit 1"] if name in STOPPING else []
    fault = [
        "        ledgit_code=$?",
        *stop,
        f'        echo "ledgit: hook {name} did nothing: ledgit ended with $ledgit_code; is it installed whole?" >&2',
        "    }",
    ]
    if name in _TOLD:
        body = [
            "    ledgit_told=$(cat)",
            f'    printf \'%s\\n\' "$ledgit_told" | LEDGIT_GIT=$PPID ledgit hook {name} "$@" || {{',
            *fault,
            "    exec <<LEDGIT_TOLD",
            "$ledgit_told",
            "LEDGIT_TOLD",
        ]
    else:
        body = [f'    ledgit hook {name} "$@" </dev/null || {{', *fault]
    return "\n".join([_BEGIN, f"{guard}; then", *body, "fi", _END, ""])


def install(repo: Repo, names: Sequence[str] = (), *, force: bool = False) -> list[HookStatus]:
    """Put hooks into the repository, each beside what is there; again changes nothing.

    Args:
        repo: The repository.
        names: Which; default: `DEFAULT`.
        force: Also into a folder that ``core.hooksPath`` names and no manager is known to write.

    Returns:
        How each is now. Where a manager owns the place: the lines to add there.

    Raises:
        UsageError: There is no such hook.
        Conflict: A hook that was put aside before is in the way.
        StorageError: The file can't be written.
    """
    wanted = _checked(names)
    manager = find_manager(repo)
    if manager is not None and not (force and manager.name == "core.hooksPath"):
        return [_managed(manager, name) for name in wanted]
    found = []
    for name in wanted:
        path = os.path.join(_folder(repo), name)
        owner = find_manager(repo, path)
        if owner is not None and owner.name != "core.hooksPath":
            found.append(_managed(owner, name))
            continue
        _install(path, name)
        found.append(_status(path, name))
    return found


def uninstall(repo: Repo, names: Sequence[str] = ()) -> list[HookStatus]:
    """Take our blocks out; what was there before is as it was.

    Raises:
        UsageError: There is no such hook.
        StorageError: A file can't be written.
    """
    found = []
    for name in _checked(names or tuple(HOOKS)):
        path = os.path.join(_folder(repo), name)
        text = _read(path)
        if text is not None and _BEGIN in text:
            _uninstall(path, text)
        found.append(_status(path, name))
    return found


def status(repo: Repo) -> list[HookStatus]:
    """Return how every hook is; nothing is written."""
    manager = find_manager(repo)
    found = []
    for name in HOOKS:
        path = os.path.join(_folder(repo), name)
        one = _status(path, name)
        if one.state == "absent":
            owner = manager or find_manager(repo, path)
            if owner is not None:
                calls = owner.calls(name)
                one = HookStatus(name, "installed" if calls else "managed", path, beside=True, manager=owner.name)
        found.append(one)
    return found


def _checked(names: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names)) or DEFAULT
    for name in wanted:
        if name not in HOOKS:
            raise UsageError(f"there is no hook {name!r}; there are {', '.join(HOOKS)}")
    return wanted


def _folder(repo: Repo) -> str:
    from ledgit.git import run_git

    found = run_git(repo, "rev-parse", "--git-path", "hooks").decode("utf-8", "surrogateescape").rstrip("\n")
    return os.path.join(repo.work_tree or repo.git_dir, found)


def _managed(manager: Manager, name: str) -> HookStatus:
    if manager.calls(name):
        return HookStatus(name, "installed", manager.path, beside=True, manager=manager.name)
    return HookStatus(name, "managed", manager.path, beside=True, manager=manager.name, lines=manager.lines(name))


def _status(path: str, name: str) -> HookStatus:
    text = _read(path)
    if text is None or _BEGIN not in text:
        return HookStatus(name, "absent", path, beside=text is not None)
    rest = _without(text)
    beside = os.path.lexists(path + _ASIDE) or _has_more(rest)
    if not os.access(path, os.X_OK):
        return HookStatus(name, "off", path, beside=beside)
    return HookStatus(name, "installed" if block(name) in text else "stale", path, beside=beside)


def _read(path: str) -> str | None:
    """Return a hook's text; None where there is none, or it is no text."""
    try:
        with open(path, "rb") as file:
            data = file.read()  # all of it: it is written back
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return data.decode("utf-8", "surrogateescape")


def _install(path: str, name: str) -> None:
    text = _read(path)
    if text is None:
        _write(path, f"#!/bin/sh\n{block(name)}", 0o755)
        return
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if _BEGIN in text:
        head, rest = text.split(_BEGIN, 1)
        fresh = head + block(name) + _after(rest)
        if fresh != text:
            _write(path, fresh, mode)
        return
    if not mode & 0o111:
        # Git passes such a file over; ours would wake it.
        aside = path + _ASIDE
        _move(path, aside)
        _write(path, f"#!/bin/sh\n{block(name)}", 0o755)
    elif _is_shell(text) and not os.path.islink(path):
        first, newline, rest = text.partition("\n")
        _write(path, f"{first}{newline}{block(name)}{rest}", mode)
    else:
        aside = path + _ASIDE
        _move(path, aside)
        _write(path, f'#!/bin/sh\n{block(name)}exec "$0{_ASIDE}" "$@"\n', 0o755)


def _uninstall(path: str, text: str) -> None:
    rest = _without(text)
    aside = path + _ASIDE
    if os.path.lexists(aside) and not _has_more(rest):
        os.replace(aside, path)
    elif not _has_more(rest):
        os.unlink(path)
    else:
        _write(path, rest, stat.S_IMODE(os.stat(path).st_mode))


def _without(text: str) -> str:
    head, _, rest = text.partition(_BEGIN)
    return head + _after(rest)


def _after(rest: str) -> str:
    """Return what stands behind our block, whose first line is gone; an editor may have changed its line ends.

    Without our last line nobody can tell where the block ends: then nothing but its first line is ours.
    """
    _, found, behind = rest.partition(_END)
    if not found:
        return rest.partition("\n")[2]
    return behind.partition("\n")[2]


def _has_more(text: str) -> bool:
    """Whether a hook without our block does anything besides calling what was put aside."""
    lines = (line.strip() for line in text.splitlines())
    return any(line and not line.startswith("#") and line != f'exec "$0{_ASIDE}" "$@"' for line in lines)


def _is_shell(text: str) -> bool:
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return False
    words = first[2:].split()
    program = os.path.basename(
        words[-1] if words and os.path.basename(words[0]) == "env" else words[0] if words else ""
    )
    return program in _SHELLS


def _move(path: str, aside: str) -> None:
    if os.path.lexists(aside):
        raise Conflict(f"{aside} is in the way of keeping {os.path.basename(path)}; look at it and remove it")
    os.replace(path, aside)


def _write(path: str, text: str, mode: int) -> None:
    """Write the hook whole, or leave it as it was: half a hook stops every commit."""
    scratch = f"{path}.{os.urandom(3).hex()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.chmod(scratch, mode)
        os.replace(scratch, path)
    except OSError as error:
        if os.path.lexists(scratch):
            os.unlink(scratch)
        raise StorageError(path, error.strerror or str(error)) from error
