"""Hooks in real repositories, called by the real git."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.background import wait_for
from tests.conftest import run_git
from tests.review.conftest import commit

import ledgit
from ledgit.cli import main

BIN = str(Path(sys.executable).parent)


@pytest.fixture(autouse=True)
def _ledgit_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks call the command as people have it."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")


def train(value: float = 0.9) -> str:
    with ledgit.start_run() as run:
        ledgit.log_metric("accuracy", value)
        return run.info.run_id


def said(path: Path, *words: str) -> tuple[int, str]:
    """What git prints, hooks and all."""
    done = subprocess.run(["git", *words], cwd=path, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def install(*names: str) -> None:
    assert main(["hooks", "install", *names]) == 0


def test_a_commit_of_what_was_run_says_so(repo: Path) -> None:
    """Train, like it, commit: also with a file lying beside that nobody commits."""
    install()
    (repo / "train.py").write_text("print('deeper')\n")
    (repo / "plot.png").write_text("untracked\n")
    run_id = train(0.93)

    code, shown = said(repo, "commit", "-q", "-a", "-m", "deeper")

    assert code == 0
    assert f"({run_id[:8]}) accuracy=0.93" in shown
    assert "was run" not in said(repo, "commit", "-q", "--allow-empty", "-m", "nothing of ours")[1].replace(run_id, "")


def test_a_rebase_is_not_commented(repo: Path) -> None:
    """Git calls post-commit for each commit that it makes again."""
    run_git(repo, "switch", "-q", "-c", "feature")
    (repo / "train.py").write_text("print('deeper')\n")
    train()
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")
    run_git(repo, "switch", "-q", "main")
    commit(repo, "README.md", "news\n", "news")
    run_git(repo, "switch", "-q", "feature")
    install()

    code, shown = said(repo, "rebase", "main")

    assert code == 0
    assert "was run" not in shown


def test_notes_go_along_with_commits(repo: Path) -> None:
    """Opt-in: git log shows results, also after the commit was amended."""
    run_git(repo, "config", "ledgit.notes", "true")
    install()
    (repo / "train.py").write_text("print('deeper')\n")
    train(0.93)
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")

    assert "accuracy=0.93" in run_git(repo, "log", "-1", "--notes=ledgit")
    run_git(repo, "commit", "-q", "--amend", "-m", "much deeper")
    assert "accuracy=0.93" in run_git(repo, "log", "-1", "--notes=ledgit")


def test_a_trailer_names_the_runs(repo: Path) -> None:
    """Opt-in; of exactly the files that are committed."""
    run_git(repo, "config", "ledgit.trailer", "true")
    install("prepare-commit-msg")
    (repo / "train.py").write_text("print('deeper')\n")
    run_id = train()
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")

    assert f"Ledgit-Run: {run_id}" in run_git(repo, "log", "-1", "--format=%B")
    commit(repo, "train.py", "print('other')\n", "other")
    assert "Ledgit-Run" not in run_git(repo, "log", "-1", "--format=%B")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("model.bin", "x" * (2 << 20), "dvc add model.bin"),
        ("keys.py", "TOKEN = 'ghp_" + "a1B2" * 9 + "'\n", "keys.py, line 1"),
        (".ledgit/run/run.yaml", "id: 1\n", "does not go on branches"),
    ],
)
def test_what_must_not_go_into_git_is_kept_out(repo: Path, name: str, text: str, words: str) -> None:
    """Each with what to do; nothing is committed, and --no-verify passes by."""
    run_git(repo, "config", "ledgit.maxCommittedFile", "1m")
    install()
    head = run_git(repo, "rev-parse", "HEAD")
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text(text)
    run_git(repo, "add", "-f", name)

    code, shown = said(repo, "commit", "-m", "oops")

    assert code == 1
    assert words in shown
    assert "a1B2a1B2" not in shown
    assert run_git(repo, "rev-parse", "HEAD") == head
    assert said(repo, "commit", "-q", "--no-verify", "-m", "meant")[0] == 0


def test_commit_a_is_looked_at_by_its_own_index(repo: Path) -> None:
    """``git commit -a`` and ``-- PATH`` commit another index than the one that lies there."""
    install()
    (repo / "train.py").write_text("TOKEN = 'ghp_" + "a1B2" * 9 + "'\n")

    assert said(repo, "commit", "-a", "-m", "oops")[0] == 1
    assert said(repo, "commit", "-m", "oops", "--", "train.py")[0] == 1


def test_a_push_takes_its_runs_along(repo: Path, tmp_path: Path) -> None:
    """After the push itself, in the background: the remote has the run a moment later."""
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", os.path.relpath(bare, repo))
    install()
    run_id = train()

    code, shown = said(repo, "push", "-q", "-u", "origin", "main")

    assert code == 0, shown
    wait_for(lambda: "refs/ledgit/ledger" in run_git(bare, "for-each-ref"))
    assert run_id in run_git(bare, "log", "--format=%B", "refs/ledgit/ledger", "--all")


def test_a_push_that_can_not_share_is_a_push_all_the_same(repo: Path, tmp_path: Path) -> None:
    """The host refuses other refs than branches: the code goes, and the next push says what was wrong."""
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    hook = bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nwhile read a b ref; do case $ref in refs/heads/*) ;; *) exit 1;; esac; done\n")
    hook.chmod(0o755)
    run_git(repo, "remote", "add", "origin", str(bare))
    install()
    train()

    assert said(repo, "push", "-q", "-u", "origin", "main")[0] == 0
    wait_for(lambda: (repo / ".git/ledgit/pre-push.log").exists())
    commit(repo, "README.md", "news\n", "news")
    code, shown = said(repo, "push", "-q")

    assert code == 0
    assert "were not shared with the last push" in shown


def test_a_gate_stops_a_push_only_where_that_is_wanted(repo: Path, tmp_path: Path) -> None:
    """``ledgit.pushGate``; a branch without runs goes."""
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", str(bare))
    (repo / ".ledgit").mkdir()
    commit(repo, ".ledgit/config.yaml", "gates:\n  - metric: accuracy\n", "gates")
    train(0.9)
    run_git(repo, "push", "-q", "-u", "origin", "main")
    run_git(repo, "switch", "-q", "-c", "worse")
    commit(repo, "train.py", "worse\n", "worse")
    install("pre-push")
    run_git(repo, "config", "ledgit.pushRuns", "false")
    run_git(repo, "config", "ledgit.pushGate", "true")

    assert said(repo, "push", "-q", "origin", "worse")[0] == 0
    train(0.1)
    code, shown = said(repo, "push", "-q", "origin", "worse:again")

    assert code != 0
    assert "accuracy 0.1 is 0.8 worse" in shown
    run_git(repo, "config", "ledgit.pushGate", "false")
    assert said(repo, "push", "-q", "origin", "worse:again")[0] == 0


def test_nothing_to_do_starts_no_python(repo: Path) -> None:
    """In a repository without runs the hook is a look at one folder: 50 commits are counted, not timed."""
    (repo / "fake").mkdir()
    fake = repo / "fake/ledgit"
    fake.write_text("#!/bin/sh\necho called >>called.txt\n")
    fake.chmod(0o755)
    install()
    env = {**os.environ, "PATH": f"{repo}/fake{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x", "--no-verify"], cwd=repo, env=env, check=True)

    assert not (repo / "called.txt").exists()


def test_a_fault_of_ours_stops_nobody(repo: Path) -> None:
    """A ledger that does not decode: the commit is made."""
    train()
    install()
    (repo / ".git/refs/ledgit/runs").mkdir(parents=True, exist_ok=True)
    for path in (repo / ".git/refs/ledgit/runs").iterdir():
        path.write_text("f" * 40 + "\n")
    (repo / ".git/ledgit/index.sqlite3").unlink(missing_ok=True)

    assert said(repo, "commit", "-q", "--allow-empty", "-m", "goes on")[0] == 0


def test_a_merge_says_what_came(repo: Path) -> None:
    """Of the branch that was merged."""
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    run_id = train(0.95)
    run_git(repo, "switch", "-q", "main")
    install()

    code, shown = said(repo, "merge", "-q", "--no-ff", "-m", "merge", "feature")

    assert code == 0
    assert run_id[:8] in shown


def test_scripts_of_the_folder_are_what_is_installed(repo: Path) -> None:
    """Who copies ``hooks/`` by hand gets the same."""
    folder = Path(__file__).parent.parent.parent / "hooks"
    run_git(repo, "config", "core.hooksPath", str(folder))
    (repo / "train.py").write_text("print('deeper')\n")
    run_id = train(0.93)

    assert run_id[:8] in said(repo, "commit", "-q", "-a", "-m", "deeper")[1]
    for path in folder.iterdir():
        assert os.access(path, os.X_OK), path
        assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_a_merge_is_not_held_up_by_what_the_other_branch_has(repo: Path) -> None:
    """A large file that was committed there stays a large file; what the merge itself adds is looked at."""
    run_git(repo, "config", "ledgit.maxCommittedFile", "1k")
    run_git(repo, "switch", "-q", "-c", "other")
    (repo / "big.bin").write_text("x" * 5000)
    run_git(repo, "add", "big.bin")
    commit(repo, "train.py", "theirs\n", "theirs")
    run_git(repo, "switch", "-q", "main")
    commit(repo, "train.py", "ours\n", "ours")
    install("pre-commit")
    assert said(repo, "merge", "other")[0] != 0  # a conflict
    (repo / "train.py").write_text("both\n")
    run_git(repo, "add", "train.py")
    (repo / "new.bin").write_text("y" * 5000)
    run_git(repo, "add", "new.bin")

    code, shown = said(repo, "commit", "-q", "-m", "merge")
    assert code == 1
    assert "new.bin" in shown
    assert "big.bin" not in shown
    run_git(repo, "rm", "-q", "--cached", "new.bin")
    assert said(repo, "commit", "-q", "-m", "merge")[0] == 0


def test_a_merge_says_which_runs_came_with_it_and_asks_little_where_none_did(repo: Path) -> None:
    """By commit, or by patch-id after a squash on the host; where no run belongs, the index and the filter's parser
    (100 ms) stay unloaded."""
    (repo / "train.py").write_text("print('deeper')\n")
    run_id = train(0.93)
    run_git(repo, "switch", "-q", "-c", "other", "HEAD")
    run_git(repo, "stash", "-q")
    commit(repo, "notes.txt", "nobody ran this\n", "notes")
    run_git(repo, "switch", "-q", "main")
    main(["ls"])
    install("post-merge")

    assert "was run" not in said(repo, "merge", "-q", "other")[1]
    code = "import sys; from ledgit.cli import main; main(['hook', 'post-merge', '0']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True).stdout
    assert "'ledgit.store.index_links'" in loaded
    for name in ("lark", "orjson", "subprocess", "ledgit.store.index", "ledgit.runset"):
        assert f"'{name}'" not in loaded, name

    run_git(repo, "switch", "-q", "-c", "squashed", "main")
    run_git(repo, "stash", "pop", "-q")
    run_git(repo, "commit", "-q", "-a", "-m", "what was run, elsewhere")
    run_git(repo, "switch", "-q", "main")
    assert run_id[:8] in said(repo, "merge", "-q", "squashed")[1]
