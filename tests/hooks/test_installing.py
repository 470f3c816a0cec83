"""Hooks beside others': what was there runs as before, and is as before when ours are gone. The real managers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git

import ledgit
from ledgit.cli import main
from ledgit.errors import Conflict, UsageError
from ledgit.git import Repo
from ledgit.hooks import HOOKS, HookStatus, install, status, uninstall

BIN = Path(sys.executable).parent
HOOKS_FOLDER = Path(__file__).parents[2] / "hooks"
HUSKY = Path(sys.prefix) / "husky/node_modules/husky"


@pytest.fixture(autouse=True)
def _ledgit_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")


def hook(repo: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = repo / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def run(repo: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def deeper(repo: Path) -> tuple[int, str, str]:
    """Run, then commit what was run: (exit code, what git printed, id of the run)."""
    (repo / "train.py").write_text("print('deeper')\n")
    with ledgit.start_run() as active:
        run_id = active.info.run_id
    code, shown = run(repo, "git", "commit", "-a", "-m", "deeper")
    return code, shown, run_id


def states(found: list[HookStatus]) -> dict[str, str]:
    return {one.name: one.state for one in found}


def test_a_shell_hook_goes_on_with_what_git_told_it(repo: Path, tmp_path: Path) -> None:
    """Ours reads standard input first, and hands it on byte for byte; arguments and exit code stay."""
    script = '#!/usr/bin/env bash\nset -eu\nread -r a b c d\necho "$1 $c" >>told.txt\ncat >>told.txt\nexit 7\n'
    path = hook(repo, "pre-push", script)
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", str(bare))
    install(Repo.discover(str(repo)), ["pre-push"])
    with ledgit.start_run():
        pass

    code, _ = run(repo, "git", "push", "-q", "origin", "main", "HEAD:refs/heads/other")

    assert code != 0
    told = (repo / "told.txt").read_text().splitlines()
    assert told[0] == "origin refs/heads/main"
    assert "refs/heads/other" in told[1]
    assert states(uninstall(Repo.discover(str(repo)))) == dict.fromkeys(HOOKS, "absent")
    assert path.read_text() == script
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (f"#!{sys.executable}\nopen('theirs.txt', 'a').write('x')\n", 0o755),
        ("#!/usr/bin/env -S python3\nopen('theirs.txt', 'a').write('x')\n", 0o755),
    ],
)
def test_a_hook_in_another_language_is_called_after_ours(repo: Path, text: str, mode: int) -> None:
    """It is kept beside, and comes back byte for byte."""
    path = hook(repo, "post-commit", text, mode)
    install(Repo.discover(str(repo)), ["post-commit"])

    code, shown, run_id = deeper(repo)

    assert code == 0
    assert run_id[:8] in shown
    assert (repo / "theirs.txt").read_text() == "x"
    uninstall(Repo.discover(str(repo)))
    assert path.read_text() == text
    assert not path.with_name("post-commit.before-ledgit").exists()


def test_a_hook_that_was_switched_off_stays_so(repo: Path) -> None:
    """A file that may not be executed is not woken by ours."""
    path = hook(repo, "post-commit", "#!/bin/sh\ntouch woken.txt\n", 0o644)
    install(Repo.discover(str(repo)), ["post-commit"])

    assert deeper(repo)[0] == 0

    assert not (repo / "woken.txt").exists()
    uninstall(Repo.discover(str(repo)))
    assert path.read_text() == "#!/bin/sh\ntouch woken.txt\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_installing_again_changes_nothing_and_mends_what_is_old(repo: Path) -> None:
    """An older version's block is replaced; what somebody added below it stays."""
    found = Repo.discover(str(repo))
    install(found)
    path = repo / ".git/hooks/post-commit"
    first = path.read_text()
    install(found)
    assert path.read_text() == first

    path.write_text(first.replace("ledgit hook post-commit", "ledgit old-hook") + "echo mine\n")
    assert states(status(found))["post-commit"] == "stale"
    install(found, ["post-commit"])
    assert path.read_text() == first + "echo mine\n"
    uninstall(found)
    assert path.read_text() == "#!/bin/sh\necho mine\n"


def test_what_was_put_aside_before_is_not_lost(repo: Path) -> None:
    """Two hooks under one name: nothing is overwritten, and it is said."""
    hook(repo, "post-commit", f"#!{sys.executable}\n")
    hook(repo, "post-commit.before-ledgit", "older\n")

    with pytest.raises(Conflict, match="before-ledgit"):
        install(Repo.discover(str(repo)), ["post-commit"])

    assert (repo / ".git/hooks/post-commit").read_text() == f"#!{sys.executable}\n"


def test_a_linked_worktree_has_the_hooks_of_its_clone(repo: Path, tmp_path: Path) -> None:
    """Git looks for them in the common folder."""
    run_git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))

    install(Repo.discover(str(tmp_path / "linked")), ["post-commit"])

    assert (repo / ".git/hooks/post-commit").exists()


def test_unknown_hooks_are_refused(repo: Path) -> None:
    """With the ones there are."""
    with pytest.raises(UsageError, match="pre-push"):
        install(Repo.discover(str(repo)), ["post-everything"])


def test_beside_pre_commit(repo: Path) -> None:
    """Its files are its own: what we print is what makes it call us, with Git's own arguments."""
    config = repo / ".pre-commit-config.yaml"
    config.write_text("repos: []\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "pre-commit")
    assert run(repo, "pre-commit", "install", "-t", "pre-commit", "-t", "post-commit")[0] == 0
    before = (repo / ".git/hooks/post-commit").read_text()

    (found,) = install(Repo.discover(str(repo)), ["post-commit"])
    assert (found.state, found.manager) == ("managed", "pre-commit")
    assert (repo / ".git/hooks/post-commit").read_text() == before

    entry = found.lines.partition("below repos:\n")[2].partition(", and:")[0]
    config.write_text(f"repos:\n{entry}\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "--no-verify", "-m", "with ledgit")
    code, said, run_id = deeper(repo)
    assert code == 0, said
    assert "ledgit post-commit" in said
    assert "Passed" in said
    assert states(status(Repo.discover(str(repo))))["post-commit"] == "installed"
    assert run_id


def test_beside_lefthook(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its hooks are left alone; with the printed lines in its file it calls ours."""
    (repo / "lefthook.yml").write_text("post-commit:\n  commands:\n    theirs:\n      run: touch theirs.txt\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "lefthook")
    assert run(repo, "lefthook", "install")[0] == 0

    assert main(["hooks", "install", "post-commit"]) == 4
    assert "lefthook install" in capsys.readouterr().out

    text = "post-commit:\n  commands:\n    theirs:\n      run: touch theirs.txt\n"
    (repo / "lefthook.yml").write_text(f"{text}    ledgit:\n      run: ledgit hook post-commit {{0}}\n")
    run_git(repo, "commit", "-q", "--no-verify", "-a", "-m", "with ledgit")
    code, said, run_id = deeper(repo)
    assert code == 0, said
    assert run_id[:8] in said
    assert (repo / "theirs.txt").exists()


@pytest.mark.skipif(not HUSKY.exists(), reason="husky is not installed ('make husky' does it, with npm)")
def test_beside_husky(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It owns core.hooksPath and writes its folder anew; a line in its own file calls ours."""
    node = shutil.which("node")
    assert node is not None
    (repo / "package.json").write_text('{"name": "x", "scripts": {}}\n')
    assert run(repo, node, str(HUSKY / "bin.js"))[0] == 0
    assert run_git(repo, "config", "core.hooksPath") == ".husky/_"

    assert main(["hooks", "install", "post-commit"]) == 4
    shown = capsys.readouterr().out
    assert f"in {repo}/.husky/post-commit:" in shown
    assert run_git(repo, "config", "core.hooksPath") == ".husky/_"

    (repo / ".husky/post-commit").write_text('ledgit hook post-commit "$@"\n')
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "--no-verify", "-m", "husky")
    code, said, run_id = deeper(repo)
    assert code == 0, said
    assert run_id[:8] in said
    assert states(status(Repo.discover(str(repo))))["post-commit"] == "installed"


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed (Debian: apt install git-lfs)")
def test_beside_git_lfs(repo: Path, tmp_path: Path) -> None:
    """Its four hooks keep working: what is pushed arrives, and so does the run."""
    assert run(repo, "git", "lfs", "install", "--local")[0] == 0
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", str(bare))
    run_git(repo, "lfs", "track", "*.bin")
    (repo / "model.bin").write_bytes(b"weights" * 100)
    found = install(Repo.discover(str(repo)))
    assert states(found)["pre-push"] == "installed"
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "weights")
    with ledgit.start_run():
        pass

    code, said = run(repo, "git", "push", "-q", "-u", "origin", "main")

    assert code == 0, said
    assert any(path.is_file() for path in (bare / "lfs/objects").rglob("*"))
    uninstall(Repo.discover(str(repo)))
    assert "git lfs pre-push" in (repo / ".git/hooks/pre-push").read_text()


def test_a_hooks_path_of_somebodys(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may serve all repositories of a machine: nothing is written without --force, and the setting stays."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    run_git(repo, "config", "core.hooksPath", str(folder))

    assert main(["hooks", "install", "post-commit"]) == 4
    assert "--force" in capsys.readouterr().out
    assert list(folder.iterdir()) == []

    assert main(["hooks", "install", "post-commit", "--force"]) == 0
    assert (folder / "post-commit").exists()
    assert run_git(repo, "config", "core.hooksPath") == str(folder)


def test_taking_ours_out_keeps_all_the_rest_whatever_its_line_ends_and_size(repo: Path) -> None:
    """An editor that writes Windows line ends, and a script with an archive behind it, cost nobody a line."""
    found = Repo.discover(str(repo))
    mine = "#!/bin/sh\r\necho mine\r\n"
    path = hook(repo, "post-commit", "#!/bin/sh\n")
    install(found, ["post-commit"])
    path.write_bytes((path.read_text() + "echo mine\n").replace("\n", "\r\n").encode())
    uninstall(found)
    assert path.read_bytes() == mine.encode()

    install(found, ["post-commit"])
    path.write_bytes(path.read_bytes().rpartition(b"# <<< ledgit <<<")[0] + b"echo mine\n")
    uninstall(found)
    assert b"echo mine\n" in path.read_bytes()

    large = "#!/bin/sh\nexit 0\n" + "# an archive\n" * 100_000
    path = hook(repo, "post-merge", large)
    install(found, ["post-merge"])
    uninstall(found)
    assert path.read_text() == large


def test_a_hook_that_is_a_link_stays_one(repo: Path) -> None:
    """A team's script in the work tree is neither written to nor copied, runs, and is linked again afterwards."""
    script = repo / "team-hook.sh"
    script.write_text("#!/bin/sh\ntouch theirs.txt\n")
    script.chmod(0o755)
    path = repo / ".git/hooks/post-commit"
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("../../team-hook.sh")

    install(Repo.discover(str(repo)), ["post-commit"])
    code, _, _ = deeper(repo)

    assert code == 0
    assert (repo / "theirs.txt").exists()
    assert script.read_text() == "#!/bin/sh\ntouch theirs.txt\n"
    uninstall(Repo.discover(str(repo)))
    assert os.readlink(path) == "../../team-hook.sh"


@pytest.mark.parametrize(
    "program", ["#!/nowhere/python\n", f"#!/bin/sh\nexec {sys.executable} -c 'import ledgit_that_is_gone'\n"]
)
@pytest.mark.parametrize("given", [False, True], ids=["installed", "copied"])
def test_a_ledgit_that_is_broken_stops_no_commit_and_no_hook_of_others(
    repo: Path, tmp_path: Path, program: str, given: bool
) -> None:
    """Its environment was deleted or half upgraded: the shell's 127 and Python's 1 are faults, and a line says so."""
    broken = tmp_path / "bin/ledgit"
    broken.parent.mkdir()
    broken.write_text(program)
    broken.chmod(0o755)
    with ledgit.start_run():
        pass
    hook(repo, "post-commit", "#!/bin/sh\ntouch theirs.txt\n")
    if given:
        for name in ("pre-commit", "prepare-commit-msg"):
            hook(repo, name, (HOOKS_FOLDER / name).read_text())
    else:
        install(Repo.discover(str(repo)), ["pre-commit", "post-commit"])
    (repo / "train.py").write_text("print('deeper')\n")
    # Without the whole one: a shell goes on to the next in its path where a script's interpreter is missing.
    env = {**os.environ, "PATH": f"{broken.parent}{os.pathsep}{os.environ['PATH'].removeprefix(f'{BIN}{os.pathsep}')}"}

    words = ["git", "commit", "-q", "-a", "-m", "deeper"]
    done = subprocess.run(words, cwd=repo, env=env, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "hook pre-commit did nothing: " in done.stderr
    assert (repo / "theirs.txt").exists()
