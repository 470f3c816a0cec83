"""``ledgit verify``: a flipped bit is found wherever it is, named, and mended where a good copy is."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, relist, start_project, swap_list
from tests.artifacts.sweeping_kit import names_of, there
from tests.conftest import run_git


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return start_project(tmp_path)


@pytest.fixture
def ada(tmp_path: Path, host: Path) -> Person:
    return clone(host, tmp_path / "ada")


@pytest.fixture
def storage(tmp_path: Path, ada: Person) -> Path:
    folder = tmp_path / "storage"
    ada.run("artifacts", "remote", str(folder))
    return folder


def flip(path: Path, at: int = 1000) -> None:
    """Change one bit; size and times stay."""
    stat = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(min(at, stat.st_size - 1))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cached(person: Person, oid: str) -> Path:
    return person.cache / "files" / "md5" / oid[:2] / oid[2:]


def stored(storage: Path, oid: str) -> Path:
    return storage / "files" / "md5" / oid[:2] / oid[2:]


def only(found: dict[str, Any]) -> dict[str, Any]:
    (problem,) = found["problems"]
    assert isinstance(problem, dict)
    return problem


def test_what_is_whole_is_said_to_be(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Everything was read: commits and files, small and large artifacts, here and there."""
    run = ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots"), texts={"a.txt": "small"})
    ada.run("push", "--all")

    found = ada.json("verify", run, "--remote")

    assert [] == found["problems"]
    assert (1, 1, 122, 122) == (found["runs"], found["files"], found["objects"], found["remote_objects"])
    assert found["git_objects"] > 8
    assert found["bytes"] > 2 * 300 * 1024
    assert "nothing is damaged" in ada.says("verify", "--all")


def test_a_bit_that_flipped_in_the_cache(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Size and time are as they were. The remote's copy takes its place, and the damaged one is kept aside."""
    run = ada.log(make_file(tmp_path / "model.bin"), name="calm-owl")
    ada.run("push", "--all")
    (oid,) = ada.objects()
    flip(cached(ada, oid))

    problem = only(ada.json("verify", run, "--remote", code=1))
    assert ("cache", "damaged", "model.bin", [run]) == tuple(problem[key] for key in ("where", "state", "path", "runs"))
    assert [str(storage)] == problem["copies"]
    said = ada.says("verify", run, code=1)
    assert "damaged in this clone's cache: model.bin of calm-owl" in said
    repaired = ada.json("verify", run, "--repair")

    assert str(storage) == only(repaired)["repaired"]
    assert (tmp_path / "model.bin").read_bytes() == cached(ada, oid).read_bytes()
    assert 1 == len(list((ada.cache / "damaged").iterdir()))
    assert [] == ada.json("verify", "--all")["problems"]


def test_a_bit_that_flipped_on_the_remote(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Found with --remote alone; the cache's copy takes its place."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    (oid,) = there(storage)
    flip(stored(storage, oid))

    assert [] == ada.json("verify", run)["problems"]
    problem = only(ada.json("verify", run, "--remote", code=1))
    assert ("remote", "damaged", ["cache"]) == (problem["where"], problem["state"], problem["copies"])
    assert "cache" == only(ada.json("verify", run, "--remote", "--repair"))["repaired"]

    assert (tmp_path / "model.bin").read_bytes() == stored(storage, oid).read_bytes()


def test_an_object_that_vanished_from_the_remote(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Of a run that was pushed it is missing there; of one that wasn't, nobody expects it."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    own = ada.log(make_file(tmp_path / "own.bin"))
    (oid,) = names_of(ada, run)
    stored(storage, oid).unlink()

    assert [] == ada.json("verify", own, "--remote")["problems"]
    problem = only(ada.json("verify", run, "--remote", code=1))
    assert ("remote", "missing") == (problem["where"], problem["state"])
    ada.run("verify", run, "--remote", "--repair")
    assert oid in there(storage)


def test_what_is_not_in_this_clone_is_no_damage(ada: Person, host: Path, storage: Path, tmp_path: Path) -> None:
    """It is looked for where it is, if asked."""
    run = ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    ben = clone(host, tmp_path / "ben")
    ben.run("artifacts", "remote", str(storage))
    ben.run("pull")

    assert ([], 2) == (ben.json("verify", run)["problems"], ben.json("verify", run)["elsewhere"])
    found = ben.json("verify", run, "--remote")
    assert ([], 122) == (found["problems"], found["remote_objects"])


def test_an_object_that_is_nowhere(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Missing, with the run and the path."""
    run = ada.log(make_file(tmp_path / "model.bin"), name="calm-owl")
    ada.run("push", "--all")
    (oid,) = ada.objects()
    cached(ada, oid).unlink()
    stored(storage, oid).unlink()

    said = ada.says("verify", run, "--remote", code=1)

    assert "missing in this clone's cache: model.bin of calm-owl" in said
    assert "neither here nor, whole, on the artifact remote" in said
    assert "no good copy was found" in said


def test_other_places_with_a_good_copy_are_found(ada: Person, tmp_path: Path) -> None:
    """DVC's own cache, and the file itself in the work tree; the first one that is whole is taken."""
    model = make_file(ada.path / "model.bin")
    run = ada.log(model)
    (oid,) = ada.objects()
    other = ada.path / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]
    other.parent.mkdir(parents=True)
    other.write_bytes(model.read_bytes())
    flip(cached(ada, oid))

    problem = only(ada.json("verify", run, code=1))
    assert [str(other), str(model)] == problem["copies"]
    flip(other)
    assert [str(model)] == only(ada.json("verify", run, code=1))["copies"]
    assert str(model) == only(ada.json("verify", run, "--repair"))["repaired"]
    assert model.read_bytes() == cached(ada, oid).read_bytes()


def test_a_damaged_list_of_a_folder(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Without it nobody knows what is in the folder; the remote's takes its place."""
    run = ada.log(make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    (listed,) = (oid for oid in ada.objects() if oid.endswith(".dir"))
    flip(cached(ada, listed), 50)

    problem = only(ada.json("verify", run, "--repair"))

    assert ("plots/", str(storage)) == (problem["path"], problem["repaired"])
    assert 121 == ada.json("verify", run)["objects"]


@pytest.mark.parametrize(
    "listed",
    [
        b"[" * 100_000,
        b"artifacts: &a [*a]\n",
        b"artifacts: 7\n",
        b"artifacts:\n- path: dvc\n  size: []\n",
        b"- dvc\n",
        b"\xff\n",
        b"",
    ],
)
def test_a_list_of_artifacts_that_does_not_decode_is_no_whole_run(ada: Person, tmp_path: Path, listed: bytes) -> None:
    """Git has it as it was written, so no copy helps; which files it should name is not known."""
    run = ada.log(make_file(tmp_path / "model.bin"), texts={"a.txt": "small"}, name="calm-owl")
    again = ada.log(make_file(tmp_path / "other.bin"))
    blob = relist(ada, run, lambda _: listed)
    assert blob == relist(ada, again, lambda _: listed)

    problem = only(ada.json("verify", "--all", code=1))
    assert ("git", "unreadable", ".ledgit/run/artifacts.yaml", blob, []) == tuple(
        problem[key] for key in ("where", "state", "path", "id", "copies")
    )
    assert {run, again} == set(problem["runs"])
    said = ada.says("verify", run, "--repair", code=1)
    assert "unreadable in Git: .ledgit/run/artifacts.yaml of calm-owl" in said
    assert "every copy is like this one" in said
    assert "1 is damaged, missing or unreadable" in said


def test_a_pointer_to_histories_that_does_not_decode_is_named(ada: Person, tmp_path: Path) -> None:
    """With its run and its own path."""
    run = ada.log(make_file(tmp_path / "model.bin"), name="calm-owl")
    relist(ada, run, lambda _: b"outs: 7\n", "history-full.tsv.gz.dvc")

    problem = only(ada.json("verify", run, code=1))

    assert (".ledgit/run/history-full.tsv.gz.dvc", "unreadable", [run]) == (
        problem["path"],
        problem["state"],
        problem["runs"],
    )


@pytest.mark.parametrize("listed", [b"[" * 100_000, b"{}", b'[{"relpath": "../x", "md5": "' + b"0" * 32 + b'"}]'])
def test_a_folder_whose_list_does_not_decode_is_not_whole(
    ada: Person, storage: Path, tmp_path: Path, listed: bytes
) -> None:
    """Its bytes are what its id says, here and on the remote: no copy is a better one, and none is taken."""
    run = ada.log(make_folder(tmp_path / "plots"), name="calm-owl")
    oid = swap_list(ada, run, listed)
    put = stored(storage, oid)
    put.parent.mkdir(parents=True, exist_ok=True)
    put.write_bytes(listed)

    for words in ((), ("--remote",), ("--remote", "--repair")):
        problem = only(ada.json("verify", run, *words, code=1))
        assert ("cache", "unreadable", "plots/", oid, [run], []) == tuple(
            problem[key] for key in ("where", "state", "path", "id", "runs", "copies")
        )
    said = ada.says("verify", run, code=1)
    assert "unreadable in this clone's cache: plots/ of calm-owl" in said
    assert "every copy is like this one" in said
    cached(ada, oid).unlink()
    assert "unreadable" == only(ada.json("verify", run, "--remote", code=1))["state"]


def test_a_damaged_object_of_git(ada: Person, tmp_path: Path) -> None:
    """One file of one run; the other objects are read all the same."""
    run = ada.log(texts={"notes.txt": "hello " * 1000}, name="calm-owl")
    commit = ada.git("rev-parse", f"refs/ledgit/runs/{run}")
    path = ".ledgit/run/artifacts/notes.txt"
    blob = ada.git("rev-parse", f"{commit}:{path}")
    for pack in list((ada.path / ".git/objects/pack").glob("*.pack")):
        moved = tmp_path / pack.name
        pack.rename(moved)
        pack.with_suffix(".idx").unlink()
        for keep in pack.parent.glob(f"{pack.stem}.*"):
            keep.unlink()
        import subprocess

        with moved.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=ada.path, stdin=file, check=True)
    loose = ada.path / ".git/objects" / blob[:2] / blob[2:]
    whole = zlib.decompress(loose.read_bytes())
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(whole[:-2] + b"!!"))

    found = ada.json("verify", run, code=1)

    assert {("git", "calm-owl")} == {
        (one["where"], ada.repository.run(one["runs"][0]).name) for one in found["problems"]
    }
    assert path in {one["path"] for one in found["problems"]}
    assert found["git_objects"] > 8
    loose.unlink()
    said = ada.says("verify", run, code=1)
    assert f"missing in Git: {path} of calm-owl" in said


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_a_clone_that_has_the_list_of_runs_alone(
    ada: Person, host: Path, storage: Path, tmp_path: Path, option: str
) -> None:
    """What was asked for is fetched; what such a clone never has is no damage."""
    run = ada.log(make_file(tmp_path / "model.bin"), texts={"a.txt": "small"})
    ada.run("push", "--all")
    run_git(host, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", option, "-b", "main", f"file://{host}", "ci")
    ci = Person(tmp_path / "ci")
    ci.run("artifacts", "remote", str(storage))
    ci.run("pull")

    found = ci.json("verify", run, "--remote")

    assert ([], 1, 1) == (found["problems"], found["files"], found["remote_objects"])


def test_runs_have_to_be_named(ada: Person) -> None:
    """All of them are many bytes."""
    assert "--all" in ada.says("verify", code=2)
