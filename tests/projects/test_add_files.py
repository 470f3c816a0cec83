"""``ledgit.project.add_files``: where each file goes, what is refused, and one commit of exactly these."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.projects.sharekit import committed, index_of, killed, killing_hook, run_python

import ledgit
from ledgit.errors import LedgitError, NotFound, UsageError
from ledgit.projects.secrets import SecretFound

FILES = ["data.csv", "model.py", "train.py"]
ADD = 'import ledgit\nledgit.project.add_files(["data.csv", "model.py", "train.py"], project_name="my_project")\n'
KEY = "AKIA" + "QWERTYUIOPASDFGH"


@pytest.fixture
def project(workspace: Path) -> Path:
    """The folder with a project in it that has no files yet."""
    ledgit.project.create("my_project")
    return workspace


def test_small_text_goes_to_git_and_large_or_binary_files_to_dvc(project: Path) -> None:
    """And each says why; the pointers are committed, the data are not."""
    (project / "small.bin").write_bytes(b"\0\1\2")
    (project / "images").mkdir()
    for number in range(3):
        (project / "images" / f"{number}.png").write_bytes(b"\x89PNG\0" + bytes([number]))
    (project / "mixed").mkdir()
    (project / "mixed" / "notes.txt").write_text("notes\n")
    (project / "mixed" / "w.npy").write_bytes(b"\0" * 9)

    done = ledgit.project.add_files([*FILES, "small.bin", "images", "mixed/"], project_name="my_project")

    assert {
        "data.csv": ("dvc", "larger than 256.0 KiB"),
        "images": ("dvc", "a folder of 3 data files"),
        "mixed/notes.txt": ("git", "small text"),
        "mixed/w.npy": ("dvc", "binary"),
        "model.py": ("git", "small text"),
        "small.bin": ("dvc", "binary"),
        "train.py": ("git", "small text"),
    } == {one.path: (one.where, one.why) for one in done}
    tracked = set(run_git(project, "ls-files").split())
    assert {"data.csv.dvc", "images.dvc", "small.bin.dvc", "mixed/w.npy.dvc", "mixed/notes.txt"} <= tracked
    assert not {"data.csv", "small.bin", "mixed/w.npy", "images/0.png"} & tracked
    assert "" == run_git(project, "status", "--porcelain")
    assert run_git(project, "rev-parse", "HEAD") == done.commit


def test_scripts_become_entry_points_and_what_somebody_wrote_stays(project: Path) -> None:
    """Comments, order and a declaration of the same name are the person's."""
    mine = "# by hand\nname: my_project\nentry_points:\n  train:  # mine\n    command: python train.py --alpha 1\n"
    (project / "MLproject").write_text(mine)
    (project / "prepare.py").write_text((project / "train.py").read_text())

    done = ledgit.project.add_files([*FILES, "prepare.py"])

    assert ("prepare",) == done.entry_points
    assert (project / "MLproject").read_text().startswith(mine.rstrip("\n"))
    assert "python train.py --alpha 1" == done.project.entry_points["train"].command
    assert {"alpha", "data"} == set(done.project.entry_points["prepare"].parameters)
    assert "MLproject" in committed(project)


def test_what_is_staged_stays_staged_and_out_of_the_commit(project: Path) -> None:
    """Also what else of DVC's or the user's is about."""
    (project / "other.txt").write_text("other\n")
    (project / "MLproject").write_text((project / "MLproject").read_text() + "# staged\n")
    run_git(project, "add", "other.txt")

    ledgit.project.add_files(["model.py"], project_name="my_project")

    assert {"model.py", "MLproject"} == committed(project)
    assert "A  other.txt" in run_git(project, "status", "--porcelain")


def test_done_again_it_changes_nothing_and_changed_data_are_taken_in(project: Path) -> None:
    """A file keeps where it is, however large it has become."""
    ledgit.project.add_files(FILES, project_name="my_project")
    head = run_git(project, "rev-parse", "HEAD")

    again = ledgit.project.add_files(FILES, project_name="my_project")

    assert (None, head) == (again.commit, run_git(project, "rev-parse", "HEAD"))
    with (project / "data.csv").open("a") as file:
        file.write("1,2\n")
    (project / "model.py").write_text("#" * 300_000 + "\n")
    changed = ledgit.project.add_files(FILES, project_name="my_project")
    assert {"data.csv.dvc", "model.py"} == committed(project)
    assert ["in DVC already", "in Git already", "in Git already"] == [one.why for one in changed]


def _link_out(folder: Path) -> str:
    (folder / "link").symlink_to("/etc/passwd")
    return "link"


def _secret(folder: Path) -> str:
    (folder / "settings.py").write_text(f"REGION = 'eu'\nKEY = '{KEY}'\n")
    return "settings.py"


def _ignored(folder: Path) -> str:
    (folder / ".gitignore").write_text("# not these\n*.log\n")
    (folder / "run.log").write_text("x\n")
    return "run.log"


def _named(name: str) -> object:
    def make(folder: Path) -> str:
        (folder / name).write_text("x\n")
        return name

    return make


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda folder: "gone.csv", NotFound, "no file matches 'gone.csv'"),
        (lambda folder: str(folder.parent / "work" / ".." / "outside.txt"), UsageError, "outside of the repository"),
        (lambda folder: ".git/config", UsageError, "belongs to Git"),
        (_ignored, UsageError, r"run\.log is ignored by Git \(\.gitignore:2: \*\.log\)"),
        (_link_out, UsageError, "leads out of the project"),
        (_secret, SecretFound, r"settings\.py:2: what looks like"),
        (_named(".env"), SecretFound, r"\.env: a file of this name"),
        (_named("server.pem"), SecretFound, r"server\.pem: a file of this name"),
    ],
)
def test_what_is_refused_is_refused_before_anything_is_written(
    project: Path, make: object, error: type[LedgitError], words: str
) -> None:
    """One bad file among good ones: no commit, nothing in DVC, the index as it was; a secret is never shown whole."""
    (project.parent / "outside.txt").write_text("x\n")
    bad = make(project)  # type: ignore[operator]
    head, index = run_git(project, "rev-parse", "HEAD"), index_of(project)

    with pytest.raises(error, match=words) as caught:
        ledgit.project.add_files([*FILES, bad], project_name="my_project")

    assert KEY not in str(caught.value)
    assert (head, index) == (run_git(project, "rev-parse", "HEAD"), index_of(project))
    assert not (project / ".dvc").exists()
    assert not (project / "data.csv.dvc").exists()


def test_what_the_repository_allows_is_no_secret(project: Path) -> None:
    """By the line, or by the repository's configuration."""
    (project / "a.py").write_text(f"KEY = '{KEY}'  # pragma: allowlist secret\n")
    (project / "ca.pem").write_text("public\n")
    (project / ".ledgit").mkdir()
    (project / ".ledgit" / "config.yaml").write_text("secrets:\n  allow: [ca.pem]\n")

    done = ledgit.project.add_files(["a.py", "ca.pem"])

    assert ["a.py", "ca.pem"] == [one.path for one in done]


def test_a_project_in_a_folder_takes_only_what_is_its_own(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by name from anywhere, and by where one stands."""
    ledgit.project.create("outer")
    ledgit.project.create("wine", "wine")
    (workspace / "wine" / "fit.py").write_text("print(1)\n")

    with pytest.raises(UsageError, match="outside of the project 'wine', which is wine"):
        ledgit.project.add_files(["train.py"], project_name="wine")
    with pytest.raises(NotFound, match="no project"):
        ledgit.project.add_files(["train.py"], project_name="beer")
    monkeypatch.chdir(workspace / "wine")
    done = ledgit.project.add_files("fit.py")
    assert ("wine", ["wine/fit.py"]) == (done.project.name, [one.path for one in done])


@pytest.mark.parametrize("hook", ["pre-commit", "post-commit"])
def test_killed_at_the_commit_it_can_be_repeated(project: Path, tmp_path: Path, hook: str) -> None:
    """SIGKILL when DVC has the data and Git not yet, or the commit is there and the index not yet."""
    killing_hook(project / ".git" / "hooks" / hook, tmp_path / "pid")

    killed(project, tmp_path / "pid", ADD)
    (project / ".git" / "hooks" / hook).unlink()
    done = run_python(project, ADD)

    assert 0 == done.returncode, done.stderr
    assert "" == run_git(project, "status", "--porcelain")
    assert {"data.csv.dvc", ".gitignore", ".dvc/config", "model.py", "train.py", "MLproject"} <= committed(project)
    assert "2" == run_git(project, "rev-list", "--count", "HEAD")
    assert os.path.exists(project / "data.csv")


def test_what_new_scripts_import_becomes_part_of_the_environment(project: Path) -> None:
    """With the versions used here; the standard library and the project's own modules are none."""
    from importlib.metadata import version

    (project / "fit.py").write_text(
        "import json\nimport numpy as np\nimport ledgit as mlflow\nfrom model import f\nimport yaml\n"
    )
    wanted = ["PyYAML", "ledgit", "numpy"]

    done = ledgit.project.add_files(["model.py", "fit.py"])

    assert sorted([f"PyYAML=={version('pyyaml')}", "ledgit", f"numpy=={version('numpy')}"]) == list(done.packages)
    assert wanted == [line.strip(" -").partition("=")[0] for line in _dependencies(project)]
    assert {"fit.py", "model.py", "python_env.yaml"} == committed(project)


def test_an_environment_that_somebody_wrote_keeps_its_lines(project: Path) -> None:
    """A package that is named already is not named again; one with a requirements file is its author's."""
    (project / "fit.py").write_text("import numpy\nimport yaml\n")
    environment = project / "python_env.yaml"
    environment.write_text("python: '3.11'\ndependencies:\n    # pinned by hand\n    - NumPy<3\n")
    ledgit.project.add_files(["fit.py"])
    assert ["    # pinned by hand", "    - NumPy<3"] == _dependencies(project)[:2]
    assert 3 == len(_dependencies(project))

    environment.write_text("python: '3.11'\ndependencies:\n  - -r requirements.txt\n")
    (project / "requirements.txt").write_text("numpy\n")
    (project / "other.py").write_text("import yaml\n")
    assert () == ledgit.project.add_files(["other.py", "requirements.txt"]).packages


def _dependencies(folder: Path) -> list[str]:
    return (folder / "python_env.yaml").read_text().rpartition("\ndependencies:\n")[2].splitlines()


def test_where_the_user_is_about_to_put_data_is_the_users_to_commit(project: Path) -> None:
    """A change of ``.dvc/config`` stays as it is when more data are added."""
    ledgit.project.add_files(["data.csv"])
    (project / ".dvc" / "config").write_text("[core]\n    autostage = false\n")
    (project / "more.bin").write_bytes(b"\0")

    ledgit.project.add_files(["more.bin"])

    assert {"more.bin.dvc", ".gitignore"} == committed(project)
    assert " M .dvc/config" in run_git(project, "status", "--porcelain")
