"""Which run belongs to which commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import GitFailed, NotFound
from ledgit.git import (
    CodeFacts,
    Link,
    Repo,
    SnapshotOptions,
    find_base,
    merge_base,
    patch_id,
    reachable,
    resolve_links,
    take_snapshot,
)

Git = Callable[..., str]
LINES = "".join(f"line {number}\n" for number in range(40))


def commit(repo: Path, git: Git, message: str, **files: str) -> str:
    for name, content in files.items():
        path = repo / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    git(repo, "add", ".")
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def project(repo: Path, git: Git) -> Path:
    """``main`` with some code, and a branch ``feature`` checked out."""
    commit(repo, git, "base", src__model=LINES, readme="r\n")
    git(repo, "checkout", "-q", "-b", "feature")
    return repo


def run_here(repo: Path, *, code_paths: tuple[str, ...] = ()) -> CodeFacts:
    """What a run started now would remember."""
    opened = Repo.discover(str(repo))
    snapshot = take_snapshot(opened, SnapshotOptions(code_paths=code_paths))
    assert snapshot.tree is not None
    base = find_base(opened)
    start = merge_base(opened, snapshot.commit, base) if base and snapshot.commit else None
    return CodeFacts(snapshot.commit, snapshot.tree, snapshot.subtrees, patch_id(opened, start, snapshot.tree))


def advance_main(repo: Path, git: Git, **files: str) -> None:
    git(repo, "checkout", "-q", "main")
    commit(repo, git, "main goes on", **(files or {"other": "x\n"}))
    git(repo, "checkout", "-q", "feature")


def test_reachable_commits_are_those_git_lists(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    opened = Repo.discover()

    assert reachable(opened, "feature") == set(git(project, "rev-list", "feature").split())
    assert reachable(opened, "main..feature") == set(git(project, "rev-list", "main..feature").split())
    assert reachable(opened, "feature..main") == set()


@pytest.mark.parametrize("rev", ["nothing", "nothing..main", "--all", "-1"])
def test_an_unknown_revision_is_named(project: Path, rev: str) -> None:
    """Also one that would be an option to git."""
    with pytest.raises(NotFound) as caught:
        reachable(Repo.discover(), rev)

    assert caught.value.ref == rev


def test_a_run_belongs_to_its_commit(project: Path, git: Git) -> None:
    head = commit(project, git, "one", a="1")
    facts = run_here(project)
    commit(project, git, "two", a="2")

    links = resolve_links(Repo.discover(), "feature", {"r": facts})

    assert links == {"r": Link(head, "commit")}


def test_a_run_with_uncommitted_changes_belongs_to_the_commit_below(project: Path, git: Git) -> None:
    head = commit(project, git, "one", a="1")
    (project / "a").write_text("tried out")

    assert resolve_links(Repo.discover(), "feature", {"r": run_here(project)}) == {"r": Link(head, "commit")}


def test_a_run_of_another_branch_does_not_belong(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    facts = run_here(project)

    assert resolve_links(Repo.discover(), "main", {"r": facts}) == {}


def test_after_amending_the_message_the_tree_tells(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    facts = run_here(project)
    git(project, "commit", "-q", "--amend", "-m", "better words")
    amended = git(project, "rev-parse", "HEAD")
    commit(project, git, "two", a="2")

    assert resolve_links(Repo.discover(), "feature", {"r": facts}) == {"r": Link(amended, "tree")}


def test_a_run_with_changes_belongs_to_the_commit_that_made_them_permanent(project: Path, git: Git) -> None:
    """Amended into the commit it ran on, that one is gone; the tree the run had is the new one's."""
    commit(project, git, "one", a="1")
    (project / "a").write_text("2")
    facts = run_here(project)
    git(project, "commit", "-q", "-a", "--amend", "--no-edit")

    links = resolve_links(Repo.discover(), "feature", {"r": facts})

    assert links == {"r": Link(git(project, "rev-parse", "HEAD"), "tree")}


def test_after_a_rebase_the_patch_tells(project: Path, git: Git) -> None:
    commit(project, git, "one", src__model=LINES.replace("line 20", "line twenty"))
    first = run_here(project)
    commit(project, git, "two", src__model=LINES.replace("line 20", "line zwanzig"))
    second = run_here(project)
    advance_main(project, git)
    git(project, "rebase", "-q", "main")

    links = resolve_links(Repo.discover(), "feature", {"1": first, "2": second})

    one, two = git(project, "rev-parse", "feature~", "feature").split()
    assert links == {"1": Link(one, "patch-id"), "2": Link(two, "patch-id")}


def test_after_a_rebase_declared_code_paths_tell_before_the_patch(project: Path, git: Git) -> None:
    commit(project, git, "one", src__model="new\n")
    facts = run_here(project, code_paths=("src",))
    commit(project, git, "two", readme="only words\n")
    advance_main(project, git)
    git(project, "rebase", "-q", "main")

    links = resolve_links(Repo.discover(), "feature", {"r": facts})

    assert links == {"r": Link(git(project, "rev-parse", "feature~"), "subtree")}


def test_all_declared_code_paths_must_be_the_same(project: Path, git: Git) -> None:
    commit(project, git, "one", src__model="new\n", conf__a="1")
    facts = run_here(project, code_paths=("src", "conf"))._replace(patch_id=None)
    git(project, "reset", "-q", "--hard", "main")
    commit(project, git, "one again", src__model="new\n", conf__a="2", third="x")

    assert resolve_links(Repo.discover(), "feature", {"r": facts}) == {}


def test_after_a_squash_merge_the_patch_tells(project: Path, git: Git) -> None:
    """The host's merge button: one new commit on main, the branch deleted."""
    commit(project, git, "one", src__model=LINES.replace("line 5\n", "five\n"))
    middle = run_here(project)
    commit(project, git, "two", src__model=LINES.replace("line 5\n", "fünf\n"), b="1\n")
    last = run_here(project)
    advance_main(project, git)
    git(project, "checkout", "-q", "main")
    git(project, "merge", "-q", "--squash", "feature")
    git(project, "commit", "-q", "-m", "feature (#1)")
    git(project, "branch", "-q", "-D", "feature")

    links = resolve_links(Repo.discover(), "main", {"middle": middle, "last": last})

    assert links == {"last": Link(git(project, "rev-parse", "main"), "patch-id")}


def test_after_a_squash_merge_on_a_main_that_stood_still_the_tree_tells(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    commit(project, git, "two", a="2")
    facts = run_here(project)
    git(project, "checkout", "-q", "main")
    git(project, "merge", "-q", "--squash", "feature")
    git(project, "commit", "-q", "-m", "feature (#1)")

    assert resolve_links(Repo.discover(), "main", {"r": facts})["r"].by == "tree"


def test_after_deleting_a_merged_branch_the_commit_still_tells(project: Path, git: Git) -> None:
    head = commit(project, git, "one", a="1")
    facts = run_here(project)
    advance_main(project, git)
    git(project, "checkout", "-q", "main")
    git(project, "merge", "-q", "--no-ff", "-m", "merge", "feature")
    git(project, "branch", "-q", "-d", "feature")

    assert resolve_links(Repo.discover(), "main", {"r": facts}) == {"r": Link(head, "commit")}


def test_of_commits_with_the_same_tree_the_one_that_brought_it_in_is_meant(project: Path, git: Git) -> None:
    first = commit(project, git, "one", a="1")
    facts = run_here(project)._replace(commit=None)
    commit(project, git, "empty")
    commit(project, git, "another", a="2")
    commit(project, git, "back", a="1")

    assert resolve_links(Repo.discover(), "feature", {"r": facts}) == {"r": Link(first, "tree")}


def test_a_run_that_knows_nothing_belongs_nowhere(project: Path) -> None:
    assert resolve_links(Repo.discover(), "feature", {"r": CodeFacts()}) == {}


def test_many_runs_and_commits_are_resolved_at_once(project: Path, git: Git) -> None:
    """More requests than the pipes between the processes hold."""
    facts = {}
    lines = [f"line {number}\n" for number in range(400)]
    commit(project, git, "start", src__model="".join(lines))
    git(project, "branch", "-q", "-f", "main", "feature")
    for number in range(130):
        lines[number * 3] = f"changed {number}\n"
        (project / "src/model").write_text("".join(lines))
        git(project, "commit", "-q", "-am", str(number))
        tree = git(project, "rev-parse", "HEAD^{tree}")
        if number % 30 == 0:
            facts[str(number)] = CodeFacts(None, None, {}, patch_id(Repo.discover(), "main", tree))
    before = git(project, "rev-list", "--reverse", "main..feature").split()
    advance_main(project, git)
    git(project, "rebase", "-q", "main")
    after = git(project, "rev-list", "--reverse", "main..feature").split()
    assert not set(before) & set(after)

    links = resolve_links(Repo.discover(), "feature", facts)

    assert links == {number: Link(after[int(number)], "patch-id") for number in facts}


def test_the_patch_id_is_gits_own(project: Path, git: Git) -> None:
    commit(project, git, "one", src__model=LINES.replace("line 20", "line twenty"), b="1\n")
    diff = git(project, "diff", "main", "feature") + "\n"

    expected = git(project, "patch-id", "--stable", stdin=diff.encode()).split()[0]

    assert patch_id(Repo.discover(), "main", "feature") == expected


def test_the_patch_id_does_not_depend_on_the_users_diff_settings(
    project: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(project, git, "one", src__model=LINES.replace("line 20", "line twenty"), moved=LINES)
    opened = Repo.discover()
    expected = patch_id(opened, "main", "feature")
    for name, value in {
        "diff.context": "10",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.renames": "copies",
        "diff.algorithm": "histogram",
        "diff.external": "false",
        "color.ui": "always",
        "diff.orderFile": "order",
    }.items():
        git(project, "config", name, value)
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-U10")

    assert patch_id(opened, "main", "feature") == expected


def test_run_files_do_not_count_in_the_patch_id(project: Path, git: Git) -> None:
    commit(project, git, "one", a="1")
    without = patch_id(Repo.discover(), "main", "feature")
    (project / ".ledgit/run").mkdir(parents=True)
    (project / ".ledgit/run/params.yaml").write_text("a: 1\n")
    git(project, "add", "-f", ".")
    git(project, "commit", "-qm", "run files")

    assert patch_id(Repo.discover(), "main", "feature") == without


def test_nothing_changed_has_no_patch_id(project: Path) -> None:
    assert patch_id(Repo.discover(), "main", "feature") is None


def test_without_a_base_everything_is_the_change(project: Path) -> None:
    assert patch_id(Repo.discover(), None, "main") is not None


def test_a_missing_tree_is_gits_error(project: Path) -> None:
    with pytest.raises(GitFailed):
        patch_id(Repo.discover(), "main", "1" * 40)


def test_a_large_difference_does_not_lock_up(project: Path, git: Git) -> None:
    commit(project, git, "large", large="".join(f"{number}\n" for number in range(200_000)))

    assert patch_id(Repo.discover(), "main", "feature") is not None


def test_the_base_is_the_remotes_default_branch_else_main(project: Path, git: Git, tmp_path: Path) -> None:
    opened = Repo.discover()
    assert find_base(opened) == git(project, "rev-parse", "main")
    git(project, "branch", "-m", "main", "trunk")
    assert find_base(opened) is None
    git(project, "checkout", "-q", "trunk")
    git(tmp_path, "clone", "-q", str(project), "clone")

    assert find_base(Repo.discover(str(tmp_path / "clone"))) == git(project, "rev-parse", "trunk")


def test_histories_without_a_common_commit_have_no_merge_base(project: Path, git: Git) -> None:
    git(project, "checkout", "-q", "--orphan", "alone")
    commit(project, git, "alone", a="1")

    assert merge_base(Repo.discover(), "alone", "main") is None
    assert merge_base(Repo.discover(), "main", "feature") == git(project, "rev-parse", "main")
