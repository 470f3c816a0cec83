"""Before a commit: no file that Git keeps for ever by mistake, no secret, no run's own files.

Notebooks' outputs are left alone. ``git commit --no-verify`` passes by, as with every hook.
"""

from __future__ import annotations

from ledgit.errors import LedgitError
from ledgit.records.harmless import clean, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgit.hooks.dispatch import Call
    from ledgit.store.sync.secrets import Allowed

__all__ = ["run"]

#: ``ledgit.maxCommittedFile``: bytes above which a file belongs into DVC.
LARGEST = 10 << 20
_RUN_FOLDER = ".ledgit/run/"


def run(call: Call) -> int:
    """Return 1, with a line for each file that must not go, else 0."""
    problems = list(_problems(call))
    for line in problems:
        call.say(f"ledgit: {line}")
    if problems:
        call.say("ledgit: nothing was committed; 'git commit --no-verify' commits all the same")
    return 1 if problems else 0


def _problems(call: Call) -> Iterator[str]:
    from ledgit.git import run_git

    repo = call.repo
    files = _staged(call, _against(call))
    if repo.operation == "merge" and files:
        # What the other branch has is committed there already, and not this commit's affair.
        fresh = {(name, oid) for name, oid in _staged(call, "MERGE_HEAD")}
        files = [one for one in files if one in fresh]
    if not files:
        return
    inside = [name for name, _ in files if name.startswith(_RUN_FOLDER.encode())]
    if inside:
        yield (
            f"{_RUN_FOLDER} holds what a run logged and does not go on branches; 'git reset -- {_RUN_FOLDER}' takes it"
            " out, and 'ledgit branch RUN --with-run' puts it where it may be"
        )
    rest = [(name, oid) for name, oid in files if not name.startswith(_RUN_FOLDER.encode())]
    most = repo.config().get_int("ledgit.maxCommittedFile", LARGEST)
    asked = "".join(f"{oid}\n" for _, oid in rest).encode()
    sizes = run_git(repo, "cat-file", "--batch-check=%(objectsize)", stdin=asked).split()
    small = []
    for (name, oid), count in zip(rest, sizes, strict=True):
        shown = clean(name.decode("utf-8", "surrogateescape"))
        if most and int(count) > most:
            yield f"{shown} has {size(int(count))}: 'dvc add {shown}' keeps it out of Git's history"
        else:
            small.append((name, oid))
    yield from _secrets(call, small)


def _staged(call: Call, against: str) -> list[tuple[bytes, str]]:
    """Return (path, blob) of the files that the commit adds to or changes in *against*."""
    from ledgit.git import run_git

    env = {"GIT_INDEX_FILE": call.index_file} if call.index_file else None
    args = ("--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--diff-filter=AMT", against, "--")
    words = run_git(call.repo, "diff-index", *args, env=env).split(b"\0")
    staged = [(words[at].split(), words[at + 1]) for at in range(0, len(words) - 1, 2)]
    return [(name, meta[3].decode("ascii")) for meta, name in staged if meta[1] in (b"100644", b"100755")]


def _against(call: Call) -> str:
    from ledgit.git import try_git
    from ledgit.git.snapshot import EMPTY_TREE

    code, _, _ = try_git(call.repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return "HEAD" if code == 0 else EMPTY_TREE


def _secrets(call: Call, files: list[tuple[bytes, str]]) -> Iterator[str]:
    from ledgit.git import BatchReader
    from ledgit.store.sync.secrets import MAX_BYTES, is_scanned, scan_blob

    if not call.repo.config().get_bool("ledgit.secretScan", True):
        return
    allowed = _allowed(call)
    with BatchReader(call.repo) as reader:
        for name, oid in files:
            path = name.decode("utf-8", "surrogateescape")
            if not is_scanned(path):
                continue
            read = reader.read(oid)
            if read is None or len(read[2]) > MAX_BYTES:
                continue
            data = read[2]
            for hit in scan_blob(path, data):
                if not allowed.covers(path, hit):
                    yield f"{clean(path)}, line {hit.line}: looks like {hit.kind} ({clean(hit.shown)})"


def _allowed(call: Call) -> Allowed:
    from ledgit.store import committed_config
    from ledgit.store.sync.secrets import Allowed

    try:
        found = committed_config(call.repo, "secrets").get("secrets")
        return Allowed(found.get("allow") or () if isinstance(found, dict) else ())
    except LedgitError:
        return Allowed()
