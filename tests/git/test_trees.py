"""Building and changing trees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError, UnsafePath
from ledgit.git import FILE, TREE, Objects, ObjectSet, Repo, TreeEntry, build, check_name, edit_tree, graft, without

Git = Callable[..., str]
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

names = st.sampled_from(["a", "a.b", "a-b", "ab", "a0", "A", "é", "x y", "-", "a\tb", "z", "\udcff"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def without_clashes(files: dict[str, bytes]) -> dict[str, bytes]:
    """No path is another one's folder."""
    kept: dict[str, bytes] = {}
    for path, data in files.items():
        if not any(path.startswith(other + "/") or other.startswith(path + "/") for other in kept):
            kept[path] = data
    return kept


trees = st.dictionaries(paths, st.binary(max_size=20), max_size=12).map(without_clashes)


def listing(repo: Path, tree: str) -> dict[str, str]:
    done = subprocess.run(["git", "ls-tree", "-r", "-z", tree], cwd=repo, check=True, capture_output=True)
    lines = [line.decode("utf-8", "surrogateescape") for line in done.stdout.split(b"\0") if line]
    return {line.split("\t", 1)[1]: line.split("\t")[0].split()[2] for line in lines}


def by_git(repo: Path, objectset: ObjectSet, files: dict[str, bytes]) -> str:
    """The tree that git's own index makes of *files*."""
    index = repo / ".git/scratch-index"
    index.unlink(missing_ok=True)
    env = {**os.environ, "GIT_INDEX_FILE": str(index)}
    info = b"".join(
        f"100644 {objectset.blob(data)}\t".encode() + path.encode("utf-8", "surrogateescape") + b"\0"
        for path, data in files.items()
    )
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=repo, env=env, input=info, check=True)
    done = subprocess.run(["git", "write-tree", "--missing-ok"], cwd=repo, env=env, check=True, capture_output=True)
    return done.stdout.decode().strip()


@settings(max_examples=60)
@given(files=trees)
def test_a_built_tree_is_the_one_git_builds(repo: Path, files: dict[str, bytes]) -> None:
    objectset = ObjectSet()

    assert build(objectset, files) == by_git(repo, objectset, files)


@settings(max_examples=60)
@given(files=trees, below=trees, path=paths)
def test_grafting_replaces_what_is_at_the_path(
    repo: Path, opened: Repo, files: dict[str, bytes], below: dict[str, bytes], path: str
) -> None:
    objectset = ObjectSet()
    root, subtree = build(objectset, files), build(objectset, below)
    kept = {
        name: data
        for name, data in files.items()
        if not (name == path or name.startswith(path + "/") or path.startswith(name + "/"))
    }
    expected = kept | {f"{path}/{name}": data for name, data in below.items()}

    grafted = graft(None, objectset, root, path, subtree)

    if below:  # Git's index knows no empty folders
        assert grafted == by_git(repo, objectset, expected)


@settings(max_examples=60)
@given(files=trees, path=paths)
def test_removing_a_path_removes_the_folders_it_empties(repo: Path, files: dict[str, bytes], path: str) -> None:
    objectset = ObjectSet()
    root = build(objectset, files)
    kept = {name: data for name, data in files.items() if not (name == path or name.startswith(path + "/"))}

    assert edit_tree(None, objectset, root, {path: None}) == by_git(repo, objectset, kept)


@settings(max_examples=60)
@given(files=trees, path=paths, below=trees.filter(bool))
def test_a_graft_that_is_removed_again_leaves_what_was_there(
    files: dict[str, bytes], path: str, below: dict[str, bytes]
) -> None:
    objectset = ObjectSet()
    files = without_clashes({path: b""} | files)
    del files[path]
    root = build(objectset, files)

    grafted = graft(None, objectset, root, path, build(objectset, below))

    assert edit_tree(None, objectset, grafted, {path: None}) == root


def test_run_files_are_grafted_into_the_trees_of_a_commit(repo: Path, opened: Repo, git: Git) -> None:
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit/config.yaml").write_text("x: 1\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "config")
    root = git(repo, "rev-parse", "HEAD^{tree}")
    with Objects(opened) as objects:
        objectset = ObjectSet()
        run = build(objectset, {"params.yaml": b"a: 1\n", "history/loss.tsv": b"step\n"})
        grafted = graft(objects, objectset, root, ".ledgit/run", run)
        objectset.write(opened, keep=False)

        assert sorted(listing(repo, grafted)) == [
            ".ledgit/config.yaml",
            ".ledgit/run/history/loss.tsv",
            ".ledgit/run/params.yaml",
            "data.csv",
            "train.py",
        ]
        assert without(objects, ObjectSet(), grafted, ".ledgit/run") == root
        assert without(objects, ObjectSet(), root, ".ledgit/run") == root


def test_grafting_onto_nothing_makes_the_folders(repo: Path, opened: Repo) -> None:
    objectset = ObjectSet()
    run = build(objectset, {"a": b""})
    root = graft(None, objectset, None, ".ledgit/run", run)
    objectset.write(opened, keep=False)

    assert list(listing(repo, root)) == [".ledgit/run/a"]
    assert graft(None, objectset, EMPTY, ".ledgit/run", run) == root


def test_nothing_is_the_empty_tree() -> None:
    assert build(ObjectSet(), {}) == EMPTY


def test_other_modes_of_neighbours_are_kept(repo: Path, opened: Repo, git: Git) -> None:
    (repo / "run.sh").write_text("x")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("run.sh")
    git(repo, "add", ".")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    root = git(repo, "write-tree")
    with Objects(opened) as objects:
        objectset = ObjectSet()
        changed = edit_tree(objects, objectset, root, {"new": (FILE, objectset.blob(b"x"))})
        objectset.write(opened, keep=False)

    before, after = git(repo, "ls-tree", root).splitlines(), git(repo, "ls-tree", changed).splitlines()
    assert set(before) < set(after)
    assert len(after) == len(before) + 1


def test_existing_blobs_can_be_named_by_id(repo: Path, opened: Repo, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    objectset = ObjectSet()

    tree = build(objectset, {"copy.py": blob})

    assert blob not in objectset
    objectset.write(opened, keep=False)
    assert listing(repo, tree) == {"copy.py": blob}


# The spellings that git's own tests give to fsck (t1450, t0060) and that it refuses.
DOT_GIT = [
    ".git",
    ".GIT",
    ".Git",
    ".git ",
    ".git.",
    ".git...",
    ".git. . ",
    "git~1",
    "GIT~1",
    "git~1.",
    ".git::$INDEX_ALLOCATION",
    ".git:x",
    "git~1:x",
    ".g\u200cit",
    ".gi\u200dt",
    ".git\ufeff",
    "\u200c.git",
    ".G\u206aiT",
    "a\\.git",
    ".git\\x",
    ".git\\",
]
INNOCENT = [".gitignore", ".gitattributes", "git", ".gi", "git~2", "x.git", ".git-x", ".github", "agit~1", ". git"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", *DOT_GIT])
def test_a_name_that_could_escape_is_refused(name: str) -> None:
    objectset = ObjectSet()
    blob = objectset.blob(b"")

    with pytest.raises(UnsafePath):
        check_name(name)
    with pytest.raises(UnsafePath):
        objectset.tree([TreeEntry(name, FILE, blob)])


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".git/config", "a/.GIT/hooks/x"])
def test_a_path_that_could_escape_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        build(ObjectSet(), {path: b""})


@pytest.mark.parametrize("name", INNOCENT)
def test_names_that_only_look_like_it_are_fine(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", [*DOT_GIT, *INNOCENT])
def test_git_fsck_draws_the_line_where_we_do(repo: Path, git: Git, name: str) -> None:
    """Git must accept every tree that we write."""
    blob = git(repo, "rev-parse", "HEAD:train.py")
    raw = b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)
    tree = git(repo, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    commit = git(repo, "commit-tree", tree, "-m", "x")
    git(repo, "update-ref", "refs/ledgit/test", commit)

    done = subprocess.run(["git", "fsck", "--strict"], cwd=repo, capture_output=True, check=False)
    refused = b"hasDotgit" in done.stderr
    try:
        check_name(name)
        ours = False
    except UnsafePath:
        ours = True

    assert ours or not refused


def test_two_entries_of_one_name_are_refused() -> None:
    objectset = ObjectSet()
    blob = objectset.blob(b"")

    with pytest.raises(RecordError, match="same name"):
        objectset.tree([TreeEntry("a", FILE, blob), TreeEntry("a", TREE, EMPTY)])


def test_a_path_that_is_file_and_folder_is_refused() -> None:
    with pytest.raises(RecordError, match="both as a file and as a folder"):
        build(ObjectSet(), {"a": b"", "a/b": b""})
    with pytest.raises(RecordError, match="both as a file and as a folder"):
        build(ObjectSet(), {"a/b": b"", "a": b""})


def test_a_root_that_is_not_here_is_an_error() -> None:
    with pytest.raises(RecordError, match="not here"):
        graft(None, ObjectSet(), "1" * 40, "a", EMPTY)
