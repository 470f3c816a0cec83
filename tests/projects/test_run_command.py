"""``ledgit run PROJECT``: what people type, what they see, and what is recorded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.conftest import GitFunction, run_git
from tests.projects.kit import TRAIN, ledgit, make_project, newest, users_own
from tests.projects.kit import project as project  # noqa: PLC0414 - a fixture

import ledgit as mlflow
from ledgit.errors import ProjectFailed, UsageError
from ledgit.repository import open_repository


def test_an_entry_point_runs_in_a_folder_of_its_own(project: Path, git: GitFunction) -> None:
    """With the files as they are, under the branch and commit that are checked out; the user's stay as they were."""
    (project / "train.py").write_text(TRAIN + "print(open('new.txt').read())\n")
    (project / "new.txt").write_text("not committed")
    before = users_own(project)
    nasty = 'it\'s "$(touch pwned)" `x`\nnew\tline; -- *'

    done = ledgit(project, "run", ".", "-P", "alpha=0.25", "-P", f"word={nasty}", "--name", "first")

    folder, word, text = done.out.splitlines()[0].partition(" ")[0], done.out, "not committed"
    assert folder.startswith(str(project / ".git/ledgit/work"))
    assert repr(nasty) in word
    assert text in done.out
    assert not os.path.exists(folder)
    assert before == users_own(project)
    run = newest(project)
    assert ("first", "FINISHED", {"alpha": 0.25, "word": nasty}) == (run["name"], run["status"], run["params"])
    assert {"r2": 0.9} == run["metrics"]
    assert (git(project, "rev-parse", "HEAD"), "main", True) == tuple(
        run["code"][k] for k in ("commit", "branch", "dirty")
    )
    assert "." == run["tags"]["ledgit.project"]
    info = open_repository(str(project)).run("first").record().info
    assert ("PROJECT", ".", "main", "") == (info.source_type, info.source, info.entry_point, info.directory)
    assert ("python", "train.py", "0.25", nasty) == info.command
    assert git(project, "rev-parse", "HEAD") == git(project, "log", "-1", "--format=%P", run["commit"])
    assert "not committed" == git(project, "show", f"{run['commit']}:new.txt")


def test_defaults_are_params_and_a_failure_is_the_exit_code(project: Path) -> None:
    ledgit(project, "run", ".")
    assert {"alpha": 0.5, "word": "none"} == newest(project)["params"]

    done = ledgit(project, "run", ".", "-e", "fail", code=3)
    run = newest(project)
    assert ("FAILED", "3") == (run["status"], run["tags"]["ledgit.exit_code"])
    assert run["id"][:8] in done.err


def test_a_folder_below_the_top_runs_there_and_so_does_a_command(project: Path) -> None:
    """Scripts and commands need no MLproject file; what they leave is kept when asked for."""
    (project / "sub/word.txt").write_text("changed\n")
    done = ledgit(project, "run", "sub", "-e", "where.sh")
    assert done.out.splitlines()[0].endswith("/sub")
    assert "changed" == done.out.splitlines()[1]
    assert "sub" == open_repository(str(project)).run(newest(project)["id"]).record().info.directory

    done = ledgit(
        project / "sub", "run", "..", "--keep", "out", "--", "sh", "-c", "mkdir out; cat sub/word.txt > out/x"
    )
    run = open_repository(str(project)).run(newest(project)["id"])
    assert b"changed\n" == run.read_artifact("out/x")
    assert not (project / "out").exists()


@pytest.mark.parametrize("what", ["v1.0", "side", "commit", "short"])
def test_a_version_is_a_tag_a_branch_or_a_commit(project: Path, git: GitFunction, what: str) -> None:
    """Of one's own repository and of another one by its address, by which it is recorded here without its history."""
    git(project, "tag", "-a", "v1.0", "-m", "one")
    git(project, "checkout", "-qb", "side")
    (project / "sub/word.txt").write_text("second\n")
    git(project, "commit", "-qam", "second")
    git(project, "checkout", "-q", "main")
    commit = git(project, "rev-parse", "side")
    version = {"commit": commit, "short": commit[:9]}.get(what, what)
    expected = "first" if what == "v1.0" else "second"
    bare, mine = project.parent / "bare.git", project.parent / "mine"
    git(project, "clone", "-q", "--bare", ".", str(bare))
    mine.mkdir()
    git(mine, "init", "-q")

    assert expected == ledgit(project, "run", "sub", "-e", "where.sh", "-v", version).out.split()[-1]
    own = newest(project)
    address = f"file://{bare}#sub"
    assert expected == ledgit(mine, "run", address, "-e", "where.sh", "-v", version).out.split()[-1]

    assert git(project, "rev-parse", f"{version}^{{commit}}") == own["code"]["commit"]
    run = newest(mine)
    assert address == run["tags"]["ledgit.project"]
    assert git(project, "rev-parse", f"{version}^{{commit}}") == run["tags"]["ledgit.project.commit"]
    assert "" == git(mine, "log", "-1", "--format=%P", run["commit"])
    assert expected == git(mine, "show", f"{run['commit']}:sub/word.txt")


def test_credentials_are_stored_nowhere(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """Neither in the run nor in the mirror."""
    bare = tmp_path / "bare.git"
    git(project, "clone", "-q", "--bare", ".", str(bare))
    git(project, "config", "--global", f"url.file://{bare}.insteadOf", "https://ada:s3cret@example.org/p.git")
    url = "https://ada:s3cret@example.org/p.git"

    ledgit(project, "run", f"{url}#sub", "-e", "where.sh")

    run = newest(project)
    assert "https://example.org/p.git#sub" == run["tags"]["ledgit.project"]
    git(project, "config", "--global", "--remove-section", f"url.file://{bare}")
    shown = [git(project, "cat-file", "-p", f"{run['commit']}:.ledgit/run/run.yaml"), str(run)]
    cache = Path(os.environ["LEDGIT_CACHE"])
    shown += [path.read_text(errors="replace") for path in cache.rglob("*") if path.is_file()]
    assert not [text for text in shown if "s3cret" in text]


def test_what_was_fetched_once_runs_without_a_network(project: Path, tmp_path: Path, git: GitFunction) -> None:
    """A tag, with a word about it; what was never fetched can't be."""
    git(project, "tag", "v1.0")
    bare = tmp_path / "bare.git"
    git(project, "clone", "-q", "--bare", ".", str(bare))
    url = "https://127.0.0.1:9/p.git"
    git(project, "config", "--global", f"url.file://{bare}.insteadOf", url)
    ledgit(project, "run", f"{url}#sub", "-v", "v1.0", "-e", "where.sh")
    assert "did you mean v1.0" in ledgit(project, "run", f"{url}#sub", "-v", "v1.O", "-e", "where.sh", code=3).err
    git(project, "config", "--global", "--remove-section", f"url.file://{bare}")

    done = ledgit(project, "run", f"{url}#sub", "-v", "v1.0", "-e", "where.sh")
    assert "what was fetched earlier is run" in done.err
    assert "can't be reached" in ledgit(project, "run", url, "-v", "v2.0", "-e", "x", code=9).err


def test_a_project_goes_by_its_name(project: Path, git: GitFunction) -> None:
    """From anywhere in its repository; where two have it, the folder has to be said."""
    assert "0.25" in ledgit(project / "sub", "run", "wine", "-P", "alpha=0.25", "--dry-run").out
    (project / "second").mkdir()
    (project / "second/MLproject").write_text("name: wine\n")
    done = ledgit(project, "run", "wine", "--dry-run", code=2)
    assert "several projects are named 'wine'" in done.err


def test_a_project_without_a_name_goes_by_its_folders_or_addresss(project: Path, tmp_path: Path) -> None:
    """Never by that of the work folder, which nobody knows."""
    for uri, name in (("sub", "sub"), (f"file://{project}#sub", "sub")):
        assert f"project '{name}' has no entry point 'main'" in ledgit(project, "run", uri, code=3).err
    run_git(project, "rm", "-q", "MLproject")
    run_git(project, "commit", "-q", "-m", "no file")
    run_git(tmp_path, "clone", "-q", "--bare", str(project), "shown.git")
    assert f"project '{project.name}' has no" in ledgit(project, "run", ".", code=3).err
    assert "project 'shown' has no" in ledgit(project, "run", f"file://{tmp_path}/shown.git", code=3).err


def test_a_run_is_a_project_too(project: Path, git: GitFunction) -> None:
    """Its code, with what was not committed, wherever the branch is now."""
    (project / "sub/word.txt").write_text("not committed\n")
    ledgit(project, "run", "sub", "-e", "where.sh", "--name", "first")
    git(project, "checkout", "-q", "--", ".")

    done = ledgit(project, "run", "first")

    assert "not committed" == done.out.splitlines()[1]
    run = newest(project)
    assert run["tags"]["ledgit.project"].startswith("run ")
    assert git(project, "rev-parse", "HEAD") == run["code"]["commit"]


def test_outside_of_a_repository_the_run_is_where_the_last_line_says(project: Path, tmp_path: Path) -> None:
    done = ledgit(tmp_path, "run", f"file://{project}#sub", "-e", "where.sh")

    where = done.err.splitlines()[-1].partition("recorded in ")[2].partition(";")[0]
    assert "FINISHED" == newest(Path(where))["status"]


def test_a_run_in_a_run_is_nested(project: Path) -> None:
    """Also when the outer one is a project itself."""
    (project / "outer.sh").write_text(f"{sys.executable} -m ledgit run sub -e where.sh\n")
    ledgit(project, "run", ".", "-e", "outer.sh")

    inner, outer = ledgit(project, "ls", "--json").json
    assert outer["id"] == inner["parent_run"]
    assert "outer.sh" == open_repository(str(project)).run(outer["id"]).record().info.entry_point


def test_a_dry_run_writes_nothing(project: Path, git: GitFunction) -> None:
    (project / "new.txt").write_text("not committed")
    git(project, "tag", "v1.0")

    def everything() -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns) for path in project.rglob("*") if not path.is_dir())

    before = everything()
    done = ledgit(project, "run", "-P", "alpha=1", "--dry-run")
    assert "python train.py 1 none" in done.out
    assert "with uncommitted changes" in done.out
    assert "environment" in done.out
    assert before == everything()

    assert "tree" in ledgit(project, "run", ".", "-v", "v1.0", "--dry-run", "--", "ls").out
    assert before == [item for item in everything() if "/ledgit/" not in item[0]]
    assert [] == ledgit(project, "ls", "--json").json


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", ".", "-e", "trian"], "no entry point 'trian': did you mean 'train.py'? it has main, fail"),
        (["run", ".", "-P", "alhpa=1"], "did you mean 'alpha'"),
        (["run", ".", "-P", "alpha=x"], "expected a number"),
        (["run", ".", "-P", "alpha"], "name=value"),
        (["run", ".", "-v", "mian"], "did you mean main"),
        (["run", "nowhere"], "there is no project 'nowhere'"),
        (["run", "train.py"], "ledgit run . -e train.py"),
        (["run", "python", "train.py"], "ledgit run -- python train.py"),
        (["run", ".", "--timeout", "soon"], "expected a time such as 90"),
        (["run", ".", "-e", "main", "--", "ls"], "leave out '-e'"),
        (["run", ".", "-P", "alpha=1", "--", "ls"], "-P is for entry points"),
        (["run", ".", "--", "no-such-program"], "there is no command 'no-such-program'"),
        (["run", ".", "--in-place", "-v", "main"], "--in-place"),
        (["run", "sub#../..", "-e", "x"], "leads out"),
        (["run"], "'ledgit run .' runs the project in this folder"),
    ],
)
def test_what_cannot_run_is_said_and_leaves_nothing(project: Path, words: list[str], said: str) -> None:
    """Each message names what there is; no run, no work folder, no traceback."""
    done = ledgit(project, *words, code=None)

    assert done.code in (2, 3)
    assert said in done.err
    assert 1 == done.err.strip().count("\n") + 1
    work = project / ".git/ledgit/work"
    assert not work.exists() or [] == os.listdir(work)
    assert not (project / ".git/ledgit/active").exists() or [] == os.listdir(project / ".git/ledgit/active")


def test_yaml_errors_name_their_line(project: Path) -> None:
    (project / "MLproject").write_text("name: x\nentry_points:\n  main:\n    command: [\n")
    assert "MLproject, line" in ledgit(project, "run", ".", code=2).err


def test_in_place_runs_in_the_users_folder(project: Path) -> None:
    ledgit(project, "run", ".", "--in-place", "--", "sh", "-c", "echo made > made.txt")

    assert "made\n" == (project / "made.txt").read_text()
    assert "made.txt" not in run_git(project, "ls-tree", "--name-only", newest(project)["commit"]).split()


def test_a_path_that_the_program_logs_as_it_got_it_is_no_conflict(project: Path) -> None:
    """The param is what was given; the program gets an absolute path, and may log that."""
    (project / "MLproject").write_text(
        "name: p\nentry_points:\n  main:\n    parameters: {data: path, other: path}\n"
        "    command: python log.py {data} {other}\n"
    )
    (project / "log.py").write_text(
        "import sys, ledgit\nwith ledgit.start_run(): ledgit.log_param('data', sys.argv[1])\n"
    )

    ledgit(project / "sub", "run", "..", "-P", "data=word.txt", "-P", "other=word.txt")

    assert {"data": str(project / "sub/word.txt"), "other": "word.txt"} == newest(project)["params"]


def test_files_that_are_too_large_for_the_snapshot_are_said(project: Path, git: GitFunction) -> None:
    git(project, "config", "ledgit.snapshotMaxFile", "10")
    (project / "large.bin").write_text("more than ten bytes")

    done = ledgit(project, "run", ".", "--", "ls")
    assert "large.bin is not in the project's folder" in done.err
    assert "large.bin" not in done.out


def test_python_runs_projects_as_mlflow_does(project: Path) -> None:
    """Nested in the run that is active; a failure is an error, or the answer of wait()."""
    with mlflow.start_run() as outer:
        done = mlflow.projects.run(".", parameters={"alpha": 0.1}, run_name="inner", env_manager="local")
    assert (done.run_id, "FINISHED", 0) == (mlflow.get_run(done.run_id).id, done.get_status(), done.exit_code)
    assert outer.info.run_id == mlflow.get_run(done.run_id).parent_run
    with pytest.raises(ProjectFailed, match="exit code 3"):
        mlflow.projects.run(".", "fail")
    with pytest.raises(UsageError, match="backend"):
        mlflow.projects.run(".", backend="kubernetes")

    (project / "slow.sh").write_text("sleep 600 & sleep 600\n")
    slow = mlflow.projects.run(".", "slow.sh", synchronous=False)
    assert "RUNNING" == slow.get_status()
    slow.cancel()
    assert ("KILLED", False) == (slow.get_status(), slow.wait())


def test_a_project_with_a_file_of_parameters(project: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("alpha: 0.75\nword: 'a b'\n")
    done = ledgit(project, "run", ".", "-P", f"@{tmp_path}/p.yaml", "-P", "word=given")
    assert "'given'" in done.out
    assert {"alpha": 0.75, "word": "given"} == newest(project)["params"]


def test_another_repository_of_ones_own_is_recorded_here_with_its_changes(project: Path, tmp_path: Path) -> None:
    """A folder of another clone: its files as they are, and none of its history."""
    other = tmp_path / "other"
    make_project(other)
    (other / "sub/word.txt").write_text("changed there\n")

    done = ledgit(project, "run", str(other / "sub"), "-e", "where.sh")
    assert "changed there" == done.out.splitlines()[1]
    run = newest(project)
    assert f"file://{other}" == run["tags"]["ledgit.project"]
    assert "" == run_git(project, "log", "-1", "--format=%P", run["commit"])
    assert "" == run_git(other, "for-each-ref", "refs/ledgit")
