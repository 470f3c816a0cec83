"""Runs and the commits their code is in, after amending, rebasing and squash merges (DESIGN 2.6)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import NotFound
from ledgit.git import Branch, code_patch_ids, find_base
from ledgit.records import decode_entry, decode_run
from ledgit.repository import Repository, Run, open_repository
from ledgit.store import ActiveRun, RunStart, patchid
from ledgit.store import index_links as index_links_module

Git = Callable[..., str]
LINES = [f"line {number}\n" for number in range(40)]


def with_line(number: int, text: str) -> str:
    lines = list(LINES)
    lines[number] = f"{text}\n"
    return "".join(lines)


def write(repo: Path, **files: str) -> None:
    for name, content in files.items():
        path = repo / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commit(repo: Path, git: Git, message: str, **files: str) -> str:
    write(repo, **files)
    git(repo, "add", ".")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def project(repo: Path, git: Git) -> Path:
    """``main`` with some code, and a branch ``feature`` checked out."""
    commit(repo, git, "base", src__model="".join(LINES), readme="r\n")
    git(repo, "checkout", "-q", "-b", "feature")
    return repo


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


def run(name: str, repo: Path | None = None, *, wait: bool = False) -> str:
    """Make a run called *name*; with *wait* one that lasts until its patch-id was recorded."""
    opened = open_repository(repo)
    active = opened.start_run(RunStart(name=name))
    if wait:
        assert active._facts is not None
        active._facts.join()
        for thread in threading.enumerate():
            if thread.name == "ledgit-patch-id":
                thread.join()
    active.finish()
    assert not active.problems
    return active.id


def names(branch: str) -> set[str]:
    return {found.name for found in open_repository().runs.branch(branch)}


def by(run_id: str, rev: str = "HEAD") -> tuple[str, str] | None:
    link = open_repository().run(run_id).links(rev)
    return None if link is None else (link.commit, link.by)


def recorded(run_id: str) -> tuple[Repository, Run, str | None]:
    opened = open_repository()
    found = opened.run(run_id)
    return opened, found, found.record().info.code.patch_id


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


# -- what is recorded, and when ----------------------------------------------------------------


def test_the_patch_id_is_in_the_run_and_in_its_line(project: Path, git: Git) -> None:
    """The same as Git's own, of all changes since main, uncommitted ones included."""
    commit(project, git, "one", src__model=with_line(3, "three"))
    write(project, src__model=with_line(9, "nine"))
    patchid._known.clear()
    run_id = run("r", wait=True)

    diff = git(project, "diff", "--full-index", "main") + "\n"
    expected = git(project, "patch-id", "--stable", stdin=diff.encode()).split()[0]
    _, found, patch = recorded(run_id)
    assert (expected, expected) == (patch, found.code.patch_id)
    line = git(project, "show", f"{found.head}:.ledgit/run/entry.json")
    assert decode_entry(line.encode()).code.patch_id == expected
    assert ["commit", "tree", "branch", "dirty"] == list(found.to_dict()["code"])


def test_a_sweep_asks_git_once(project: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run of the same code has its patch-id at once, however short it is."""
    commit(project, git, "one", a="1")
    patchid._known.clear()
    run("first", wait=True)
    monkeypatch.setattr(patchid, "_find", lambda *_: pytest.fail("asked again"))
    second = run("second")

    assert recorded(second)[2] is not None
    commit(project, git, "two", a="2")
    assert recorded(run("third"))[2] is None


def test_a_run_that_ends_does_not_wait_for_its_patch_id(
    project: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never looked for in a short run; in a long one the end does not wait for the answer."""
    commit(project, git, "one", a="1")
    patchid._known.clear()
    asked, answer = threading.Event(), threading.Event()

    def slow(*_: object) -> str:
        asked.set()
        answer.wait()
        return "f" * 40

    monkeypatch.setattr(patchid, "_find", slow)
    short = run("short")
    assert not asked.is_set()
    active = open_repository().start_run(RunStart(name="long"))
    assert asked.wait(30)
    active.finish()
    answer.set()
    for thread in threading.enumerate():
        if thread.name == "ledgit-patch-id":
            thread.join()

    assert [None, None] == [recorded(run_id)[2] for run_id in (short, active.id)]
    assert ("finished", []) == (active.status.lower(), active.problems)


@pytest.mark.parametrize("state", ["main", "main, changed", "unborn", "detached at main", "no main"])
def test_where_there_is_nothing_to_compare_with_no_thread_is_started(
    project: Path, git: Git, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patchid._known.clear()
    monkeypatch.setattr(patchid, "record_patch_id", lambda *_: pytest.fail("a thread"))
    monkeypatch.setattr("ledgit.store.collect.record_patch_id", lambda *_: pytest.fail("a thread"))
    if state.startswith("main"):
        git(project, "checkout", "-q", "main")
    if state == "main, changed":
        write(project, a="changed")
    elif state == "detached at main":
        git(project, "checkout", "-q", "--detach", "main")
    elif state == "no main":
        git(project, "branch", "-q", "-D", "main")
    elif state == "unborn":
        git(project, "checkout", "-q", "--orphan", "empty")

    assert recorded(run("r"))[2] is None


def test_a_running_run_is_listed_with_what_it_knows(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    patchid._known.clear()
    active = open_repository().start_run(RunStart(name="live"))
    assert active._facts is not None
    active._facts.join()
    for thread in threading.enumerate():
        if thread.name == "ledgit-patch-id":
            thread.join()
    try:
        found = open_repository().run("live")
        assert found.code.patch_id == found.record().info.code.patch_id is not None
        git(project, "commit", "-q", "--amend", "-m", "other words")
        git(project, "branch", "-q", "-m", "renamed")
        assert {"live"} == names("renamed")
        assert (git(project, "rev-parse", "HEAD"), "tree") == by(active.id)
    finally:
        active.finish()


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


def test_patch_ids_found_later_are_those_that_would_have_been_recorded(project: Path, git: Git) -> None:
    """Of many runs at once, on several commits."""
    codes = {}
    for number in range(5):
        commit(project, git, str(number), src__model=with_line(number, "new"))
        patchid._known.clear()
        _, found, patch = recorded(run(f"clean-{number}", wait=True))
        codes[found.code.commit, found.code.tree] = patch
        write(project, extra=str(number))
        patchid._known.clear()
        _, found, patch = recorded(run(f"dirty-{number}", wait=True))
        codes[found.code.commit, found.code.tree] = patch

    opened = open_repository().repo
    gone = ("1" * 40, "2" * 40)
    assert codes == code_patch_ids(opened, [*codes, gone], find_base(opened))  # type: ignore[list-item]
    assert len(codes) == len(set(codes.values())) == 10


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


def test_run_yaml_keeps_what_links_need(project: Path, git: Git) -> None:
    """An edit or a resumed session writes the file again, with nothing lost."""
    git(project, "config", "ledgit.codePath", "src")
    commit(project, git, "one", a="1")
    patchid._known.clear()
    run_id = run("r", wait=True)
    opened, found, patch = recorded(run_id)
    found.set_tags({"seen": "yes"})
    again = ActiveRun.resume(opened.repo, run_id)
    again.log_metric("late", 1.0)
    again.finish()

    _, found, later = recorded(run_id)
    data = git(project, "show", f"{found.head}:.ledgit/run/run.yaml").encode()
    assert patch == later == decode_run(data).code.patch_id is not None
    assert {"src": git(project, "rev-parse", "HEAD:src")} == dict(found.code.subtrees)
