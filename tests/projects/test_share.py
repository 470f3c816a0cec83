"""``ledgit.project.share``: data, then branch, then tag; and whoever gets it can run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.projects.sharekit import SNIPPET, killed, killing_hook, run_python, set_remotes, write_files

import ledgit
from ledgit.cli import main
from ledgit.errors import Conflict, LedgitError, NoRemote, PolicyRefused, UsageError, VersionExists
from ledgit.projects.secrets import SecretFound

Capture = pytest.CaptureFixture[str]
FILES = ["data.csv", "model.py", "train.py"]
SHARE = 'import ledgit\nledgit.project.share("my_project")\n'


@pytest.fixture
def remotes(workspace: Path) -> tuple[Path, Path]:
    """The folder is a repository with a Git remote and a DVC remote; nothing is a project yet."""
    run_git(workspace, "init", "-q")
    return set_remotes(workspace)


@pytest.fixture
def project(workspace: Path, remotes: tuple[Path, Path]) -> Path:
    """A project with its files, never shared."""
    ledgit.project.create("my_project")
    ledgit.project.add_files(FILES, project_name="my_project")
    return workspace


def refs_of(bare: Path) -> dict[str, str]:
    """What a remote has: name → id."""
    listed = run_git(bare, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in listed)


def objects_of(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_the_snippet_runs_word_for_word(workspace: Path, remotes: tuple[Path, Path]) -> None:
    """Create, add, share; others clone it, get the data from DVC, and MLflow finds it at the address and version."""
    bare, store = remotes

    done = run_python(workspace, SNIPPET + "print(mlflow.project.share(project))\n")

    assert 0 == done.returncode, done.stderr
    assert f"my_project v1.0.0: ledgit run file://{bare} -v my_project@v1.0.0 -e train\n" == done.stdout
    refs = refs_of(bare)
    assert refs["refs/heads/main"] == run_git(workspace, "rev-parse", "HEAD")
    assert refs["refs/ledgit/versions/my_project/1"] == refs["refs/tags/my_project@v1.0.0"]
    assert 1 == len(objects_of(store))
    shared = ledgit.project.share("my_project")
    assert (False, "v1.0.0", refs["refs/heads/main"]) == (shared.new, shared.version, shared.commit)
    from mlflow.projects.utils import _fetch_git_repo  # what 'mlflow run' does with a Git address

    for version in (shared.tag, shared.commit, None):
        fetched = workspace.parent / f"mlflow-{version}"
        _fetch_git_repo(shared.uri, version, str(fetched))
        assert (fetched / "MLproject").is_file()


def test_others_run_it_by_its_address(
    project: Path, remotes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """In an empty folder, with the data from the DVC remote; once more without that, from what was fetched."""
    shared = ledgit.project.share("my_project")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    project.rename(tmp_path / "gone")

    for _ in range(2):
        assert 0 == main(["run", shared.uri, "-v", shared.tag, "-e", "train", "--env-manager", "local"])
        assert "rows 40001 alpha 0.5" in capfd.readouterr().out
        remotes[1].rename(tmp_path / "store-gone") if remotes[1].exists() else None


def test_a_project_in_a_folder_has_an_address_with_that_folder(workspace: Path, remotes: tuple[Path, Path]) -> None:
    """``ADDRESS#FOLDER``; what is not committed elsewhere in the repository is nobody's business."""
    ledgit.project.create("wine", "models/wine")
    write_files(workspace / "models" / "wine", rows=3)
    ledgit.project.add_files([f"models/wine/{name}" for name in FILES], project_name="wine")

    shared = ledgit.project.share("wine")

    assert f"file://{remotes[0]}#models/wine" == shared.uri
    assert "?? data.csv\n?? model.py\n?? train.py" == run_git(workspace, "status", "--porcelain")


def test_what_is_not_committed_is_listed_and_nothing_goes(project: Path, remotes: tuple[Path, Path]) -> None:
    """Changed and staged files, and data that are not what their pointer says."""
    (project / "model.py").write_text("changed\n")
    (project / "new.py").write_text("new\n")
    run_git(project, "add", "new.py")

    with pytest.raises(Conflict, match=r" M model\.py\n  A  new\.py"):
        ledgit.project.share("my_project")
    run_git(project, "rm", "-q", "--cached", "new.py")

    run_git(project, "checkout", "-q", "model.py")
    (project / "new.py").unlink()
    (project / "data.csv").write_text("changed\n")
    with pytest.raises(Conflict, match=r"M  data\.csv"):
        ledgit.project.share("my_project")
    assert {} == refs_of(remotes[0])
    assert [] == objects_of(remotes[1])


def test_files_that_nobody_added_are_named(project: Path) -> None:
    """The script that shares the project may well lie in its folder."""
    (project / "go.py").write_text("...\n")

    shared = ledgit.project.share("my_project")

    assert ["go.py is not in it, because nobody added it"] == shared.notes


def test_a_secret_that_was_committed_by_hand_stays_here(project: Path, remotes: tuple[Path, Path]) -> None:
    """Git would have taken it."""
    (project / "settings.py").write_text("KEY = '" + "AKIA" + "QWERTYUIOPASDFGH'\n")
    run_git(project, "add", "settings.py")
    run_git(project, "commit", "-q", "-m", "oops")

    with pytest.raises(SecretFound, match=r"settings\.py:1"):
        ledgit.project.share("my_project")
    assert {} == refs_of(remotes[0])


def test_the_branch_waits_for_the_data(project: Path, remotes: tuple[Path, Path]) -> None:
    """Where they can't be sent, nobody gets code without them, and no version is made."""
    bare, store = remotes
    store.write_text("a file where the folder should be\n")

    with pytest.raises(LedgitError):
        ledgit.project.share("my_project")
    assert {} == refs_of(bare)
    assert "" == run_git(project, "tag")

    store.unlink()
    (project / ".dvc" / "config").write_text("")
    run_git(project, "commit", "-q", "-am", "no remote")
    with pytest.raises(NoRemote, match=r"DVC keeps data\.csv, and has no default remote"):
        ledgit.project.share("my_project")
    assert {} == refs_of(bare)


def test_a_branch_is_never_forced(project: Path, remotes: tuple[Path, Path], tmp_path: Path) -> None:
    """Somebody else's commits stay; no version is made."""
    ledgit.project.share("my_project")
    run_git(tmp_path, "clone", "-q", str(remotes[0]), "other")
    run_git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "theirs")
    run_git(tmp_path / "other", "push", "-q")
    theirs = refs_of(remotes[0])["refs/heads/main"]
    (project / "model.py").write_text("changed\n")
    ledgit.project.add_files(["model.py"])

    with pytest.raises(Conflict, match=r"main on .* has commits that are not here; 'git pull'"):
        ledgit.project.share("my_project")

    assert theirs == refs_of(remotes[0])["refs/heads/main"]
    assert "my_project@v1.0.0" == run_git(project, "tag")


def test_each_change_is_a_version(project: Path) -> None:
    """The next minor one, or what is asked for; the same files have the version they had."""
    assert "v1.0.0" == ledgit.project.share("my_project").version
    (project / "model.py").write_text("changed\n")
    ledgit.project.add_files(["model.py"])
    assert "v1.1.0" == ledgit.project.share("my_project").version
    assert "v1.1.0" == ledgit.project.share("my_project", version="1.1.0").version
    assert "v3.0.0" == ledgit.project.share("my_project", version="v3.0.0").version
    with pytest.raises(VersionExists, match=r"next free version is v1\.0\.1"):
        ledgit.project.share("my_project", version="v1.0.0")
    assert "v3.0.0" == ledgit.project.share(ledgit.project.create("my_project")).version


def test_a_version_that_somebody_else_took_meanwhile_stays_theirs(
    project: Path, remotes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours, which nobody has seen, is made anew as the next one."""
    ledgit.project.share("my_project")
    run_git(tmp_path, "clone", "-q", str(remotes[0]), "other")
    (project / "model.py").write_text("changed here\n")
    ledgit.project.add_files(["model.py"])
    assert "v1.1.0" == ledgit.project.share("my_project", bundle=tmp_path / "b").version  # tagged here alone
    monkeypatch.chdir(tmp_path / "other")
    theirs = ledgit.project.share("my_project", version="v1.1.0")

    monkeypatch.chdir(project)
    ours = ledgit.project.share("my_project")

    assert ("v1.1.0", "v1.2.0", []) == (theirs.version, ours.version, ours.notes)
    refs = refs_of(remotes[0])
    assert theirs.commit == run_git(remotes[0], "rev-parse", "my_project@v1.1.0^{commit}^")
    assert refs["refs/tags/my_project@v1.1.0"] == run_git(project, "rev-parse", "my_project@v1.1.0")
    assert ["1", "2", "3"] == sorted(ref[-1] for ref in refs if "/versions/" in ref)
    assert "" == run_git(project, "for-each-ref", "refs/ledgit/registry")


def test_a_bundles_version_that_somebody_else_took_is_said(
    project: Path, remotes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been given away, so it is the user's to move; the registry's command does it for projects, too."""
    ledgit.project.share("my_project")
    run_git(tmp_path, "clone", "-q", str(remotes[0]), "other")
    ledgit.project.share("my_project", version="v1.1.0", bundle=tmp_path / "b")
    monkeypatch.chdir(tmp_path / "other")
    (tmp_path / "other" / "train.py").write_text("print('theirs')\n")
    ledgit.project.add_files(["train.py"])
    assert "v1.1.0" == ledgit.project.share("my_project").version
    monkeypatch.chdir(project)
    run_git(project, "pull", "-q", "origin", "main")
    (project / "model.py").write_text("changed here\n")
    ledgit.project.add_files(["model.py"])

    ours = ledgit.project.share("my_project")

    (note,) = ours.notes
    assert note.endswith("'ledgit registry move my_project@v1.1.0 v1.1.1' gives yours another version")
    assert 0 == main(["registry", "move", "my_project@v1.1.0", "v1.1.1"])
    assert "Register project my_project v1.1.1" == run_git(project, "log", "-1", "--format=%s", "my_project@v1.1.1")
    assert 0 == main(["registry", "verify", "my_project@v1.1.1"])


@pytest.mark.parametrize(
    "when",
    [
        'echo "$input" | grep -q refs/heads',  # before the branch is there
        'echo "$input" | grep -q refs/tags',  # the version is made here, and not there
    ],
)
def test_killed_on_the_way_it_can_be_repeated(
    project: Path, remotes: tuple[Path, Path], tmp_path: Path, when: str
) -> None:
    """SIGKILL while the remote takes the branch, or the tag: the next call finishes, with one version in all."""
    hook = remotes[0] / "hooks" / "pre-receive"
    killing_hook(hook, tmp_path / "pid", when)

    killed(project, tmp_path / "pid", SHARE)
    before = refs_of(remotes[0])
    hook.unlink()
    done = run_python(project, SHARE)

    assert 0 == done.returncode, done.stderr
    assert "refs/tags/my_project@v1.0.0" not in before
    refs = refs_of(remotes[0])
    assert {"refs/heads/main", "refs/tags/my_project@v1.0.0", "refs/ledgit/versions/my_project/1"} == set(refs)
    assert "" == run_git(project, "for-each-ref", "refs/ledgit/registry")


def test_the_branch_goes_with_the_users_hooks_to_where_it_belongs(project: Path, tmp_path: Path) -> None:
    """Its upstream's name counts, and a pre-push hook (Git LFS sends its files by one) runs, and may refuse."""
    run_git(project, "switch", "-q", "-c", "work")
    run_git(project, "config", "branch.work.remote", "origin")
    run_git(project, "config", "branch.work.merge", "refs/heads/shared/work")
    hook = project / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ncat > {tmp_path / 'pushed'}\n")
    hook.chmod(0o755)

    ledgit.project.share("my_project")

    assert "refs/heads/shared/work" in (tmp_path / "pushed").read_text()
    assert {"refs/heads/shared/work"} == {ref for ref in refs_of(tmp_path / "remote.git") if "heads" in ref}


def test_what_is_missing_is_said(workspace: Path) -> None:
    """No commit, no branch, no remote: each names the next step."""
    run_git(workspace, "init", "-q")
    (workspace / "MLproject").write_text("name: mine\n")
    with pytest.raises(UsageError, match="nothing is committed yet"):
        ledgit.project.share("mine")
    ledgit.project.create("mine")
    ledgit.project.add_files(["model.py", "train.py"])
    (workspace / "data.csv").unlink()
    with pytest.raises(NoRemote, match="git remote add origin URL' adds one, or write a bundle"):
        ledgit.project.share("mine")
    run_git(workspace, "checkout", "-q", "--detach")
    with pytest.raises(UsageError, match="no branch is checked out"):
        ledgit.project.share("mine")


def test_the_policy_says_who_may(project: Path, remotes: tuple[Path, Path]) -> None:
    """As for models; a project has no run that a filter could hold for."""
    (project / ".ledgit").mkdir()
    (project / ".ledgit" / "config.yaml").write_text(
        "registry:\n  policy:\n    - {models: [my_*], events: [register], who: [boss@example.org]}\n"
    )
    run_git(project, "add", ".ledgit/config.yaml")
    run_git(project, "commit", "-q", "-m", "policy")

    with pytest.raises(PolicyRefused, match=r"is for boss@example\.org"):
        ledgit.project.share("my_project")
    assert "refs/tags/my_project@v1.0.0" not in refs_of(remotes[0])
