"""What is logged, from the call to the commit: where it is kept, what is left out, and what DVC makes of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.background import wait_for
from tests.conftest import GitFunction
from tests.tracking.conftest import _fresh_session

import ledgit
from ledgit.artifacts import Cache, Hashes, decode_list
from ledgit.errors import ConfigError, LedgitWarning
from ledgit.git import Repo, read_ref
from ledgit.records.artifacts import ArtifactRecord
from ledgit.store import Folder, recover
from ledgit.store.settle import settle_all

LARGE = 300_000
__all__ = ["_fresh_session"]  # every test here starts with a process that has logged nothing yet


def cache_of(repo: Path) -> Cache:
    return Cache(Folder.of(Repo.discover(str(repo))).cache)


def artifacts(run: ledgit.Run) -> dict[str, ArtifactRecord]:
    settle_all()
    return {record.path: record for record in ledgit.get_run(run.info.run_id).artifacts()}


def listed(repo: Path, record: ArtifactRecord) -> dict[str, bytes]:
    """What is in a folder that is an object."""
    cache = cache_of(repo)
    members = decode_list(cache.read(record.digest.removeprefix("md5:")))
    assert len(members) == record.nfiles
    return {member.path: cache.read(member.md5) for member in members}


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def make(folder: Path, count: int, size: int = 10) -> dict[str, bytes]:
    """*count* files in two folders."""
    made = {}
    for number in range(count):
        name = f"{number % 2}/{number}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name] = (b"%d " % number) * size
        path.write_bytes(made[name])
    return made


@pytest.mark.parametrize(
    ("setting", "threshold", "stored"),
    [("", None, "dvc"), ("3k", None, "git"), ("3k", 1000, "dvc"), ("3k", "1 KiB", "dvc"), ("1k", "2kb", "git")],
)
def test_where_a_file_goes_depends_on_its_size(
    repo: Path, git: GitFunction, setting: str, threshold: int | str | None, stored: str
) -> None:
    """The call's word counts, then the person's, then the repository's."""
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text("artifacts: {threshold: 1KiB}\n")
    Path("file").write_bytes(b"x" * 2000)
    if setting:
        git(repo, "config", "ledgit.artifactThreshold", setting)
    with ledgit.start_run() as run:
        ledgit.log_artifact("file", threshold=threshold)

    assert stored == artifacts(run)["file"].stored


NO_SIZES = ["much", "-1", "1 parsec", "1e5"]


@pytest.mark.parametrize("text", [*NO_SIZES, "", -1, 2.5, True])
def test_a_threshold_that_is_no_size_is_an_error(repo: Path, text: object) -> None:
    """In a call it is its author's."""
    with pytest.raises(ConfigError, match="a size in bytes"):
        ledgit.log_artifact("data.csv", threshold=text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", NO_SIZES)
def test_a_setting_that_is_no_size_is_a_problem(repo: Path, git: GitFunction, text: str) -> None:
    """A training does not die of a colleague's typing error."""
    git(repo, "config", "ledgit.artifactThreshold", text)
    with pytest.warns(LedgitWarning, match="256 KiB is used"), ledgit.start_run() as run:
        ledgit.log_artifact("data.csv")

    assert "git" == artifacts(run)["data.csv"].stored
    assert any("256 KiB is used" in change for change in ledgit.get_run(run.info.run_id).log()[-1].changes)


def test_a_large_file_is_hashed_while_the_run_goes_on(repo: Path) -> None:
    """The journal says so, and the copy is a link to the object: nothing is written twice."""
    Path("large").write_bytes(os.urandom(LARGE))
    run = ledgit.start_run()
    ledgit.log_artifact("large")
    wait_for(lambda: any(kind == "hashed" for kind, _ in run.store.read().events))

    (item,) = (item for kind, item in run.store.read().events if kind == "hashed")
    staged = os.path.join(run.store.directory, item["file"])
    assert os.stat(staged).st_ino == os.stat(cache_of(repo).location(item["md5"])).st_ino
    assert Path("large").read_bytes() == run.read_artifact("large")
    ledgit.end_run()
    assert md5(Path("large").read_bytes()) == artifacts(run)["large"].digest


def test_a_large_folder_is_one_artifact(repo: Path, git: GitFunction) -> None:
    """A list, its files, and one pointer in the tree; while it is written already."""
    made = make(Path("out"), 150)
    with ledgit.start_run() as run:
        ledgit.log_artifact("out")
        live = {record.path: record for record in run.artifacts()}
        assert made == listed(repo, live["out"])

    record = artifacts(run)["out"]
    assert ("dvc", 150, sum(map(len, made.values()))) == (record.stored, record.nfiles, record.size)
    assert made == listed(repo, record)
    names = git(repo, "ls-tree", "-r", "--name-only", ledgit.get_run(run.info.run_id).commit, ".ledgit/run/artifacts")
    assert ".ledgit/run/artifacts/out.dvc" == names


def test_a_small_folder_and_a_root_are_logged_file_by_file(repo: Path) -> None:
    """Of a root each folder for itself, large ones as one artifact."""
    make(Path("out/many"), 150)
    make(Path("out/few"), 4)
    (Path("out") / "one").write_bytes(b"1")
    with ledgit.start_run() as run:
        ledgit.log_artifacts("out")

    found = artifacts(run)
    assert {"many", "few/0/0", "few/1/1", "few/0/2", "few/1/3", "one"} == found.keys()
    assert 150 == found["many"].nfiles


def test_what_is_logged_into_a_large_folder_makes_a_new_list(repo: Path) -> None:
    """Files that were there before, are new, or come with another folder; also when the run is resumed."""
    wanted = make(Path("out"), 150)
    Path("extra").write_bytes(b"early")
    Path("large").write_bytes(os.urandom(LARGE))
    with ledgit.start_run() as run:
        ledgit.log_artifact("extra", "out")
        ledgit.log_artifacts("out", "out")
        ledgit.log_artifact("large", "out/deep")
        ledgit.log_text("changed", "out/0/0")
    wanted |= {"extra": b"early", "deep/large": Path("large").read_bytes(), "0/0": b"changed"}

    (record,) = artifacts(run).values()
    assert wanted == listed(repo, record)
    assert record.size == sum(map(len, wanted.values()))
    ledgit.log_text("late", "out/late.txt", run_id=run.info.run_id)
    (record,) = artifacts(run).values()
    assert {**wanted, "late.txt": b"late"} == listed(repo, record)


def test_a_folder_over_the_files_of_an_earlier_session_takes_them_in(repo: Path) -> None:
    """Small ones come out of the commit, large ones are objects already."""
    Path("large").write_bytes(os.urandom(LARGE))
    with ledgit.start_run() as run:
        ledgit.log_text("small", "out/small")
        ledgit.log_artifact("large", "out")
    made = make(Path("more"), 150)
    with ledgit.start_run(run_id=run.info.run_id):
        ledgit.log_artifacts("more", "out")

    (record,) = artifacts(run).values()
    assert {**made, "small": b"small", "large": Path("large").read_bytes()} == listed(repo, record)


def test_a_folder_whose_list_is_elsewhere_stays_and_what_is_new_stands_beside(repo: Path) -> None:
    """The run was resumed on a machine that never fetched it: nothing of it is lost."""
    make(Path("out"), 150)
    with ledgit.start_run() as run:
        ledgit.log_artifact("out")
    before = artifacts(run)["out"]
    shutil.rmtree(cache_of(repo).path)
    make(Path("more"), 120, size=20)
    with ledgit.start_run(run_id=run.info.run_id):
        ledgit.log_text("new", "out/new.txt")
        ledgit.log_artifacts("more", "out")

    found = artifacts(run)
    assert before == found["out"]
    assert 122 == len(found)
    assert "git" == found["out/new.txt"].stored
    assert b"0 " * 20 == cache_of(repo).read(found["out/0/0"].digest.removeprefix("md5:"))


def test_what_can_not_be_logged_is_said_and_the_rest_is_logged(repo: Path) -> None:
    """In a warning, and for good in the run's commit."""
    folder = Path("out")
    folder.mkdir()
    (folder / "fine").write_text("fine")
    (folder / "..\\x").write_text("x")
    (folder / "link").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe")
    with pytest.warns(LedgitWarning) as said, ledgit.start_run() as run:
        ledgit.log_artifacts("out", "out")

    assert {"out/fine"} == artifacts(run).keys()
    assert 3 == len(said)
    problems = "\n".join(ledgit.get_run(run.info.run_id).log()[-1].changes)
    for name in ("..\\x", "pipe"):
        assert f"artifact out/{name} was left out" in problems
    assert "1 link in out leads out of it and was left out (link)" in problems
    assert "hostname" not in problems


def test_links_that_are_not_followed_are_one_warning(repo: Path) -> None:
    """With how many there are, some of them, and the setting that follows them."""
    folder = Path("out")
    folder.mkdir()
    for number in range(1200):
        (folder / f"{number:04}").symlink_to("/etc/hostname")
    with pytest.warns(LedgitWarning) as said, ledgit.start_run():
        ledgit.log_artifacts("out")

    (told,) = (str(warning.message) for warning in said)
    assert "1,200 links in out lead out of it and were left out (0000, 0001, 0002, …)" in told
    assert "git config ledgit.followLinks true" in told


def test_names_that_are_no_text_and_case_twins_come_back(repo: Path) -> None:
    """In a small folder, and in one that is one artifact."""
    names = [b"caf\xe9", b"A.txt", b"a.txt"]
    for folder, more in ((b"small", 0), (b"large", 120)):
        os.mkdir(folder)
        for name in [*names, *(b"%d" % number for number in range(more))]:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(name)
    with ledgit.start_run() as run:
        ledgit.log_artifact("small")
        ledgit.log_artifact("large")

    found = artifacts(run)
    for name in names:
        assert name == ledgit.get_run(run.info.run_id).read_artifact(f"small/{os.fsdecode(name)}")
        assert name == listed(repo, found["large"])[os.fsdecode(name)]


def test_the_same_file_again_is_neither_copied_nor_read(repo: Path) -> None:
    """However large it is: its stamp says what it holds."""
    Path("large").write_bytes(os.urandom(LARGE))
    folder = Folder.of(Repo.discover(str(repo)))
    info = os.stat("large")
    with ledgit.start_run() as run:
        ledgit.log_artifact("large")
    first = artifacts(run)["large"]
    Hashes(folder.path).note(info, first.digest.removeprefix("md5:"), info.st_ctime_ns + 3_000_000_000)

    with ledgit.start_run() as again:
        ledgit.log_artifact("large", "there")
        assert [] == [name for name in os.listdir(again.store.directory) if name.startswith("file-")]
        assert Path("large").read_bytes() == again.read_artifact("there/large")
    assert first.digest == artifacts(again)["there/large"].digest
    Path("large").write_bytes(b"x" * LARGE)
    with ledgit.start_run() as third:
        ledgit.log_artifact("large")
    assert md5(b"x" * LARGE) == artifacts(third)["large"].digest


def test_what_finalizing_hashed_is_not_read_again_either(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script may end before the thread that hashes has begun."""
    from ledgit.store.artifacts import hasher

    monkeypatch.setattr(hasher, "_thread", threading.current_thread())  # as if it were just about to begin
    monkeypatch.setattr(time, "time_ns", lambda real=time.time_ns: real() + 3_000_000_000)  # no stamp is too young
    for name in ("large", "young"):
        Path(name).write_bytes(os.urandom(LARGE))
    hashes = Hashes(Folder.of(Repo.discover(str(repo))).path)
    with ledgit.start_run() as run:
        ledgit.log_artifact("large", "once")
        ledgit.log_artifact("large", "twice")
        ledgit.log_artifact("young")
        Path("young").write_bytes(b"x" * LARGE)  # the copy is of what it held before

    found = artifacts(run)
    assert md5(Path("large").read_bytes()) == found["once/large"].digest == found["twice/large"].digest
    assert found["once/large"].digest == f"md5:{hashes.known(os.stat('large'))}"
    assert hashes.known(os.stat("young")) is None
    with ledgit.start_run() as again:
        ledgit.log_artifact("large")
        assert [] == [name for name in os.listdir(again.store.directory) if name.startswith("file-")]
    assert md5(Path("large").read_bytes()) == artifacts(again)["large"].digest


STAMPED = """
import os, signal, sys, threading, time
import ledgit
from ledgit.store.artifacts import hasher
hasher._thread = threading.current_thread()  # as if it were just about to begin
time.time_ns = lambda real=time.time_ns: real() + 3_000_000_000  # no stamp is too young
if sys.argv[1] == "power cut":
    hasher._since = lambda: "as it was before"
run = ledgit.start_run()
ledgit.log_artifact("large")
run.store.tick()
print(run.info.run_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("since", ["a kill", "power cut"])
def test_what_another_process_hashes_is_not_read_again_either(repo: Path, since: str) -> None:
    """But after a power cut the copy may hold something else than the file did."""
    import subprocess

    Path("large").write_bytes(os.urandom(LARGE))
    command = [sys.executable, "-c", STAMPED, since]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode < 0, done.stderr
    git_repo = Repo.discover(str(repo))

    recover(git_repo, Folder.of(git_repo))

    digest = {record.path: record for record in ledgit.get_run(done.stdout.strip()).artifacts()}["large"].digest
    assert md5(Path("large").read_bytes()) == digest
    known = Hashes(Folder.of(git_repo).path).known(os.stat("large"))
    assert (None if since == "power cut" else digest) == (known and f"md5:{known}")


def test_an_object_that_is_gone_is_copied_again(repo: Path) -> None:
    """What was hashed before is no use without it."""
    Path("large").write_bytes(os.urandom(LARGE))
    folder = Folder.of(Repo.discover(str(repo)))
    info = os.stat("large")
    Hashes(folder.make(folder.path)).note(info, md5(Path("large").read_bytes())[4:], info.st_ctime_ns + 3_000_000_000)
    with ledgit.start_run() as run:
        ledgit.log_artifact("large")

    assert Path("large").read_bytes() == ledgit.get_run(run.info.run_id).read_artifact("large")
    assert artifacts(run)


def test_many_small_files_do_not_all_go_into_the_commit(repo: Path, git: GitFunction) -> None:
    """Beyond 256 times the threshold the largest become objects."""
    git(repo, "config", "ledgit.artifactThreshold", "100")
    with ledgit.start_run() as run:
        for number in range(300):
            ledgit.log_text("x" * (100 if number else 99), f"{number}.txt")

    kinds = [record.stored for record in artifacts(run).values()]
    assert 256 == kinds.count("git")
    assert "git" == artifacts(run)["0.txt"].stored


def test_many_small_files_share_one_copy(repo: Path) -> None:
    """Each is read from it, and is an artifact of its own in the end; a large one among them has its own."""
    wanted = {f"{number}.txt": b"%d" % number * 50 for number in range(200)} | {"large": os.urandom(LARGE), "none": b""}
    Path("out").mkdir()
    for name, data in wanted.items():
        (Path("out") / name).write_bytes(data)
    with ledgit.start_run() as run:
        ledgit.log_artifacts("out")
        assert 2 == len([name for name in os.listdir(run.store.directory) if name.startswith("file-")])
        assert wanted == {record.path: run.read_artifact(record.path) for record in run.artifacts()}
        ledgit.log_text("later", "7.txt")
    wanted["7.txt"] = b"later"

    again = ledgit.get_run(run.info.run_id)
    assert wanted == {record.path: again.read_artifact(record.path) for record in again.artifacts()}
    assert {"large": "dvc"} == {path: one.stored for path, one in artifacts(run).items() if one.stored != "git"}


def test_small_files_that_a_power_cut_took_are_named(repo: Path) -> None:
    """The others are there."""
    Path("out").mkdir()
    for number in range(20):
        (Path("out") / f"{number:02}").write_bytes(b"12345")
    run = ledgit.start_run()
    ledgit.log_artifacts("out")
    (copy,) = [name for name in os.listdir(run.store.directory) if name.startswith("file-")]
    os.truncate(os.path.join(run.store.directory, copy), 18 * 5 + 1)
    ledgit.end_run()

    assert [f"{number:02}" for number in range(18)] == sorted(artifacts(run))
    changes = ledgit.get_run(run.info.run_id).log()[-1].changes
    assert ["Problem: artifact 18 is lost", "Problem: artifact 19 is lost"] == [c for c in changes if "lost" in c]


def test_two_runs_log_the_same_content_at_once(repo: Path) -> None:
    """One object, two runs that have it."""
    content = os.urandom(2_000_000)
    for name in "ab":
        Path(name).write_bytes(content)
    ids = []

    def train(name: str) -> None:
        with ledgit.start_run() as run:
            ledgit.log_artifact(name)
        ids.append(run)

    threads = [threading.Thread(target=train, args=name) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {md5(content)} == {record.digest for run in ids for record in artifacts(run).values()}
    assert 1 == len(list(cache_of(repo).objects()))


def test_a_forked_child_has_its_own_large_files_hashed(repo: Path) -> None:
    """The thread and what it had to do stay with the parent."""
    Path("large").write_bytes(os.urandom(LARGE))
    Path("other").write_bytes(os.urandom(LARGE))
    run = ledgit.start_run()
    ledgit.log_artifact("large")
    child = os.fork()
    if not child:
        try:
            ledgit.log_artifact("other")
            ledgit.log_artifact("large", "child")
            run.store.detach()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert 0 == os.waitpid(child, 0)[1]
    ledgit.end_run()

    assert {"large", "other", "child/large"} == artifacts(run).keys()
    assert {"dvc"} == {record.stored for record in artifacts(run).values()}


KILLED = """
import os, signal, sys
import ledgit
run = ledgit.start_run()
ledgit.log_artifact("large")
ledgit.log_artifact("out")
run.store.tick()
print(run.info.run_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_keeps_its_files(repo: Path) -> None:
    """The next command that writes hashes what the process didn't."""
    import subprocess

    made = make(Path("out"), 150)
    Path("large").write_bytes(os.urandom(20_000_000))
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    run_id = done.stdout.strip()
    git_repo = Repo.discover(str(repo))

    recover(git_repo, Folder.of(git_repo))

    assert read_ref(git_repo, f"refs/ledgit/runs/{run_id}")
    found = {record.path: record for record in ledgit.get_run(run_id).artifacts()}
    assert made == listed(repo, found["out"])
    assert md5(Path("large").read_bytes()) == found["large"].digest
    assert cache_of(repo).check(found["large"].digest.removeprefix("md5:"))


def test_an_output_log_that_goes_on_after_the_end_changes_no_object(repo: Path) -> None:
    """Its last writer may outlive the run."""
    run = ledgit.start_run()
    stream = run.store.open_artifact("log.txt")
    stream.write(b"x" * LARGE)
    ledgit.end_run()
    stream.write(b"more")
    stream.close()

    assert md5(b"x" * LARGE) == artifacts(run)["log.txt"].digest
    assert cache_of(repo).check(artifacts(run)["log.txt"].digest.removeprefix("md5:"))


def test_an_export_has_folders_and_gives_them_back(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """File by file, and one artifact again when it is read."""
    made = make(Path("out"), 150)
    with ledgit.start_run() as run:
        ledgit.log_artifact("out")
    before = artifacts(run)["out"]
    ledgit.open().export_runs([ledgit.get_run(run.info.run_id)], str(tmp_path / "export"))
    inside = tmp_path / "export" / run.info.run_id / "artifacts" / "out"
    assert made == {str(path.relative_to(inside)): path.read_bytes() for path in inside.rglob("*") if path.is_file()}

    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    there = ledgit.open(str(other))
    there.import_runs(str(tmp_path / "export"))

    (record,) = there.run(run.info.run_id).artifacts()
    assert before == record
    assert made == listed(other, record)
