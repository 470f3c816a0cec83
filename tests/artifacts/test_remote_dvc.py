"""DVC alone gets at a run's artifacts, and its `gc` doesn't."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.artifacts.remote_kit import Clone, dvc, files_below
from tests.conftest import GitFunction

from ledgit.artifacts import DVC_GITIGNORE, Place, dvc_config, find_place, open_remote
from ledgit.records import dvc_pointer

MODEL = ".ledgit/run/artifacts/model.bin"
PART = ".ledgit/run/artifacts/part"


def commit_run(repo: Path, clone: Clone, place: Place, git: GitFunction) -> str:
    """Make a run's commit by hand: a child of HEAD, on no branch, with two pointers and DVC's configuration."""
    existing = repo / ".dvc" / "config"
    files = {
        f"{MODEL}.dvc": dvc_pointer("model.bin", clone.large, clone.cache.size(clone.large)),
        f"{PART}.dvc": dvc_pointer("part", clone.list, clone.cache.size(clone.list), nfiles=20),
        ".dvc/config": dvc_config(place, existing.read_bytes() if existing.exists() else None),
    }
    if not (repo / ".dvc" / ".gitignore").exists():
        files[".dvc/.gitignore"] = DVC_GITIGNORE
    index = repo / ".git" / "run-index"
    shutil.copy(repo / ".git" / "index", index)
    lines = []
    for path, data in files.items():
        blob = git(repo, "hash-object", "-w", "--stdin", stdin=data)
        lines.append(f"100644 {blob}\t{path}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_INDEX_FILE", str(index))
        git(repo, "update-index", "--add", "--index-info", stdin="\n".join(lines).encode() + b"\n")
        tree = git(repo, "write-tree")
    commit = git(repo, "commit-tree", tree, "-p", "HEAD", "-m", "run")
    git(repo, "update-ref", "refs/ledgit/runs/0123", commit)
    return commit


def placed(repo: Path, config: dict[str, str] | None = None, committed: dict[str, object] | None = None) -> Place:
    place = find_place(config or {}, committed or {}, repo)
    assert place is not None
    return place


def check_run(
    repo: Path, clone: Clone, commit: str, elsewhere: Path, git: GitFunction, targets: tuple[str, ...] = ()
) -> None:
    """Get the artifacts with DVC alone, in both ways; all that the checked-out run has, or *targets*."""
    model = Path(clone.cache.location(clone.large)).read_bytes()
    checkout = elsewhere / "deep" / "checkout"
    git(repo, "worktree", "add", "-q", "--detach", str(checkout), commit)
    dvc(checkout, "pull", "-q", *targets)
    assert model == (checkout / MODEL).read_bytes()
    assert b"small 7" == (checkout / PART / "part" / "7.txt").read_bytes()
    assert "" == git(checkout, "status", "--porcelain", "--", ".dvc")

    dvc(elsewhere, "get", "-q", str(repo), MODEL, "--rev", commit, "-o", "model.bin")
    dvc(elsewhere, "get", "-q", str(repo), PART, "--rev", commit, "-o", "part")
    assert model == (elsewhere / "model.bin").read_bytes()
    assert 20 == len(files_below(elsewhere / "part"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "objects")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("config", "committed"),
    [
        ({"ledgit.artifactRemote": "../store"}, {}),
        ({"ledgit.artifactRemote": "{tmp}/store"}, {}),
        ({}, {"artifacts": {"remote": "../store"}}),
    ],
)
def test_in_a_repository_that_never_heard_of_dvc(
    repo: Path,
    tmp_path: Path,
    clone: Clone,
    elsewhere: Path,
    git: GitFunction,
    config: dict[str, str],
    committed: dict[str, object],
) -> None:
    """Wherever the run is checked out; a relative path is the same folder from everywhere."""
    config = {key: value.format(tmp=tmp_path) for key, value in config.items()}
    place = placed(repo, config, committed)
    with open_remote(place) as remote:
        assert {} == remote.upload(clone.cache, clone.all).failed
    assert files_below(tmp_path / "store")

    commit = commit_run(repo, clone, place, git)

    check_run(repo, clone, commit, elsewhere, git)
    assert not (repo / ".dvc").exists()
    assert "" == git(repo, "status", "--porcelain")


def test_beside_a_projects_own_dvc(repo: Path, tmp_path: Path, clone: Clone, elsewhere: Path, git: GitFunction) -> None:
    """Below the project's default remote; the run's tree gains two lines of configuration, the project none."""
    dvc(repo, "init", "-q")
    dvc(repo, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "dvc")
    before = (repo / ".dvc" / "config").read_bytes()
    place = placed(repo)
    assert f"{tmp_path}/store/ledgit" == place.shown
    with open_remote(place) as remote:
        assert {} == remote.upload(clone.cache, clone.all).failed
    assert all(name.startswith("ledgit/files/md5/") for name in files_below(tmp_path / "store"))

    commit = commit_run(repo, clone, place, git)

    check_run(repo, clone, commit, elsewhere, git)
    assert before == (repo / ".dvc" / "config").read_bytes()
    added = git(repo, "diff", "HEAD", commit, "--stat", "--", ".dvc")
    assert "2 insertions(+)" in added
    assert "deletion" not in added


def test_the_projects_own_files_come_too(
    repo: Path, tmp_path: Path, clone: Clone, elsewhere: Path, git: GitFunction
) -> None:
    """A checked-out run is a DVC project like any other: `dvc pull` gets the code's data as well."""
    dvc(repo, "init", "-q")
    dvc(repo, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    (repo / "raw.bin").write_bytes(b"raw")
    dvc(repo, "add", "-q", "raw.bin")
    dvc(repo, "push", "-q")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "dvc")
    place = placed(repo)
    with open_remote(place) as remote:
        remote.upload(clone.cache, clone.all)
    commit = commit_run(repo, clone, place, git)
    shutil.rmtree(repo / ".dvc" / "cache")

    check_run(repo, clone, commit, elsewhere, git)

    assert b"raw" == (elsewhere / "deep" / "checkout" / "raw.bin").read_bytes()


def test_dvc_gc_leaves_artifacts_alone(
    repo: Path, tmp_path: Path, clone: Clone, elsewhere: Path, git: GitFunction
) -> None:
    """With every flag there is: what only a run's commit names is deleted from DVC's own places, and only there."""
    dvc(repo, "init", "-q")
    dvc(repo, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    for name in ("kept.bin", "dropped.bin"):
        (repo / name).write_bytes(name.encode())
        dvc(repo, "add", "-q", name)
    dvc(repo, "push", "-q")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "dvc")
    place = placed(repo)
    with open_remote(place) as remote:
        remote.upload(clone.cache, clone.all)
    cache = repo / ".git" / "ledgit" / "cache"
    shutil.copytree(clone.cache.path, cache)
    commit = commit_run(repo, clone, place, git)
    before = files_below(cache), files_below(tmp_path / "store" / "ledgit")
    git(repo, "rm", "-q", "dropped.bin.dvc")
    git(repo, "commit", "-q", "--amend", "-m", "without")
    git(repo, "reflog", "expire", "--expire=now", "--all")

    flags = ["--workspace", "--all-branches", "--all-tags", "--all-commits", "--all-experiments"]
    dvc(repo, "gc", *flags, "--cloud", "--force")

    own = [name for name in files_below(tmp_path / "store") if not name.startswith("ledgit/")]
    assert 1 == len(own)  # it did delete what is DVC's
    assert before == (files_below(cache), files_below(tmp_path / "store" / "ledgit"))
    check_run(repo, clone, commit, elsewhere, git, (f"{MODEL}.dvc", f"{PART}.dvc"))
