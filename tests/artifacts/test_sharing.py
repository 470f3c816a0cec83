"""What a push does with artifacts: what it sends, what it leaves, what it says, and what an interruption costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, start_project

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.artifacts.known import Known


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


@pytest.fixture
def storage(tmp_path: Path, ada: Person) -> Path:
    """A folder that is Ada's artifact remote."""
    folder = tmp_path / "storage"
    ada.run("artifacts", "remote", str(folder))
    return folder


def there(storage: Path) -> set[str]:
    """Ids of the objects on the remote."""
    return {path.parent.name + path.name for path in (storage / "files" / "md5").glob("??/*")}


def test_without_a_remote_runs_go_and_it_is_said_what_stays(ada: Person, tmp_path: Path) -> None:
    """Each time, with what mends it."""
    run = ada.log(make_file(tmp_path / "model.bin"), name="calm-owl")

    pushed = ada.json("push", "--all")
    said = ada.says("push")

    assert [run] == pushed["new"]
    assert {"runs": 1, "objects": 1, "bytes": 300 * 1024} == pushed["artifacts"]["only_here"]
    assert "only in this clone: artifacts of 1 run (1 object, 300.0 KiB)" in said
    assert "ledgit artifacts remote URL" in said


def test_what_earlier_pushes_left_goes_once_there_is_a_remote(ada: Person, tmp_path: Path) -> None:
    """Nothing needs to be logged or edited for it."""
    ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    ada.run("artifacts", "remote", str(tmp_path / "storage"))

    said = ada.says("push")

    assert "sent artifacts" in said
    assert ada.objects() == there(tmp_path / "storage")
    assert "nothing is only here" in ada.says("artifacts", "status")
    assert "sent" not in ada.says("push")


def test_another_remote_gets_everything_too(ada: Person, storage: Path, tmp_path: Path) -> None:
    """What is known of the old one says nothing of the new one."""
    ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    ada.run("artifacts", "remote", str(tmp_path / "other"))

    ada.run("push")

    assert there(storage) == there(tmp_path / "other") == ada.objects()


def test_runs_can_go_without_their_artifacts(ada: Person, storage: Path, tmp_path: Path) -> None:
    """And these with a later push."""
    run = ada.log(make_file(tmp_path / "model.bin"))

    pushed = ada.json("push", "--all", "--no-artifacts")
    assert [run] == pushed["new"]
    assert not storage.exists()

    ada.run("push")
    assert ada.objects() == there(storage)


def test_a_dry_run_lists_artifacts_and_sends_nothing(ada: Person, storage: Path, tmp_path: Path) -> None:
    """How many and how much; their names if asked. What earlier pushes left here is among them."""
    left = ada.log(make_file(tmp_path / "left.bin", 400 * 1024))
    ada.run("push", "--all", "--no-artifacts")
    new = ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots", 110))
    before = ada.objects()

    said = ada.says("push", "--all", "--dry-run")
    named = ada.says("push", "--all", "--dry-run", "-v")
    planned = ada.json("push", "--all", "--dry-run")["artifacts"]["planned"]

    assert f"would send artifacts to {storage}: 113 objects" in said
    assert "model.bin" not in said
    assert f"model.bin of {new[:8]}, 300.0 KiB" in named
    assert f"left.bin of {left[:8]}, 400.0 KiB" in named
    assert before == {item["md5"] for item in planned}
    assert {"left.bin", "model.bin", "plots", "plots/0/0.bin"} <= {item["path"] for item in planned}
    sizes = {item["path"]: item["bytes"] for item in planned}
    assert (300 * 1024, 50) == (sizes["model.bin"], sizes["plots/0/0.bin"])
    assert not storage.exists()
    assert "would be left out" in ada.says("push", "--all", "--dry-run", "--no-artifacts")
    ada.run("push", "--all")
    assert before == there(storage)
    again = ada.json("push", "--all", "--dry-run")["artifacts"]
    assert ([], 0, "") == (again["planned"], again["sent"], again["trouble"])


def test_a_dry_run_says_where_artifacts_could_not_go(ada: Person, tmp_path: Path) -> None:
    """Without a remote, or with one that can't be used."""
    ada.log(make_file(tmp_path / "model.bin"))
    assert "only in this clone: artifacts of 1 run (1 object, 300.0 KiB)" in ada.says("push", "--all", "--dry-run")

    ada.run("artifacts", "remote", "ssh://127.0.0.1:1/nowhere")

    assert "127.0.0.1" in ada.json("push", "--all", "--dry-run")["artifacts"]["trouble"]


def test_a_remote_that_takes_nothing_holds_back_only_who_needs_it(ada: Person, tmp_path: Path) -> None:
    """The reason names the remote and what can be done; nothing else is in its way."""
    (tmp_path / "file").write_text("in the way")
    ada.run("artifacts", "remote", str(tmp_path / "file" / "storage"))
    heavy, light = ada.log(make_file(tmp_path / "model.bin")), ada.log(name="light")

    pushed = ada.json("push", "--all")

    assert [light] == pushed["new"]
    assert [heavy] == list(pushed["held"])
    assert "artifacts" == pushed["held"][heavy]["kind"]
    assert "--no-artifacts" in pushed["held"][heavy]["reason"]
    assert pushed["held"][heavy]["before"] is False
    assert ada.json("push", "--all")["held"][heavy]["before"] is True
    assert [heavy] == ada.json("push", "--all", "--no-artifacts")["new"]


@pytest.mark.parametrize(
    ("name", "text"), [(".dvc/config", "['remote \"ledgit\"'"), (".ledgit/config.yaml", "artifacts: {remote: [}")]
)
def test_settings_that_make_no_sense_hold_back_only_who_needs_them(
    ada: Person, tmp_path: Path, name: str, text: str
) -> None:
    """They are noticed by a push, and neither by a training nor by other runs."""
    path = ada.path / name
    path.parent.mkdir()
    path.write_text(text)
    heavy, light = ada.log(make_file(tmp_path / "model.bin")), ada.log(name="light")

    pushed = ada.json("push", "--all")

    assert [light] == pushed["new"]
    assert name in pushed["held"][heavy]["reason"]
    path.unlink()
    assert [heavy] == ada.json("push", "--all")["new"]


def test_a_run_whose_object_is_nowhere_is_not_held_back(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Holding it back would bring the object to nobody; that it is missing is said."""
    run, whole = ada.log(make_file(tmp_path / "lost.bin")), ada.log(make_file(tmp_path / "model.bin"))
    content = (tmp_path / "lost.bin").read_bytes()
    (lost,) = (path for path in ada.cache.rglob("*") if path.is_file() and path.read_bytes() == content)
    lost.unlink()

    pushed = ada.json("push", "--all")

    assert {run, whole} == set(pushed["new"])
    assert {run: "lost.bin"} == pushed["artifacts"]["absent"]
    assert ada.objects() == there(storage)


def test_a_damaged_object_is_not_sent(ada: Person, storage: Path, tmp_path: Path) -> None:
    """The run stays, and the sentence says what is wrong."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    (path,) = (path for path in ada.cache.rglob("*") if path.is_file())
    path.chmod(0o644)
    path.write_bytes(os.urandom(path.stat().st_size))

    pushed = ada.json("push", "--all", code=4)

    assert [run] == list(pushed["held"])
    assert set() == there(storage)


def test_who_edits_a_run_without_having_its_folder_is_not_told_that_it_is_lost(
    ada: Person, storage: Path, tmp_path: Path
) -> None:
    """The pointer has the size of all files, which is not that of their list."""
    ada.log(make_folder(tmp_path / "plots"), make_file(tmp_path / "model.bin"), name="calm-owl")
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("artifacts", "remote", str(storage))
    grace.run("pull")
    grace.run("artifacts", "get", "calm-owl", "model.bin", "-o", str(tmp_path / "out"))  # so that she has a cache
    grace.run("tag", "calm-owl", "seen=yes")

    said = grace.says("push")

    assert "1 edited run" in said
    assert "neither here nor" not in said


def test_an_object_that_vanished_from_the_remote_is_sent_again_with_a_new_run(
    ada: Person, storage: Path, tmp_path: Path
) -> None:
    """That it was seen there once is no reason to believe it is: somebody may have swept it."""
    model = make_file(tmp_path / "model.bin")
    ada.log(model)
    ada.run("push", "--all")
    (path,) = (storage / "files" / "md5").glob("??/*")
    path.unlink()

    ada.log(model)
    ada.run("push", "--all")

    assert path.read_bytes() == model.read_bytes()


def test_the_objects_are_there_before_the_run_is(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Whoever sees the run can have its files: here a hook on the host looks."""
    hook = tmp_path / "host.git" / "hooks" / "pre-receive"
    hook.write_text(f'#!/bin/sh\ntest -n "$(find {storage}/files -type f)"\n')
    hook.chmod(0o755)
    run = ada.log(make_file(tmp_path / "model.bin"))

    assert [run] == ada.json("push", "--all")["new"]


def test_what_is_swept_while_the_run_lands_is_sent_again(ada: Person, storage: Path, tmp_path: Path) -> None:
    """After the ledger has landed the remote is asked once more: here a hook on the host sweeps."""
    model = make_file(tmp_path / "model.bin")
    hook = tmp_path / "host.git" / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nrm -rf {storage}/files\n")
    hook.chmod(0o755)
    ada.log(model)

    ada.run("push", "--all")

    (path,) = (storage / "files" / "md5").glob("??/*")
    assert path.read_bytes() == model.read_bytes()


def test_a_run_that_was_purged_is_not_sent_later(ada: Person, tmp_path: Path) -> None:
    """Its objects stay here and go nowhere, although they waited for a remote."""
    run, kept = ada.log(make_file(tmp_path / "secret.bin"), name="secret"), ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    ada.run("rm", run)
    ada.run("gc", "--deleted", "--purge", "--yes")
    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    ada.run("push", "--all")

    (path,) = (tmp_path / "storage" / "files" / "md5").glob("??/*")
    assert path.read_bytes() == (tmp_path / "model.bin").read_bytes()
    assert [kept] == [found["id"] for found in ada.json("ls")]


def test_lost_notes_cost_a_question_and_no_object(ada: Person, storage: Path, tmp_path: Path) -> None:
    """They are disposable, and one that is damaged is thrown away."""
    ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    folder = ada.path / ".git" / "ledgit"
    (folder / "artifacts-sent").unlink()
    (folder / "remotes.sqlite3").write_bytes(b"no database" * 1000)

    said = ada.says("push")

    assert "sent" not in said
    assert ada.objects() == there(storage)
    assert "sent" not in ada.says("push")


def test_a_push_of_nothing_new_loads_neither_dvc_nor_a_database(ada: Person, storage: Path, tmp_path: Path) -> None:
    """It reads one line and looks at three files."""
    ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    code = "import sys; from ledgit.cli import main; main(['push', '--all']); print(sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ada.path, capture_output=True, text=True, check=True)

    loaded = done.stdout.splitlines()[-1]
    assert "'ledgit.store.artifacts.known'" in loaded
    assert not [name for name in ("dvc", "dvc_data", "fsspec", "sqlite3", "configobj") if f"'{name}'" in loaded]


@pytest.mark.parametrize("kill_at", [1, 5, 60])
def test_a_push_that_is_killed_and_repeated(ada: Person, storage: Path, tmp_path: Path, kill_at: int) -> None:
    """After any number of objects: each is there whole in the end, and once."""
    plots = make_folder(tmp_path / "plots")
    run = ada.log(make_file(tmp_path / "model.bin", 4 << 20), plots)
    script = textwrap.dedent("""
        import os, signal, sys, threading, time
        from pathlib import Path
        from ledgit.cli import main
        def watch():
            while len(list(Path(sys.argv[1]).rglob("*"))) < int(sys.argv[2]):
                time.sleep(0.0005)
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=watch, daemon=True).start()
        main(["push", "--all"])
        time.sleep(60)
    """)
    command = [sys.executable, "-c", script, str(storage), str(kill_at)]
    killed = subprocess.run(command, cwd=ada.path, capture_output=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr

    ada.run("push", "--all")

    assert ada.objects() == there(storage)
    for path in (storage / "files" / "md5").glob("??/*"):
        own = ada.cache / "files" / "md5" / path.parent.name / path.name
        assert own.read_bytes() == path.read_bytes()
    assert run in {found["id"] for found in ada.json("ls")}


def test_an_edit_of_somebody_elses_run_goes_although_its_files_are_not_here(
    ada: Person, storage: Path, tmp_path: Path
) -> None:
    """Who tags a run need not have its model."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("pull")
    grace.run("tag", run, "good=yes")

    assert [run] == grace.json("push", "--all")["edited"]


def test_notes_of_two_remotes_do_not_mix(tmp_path: Path, repo: Path) -> None:
    """Confirmed there is not confirmed here."""
    folder = Folder.of(Repo.discover(str(repo)))
    folder.make(folder.path)
    with Known(folder) as known:
        known.wait("s3://one", {"a" * 32: 5})
        known.confirm("s3://two", {"a" * 32: "digest"})

        assert {"a" * 32: 5} == known.pending("s3://one")
        assert set() == known.confirmed("s3://one", {"a" * 32: "digest"})
        assert {"a" * 32} == known.confirmed("s3://two", {"a" * 32: "digest"})
        assert set() == known.confirmed("s3://two", {"a" * 32: "another"})
        known.forget("s3://two")
        assert set() == known.confirmed("s3://two", {"a" * 32: "digest"})
        assert {"a" * 32: 5} == known.pending("s3://one")


def test_a_read_only_folder_is_no_trouble(tmp_path: Path, repo: Path) -> None:
    """Nothing is known then, and nothing is raised."""
    folder = Folder.of(Repo.discover(str(repo)))
    with Known(folder) as known:  # the folder isn't even there
        known.confirm("s3://one", {"a" * 32: "digest"})

        assert {} == known.pending("s3://one")
        assert set() == known.confirmed("s3://one", {"a" * 32: "digest"})
