"""What a run records of its code beside the commit, and that nothing waits for it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.store.code_kit import Git, by, commit, names, recorded, run, wait_for_patch_id, with_line, write

from ledgit.git import code_patch_ids, find_base
from ledgit.records import decode_entry, decode_run
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, RunStart, patchid

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
    wait_for_patch_id(active)
    try:
        found = open_repository().run("live")
        assert found.code.patch_id == found.record().info.code.patch_id is not None
        git(project, "commit", "-q", "--amend", "-m", "other words")
        git(project, "branch", "-q", "-m", "renamed")
        assert {"live"} == names("renamed")
        assert (git(project, "rev-parse", "HEAD"), "tree") == by(active.id)
    finally:
        active.finish()


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
