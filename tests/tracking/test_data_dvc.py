"""Data sets that DVC tracks: recorded by DVC's own hashes, which the real DVC makes here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import run_git

import ledgit
from ledgit.errors import InvalidValue
from ledgit.tracking import data_dvc, data_files


def dvc(*args: str, cwd: Path) -> None:
    """Run the real DVC."""
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a tracked file, a tracked folder and a pipeline that works in another folder."""
    path = tmp_path_factory.mktemp("made") / "project"
    (path / "data" / "images" / "deep").mkdir(parents=True)
    run_git(path, "init", "-q")
    dvc("init", "-q", cwd=path)
    (path / "data" / "train.csv").write_text("x,y\n1,2\n")
    for name in ("a.png", "b.png", "deep/c.png", "deep/ü d.png"):
        (path / "data" / "images" / name).write_text(name)
    dvc("add", "-q", "data/train.csv", "data/images", cwd=path)
    (path / "work").mkdir()
    (path / "dvc.yaml").write_text(
        "stages:\n  split:\n    wdir: work\n    cmd: python -c \"open('out.csv', 'w').write('made')\"\n"
        "    outs: [out.csv]\n"
    )
    dvc("repro", "-q", cwd=path)
    dvc("remote", "add", "-d", "store", "https://ada:secret@example.org/data?sig=abc", cwd=path)
    run_git(path, "add", "-A")
    run_git(path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "data")
    return path


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, and the test's working directory."""
    path = tmp_path / "project"
    shutil.copytree(made, path, symlinks=True)
    monkeypatch.chdir(path)
    return path


def facts(path: str) -> dict[str, str]:
    """Return the source that is recorded of *path*."""
    found: dict[str, str] = json.loads(ledgit.data.from_path(path).source)
    return found


def test_a_tracked_file_is_recorded_as_dvc_knows_it(project: Path) -> None:
    """Hash, pointer, remote without its password, and the commit of the code."""
    with ledgit.start_run() as run:
        ledgit.log_input("data/train.csv", context="training")

    (record,) = run.record().inputs
    md5 = hashlib.md5(b"x,y\n1,2\n").hexdigest()
    assert ("train.csv", md5, "md5", "dvc", "training") == (
        record.name,
        record.digest,
        record.kind,
        record.source_type,
        record.context,
    )
    assert {
        "path": "data/train.csv",
        "pointer": "data/train.csv.dvc",
        "md5": md5,
        "remote": "store",
        "url": "https://example.org/data",
        "commit": run_git(project, "rev-parse", "HEAD"),
        "state": "verified",
    } == json.loads(record.source)
    assert {"size": 8, "files": 1} == json.loads(record.profile)


def test_a_tracked_folder_has_one_digest_with_dvc_and_without(project: Path) -> None:
    """The list of its files is DVC's, to the byte."""
    one = ledgit.data.from_path("data/images")

    assert (project / "data" / "images.dvc").read_text().count(one.digest) == 1
    assert one.digest.endswith(".dir")
    assert ledgit.data.from_file("data/images").digest == one.digest
    assert ("verified", 4) == (json.loads(one.source)["state"], one.profile["files"])


def test_what_is_inside_a_tracked_folder_is_found_in_its_list(project: Path) -> None:
    """A file and a folder below it, by the list in DVC's cache."""
    file, folder = ledgit.data.from_path("data/images/deep/c.png"), ledgit.data.from_path("data/images/deep")

    assert hashlib.md5(b"deep/c.png").hexdigest() == file.digest
    assert ledgit.data.from_file("data/images/deep").digest == folder.digest
    assert ["data/images/deep/c.png", "data/images.dvc", "verified"] == [
        json.loads(file.source)[key] for key in ("path", "pointer", "state")
    ]
    assert 2 == folder.profile["files"]


def test_without_the_list_what_is_inside_is_hashed(project: Path) -> None:
    """A clone that did not pull all of it: the file is here, the list is not."""
    shutil.rmtree(project / ".dvc" / "cache")

    one = ledgit.data.from_path("data/images/a.png")
    assert (hashlib.md5(b"a.png").hexdigest(), "local") == (one.digest, one.source_type)


def test_what_a_pipeline_makes_is_found_in_its_lock_file(project: Path) -> None:
    """Its paths start in the stage's own folder, which only dvc.yaml names."""
    assert {"path": "work/out.csv", "pointer": "dvc.lock", "stage": "split", "state": "verified"}.items() <= facts(
        "work/out.csv"
    ).items()


def test_data_that_were_not_pulled_are_recorded_all_the_same(project: Path) -> None:
    """By what DVC says they are."""
    (project / "data" / "train.csv").unlink()
    shutil.rmtree(project / "data" / "images")

    file, folder = ledgit.data.from_path("data/train.csv"), ledgit.data.from_path("data/images")
    assert hashlib.md5(b"x,y\n1,2\n").hexdigest() == file.digest
    assert ["absent", "absent"] == [json.loads(one.source)["state"] for one in (file, folder)]
    assert [(8, 1), (33, 4)] == [(one.profile["size"], one.profile["files"]) for one in (file, folder)]
    with pytest.raises(InvalidValue, match="exists"):
        ledgit.data.from_path("data/none.csv")


@pytest.mark.parametrize("text", ["x,y\n1,3\n", "x,y\n1,2\n3,4\n"])
def test_data_that_changed_are_recorded_as_they_are(project: Path, text: str) -> None:
    """The run saw these; what the pointer says stays in the source."""
    (project / "data" / "train.csv").unlink()  # DVC may have linked it
    (project / "data" / "train.csv").write_text(text)

    one = ledgit.data.from_path("data/train.csv")
    assert hashlib.md5(text.encode()).hexdigest() == one.digest
    assert ("modified", hashlib.md5(b"x,y\n1,2\n").hexdigest()) == tuple(
        map(json.loads(one.source).get, ("state", "md5"))
    )


def test_a_folder_that_lost_a_file_is_another(project: Path) -> None:
    """Seen by the number of its files."""
    (project / "data" / "images" / "a.png").unlink()

    one = ledgit.data.from_path("data/images")
    assert ("modified", 3) == (json.loads(one.source)["state"], one.profile["files"])
    assert one.digest not in (project / "data" / "images.dvc").read_text()


def test_large_data_are_not_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size and number of files have to do; unless they were hashed before."""
    monkeypatch.setattr(data_files, "VERIFY_LIMIT", 4)
    (project / "data" / "train.csv").unlink()
    (project / "data" / "train.csv").write_text("x,y\n9,9\n")

    one = ledgit.data.from_path("data/train.csv")
    assert ("unverified", hashlib.md5(b"x,y\n1,2\n").hexdigest()) == (json.loads(one.source)["state"], one.digest)


def test_a_pointer_of_dvc_2_is_understood(project: Path) -> None:
    """It hashed texts with the line ends of Unix."""
    text = b"x,y\r\n1,2\r\n"
    md5 = hashlib.md5(text.replace(b"\r\n", b"\n")).hexdigest()
    Path("old.csv").write_bytes(text)
    Path("old.csv.dvc").write_text(f"outs:\n- md5: {md5}\n  size: {len(text)}\n  path: old.csv\n")

    one = ledgit.data.from_path("old.csv")
    assert (md5, data_dvc.LEGACY, "verified") == (one.digest, one.kind, json.loads(one.source)["state"])


def test_a_file_is_hashed_once(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it stays as it is, its digest is remembered; when it changes, it is read again."""
    from ledgit.artifacts import hashing

    with ledgit.start_run():
        pass
    os.utime("data.csv", (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(hashing, "_YOUNG", 0)
    first = ledgit.data.from_file("data.csv").digest
    read: list[str] = []
    digest_file = hashing.digest_file
    monkeypatch.setattr(hashing, "digest_file", lambda path: read.append(path) or digest_file(path))  # type: ignore[func-returns-value]

    assert first == ledgit.data.from_file("data.csv").digest
    assert [] == read
    Path("data.csv").write_text("x,y\n1,3\n")
    assert first != ledgit.data.from_file("data.csv").digest
    assert ["data.csv"] == read


def test_what_is_no_regular_file_is_left_out(repo: Path) -> None:
    """A pipe would hold the training up for ever."""
    Path("folder").mkdir()
    Path("folder/a").write_text("a")
    alone = ledgit.data.from_file("folder").digest
    os.mkfifo("folder/pipe")

    assert alone == ledgit.data.from_file("folder").digest
    with pytest.raises(InvalidValue, match="regular file"):
        ledgit.data.from_file("folder/pipe")


TEXTS = st.sampled_from(
    [
        "outs",
        "md5",
        "path",
        "data.csv",
        "- ",
        ": ",
        "\n",
        "  ",
        "a" * 32,
        "d" * 32 + ".dir",
        "[",
        "{",
        "&a",
        "*a",
        "../x",
        "~",
    ]
)


@given(st.one_of(st.binary(max_size=60), st.lists(TEXTS, max_size=12).map(lambda parts: "".join(parts).encode())))
def test_a_broken_pointer_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in it, the file itself can be recorded."""
    (tmp_path / ".dvc").mkdir(exist_ok=True)
    (tmp_path / ".dvc" / "config").write_bytes(content)
    (tmp_path / "data.csv").write_text("x")
    for name in ("data.csv.dvc", "dvc.lock", "dvc.yaml"):
        (tmp_path / name).write_bytes(content)

    one = ledgit.data.from_path(tmp_path / "data.csv")
    assert hashlib.md5(b"x").hexdigest() == one.digest
