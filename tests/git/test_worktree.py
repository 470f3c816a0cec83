"""Writing a run's code into the work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import Conflict, GitFailed, InvalidName, RepositoryError, UnsafePath, WorkTreeChanged
from ledgit.git import (
    SYMLINK,
    Objects,
    ObjectSet,
    Repo,
    apply_tree,
    build,
    code_tree_without_run,
    create_branch,
    edit_tree,
    graft,
    take_snapshot,
)

Git = Callable[..., str]


def content(repo: Path) -> dict[str, str]:
    found = {}
    for here, folders, names in os.walk(repo):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = os.path.join(here, name)
            found[os.path.relpath(path, repo)] = os.readlink(path) if os.path.islink(path) else Path(path).read_text()
    return found


@pytest.fixture
def run(repo: Path, opened: Repo, git: Git) -> str:
    """The tree of a run with changes of every kind; the work tree is back at HEAD."""
    (repo / "kept").write_text("kept\n")
    (repo / "folder").mkdir()
    (repo / "folder/file").write_text("in a folder\n")
    (repo / "file").write_text("a file\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "base")
    (repo / "train.py").write_text("of the run\n")
    (repo / "data.csv").unlink()
    (repo / "new.sh").write_text("#!/bin/sh\n")
    (repo / "new.sh").chmod(0o755)
    (repo / "deep/er").mkdir(parents=True)
    (repo / "deep/er/x").write_text("x\n")
    (repo / "link").symlink_to("train.py")
    (repo / "folder/file").unlink()
    (repo / "folder").rmdir()
    (repo / "folder").write_text("now a file\n")
    (repo / "file").unlink()
    (repo / "file").mkdir()
    (repo / "file/inside").write_text("now a folder\n")
    tree = take_snapshot(opened).tree
    assert tree is not None
    git(repo, "reset", "-q", "--hard")
    git(repo, "clean", "-fdq")
    return tree


OF_THE_RUN = {
    "kept": "kept\n",
    "train.py": "of the run\n",
    "new.sh": "#!/bin/sh\n",
    "deep/er/x": "x\n",
    "link": "train.py",
    "folder": "now a file\n",
    "file/inside": "now a folder\n",
}


def test_the_work_tree_becomes_the_runs(repo: Path, opened: Repo, git: Git, run: str) -> None:
    head, index = git(repo, "rev-parse", "HEAD"), (repo / ".git/index").read_bytes()

    applied = apply_tree(opened, run)

    assert content(repo) == OF_THE_RUN
    assert os.access(repo / "new.sh", os.X_OK)
    assert (repo / "link").is_symlink()
    assert applied.written == ("deep/er/x", "file/inside", "folder", "link", "new.sh", "train.py")
    assert applied.deleted == ("data.csv", "file", "folder/file")
    assert (git(repo, "rev-parse", "HEAD"), (repo / ".git/index").read_bytes()) == (head, index)
    assert take_snapshot(opened).tree == run


def test_applying_twice_changes_nothing_more(repo: Path, opened: Repo, run: str) -> None:
    apply_tree(opened, run)

    assert apply_tree(opened, run) == ((), (), ())


def test_and_back_again(repo: Path, opened: Repo, git: Git, run: str) -> None:
    before = content(repo)
    apply_tree(opened, run)

    apply_tree(opened, "HEAD", force=True)

    # What the run had and HEAD hasn't is untracked now, and stays.
    assert {name: text for name, text in content(repo).items() if name in before} == before
    assert git(repo, "status", "--porcelain", "-uno") == ""


def test_uncommitted_changes_are_never_overwritten(repo: Path, opened: Repo, git: Git, run: str) -> None:
    (repo / "train.py").write_text("precious\n")
    (repo / "data.csv").write_text("precious\n")
    (repo / "new.sh").write_text("precious and untracked\n")
    (repo / "kept").write_text("precious\n")
    (repo / "unrelated").write_text("untracked\n")
    before = content(repo)

    with pytest.raises(WorkTreeChanged) as caught:
        apply_tree(opened, run)

    assert caught.value.paths == ("data.csv", "kept", "new.sh", "train.py")
    assert content(repo) == before


def test_staged_changes_are_uncommitted_too(repo: Path, opened: Repo, git: Git, run: str) -> None:
    (repo / "train.py").write_text("staged\n")
    git(repo, "add", "train.py")

    with pytest.raises(WorkTreeChanged):
        apply_tree(opened, run)


def test_an_ignored_file_is_not_overwritten_either(repo: Path, opened: Repo, git: Git, run: str) -> None:
    (repo / ".git/info/exclude").write_text("new.sh\n")
    (repo / "new.sh").write_text("ignored but precious\n")

    with pytest.raises(WorkTreeChanged) as caught:
        apply_tree(opened, run)

    assert caught.value.paths == ("new.sh",)


@pytest.mark.parametrize("folder_has", ["untracked", "nothing"])
def test_a_folder_in_the_way_goes_only_when_nothing_in_it_is_lost(
    repo: Path, opened: Repo, run: str, folder_has: str
) -> None:
    if folder_has == "untracked":
        (repo / "folder/untracked").write_text("x")
        with pytest.raises(WorkTreeChanged) as caught:
            apply_tree(opened, run)
        assert caught.value.paths == ("folder",)
    else:
        apply_tree(opened, run)
        assert (repo / "folder").is_file()


def test_an_untracked_file_in_a_folders_place_is_not_overwritten(repo: Path, opened: Repo, run: str) -> None:
    (repo / "deep").write_text("untracked\n")

    with pytest.raises(WorkTreeChanged) as caught:
        apply_tree(opened, run)

    assert caught.value.paths == ("deep/er/x",)


def test_a_change_hidden_by_assume_unchanged_is_not_overwritten(repo: Path, opened: Repo, git: Git, run: str) -> None:
    git(repo, "update-index", "--assume-unchanged", "train.py", "data.csv")
    (repo / "train.py").write_text("hidden\n")
    (repo / "data.csv").write_text("hidden\n")

    with pytest.raises(WorkTreeChanged) as caught:
        apply_tree(opened, run)

    assert caught.value.paths == ("data.csv", "train.py")


def test_changes_that_are_the_runs_own_are_no_obstacle(repo: Path, opened: Repo, run: str) -> None:
    (repo / "train.py").write_text("of the run\n")
    (repo / "data.csv").unlink()

    apply_tree(opened, run)

    assert content(repo) == OF_THE_RUN


def test_force_overwrites(repo: Path, opened: Repo, run: str) -> None:
    (repo / "train.py").write_text("not so precious\n")
    (repo / "new.sh").mkdir()
    (repo / "new.sh/x").write_text("x")
    (repo / "deep").write_text("x")

    apply_tree(opened, run, force=True)

    assert content(repo) == OF_THE_RUN


def test_only_the_named_paths_are_written(repo: Path, opened: Repo, run: str) -> None:
    before = content(repo)
    (repo / "kept").write_text("changed, but not asked for\n")

    applied = apply_tree(opened, run, paths=["deep/", "data.csv"])

    assert applied == (("deep/er/x",), ("data.csv",), ())
    expected = before | {"kept": "changed, but not asked for\n", "deep/er/x": "x\n"}
    del expected["data.csv"]
    assert content(repo) == expected


def test_names_that_look_like_patterns_are_names(repo: Path, opened: Repo, git: Git) -> None:
    objectset = ObjectSet()
    names = {
        "*.py": b"star",
        "train.py": b"t",
        ":(top)": b"magic",
        "-x": b"dash",
        "new\nline": b"n",
        "\udcff": b"bytes",
    }
    tree = build(objectset, names)
    objectset.write(opened, keep=False)

    applied = apply_tree(opened, tree, paths=["*.py", ":(top)", "-x", "new\nline", "\udcff"])

    assert set(applied.written) == set(names) - {"train.py"}
    assert (repo / "train.py").read_text() == "print('train')\n"


def test_run_files_are_never_written_nor_deleted(repo: Path, opened: Repo, git: Git) -> None:
    objectset = ObjectSet()
    with Objects(opened) as objects:
        run = build(objectset, {"params.yaml": b"a: 1\n"})
        tree = graft(objects, objectset, git(repo, "rev-parse", "HEAD^{tree}"), ".ledgit/run", run)
        tree = graft(objects, objectset, tree, "extra", build(objectset, {"x": b"x"}))
    objectset.write(opened, keep=False)

    apply_tree(opened, tree)

    assert set(content(repo)) == {"train.py", "data.csv", "extra/x"}
    (repo / ".ledgit/run").mkdir(parents=True)
    (repo / ".ledgit/run/mine").write_text("x")
    git(repo, "add", "-f", ".")
    git(repo, "commit", "-qm", "run files")
    apply_tree(opened, tree)
    assert (repo / ".ledgit/run/mine").exists()


def test_smudge_filters_and_line_ends_apply(repo: Path, opened: Repo, git: Git) -> None:
    """The attributes are the run's, not those that happen to lie in the work tree."""
    git(repo, "config", "filter.shout.clean", "tr a-z A-Z")
    git(repo, "config", "filter.shout.smudge", "tr A-Z a-z")
    objectset = ObjectSet()
    tree = build(
        objectset,
        {
            ".gitattributes": b"*.secret filter=shout\n*.bat text eol=crlf\n",
            "a.secret": b"HELLO\n",
            "a.bat": b"x\ny\n",
            "sub/.gitattributes": b"*.txt eol=crlf\n",
            "sub/a.txt": b"x\n",
        },
    )
    objectset.write(opened, keep=False)

    apply_tree(opened, tree)

    assert (repo / "a.secret").read_bytes() == b"hello\n"
    assert (repo / "a.bat").read_bytes() == b"x\r\ny\r\n"
    assert (repo / "sub/a.txt").read_bytes() == b"x\r\n"
    assert apply_tree(opened, tree).written == ()


def test_what_a_sparse_checkout_leaves_out_stays_out(repo: Path, opened: Repo, git: Git, run: str) -> None:
    git(repo, "sparse-checkout", "set", "--no-cone", "/*", "!/train.py", "!/kept")
    assert not (repo / "train.py").exists()

    apply_tree(opened, run)

    assert "train.py" not in content(repo)
    assert (repo / "deep/er/x").exists()


def test_submodules_are_reported_and_left_alone(repo: Path, opened: Repo, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "library")
    git(repo, "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git(repo, "commit", "-qm", "submodule")
    before = git(repo, "rev-parse", "HEAD")
    git(repo / "lib", "commit", "-q", "--allow-empty", "-m", "moved")
    moved = git(repo / "lib", "rev-parse", "HEAD")
    git(repo, "commit", "-qam", "moved")

    applied = apply_tree(opened, before)

    assert applied.submodules == ("lib",)
    assert git(repo / "lib", "rev-parse", "HEAD") == moved


def raw_tree(repo: Path, git: Git, *rows: tuple[str, bytes, str]) -> str:
    data = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in rows)
    return git(repo, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data)


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"git~1", b".g\xe2\x80\x8cit", b"."])
@pytest.mark.parametrize("force", [False, True])
def test_a_tree_that_would_leave_the_work_tree_is_refused(
    repo: Path, opened: Repo, git: Git, name: bytes, force: bool
) -> None:
    """What a colleague's ledger brings is not trusted."""
    blob = git(repo, "rev-parse", "HEAD:train.py")
    inner = raw_tree(repo, git, ("100644", b"config", blob))
    tree = raw_tree(repo, git, ("40000", name, inner))
    before = (repo / ".git/config").read_bytes()

    with pytest.raises((UnsafePath, GitFailed)):
        apply_tree(opened, tree, force=force)

    assert (repo / ".git/config").read_bytes() == before
    assert not (repo.parent / "config").exists()


def test_nothing_is_written_through_a_link_that_leads_out(repo: Path, opened: Repo, git: Git, tmp_path: Path) -> None:
    """First a run that makes a link, then one that has a file "behind" it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe\n")
    first, second = ObjectSet(), ObjectSet()
    with_link = edit_tree(None, first, None, {"way": (SYMLINK, first.blob(os.fsencode(outside)))})
    with_file = build(second, {"way/victim": b"overwritten\n"})
    first.write(opened, keep=False)
    second.write(opened, keep=False)

    apply_tree(opened, with_link, force=True)
    with pytest.raises(WorkTreeChanged):
        apply_tree(opened, with_file)
    apply_tree(opened, with_file, force=True)

    assert (outside / "victim").read_text() == "safe\n"
    assert not (repo / "way").is_symlink()
    assert (repo / "way/victim").read_text() == "overwritten\n"


def test_nothing_behind_a_link_is_deleted(repo: Path, opened: Repo, git: Git, tmp_path: Path, run: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("safe\n")
    (repo / "folder/file").unlink()
    (repo / "folder").rmdir()
    (repo / "folder").symlink_to(outside)

    apply_tree(opened, run, force=True)

    assert (outside / "file").read_text() == "safe\n"
    assert (repo / "folder").read_text() == "now a file\n"


def test_a_bare_repository_has_no_files_to_change(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")

    with pytest.raises(RepositoryError, match="bare repository"):
        apply_tree(Repo.discover(str(tmp_path / "bare.git")), "HEAD")


def test_a_missing_tree_is_gits_error(repo: Path, opened: Repo) -> None:
    with pytest.raises(GitFailed):
        apply_tree(opened, "1" * 40)


def test_a_tree_whose_files_are_missing_says_so_and_leaves_no_scratch(repo: Path, opened: Repo, git: Git) -> None:
    tree = raw_tree(repo, git, ("100644", b"gone", "1" * 40))

    with pytest.raises(GitFailed):
        apply_tree(opened, tree)

    assert os.listdir(repo / ".git/ledgit") == []


def test_a_branch_is_made_without_being_checked_out(repo: Path, opened: Repo, git: Git) -> None:
    head = git(repo, "rev-parse", "HEAD")

    create_branch(opened, "try/this", head)

    assert git(repo, "rev-parse", "try/this") == head
    assert git(repo, "symbolic-ref", "--short", "HEAD") == "main"


@pytest.mark.parametrize("name", ["main", "main/below", "side"])
def test_a_branch_that_is_in_the_way_is_left_alone(repo: Path, opened: Repo, git: Git, name: str) -> None:
    git(repo, "branch", "side/below")
    new = git(repo, "commit-tree", "HEAD^{tree}", "-m", "x")

    with pytest.raises(Conflict, match="take another name"):
        create_branch(opened, name, new)

    assert git(repo, "rev-list", "--all").find(new) == -1


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "@{-1}", "HEAD", "x.lock", "a/", "refs/../x"])
def test_a_branch_name_that_git_refuses_is_refused(opened: Repo, name: str) -> None:
    with pytest.raises(InvalidName):
        create_branch(opened, name, "1" * 40)


def test_a_branch_at_nothing_is_refused(repo: Path, opened: Repo) -> None:
    with pytest.raises(GitFailed):
        create_branch(opened, "x", "1" * 40)

    assert subprocess.run(["git", "rev-parse", "-q", "--verify", "x"], cwd=repo, check=False).returncode != 0


def test_the_code_of_a_run_commit_is_its_tree_without_the_run(repo: Path, opened: Repo, git: Git) -> None:
    head, tree = git(repo, "rev-parse", "HEAD", "HEAD^{tree}").split()
    who = ("a", "b", 1, "+0000")
    objectset = ObjectSet()
    with Objects(opened) as objects:
        run = build(objectset, {"params.yaml": b"a: 1\n"})
        commit = objectset.commit(graft(objects, objectset, tree, ".ledgit/run", run), [head], who, who, "run")
        objectset.write(opened, keep=False)

        assert code_tree_without_run(objects, ObjectSet(), commit) == tree
