"""Runs and the commits their code is in, after amending, rebasing and squash merges (DESIGN 2.6)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.code_kit import Git, by, commit, names, recorded, run, with_line, write

from ledgit.errors import NotFound
from ledgit.git import Branch
from ledgit.records import decode_entry
from ledgit.repository import open_repository
from ledgit.store import RunStart
from ledgit.store import index_links as index_links_module


@pytest.fixture
def host(project: Path, git: Git, tmp_path: Path) -> Path:
    """A clone of somebody else's, with the project's bare host between: where pull requests are merged."""
    git(tmp_path, "init", "-q", "--bare", "host.git")
    git(project, "remote", "add", "origin", str(tmp_path / "host.git"))
    git(project, "push", "-q", "origin", "main")
    git(project, "fetch", "-q", "origin")
    git(tmp_path, "clone", "-q", str(tmp_path / "host.git"), "host")
    return tmp_path / "host"


def squash_on_the_host(project: Path, host: Path, git: Git) -> str:
    """Merge the branch ``feature`` by the host's button, and clean up after it on both sides."""
    git(project, "push", "-q", "origin", "feature")
    commit(host, git, "somebody else's", other="x\n")
    git(host, "fetch", "-q", "origin")
    git(host, "merge", "-q", "--squash", "origin/feature")
    git(host, "commit", "-q", "-m", "feature (#1)")
    git(host, "push", "-q", "origin", "main", ":feature")
    git(project, "checkout", "-q", "-f", "main")
    git(project, "branch", "-q", "-D", "feature")
    git(project, "pull", "-q", "--prune", "origin", "main")
    return git(project, "rev-parse", "main")


# -- after the commit was replaced -------------------------------------------------------------


def test_a_run_of_an_amended_commit_belongs_to_the_new_one(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    run_id = run("r")
    git(project, "commit", "-q", "--amend", "-m", "better words")
    git(project, "branch", "-q", "-m", "renamed")

    assert {"r"} == names("renamed")
    assert set() == names("main")
    assert (git(project, "rev-parse", "HEAD"), "tree") == by(run_id)
    assert by(run_id, "main") is None


def test_a_run_with_changes_that_were_then_committed_belongs_to_that_commit(project: Path, git: Git) -> None:
    """Amended in, its own commit is gone; committed on top, it stays with the commit it was started on."""
    first = commit(project, git, "one", a="1")
    write(project, a="tried", fresh="new file")
    amended = run("amended")
    git(project, "add", ".")
    git(project, "commit", "-q", "--amend", "--no-edit")
    write(project, a="tried again")
    on_top = run("on-top")
    below = git(project, "rev-parse", "HEAD")
    top = commit(project, git, "two")
    git(project, "branch", "-q", "-m", "renamed")

    assert first != below
    assert (below, "tree") == by(amended)
    assert (below, "commit") == by(on_top)
    assert (top, "tree") == by(on_top, "HEAD~..HEAD")
    assert {"amended", "on-top"} == names("renamed") == names("HEAD")


@pytest.mark.parametrize("wait", [True, False])
def test_runs_of_a_rebased_branch_belong_to_its_new_commits(project: Path, git: Git, wait: bool) -> None:
    """Also those that ended before anybody knew their patch-id."""
    commit(project, git, "one", src__model=with_line(20, "zwanzig"))
    first = run("first", wait=wait)
    commit(project, git, "two", src__model=with_line(20, "twenty"))
    second = run("second", wait=wait)
    write(project, src__model=with_line(20, "vingt"))
    third = run("third", wait=wait)
    commit(project, git, "three")
    git(project, "checkout", "-q", "main")
    commit(project, git, "main goes on", other="x\n")
    git(project, "checkout", "-q", "feature")
    git(project, "rebase", "-q", "main")
    git(project, "branch", "-q", "-m", "renamed")

    new = git(project, "rev-list", "--reverse", "main..HEAD").split()
    assert [(oid, "patch-id") for oid in new] == [by(first), by(second), by(third)]
    assert {"first", "second", "third"} == names("renamed")
    assert set() == names("main")


@pytest.mark.parametrize("wait", [True, False])
def test_after_a_squash_merge_on_the_host_the_last_runs_belong_to_main(
    project: Path, host: Path, git: Git, wait: bool
) -> None:
    """The branch is deleted here and there; main went on meanwhile."""
    commit(project, git, "one", src__model=with_line(5, "five"))
    middle = run("middle", wait=wait)
    commit(project, git, "two", src__model=with_line(5, "fünf"))
    last = run("last", wait=wait)

    squashed = squash_on_the_host(project, host, git)

    assert (squashed, "patch-id") == by(last) == by(last, "origin/main")
    assert by(middle) is None
    assert {"last"} == names("main")
    assert {"middle", "last"} == names("feature"), "the name of the branch is remembered"


def test_uncommitted_changes_belong_to_the_squash_merge_that_brought_them(project: Path, host: Path, git: Git) -> None:
    commit(project, git, "one", src__model=with_line(5, "five"))
    write(project, src__model=with_line(5, "fünf"))
    run_id = run("dirty")
    commit(project, git, "two")

    squashed = squash_on_the_host(project, host, git)

    assert (squashed, "patch-id") == by(run_id)
    assert {"dirty"} == names("main")


def test_a_run_of_a_branch_that_was_merged_and_deleted_keeps_its_commit(project: Path, git: Git) -> None:
    head = commit(project, git, "one", a="1")
    run_id = run("r")
    git(project, "checkout", "-q", "main")
    git(project, "merge", "-q", "--no-ff", "-m", "merge", "feature")
    git(project, "branch", "-q", "-d", "feature")

    assert (head, "commit") == by(run_id)
    assert {"r"} == names("main")


def test_a_run_of_a_branch_that_was_thrown_away_belongs_nowhere(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    run_id = run("r")
    git(project, "checkout", "-q", "main")
    git(project, "branch", "-q", "-D", "feature")
    git(project, "reflog", "expire", "--expire=now", "--all")
    git(project, "gc", "-q", "--prune=now")

    assert by(run_id) is None
    assert set() == names("main")
    assert {"r"} == names("feature")


# -- declared code paths -----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["file", "list", "git", "git, twice"])
def test_while_the_declared_code_is_the_same_words_may_change(project: Path, git: Git, where: str) -> None:
    if where == "git":
        git(project, "config", "ledgit.codePath", "src, conf,")
    elif where == "git, twice":
        git(project, "config", "--add", "ledgit.codePath", "src/")
        git(project, "config", "--add", "ledgit.codePath", "./conf")
    else:
        write(
            project, **{".ledgit/config.yaml": "code_paths: [src, conf]\n" if where == "list" else "code_paths: src\n"}
        )
    commit(project, git, "one", src__model="new\n", conf__a="1", readme="1\n")
    run_id = run("r")
    commit(project, git, "two", readme="2\n")
    git(project, "reset", "-q", "--soft", "main")
    one = commit(project, git, "both in one")
    git(project, "branch", "-q", "-m", "renamed")

    _, found, _ = recorded(run_id)
    expected = {path: git(project, "rev-parse", f"HEAD:{path}") for path in ("src", "conf")[: 1 + (where != "file")]}
    assert expected == dict(found.record().info.code.subtrees) == dict(found.code.subtrees)
    assert (one, "subtree") == by(run_id)
    assert {"r"} == names("renamed")
    assert set() == names("main")


def test_a_run_whose_declared_code_changed_does_not_belong(project: Path, git: Git) -> None:
    git(project, "config", "ledgit.codePath", "src")
    commit(project, git, "one", src__model="new\n", readme="1\n")
    run_id = run("r")
    git(project, "reset", "-q", "--hard", "main")
    commit(project, git, "other", src__model="other\n", readme="1\n")

    assert by(run_id) is None


@pytest.mark.parametrize("value", ["../elsewhere", "/etc", "a/../../b", ".git/hooks", "a\tb"])
def test_a_code_path_outside_is_said_and_the_code_is_recorded_all_the_same(project: Path, git: Git, value: str) -> None:
    git(project, "config", "ledgit.codePath", value)
    opened = open_repository()
    active = opened.start_run(RunStart(name="r"))
    active.finish()

    assert ["code_path" in text or "codePath" in text for text in active.problems] == [True]
    code = opened.run("r").record().info.code
    assert (code.commit, dict(code.subtrees)) == (git(project, "rev-parse", "HEAD"), {})


def test_very_many_code_paths_are_in_the_run_and_not_in_its_line(project: Path, git: Git) -> None:
    """A line has 4,096 bytes; readers find them in the run's commit."""
    folders = [f"package_{number}" for number in range(20)]
    git(project, "config", "ledgit.codePath", ",".join(folders))
    commit(project, git, "one", **{f"{folder}__a": folder for folder in folders})
    run_id = run("r")

    opened, found, _ = recorded(run_id)
    line = git(project, "show", f"{found.head}:.ledgit/run/entry.json")
    assert (decode_entry(line.encode()).left, len(line) < 4096) == ({"subtrees": 20}, True)
    assert set(folders) == set(found.code.subtrees)
    git(project, "commit", "-q", "--amend", "--allow-empty", "-m", "again")
    commit(project, git, "two", readme="changed")
    git(project, "reset", "-q", "--soft", "main")
    commit(project, git, "one commit")
    assert by(run_id) == (git(project, "rev-parse", "HEAD"), "subtree")
    opened.index.close()


# -- what is remembered ------------------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many codes were looked at, call by call."""
    calls: list[int] = []

    class Counting(Branch):
        def links(self, wanted):  # type: ignore[no-untyped-def]
            if wanted:
                calls.append(len(wanted))
            return super().links(wanted)

    monkeypatch.setattr(index_links_module, "Branch", Counting)
    return calls


def test_answers_are_kept_until_the_branch_moves(project: Path, git: Git, looked: list[int]) -> None:
    commit(project, git, "one", a="1")
    run("a")
    run("b")
    git(project, "commit", "-q", "--amend", "-m", "other words")
    git(project, "branch", "-q", "-m", "renamed")

    assert ({"a", "b"}, [1]) == (names("renamed"), looked), "one code, two runs"
    assert ({"a", "b"}, [1]) == (names("renamed"), looked)
    commit(project, git, "two", a="2")
    assert ({"a", "b"}, [1, 1]) == (names("renamed"), looked)
    run("c")
    assert ({"a", "b", "c"}, [1, 1, 1]) == (names("renamed"), looked), "only the new code"


def test_the_index_can_be_deleted_and_says_the_same(project: Path, git: Git) -> None:
    commit(project, git, "one", src__model=with_line(20, "zwanzig"))
    run_id = run("r")
    git(project, "checkout", "-q", "main")
    commit(project, git, "main goes on", other="x\n")
    git(project, "checkout", "-q", "feature")
    git(project, "rebase", "-q", "main")
    git(project, "branch", "-q", "-m", "renamed")
    before = names("renamed"), by(run_id), names("main")
    (project / ".git/ledgit/index.sqlite3").unlink()

    assert before == (names("renamed"), by(run_id), names("main")) == ({"r"}, by(run_id), set())


def test_a_shallow_clone_that_is_deepened_says_what_a_whole_one_says(
    project: Path, host: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be seen in a part of the history is not taken for an answer."""
    commit(project, git, "one", src__model=with_line(5, "five"))
    run_id = run("r")
    squash_on_the_host(project, host, git)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tmp_path}/host.git", "part")
    part = tmp_path / "part"
    git(part, "fetch", "-q", str(project), "refs/ledgit/runs/*:refs/ledgit/runs/*")
    monkeypatch.chdir(part)
    assert (set(), None) == (names("main"), by(run_id))

    git(part, "fetch", "-q", "--unshallow", "origin")

    assert ({"r"}, (git(part, "rev-parse", "main"), "patch-id")) == (names("main"), by(run_id))


def copy_objects(source: Path, target: Path, *revs: str) -> None:
    """Bring the objects of these revisions into another repository, as no ``git fetch`` would."""
    request = "".join(f"{rev}\n" for rev in revs).encode()
    pack = subprocess.run(
        ["git", "pack-objects", "-q", "--revs", "--stdout"], cwd=source, input=request, capture_output=True, check=True
    )
    subprocess.run(["git", "unpack-objects", "-q"], cwd=target, input=pack.stdout, check=True)


def test_a_code_that_is_not_in_this_clone_is_looked_for_again(
    project: Path, host: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose commit came without its parent: once that is there, so is the answer."""
    commit(project, git, "one", src__model=with_line(5, "five"))
    run_id = run("r")
    squash_on_the_host(project, host, git)
    git(tmp_path, "clone", "-q", f"file://{tmp_path}/host.git", "part")
    part = tmp_path / "part"
    head = git(project, "rev-parse", f"refs/ledgit/runs/{run_id}")
    copy_objects(project, part, head, f"^{head}~")
    (part / ".git/refs/ledgit/runs").mkdir(parents=True)
    (part / ".git/refs/ledgit/runs" / run_id).write_text(f"{head}\n")
    monkeypatch.chdir(part)
    assert (set(), None) == (names("main"), by(run_id))

    copy_objects(project, part, f"{head}~", "^main~")

    assert ({"r"}, (git(part, "rev-parse", "main"), "patch-id")) == (names("main"), by(run_id))


def test_old_tips_are_forgotten(project: Path, git: Git) -> None:
    run("r")
    for number in range(8):
        commit(project, git, str(number))
        assert {"r"} == names("HEAD")

    opened = open_repository()
    opened.index.refresh()
    database = opened.index._database
    assert database is not None
    assert 4 == database.db.execute("SELECT count(*) FROM tip").fetchone()[0]
    assert 4 == database.db.execute("SELECT count(DISTINCT tip) FROM link").fetchone()[0]


def test_a_revision_that_does_not_exist_is_an_error_for_one_run_and_a_name_for_lists(project: Path) -> None:
    run_id = run("r")

    with pytest.raises(NotFound):
        open_repository().run(run_id).links("nothing")
    assert set() == names("nothing")


# -- the command line --------------------------------------------------------------------------


def ledgit(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "ledgit", *words], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_show_says_where_the_code_is_now(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    run_id = ledgit("record", "-p", "lr=0.1").strip()
    assert "belongs to" not in ledgit("show", run_id), "its own commit is there"
    git(project, "commit", "-q", "--amend", "-m", "other words")
    head = git(project, "rev-parse", "HEAD")

    assert f"belongs to  {head[:12]} of the current branch, which has the same files (by tree)" in ledgit(
        "show", run_id
    )
    assert "belongs to  no commit of main" in ledgit("show", run_id, "--branch", "main")
    assert f'"link": {{\n    "commit": "{head}",\n    "by": "tree"\n  }}' in ledgit("show", run_id, "--json")
