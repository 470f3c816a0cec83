"""Recording the work tree: what changed and what is left out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.git.kit import files, reasons, shot

from ledgit.errors import GitFailed
from ledgit.git import Repo, Snapshot, protect, read_ref, release_pack, take_snapshot

Git = Callable[..., str]
Fingerprint = Callable[[Path], dict[str, str]]
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_a_clean_work_tree_is_its_commit(repo: Path, git: Git) -> None:
    commit, tree = git(repo, "rev-parse", "HEAD", "HEAD^{tree}").split()

    assert shot(repo) == Snapshot(commit=commit, head_tree=tree, tree=tree, branch="main")


def test_a_clean_work_tree_whose_commit_is_packed_is_its_commit(repo: Path, git: Git) -> None:
    git(repo, "gc", "-q")

    assert shot(repo).tree == git(repo, "rev-parse", "HEAD^{tree}")


def make_every_kind_of_change(repo: Path, git: Git) -> dict[str, str]:
    """Return what the tree must hold afterwards."""
    for name in ("staged", "both", "deleted", "removed", "to_link", "to_folder", "mode", "renamed"):
        (repo / name).write_text(f"{name}\n")
    (repo / "folder").mkdir()
    (repo / "folder" / "file").write_text("in a folder\n")
    (repo / ".gitignore").write_text("ignored*\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "base")
    (repo / "train.py").write_text("changed\n")
    (repo / "staged").write_text("staged change\n")
    git(repo, "add", "staged")
    (repo / "both").write_text("staged\n")
    git(repo, "add", "both")
    (repo / "both").write_text("then changed\n")
    (repo / "deleted").unlink()
    git(repo, "rm", "-q", "removed")
    (repo / "to_link").unlink()
    (repo / "to_link").symlink_to("train.py")
    (repo / "to_folder").unlink()
    (repo / "to_folder").mkdir()
    (repo / "to_folder" / "inside").write_text("inside\n")
    (repo / "folder" / "file").unlink()
    (repo / "folder").rmdir()
    (repo / "folder").write_text("now a file\n")
    (repo / "mode").chmod(0o755)
    git(repo, "mv", "renamed", "new_name")
    (repo / "new").write_text("new\n")
    (repo / "intended").write_text("intended\n")
    git(repo, "add", "-N", "intended")
    (repo / "ignored.bin").write_text("ignored\n")
    (repo / "forced_ignored").write_text("x")
    (repo / "ignored_but_tracked").write_text("tracked\n")
    git(repo, "add", "-f", "ignored_but_tracked")
    return {
        ".gitignore": "ignored*\n",
        "both": "then changed\n",
        "data.csv": "x,y\n1,2\n",
        "folder": "now a file\n",
        "forced_ignored": "x",
        "ignored_but_tracked": "tracked\n",
        "intended": "intended\n",
        "mode": "mode\n",
        "new": "new\n",
        "new_name": "renamed\n",
        "staged": "staged change\n",
        "to_folder/inside": "inside\n",
        "to_link": "train.py",
        "train.py": "changed\n",
    }


def test_every_kind_of_change_is_in_the_tree(repo: Path, git: Git) -> None:
    expected = make_every_kind_of_change(repo, git)

    snapshot = shot(repo)

    assert files(repo, snapshot.tree) == expected
    assert snapshot.dirty
    assert snapshot.left_out == ()
    assert snapshot.head_tree == git(repo, "rev-parse", "HEAD^{tree}")
    modes = dict(
        reversed(line.split(" "))
        for line in git(repo, "ls-tree", "--format=%(objectmode) %(path)", snapshot.tree or "").splitlines()
    )
    assert (modes["mode"], modes["to_link"], modes["new"]) == ("100755", "120000", "100644")


def test_nothing_of_the_users_is_touched(repo: Path, git: Git, fingerprint: Fingerprint) -> None:
    """HEAD, index, stash, configuration, reflogs and work tree are the same bytes before and after."""
    (repo / "data.csv").write_text("stashed\n")
    git(repo, "stash", "-q")
    make_every_kind_of_change(repo, git)
    before = fingerprint(repo)
    times = {path: os.lstat(path).st_mtime_ns for path in before}

    snapshot = shot(repo)
    protect(Repo.discover(), "refs/ledgit/active/x", snapshot)

    assert fingerprint(repo) == before
    assert {path: os.lstat(path).st_mtime_ns for path in before} == times
    assert os.listdir(repo / ".git/ledgit") == []


def test_a_snapshot_is_repeatable(repo: Path, git: Git) -> None:
    make_every_kind_of_change(repo, git)

    assert shot(repo) == shot(repo)


def test_only_tracked_files_are_taken_on_request(repo: Path) -> None:
    (repo / "new").write_text("new\n")
    assert shot(repo, mode="tracked") == shot(repo, mode="tracked")
    assert not shot(repo, mode="tracked").dirty
    (repo / "train.py").write_text("changed\n")

    assert files(repo, shot(repo, mode="tracked").tree) == {"data.csv": "x,y\n1,2\n", "train.py": "changed\n"}


def test_without_a_snapshot_the_commit_is_named_all_the_same(repo: Path, git: Git, fingerprint: Fingerprint) -> None:
    (repo / "train.py").write_text("changed\n")
    objects = git(repo, "count-objects", "-v")

    snapshot = shot(repo, mode="none")

    assert (snapshot.commit, snapshot.tree, snapshot.dirty) == (git(repo, "rev-parse", "HEAD"), None, True)
    assert git(repo, "count-objects", "-v") == objects
    assert protect(Repo.discover(), "refs/ledgit/active/x", snapshot) is None


def test_run_files_are_left_out_wherever_they_come_from(repo: Path, git: Git) -> None:
    """Tracked (somebody checked out a run and committed) and untracked."""
    run = repo / ".ledgit/run"
    run.mkdir(parents=True)
    (run / "params.yaml").write_text("a: 1\n")
    (repo / ".ledgit/config.yaml").write_text("x: 1\n")

    assert sorted(files(repo, shot(repo).tree)) == [".ledgit/config.yaml", "data.csv", "train.py"]
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "run files")
    assert sorted(files(repo, shot(repo).tree)) == [".ledgit/config.yaml", "data.csv", "train.py"]
    assert not shot(repo).dirty
    (run / "params.yaml").write_text("a: 2\n")
    (run / "new.yaml").write_text("a: 2\n")
    assert sorted(files(repo, shot(repo).tree)) == [".ledgit/config.yaml", "data.csv", "train.py"]
    assert not shot(repo).dirty


def test_a_repository_with_many_files_finds_run_files_as_well(repo: Path, git: Git) -> None:
    """Above a certain size Git is asked instead of reading its index."""
    (repo / "many").mkdir()
    for number in range(550):
        (repo / "many" / f"{'long' * 45}_{number}").touch()
    (repo / ".ledgit/run").mkdir(parents=True)
    (repo / ".ledgit/run/params.yaml").write_text("a: 1\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "many")
    git(repo, "update-index", "--assume-unchanged", "train.py")
    (repo / "train.py").write_text("hidden change\n")

    found = files(repo, shot(repo).tree)

    assert ".ledgit/run/params.yaml" not in found
    assert found["train.py"] == "hidden change\n"


def test_untracked_files_over_the_caps_are_left_out_and_named(repo: Path) -> None:
    (repo / "large").write_bytes(b"x" * 1001)
    for name, size in (("a", 600), ("b", 300), ("c", 500), ("d", 100)):
        (repo / name).write_bytes(b"x" * size)

    snapshot = shot(repo, max_file=1000, max_total=1000)

    assert sorted(files(repo, snapshot.tree)) == ["b", "c", "d", "data.csv", "train.py"]
    assert [(item.path, item.size) for item in snapshot.left_out] == [("a", 600), ("large", 1001)]
    assert "1000 bytes together" in reasons(snapshot)["a"]
    assert "untracked and larger" in reasons(snapshot)["large"]
    assert snapshot.dirty


def test_a_large_tracked_file_that_changed_keeps_its_committed_version(repo: Path) -> None:
    (repo / "data.csv").write_bytes(b"x" * 2000)

    snapshot = shot(repo, max_file=1000)

    assert files(repo, snapshot.tree)["data.csv"] == "x,y\n1,2\n"
    assert "committed version" in reasons(snapshot)["data.csv"]


def test_a_nested_repository_is_named_and_not_added(repo: Path, git: Git) -> None:
    git(repo, "init", "-q", "nested")
    (repo / "nested" / "file").write_text("x")
    git(repo / "nested", "add", ".")
    git(repo / "nested", "commit", "-qm", "x")
    (repo / "new").write_text("new\n")

    snapshot = shot(repo)

    assert sorted(files(repo, snapshot.tree)) == ["data.csv", "new", "train.py"]
    assert reasons(snapshot) == {"nested/": "a Git repository of its own"}


def test_sockets_pipes_and_unreadable_files_do_not_stop_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train.py", "data.csv"):
        (repo / name).unlink()
    os.mkfifo(repo / "train.py")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("data.csv")
        (repo / "secret").write_text("x")
        (repo / "dangling").symlink_to("nowhere")
        real = os.access
        # Root may read everything, so the system can't refuse in every place where this runs.
        monkeypatch.setattr(os, "access", lambda path, mode, **kw: b"secret" not in path and real(path, mode, **kw))
        monkeypatch.setattr(os, "supports_effective_ids", {os.access})

        snapshot = shot(repo)

    assert files(repo, snapshot.tree) == {
        "dangling": "nowhere",
        "data.csv": "x,y\n1,2\n",
        "train.py": "print('train')\n",
    }
    assert set(reasons(snapshot)) == {"train.py", "data.csv", "secret"}
    assert "Permission denied" in reasons(snapshot)["secret"]


def test_names_of_every_kind_are_kept(repo: Path) -> None:
    names = [
        b"new\nline",
        b"\xff\xfe",
        "🦉.py".encode(),
        b" space ",
        b'"quote"',
        b"tab\t",
        b"-dash",
        b"a\\b",
        b":(x)y",
        b"?",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(repo) + b"/" + name)).write_text("x")

    assert set(files(repo, shot(repo).tree)) == {os.fsdecode(name) for name in names} | {"train.py", "data.csv"}


def test_a_large_file_with_an_odd_name_is_named_rightly(repo: Path) -> None:
    Path(os.fsdecode(os.fsencode(repo) + b"/\xff")).write_bytes(b"x" * 20)

    assert [item.path for item in shot(repo, max_file=10).left_out] == ["\udcff"]


def test_inside_a_hook_the_repository_is_the_right_one(repo: Path, git: Git, tmp_path: Path) -> None:
    """A pre-commit hook starts training: Git has set GIT_DIR and GIT_INDEX_FILE."""
    (repo / "train.py").write_text("committed just now\n")
    (repo / "new").write_text("new\n")
    hook = repo / ".git/hooks/pre-commit"
    code = (
        "from ledgit.git import Repo, take_snapshot; print(take_snapshot(Repo.discover()).tree, file=open('out', 'w'))"
    )
    hook.write_text(f'#!/bin/sh\nenv > ../env; cd .. && cd repo && {sys.executable} -c "{code}"\n')
    hook.chmod(0o755)

    git(repo, "commit", "-qam", "from a hook")

    assert "GIT_INDEX_FILE" in (tmp_path / "env").read_text()
    assert files(repo, (repo / "out").read_text().strip()) == {
        "data.csv": "x,y\n1,2\n",
        "new": "new\n",
        "train.py": "committed just now\n",
    }


def test_a_change_within_the_same_second_and_size_is_seen(repo: Path, git: Git) -> None:
    """Git's "racy" entries: the copy of the index must not look newer than the original."""
    for number in range(5):
        (repo / "train.py").write_text(f"version {number}a\n")
        git(repo, "add", "train.py")
        (repo / "train.py").write_text(f"version {number}b\n")

        assert files(repo, shot(repo).tree)["train.py"] == f"version {number}b\n"


def test_a_file_watcher_is_not_started(repo: Path, git: Git, tmp_path: Path) -> None:
    watcher = tmp_path / "watcher"
    watcher.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    watcher.chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(watcher))
    (repo / "train.py").write_text("changed\n")

    shot(repo)

    assert not (tmp_path / "started").exists()


def test_user_settings_do_not_change_the_answer(repo: Path, git: Git) -> None:
    (repo / "new").mkdir()
    (repo / "new" / "file").write_text("x")
    expected = shot(repo)
    for name, value in {
        "status.showUntrackedFiles": "no",
        "status.relativePaths": "true",
        "status.branch": "false",
        "status.renames": "copies",
        "core.quotePath": "true",
        "color.status": "always",
        "diff.ignoreSubmodules": "all",
        "core.untrackedCache": "true",
        "core.pager": "false",
    }.items():
        git(repo, "config", name, value)

    assert shot(repo) == expected


def test_code_paths_are_resolved_to_their_trees(repo: Path, git: Git) -> None:
    (repo / "src").mkdir()
    (repo / "src" / "a.py").write_text("a")

    snapshot = shot(repo, code_paths=("src", "train.py", "nothing"))

    assert snapshot.subtrees == {
        "src": git(repo, "rev-parse", f"{snapshot.tree}:src"),
        "train.py": git(repo, "rev-parse", "HEAD:train.py"),
    }


def test_the_copy_of_the_index_goes_where_it_is_told_and_away(repo: Path, tmp_path: Path) -> None:
    (repo / "new").touch()
    (tmp_path / "scratch").mkdir()

    shot(repo, scratch=str(tmp_path / "scratch"))

    assert os.listdir(tmp_path / "scratch") == []
    assert not (repo / ".git/ledgit").exists()


def test_with_a_damaged_index_the_commit_is_recorded(repo: Path, git: Git) -> None:
    (repo / ".git/index").write_bytes(b"DIRC\0\0\0\2garbage")

    snapshot = shot(repo)

    assert snapshot.tree == git(repo, "rev-parse", "HEAD^{tree}")
    assert "only what was committed" in reasons(snapshot)["."]


def test_without_anything_to_record_gits_error_is_passed_on(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "r")
    (tmp_path / "r/.git/index").write_bytes(b"DIRC\0\0\0\2garbage")

    with pytest.raises(GitFailed, match="index"):
        shot(tmp_path / "r")


def test_taking_a_snapshot_does_not_load_pygit2(repo: Path) -> None:
    """It runs beside training: 65 ms of imports would hold up its thread."""
    (repo / "new").touch()
    code = (
        "import sys; from ledgit.git import Repo, protect, take_snapshot; repo = Repo.discover()\n"
        "assert protect(repo, 'refs/ledgit/active/x', take_snapshot(repo)); print('pygit2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


def test_a_snapshot_outlives_gc_once_it_is_protected(repo: Path, opened: Repo, git: Git) -> None:
    (repo / "train.py").write_text("changed\n")
    snapshot = take_snapshot(opened)
    ref = "refs/ledgit/active/" + "a" * 32

    commit = protect(opened, ref, snapshot, "run x", when=1_700_000_000)
    git(repo, "checkout", "-q", "train.py")
    git(repo, "gc", "-q", "--prune=now")

    assert commit == read_ref(opened, ref) == protect(opened, ref, snapshot, "run x", when=1_700_000_000)
    assert files(repo, snapshot.tree)["train.py"] == "changed\n"
    assert git(repo, "log", "-1", "--format=%T %P %ct", commit or "") == f"{snapshot.tree} {snapshot.commit} 1700000000"


def test_protecting_leaves_a_pack_that_can_be_merged_and_no_loose_file(repo: Path, opened: Repo, git: Git) -> None:
    """A loose commit for each of thousands of runs would start Git's own gc in the user's next commit."""
    (repo / "train.py").write_text("changed\n")
    snapshot = take_snapshot(opened)
    before = git(repo, "count-objects")
    packs: list[str] = []

    commit = protect(opened, "refs/ledgit/active/x", snapshot, note=packs.append)

    assert before == git(repo, "count-objects")
    assert commit is not None
    assert [commit] == [
        line.split()[0]
        for line in git(repo, "verify-pack", "-v", f".git/objects/pack/{packs[0]}.idx").splitlines()
        if " commit " in line
    ]
    assert not list((repo / ".git/objects/pack").glob(f"{packs[0]}.keep"))


def test_an_unchanged_work_tree_is_protected_by_its_own_commit(repo: Path, opened: Repo, git: Git) -> None:
    assert protect(opened, "refs/ledgit/active/x", take_snapshot(opened)) == git(repo, "rev-parse", "HEAD")


def test_before_the_first_commit_a_snapshot_is_protected_without_parents(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "r")
    opened = Repo.discover(str(tmp_path / "r"))
    assert protect(opened, "refs/ledgit/active/x", take_snapshot(opened)) is None
    (tmp_path / "r" / "a").write_text("a")

    commit = protect(opened, "refs/ledgit/active/x", take_snapshot(opened))

    assert commit is not None
    assert git(tmp_path / "r", "rev-list", "--parents", commit) == commit


def test_of_thousands_of_files_only_the_changed_ones_differ(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "big")
    big = tmp_path / "big"
    old = time.time() - 100
    for number in range(3_000):
        folder = big / f"d{number % 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_text(f"{number}\n")
        os.utime(folder / f"f{number}", (old, old))
    git(big, "add", ".")
    git(big, "commit", "-qm", "x")
    opened = Repo.discover(str(big))
    for number in range(20):
        (big / f"d{number}" / f"f{number}").write_text("changed\n")

    snapshot = take_snapshot(opened)

    assert len(git(big, "diff-tree", "-r", "--name-only", "HEAD", snapshot.tree or "").split()) == 20


def test_new_objects_are_one_pack_that_no_prune_takes_while_it_is_kept(repo: Path, git: Git) -> None:
    """A snapshot without a ref yet survives ``git gc --prune=now``, and nothing loose is left."""
    (repo / "train.py").write_text("changed\n")
    (repo / "new").write_text("new\n")
    loose = git(repo, "count-objects")

    snapshot = shot(repo, keep=True)
    assert loose == git(repo, "count-objects")
    git(repo, "gc", "-q", "--prune=now")
    assert snapshot.tree is not None
    assert "new" in files(repo, snapshot.tree)

    release_pack(Repo.discover(str(repo)), snapshot.pack)
    git(repo, "gc", "-q", "--prune=now")
    assert "" == git(repo, "rev-list", "--all", "--objects", "--no-object-names").partition(snapshot.tree)[1]
    with pytest.raises(AssertionError):
        git(repo, "cat-file", "-e", snapshot.tree)


def test_a_folder_with_a_colon_in_its_name_is_no_list_of_folders(tmp_path: Path, git: Git) -> None:
    path = tmp_path / 'a:b"c'
    path.mkdir()
    git(path, "init", "-q")
    (path / "a").write_text("a")
    git(path, "add", "a")
    git(path, "commit", "-q", "-m", "x")
    (path / "b").write_text("b")

    assert set(files(path, shot(path).tree)) == {"a", "b"}
