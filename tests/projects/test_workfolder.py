"""The folder a project runs in: what is in it, and what stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import GitFunction, run_git
from tests.projects.kit import ledgit, users_own

from ledgit.errors import GitFailed, NotHere, UsageError
from ledgit.git import Repo
from ledgit.projects.tracked import fill_tracked
from ledgit.projects.workfolder import WorkFolder, remove_dead
from ledgit.store import take_facts


def folder_of(path: Path, *, settle: bool = False) -> WorkFolder:
    """A work folder with what is in the work tree *path* now."""
    found = Repo.discover(str(path))
    with take_facts(found) as facts:
        assert facts.tree is not None
        made = WorkFolder.make(found, facts.tree, facts.commit)
    if settle:
        made.note_state()
        made._marked_at += 1_000_000_000  # as if it had been looked at a second later
    return made


def listed(folder: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(here, leaf), folder)
        for here, names, leaves in os.walk(folder)
        for leaf in [*leaves, *names]
        if ".git" not in os.path.relpath(os.path.join(here, leaf), folder).split(os.sep)
    )


def test_it_has_the_files_as_they_are_and_says_so_to_git(repo: Path, git: GitFunction) -> None:
    """Uncommitted, untracked and deleted ones included; what Git ignores is not there."""
    (repo / ".gitignore").write_text("secret\n")
    (repo / "old.txt").write_text("x")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "more")
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("new")
    (repo / "secret").write_text("s")
    (repo / "old.txt").unlink()
    os.symlink("new.py", repo / "link")

    with folder_of(repo) as work:
        assert [".gitignore", "data.csv", "link", "new.py", "train.py"] == listed(work.path)
        assert "print('changed')\n" == Path(work.path, "train.py").read_text()
        assert "new.py" == os.readlink(os.path.join(work.path, "link"))
        assert git(repo, "rev-parse", "HEAD") == git(Path(work.path), "rev-parse", "HEAD")
        assert work.path in git(repo, "worktree", "list")
        again = take_facts(Repo.discover(work.path))
        assert (work.tree, work.commit, True) == (again.tree, again.commit, (again.code or {})["dirty"])

    assert not os.path.exists(work.path)
    assert [] == os.listdir(repo / ".git/ledgit/work")
    assert not (repo / ".git/worktrees").exists()


def test_nothing_of_the_users_changes_and_no_hook_runs(repo: Path, git: GitFunction) -> None:
    """Invariant 1: HEAD, index, stash, branches, work tree, settings."""
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = repo / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} $(tr '\\0' ' ' < /proc/$PPID/cmdline) >> {repo}/hook-ran\n")
        hook.chmod(0o755)
    (repo / "train.py").write_text("stashed")
    git(repo, "-c", "core.hooksPath=/dev/null", "stash")
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("new")
    (repo / "hook-ran").unlink(missing_ok=True)
    before = users_own(repo)
    (repo / "hook-ran").unlink(missing_ok=True)
    before = {**before, "files": {k: v for k, v in before["files"].items() if k != "hook-ran"}}  # type: ignore[attr-defined]

    with folder_of(repo, settle=True) as work:
        Path(work.path, "train.py").write_text("spoilt")
        work.reset()
        assert not (repo / "hook-ran").exists(), (repo / "hook-ran").read_text()

    assert not (repo / "hook-ran").exists()
    assert before == users_own(repo)


def test_a_failure_leaves_nothing(repo: Path, git: GitFunction) -> None:
    """A filter that is needed and fails, as LFS does without its server."""
    (repo / ".gitattributes").write_text("*.bin filter=broken\n")
    (repo / "a.bin").write_text("x")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "binary")
    git(repo, "config", "filter.broken.clean", "cat")
    git(repo, "config", "filter.broken.smudge", "false")
    git(repo, "config", "filter.broken.required", "true")
    before = users_own(repo)

    with pytest.raises(GitFailed, match="external filter 'false' failed"):
        folder_of(repo)

    assert before == users_own(repo)
    assert [] == os.listdir(repo / ".git/ledgit/work")


def test_filters_and_line_ends_apply(repo: Path, git: GitFunction) -> None:
    """Git writes the files, so what is stored encrypted or elsewhere is there as the program needs it."""
    (repo / ".gitattributes").write_text("*.enc filter=rot\n*.bat eol=crlf\n")
    git(repo, "config", "filter.rot.clean", "tr a-z b-za")
    git(repo, "config", "filter.rot.smudge", "tr b-za a-z")
    (repo / "word.enc").write_text("secret\n")
    (repo / "run.bat").write_bytes(b"echo\r\n")

    with folder_of(repo) as work:
        assert "secret\n" == Path(work.path, "word.enc").read_text()
        assert b"echo\r\n" == Path(work.path, "run.bat").read_bytes()
        assert "tfdsfu" == git(Path(work.path), "cat-file", "blob", ":word.enc")


def test_a_sparse_checkout_stays_sparse(repo: Path, git: GitFunction) -> None:
    """What the user does not want on the disk is not put there, but a file made outside of it is."""
    for name in ("near", "far"):
        (repo / name).mkdir()
        (repo / name / "file").write_text(name)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "folders")
    git(repo, "sparse-checkout", "set", "--cone", "near")
    (repo / "far").mkdir(exist_ok=True)
    (repo / "far" / "mine").write_text("mine")

    with folder_of(repo) as work:
        there = listed(work.path)
        assert "near/file" in there
        assert "far/file" not in there
        assert "far/mine" in there
        assert "" == git(Path(work.path), "status", "--short", "--", "near", "far/file")


@pytest.mark.parametrize("kind", ["bare", "shallow", "linked"])
def test_any_clone_will_do(repo: Path, tmp_path: Path, git: GitFunction, kind: str) -> None:
    """A bare one has no work tree of its own, a shallow one no history."""
    (repo / "more.txt").write_text("more")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "second")
    other = tmp_path / kind
    if kind == "linked":
        git(repo, "worktree", "add", "-q", str(other))
    else:
        option = "--bare" if kind == "bare" else "--depth=1"
        git(tmp_path, "clone", "-q", option, f"file://{repo}", str(other))

    with folder_of(other) as work:
        assert ["data.csv", "more.txt", "train.py"] == listed(work.path)
        assert "second" == git(Path(work.path), "log", "-1", "--format=%s")
        assert Repo.discover(work.path).common_dir == Repo.discover(str(other)).common_dir


def make_submodule(repo: Path, tmp_path: Path) -> Path:
    library = tmp_path / "library"
    library.mkdir()
    run_git(library, "init", "-q")
    (library / "lib.py").write_text("version = 1\n")
    run_git(library, "add", ".")
    run_git(library, "commit", "-qm", "lib")
    run_git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "libs/one")
    run_git(repo, "commit", "-qm", "with a submodule")
    return library


def test_submodules_are_there_at_the_commit_that_is_recorded(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """Their own uncommitted changes are not, which the facts say."""
    make_submodule(repo, tmp_path)
    (repo / "libs/one/lib.py").write_text("version = 'mine'\n")
    before = users_own(repo)

    with folder_of(repo) as work:
        assert "version = 1\n" == Path(work.path, "libs/one/lib.py").read_text()
        assert [] == work.problems
        assert {"libs/one": {"dirty": True}} == (take_facts(Repo.discover()).code or {})["submodules"]

    assert before == users_own(repo)
    done = ledgit(repo, "run", ".", "--", "cat", "libs/one/lib.py")
    assert "version = 1\n" == done.out
    assert "submodule libs/one has changes that are not committed in it" in done.err


def test_a_submodule_that_is_not_here_is_said(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """A clone without --recurse-submodules."""
    make_submodule(repo, tmp_path)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repo), str(clone))

    with folder_of(clone) as work:
        (problem,) = work.problems
        assert "submodule libs/one is empty" in problem
        assert "git submodule update --init" in problem


MD5 = "9e107d9d372bb6826bd81d3542a419d6"


def make_dvc(repo: Path) -> Path:
    """A DVC project with a file and a folder, as ``dvc add`` leaves them; return its cache."""
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text("")
    (repo / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    cache = repo / ".dvc/cache/files/md5"
    for md5, data in (
        (MD5, b"The quick brown fox jumps over the lazy dog"),
        ("aa" * 16, b"one"),
        ("bb" * 15 + "b0", b'[{"md5": "' + b"aa" * 16 + b'", "relpath": "in/one.txt"}]'),
    ):
        place = cache / md5[:2] / (md5[2:] + (".dir" if data.startswith(b"[") else ""))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (repo / "fox.txt.dvc").write_text(f"outs:\n- md5: {MD5}\n  size: 43\n  hash: md5\n  path: fox.txt\n")
    (repo / "many.dvc").write_text(f"outs:\n- md5: {'bb' * 15}b0.dir\n  nfiles: 1\n  hash: md5\n  path: many\n")
    (repo / ".gitignore").write_text("/fox.txt\n/many\n")
    return cache


def test_data_that_dvc_tracks_are_put_there_from_its_cache(repo: Path) -> None:
    """As copies: what the project does to them does not reach the cache."""
    cache = make_dvc(repo)

    with folder_of(repo, settle=True) as work:
        fox = Path(work.path, "fox.txt")
        assert b"The quick brown fox jumps over the lazy dog" == fox.read_bytes()
        assert "one" == Path(work.path, "many/in/one.txt").read_text()
        fox.write_text("spoilt")
        Path(work.path, "many/in/one.txt").unlink()
        work.reset()
        assert b"The quick brown fox jumps over the lazy dog" == fox.read_bytes()
        assert "one" == Path(work.path, "many/in/one.txt").read_text()
        assert str(cache.parent.parent) in Path(work.path, ".dvc/config.local").read_text()

    assert b"The quick" in (cache / MD5[:2] / MD5[2:]).read_bytes()


def test_data_that_are_not_here_are_said_and_none_leave_the_folder(repo: Path, tmp_path: Path) -> None:
    """Somebody else's .dvc file may name any path."""
    make_dvc(repo)
    (repo / "gone.dvc").write_text(f"outs:\n- md5: {'cc' * 16}\n  hash: md5\n  path: gone.bin\n")
    for path in ("../outside.txt", ".git/hooks/evil", "/tmp/ledgit-absolute"):
        (repo / f"{abs(hash(path))}.dvc").write_text(f"outs:\n- md5: {MD5}\n  hash: md5\n  path: {path}\n")

    with folder_of(repo) as work:
        (problem,) = work.problems
        assert "gone.bin" in problem
        assert not os.path.exists(os.path.join(os.path.dirname(work.path), "outside.txt"))
        assert not os.path.exists("/tmp/ledgit-absolute")

    assert not (repo / ".git/hooks/evil").exists()
    (tmp_path / "other").mkdir()
    assert [] == fill_tracked(None, str(tmp_path / "other"))


def test_a_reset_makes_everything_as_it_was(repo: Path) -> None:
    """Changed, deleted and new files, folders that may not be written, a link in a file's place."""
    (repo / "deep/er").mkdir(parents=True)
    (repo / "deep/er/x").write_text("x")
    with folder_of(repo, settle=True) as work:
        top = Path(work.path)
        before = {path: (top / path).read_bytes() for path in listed(work.path) if (top / path).is_file()}
        for _ in range(2):
            (top / "train.py").write_text("spoilt")
            (top / "data.csv").unlink()
            os.symlink("/etc/passwd", top / "data.csv")
            (top / "deep/er/x").unlink()
            (top / "deep/er").rmdir()
            (top / "out/put").mkdir(parents=True)
            (top / "out/put/big").write_text("y")
            (top / "out/put").chmod(0o500)
            (top / "out").chmod(0o500)
            subprocess.run(["git", "add", "-A"], cwd=top, check=True)
            (top / ".git").read_text()
            work.reset()
            assert before == {path: (top / path).read_bytes() for path in listed(work.path) if (top / path).is_file()}
            assert not (top / "data.csv").is_symlink()
            assert not (top / "out").exists()
            assert (top / "deep/er").is_dir()


def test_a_change_that_no_clock_shows_is_seen(repo: Path) -> None:
    """Same size, same time of change as far as the disk tells: Git compares the content."""
    with folder_of(repo) as work:
        work.note_state()
        target = Path(work.path, "train.py")
        found = target.stat()
        target.write_text("print('TRAIN')\n")
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        work.reset()

        assert "print('train')\n" == target.read_text()


def test_compiled_python_stays_while_no_source_changed(repo: Path) -> None:
    """It takes longer to compile than a trial has; of a source that was another one it must go."""
    with folder_of(repo, settle=True) as work:
        compiled = Path(work.path, "__pycache__/train.cpython-311.pyc")
        compiled.parent.mkdir()
        compiled.write_text("x")
        Path(work.path, "result").write_text("y")
        work.reset()
        assert compiled.exists()
        assert not Path(work.path, "result").exists()

        work._marked_at += 1_000_000_000
        Path(work.path, "train.py").write_text("other")
        work.reset()
        assert not compiled.exists()


def test_git_gc_takes_nothing_that_is_in_use(repo: Path, git: GitFunction) -> None:
    """Nor does `git worktree prune`."""
    (repo / "new.py").write_text("new")
    with folder_of(repo, settle=True) as work:
        git(repo, "gc", "-q", "--prune=now")
        git(repo, "worktree", "prune", "--expire=now")
        Path(work.path, "new.py").unlink()
        work.reset()
        assert "new" == Path(work.path, "new.py").read_text()


MAKE = """
import os, subprocess, sys
from ledgit.git import Repo
from ledgit.projects.workfolder import WorkFolder
repo = Repo.discover()
work = WorkFolder.make(repo, sys.argv[1], sys.argv[2])
child = None
if len(sys.argv) > 3:
    child = subprocess.Popen(["sleep", "60"], pass_fds=[work.fileno()], stdout=subprocess.DEVNULL)
print(work.path, child.pid if child else "", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("with_child", [False, True])
def test_a_folder_of_the_dead_goes_one_of_the_living_stays(repo: Path, git: GitFunction, with_child: bool) -> None:
    """Also where only the project's own process lives on."""
    words = [git(repo, "rev-parse", "HEAD^{tree}"), git(repo, "rev-parse", "HEAD"), *(["child"] if with_child else [])]
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE, *words], cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None
    path, _, child = maker.stdout.readline().strip().partition(" ")
    found = Repo.discover()
    assert 0 == remove_dead(found)
    assert os.path.exists(os.path.join(path, "train.py"))
    maker.kill()
    maker.communicate()
    if with_child:
        assert 0 == remove_dead(found)
        os.kill(int(child), signal.SIGKILL)
        until = time.monotonic() + 20
        while not remove_dead(found) and time.monotonic() < until:
            time.sleep(0.01)
    else:
        assert 1 == remove_dead(found)

    assert not os.path.exists(path)
    assert [] == os.listdir(repo / ".git/ledgit/work")
    assert git(repo, "worktree", "list").count("\n") == 0


def test_a_folder_that_leads_out_is_refused(repo: Path) -> None:
    """A link in somebody's project may point to anywhere."""
    os.symlink("/etc", repo / "way-out")
    with folder_of(repo) as work:
        for name in ("way-out", "nowhere", "train.py"):
            with pytest.raises(UsageError, match="no folder"):
                work.folder(name)
        assert work.path == work.folder()


def test_a_tree_that_is_not_here_is_said(repo: Path) -> None:
    """Of a run whose commit was not fetched."""
    with pytest.raises(NotHere, match="ledgit pull"):
        WorkFolder.make(Repo.discover(), "1" * 40)

    assert [] == os.listdir(repo / ".git/ledgit/work")
