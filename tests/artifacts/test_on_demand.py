"""Content that is elsewhere comes when it is asked for, hashed, as a file of one's own; or it is said why not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, same, start_project
from tests.conftest import run_git

import ledgit
from ledgit import artifacts as fluent
from ledgit.artifacts import Cache
from ledgit.errors import ArtifactDamaged, ArtifactNotFound, ArtifactsMissing, RemoteError, UnsafePath
from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, edit_tree, update_refs
from ledgit.records.artifacts import DVC, ArtifactRecord, encode_artifacts
from ledgit.records.dvcfiles import unmark
from ledgit.store import ActiveRun, Edit, RunStart, edit_run
from ledgit.store.artifacts.naming import Unread, objects_of
from ledgit.store.artifacts.needed import every_object
from ledgit.tracking import session


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Person, Person, Path]]:
    """Ada, Grace, and the folder that is the artifact remote of both."""
    host, storage = start_project(tmp_path), tmp_path / "storage"
    ada, grace = clone(host, tmp_path / "ada"), clone(host, tmp_path / "grace")
    for person in (ada, grace):
        person.run("artifacts", "remote", str(storage))
    yield ada, grace, storage
    session.set_tracking_uri("")


def share(ada: Person, grace: Person) -> None:
    ada.run("push", "--all")
    grace.run("pull")


def object_files(person: Person) -> list[Path]:
    return [path for path in (person.cache / "files").rglob("*") if path.is_file()]


def test_one_file_is_fetched_and_no_other(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    ada, grace, _ = people
    one, two = make_file(tmp_path / "one.bin"), make_file(tmp_path / "two.bin")
    run_id = ada.log(one, two)
    share(ada, grace)

    run = grace.repository.run(run_id)

    assert one.read_bytes() == run.read_artifact("one.bin")
    assert 1 == len(object_files(grace))
    with run.open_artifact("two.bin") as content:
        assert two.read_bytes()[:100] == content.read(100)


def test_one_file_of_a_large_folder_is_fetched_with_its_list(
    people: tuple[Person, Person, Path], tmp_path: Path
) -> None:
    ada, grace, _ = people
    plots = make_folder(tmp_path / "plots")
    run_id = ada.log(plots)
    share(ada, grace)
    run = grace.repository.run(run_id)

    assert (plots / "1" / "1.bin").read_bytes() == run.read_artifact("plots/1/1.bin")
    assert 2 == len(object_files(grace))
    assert 40 == len(run.save_artifacts(tmp_path / "out", "plots/2"))
    assert 42 == len(object_files(grace))


def test_without_fetching_what_is_elsewhere_is_not_found(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """What shows a run asks no network."""
    ada, grace, _ = people
    run_id = ada.log(make_file(tmp_path / "model.bin"))
    share(ada, grace)

    with pytest.raises(ArtifactNotFound):
        grace.repository.run(run_id).open_artifact("model.bin", fetch=False)

    assert [] == object_files(grace)


def test_what_is_damaged_here_is_got_again(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """It is noticed, set aside and never handed out; without a remote it is said."""
    ada, grace, storage = people
    model = make_file(tmp_path / "model.bin")
    run_id = ada.log(model)
    share(ada, grace)
    (path,) = object_files(ada)
    for _ in range(2):
        path.chmod(0o644)
        path.write_bytes(b"x" * path.stat().st_size)
        target = tmp_path / "copy.bin"
        ada.repository.run(run_id).save_artifact("model.bin", target)
        assert model.read_bytes() == target.read_bytes()

    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    assert model.read_bytes() == ada.repository.run(run_id).read_artifact("model.bin")

    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    storage.rename(tmp_path / "gone")
    with pytest.raises(ArtifactDamaged):
        ada.repository.run(run_id).read_artifact("model.bin")


def test_the_error_says_what_is_missing_who_needs_it_and_who_may_have_it(
    people: tuple[Person, Person, Path], tmp_path: Path
) -> None:
    ada, grace, storage = people
    run_id = ada.log(make_file(tmp_path / "model.bin"))
    share(ada, grace)
    (path,) = (storage / "files" / "md5").glob("??/*")
    path.unlink()

    with pytest.raises(ArtifactsMissing) as caught:
        grace.repository.run(run_id).read_artifact("model.bin")

    assert (("model.bin",), (run_id,)) == (caught.value.paths, caught.value.runs)
    assert str(storage) in caught.value.reason
    assert "Ada Lovelace" in caught.value.hint


def test_the_run_says_where_its_files_are_but_that_is_not_used_by_itself(
    people: tuple[Person, Person, Path], tmp_path: Path
) -> None:
    """Whoever pushes a run must not choose where others' credentials are shown; a person may."""
    ada, grace, storage = people
    grace.run("artifacts", "remote", "--unset")
    run_id = ada.log(make_file(tmp_path / "model.bin"))
    share(ada, grace)

    said = grace.says("artifacts", "get", run_id, code=3)

    assert f"the run says {storage}" in said
    assert [] == object_files(grace)


def test_a_clone_of_the_tip_alone_gets_files_too(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """A CI job's shallow checkout has the list of runs; the run's commit comes with its files."""
    ada, grace, storage = people
    model = make_file(tmp_path / "model.bin")
    run_id = ada.log(model, texts={"note.txt": "small\n"})
    share(ada, grace)
    run_git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/host.git", str(tmp_path / "job"))
    job = Person(tmp_path / "job")
    job.run("artifacts", "remote", str(storage))
    job.run("pull")

    job.run("artifacts", "get", run_id)

    assert model.read_bytes() == (job.path / "model.bin").read_bytes()
    assert "small\n" == (job.path / "note.txt").read_text()


def test_what_dvc_gc_deletes_is_not_ledgits(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """A shared cache lost data in a trial: DVC can't see runs. So Ledgit's cache and remote are its own."""
    ada, grace, _ = people
    for person in (ada, grace):
        person.run("artifacts", "remote", "--unset")
    own = tmp_path / "dvc-storage"
    ada.dvc("init", "-q")
    ada.dvc("remote", "add", "-d", "storage", str(own))
    make_file(ada.path / "data.bin")
    ada.dvc("add", "data.bin")
    ada.git("add", ".")
    ada.git("commit", "-q", "-m", "track data")
    ada.dvc("push")
    files = [make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots")]
    run_id = ada.log(*files)
    ada.run("push", "--all")
    ada.git("rm", "-q", "data.bin.dvc")
    ada.git("commit", "-q", "--amend", "-m", "track nothing")
    before = ada.objects()
    assert _files(own / "files")

    every = ["--all-branches", "--all-tags", "--all-commits", "--all-experiments"]
    ada.dvc("gc", "--workspace", *every, "--cloud", "--force")

    assert [] == _files(own / "files")  # DVC deleted what it found no use for
    assert before == ada.objects()
    grace.run("artifacts", "remote", str(own / "ledgit"))
    grace.run("pull")
    grace.run("artifacts", "get", run_id)
    assert files[0].read_bytes() == (grace.path / "model.bin").read_bytes()
    assert same(files[1], grace.path / "plots")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_remote_that_can_not_be_used_is_its_own_error(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """Not that the file is missing: it may well be there."""
    ada, grace, _ = people
    run_id = ada.log(make_file(tmp_path / "model.bin"))
    share(ada, grace)
    grace.git("config", "ledgit.artifactRemote", "https://127.0.0.1:9/nobody")

    with pytest.raises(RemoteError) as caught:
        grace.repository.run(run_id).read_artifact("model.bin")

    assert not isinstance(caught.value, ArtifactNotFound)


def test_the_fluent_functions_fetch_too(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    ada, grace, _ = people
    plots, notes = make_folder(tmp_path / "plots"), tmp_path / "notes.txt"
    notes.write_text("line\n" * 80_000)
    run_id = ada.log(plots, notes)
    share(ada, grace)
    session.set_tracking_uri(grace.path)

    assert [("notes.txt", False), ("plots", True)] == [
        (item.path, item.is_dir) for item in fluent.list_artifacts(run_id=run_id)
    ]
    assert notes.read_text() == fluent.load_text(f"runs:/{run_id}/notes.txt")
    whole = fluent.download_artifacts(run_id=run_id, dst_path=tmp_path / "whole")
    assert same(plots, Path(whole) / "plots")
    inside = fluent.list_artifacts(run_id=run_id, artifact_path="plots/0")
    assert 40 == len(inside)
    assert {50} == {item.file_size for item in inside}
    one = fluent.download_artifacts(f"runs:/{run_id}/plots/0/0.bin", dst_path=tmp_path / "one")
    assert (plots / "0" / "0.bin").read_bytes() == Path(one).read_bytes()
    with pytest.raises(ArtifactNotFound):
        fluent.download_artifacts(f"runs:/{run_id}/plots/nothing")


def test_a_table_whose_content_is_lost_is_not_begun_anew(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """Adding to what can't be read would replace it."""
    ada, grace, storage = people
    ada.git("config", "ledgit.artifactThreshold", "10")
    session.set_tracking_uri(ada.path)
    with ledgit.start_run() as run:
        ledgit.log_table({"a": [1, 2]}, "table.json")
    share(ada, grace)
    storage.rename(tmp_path / "gone")
    session.set_tracking_uri(grace.path)

    with pytest.raises(ArtifactsMissing), ledgit.start_run(run_id=run.info.run_id):
        ledgit.log_table({"a": [3]}, "table.json")


def test_all_points_of_a_long_history_come_when_they_are_asked_for(
    people: tuple[Person, Person, Path], tmp_path: Path
) -> None:
    """Until then there are a thousand."""
    ada, grace, _ = people
    ada.git("config", "ledgit.artifactThreshold", "4096")
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    draw = random.Random(1)
    for step in range(5000):
        run.log_metric("loss", draw.random(), step)
    assert run.finish() is not None
    share(ada, grace)

    assert 1000 >= len(grace.repository.run(run.id).history("loss"))
    assert f"'ledgit artifacts fetch {run.id[:8]}' gets all" in grace.says("show", run.id)
    assert 5000 == len(grace.repository.run(run.id).history("loss", fetch=True))
    assert 5000 == len(grace.repository.run(run.id).history("loss"))
    assert ada.objects() == grace.objects()
    assert "gets all" not in grace.says("show", run.id)


# ---------------------------------------------------------------------- trees of runs


def config_of(person: Person, commit: str) -> str:
    return run_git(person.path, "show", f"{commit}:.dvc/config")


def test_edited_resumed_and_imported_runs_carry_the_remote(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    ada, grace, storage = people
    first = ada.log(make_file(tmp_path / "model.bin"))
    plain = ada.log(name="plain")
    share(ada, grace)
    # Resumed where the first session had no large file.
    repo = Repo.discover(str(ada.path))
    resumed = ActiveRun.resume(repo, plain, heads=ada.repository.run(plain).heads)
    resumed.add_artifact(str(make_file(tmp_path / "late.bin")), "late.bin")
    assert resumed.finish() is not None
    # Edited on two machines, one of which has the large file of a resumed session.
    grace.run("tag", plain, "good=yes")
    share(ada, grace)
    grace.run("push", "--all")
    ada.run("pull")
    ada.run("tag", plain, "joined=yes")
    # Imported where there was nothing.
    other = clone(tmp_path / "host.git", tmp_path / "other")
    other.run("artifacts", "remote", str(storage))
    ada.run("export", first, str(tmp_path / "exported"))
    other.run("import", str(tmp_path / "exported"))

    for person, run_id in ((ada, first), (ada, plain), (other, first)):
        head = person.repository.run(run_id).head
        assert head is not None
        assert str(storage) in config_of(person, head)
        assert unmark(config_of(person, head).encode() + b"\n") is not None
    assert "late.bin" in {item["path"] for item in ada.json("artifacts", "ls", plain)}


def test_a_run_without_pointers_has_no_dvc_config(people: tuple[Person, Person, Path]) -> None:
    ada, _, _ = people
    run = ada.repository.run(ada.log(texts={"note.txt": "small"}))

    assert "" == ada.git("ls-tree", "-r", "--name-only", str(run.head), ".dvc")


# ---------------------------------------------------------------------- what runs need


def test_every_object_of_every_run_is_named(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """Whatever state the run is in; a sweep goes by this."""
    ada, grace, _ = people
    ada.log(make_file(tmp_path / "listed.bin"), make_folder(tmp_path / "plots"))
    share(ada, grace)
    ada.log(make_file(tmp_path / "loose.bin"))
    repo = Repo.discover(str(ada.path))
    active = ActiveRun.create(repo, RunStart())
    active.add_folder(str(make_folder(tmp_path / "active")), "active")
    unread = Unread()

    found = {oid for oid, _ in every_object(repo, ada.repository.folder, unread)}

    assert ada.objects() == found
    assert not unread
    active.finish()


def test_what_an_earlier_commit_of_a_run_needs_is_named(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """A resumed session replaced the file; the commit before it still has the old one."""
    ada, _, _ = people
    model = make_file(tmp_path / "model.bin")
    run_id = ada.log(model)
    repo = Repo.discover(str(ada.path))
    resumed = ActiveRun.resume(repo, run_id, heads=ada.repository.run(run_id).heads)
    resumed.add_artifact(str(make_file(model)), "model.bin")
    assert resumed.finish() is not None
    edit_run(repo, ada.repository.folder, run_id, Edit(set_tags={"a": "b"}), heads=ada.repository.run(run_id).heads)

    found = {oid for oid, _ in every_object(repo, ada.repository.folder, Unread())}

    assert 2 == len(ada.objects())
    assert ada.objects() == found


def test_a_list_that_is_not_here_is_told(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """Nobody knows what is in the folder then."""
    ada, grace, _ = people
    run_id = ada.log(make_folder(tmp_path / "plots"))
    share(ada, grace)
    run, unread = grace.repository.run(run_id), Unread()

    found = objects_of(grace.repository.repo, grace.repository.folder, {run_id: run.heads}, unread=unread)

    (listed,) = found
    assert {listed} == unread.lists


def forge(person: Person, run_id: str, records: list[ArtifactRecord]) -> None:
    """Make the run's list of artifacts say something else, as a stranger might push it."""
    repo = Repo.discover(str(person.path))
    objects, fresh = Objects(repo), ObjectSet()
    head = str(person.repository.run(run_id).head)
    commit = objects.commit(head)
    blob = fresh.blob(encode_artifacts(records))
    tree = edit_tree(objects, fresh, commit.tree, {".ledgit/run/artifacts.yaml": ("100644", blob)})
    new = fresh.commit(tree, commit.parents, commit.author, commit.committer, commit.message)
    pack = fresh.write(repo)
    update_refs(repo, [RefUpdate(f"refs/ledgit/runs/{run_id}", new, head)])
    pack.release()


@pytest.mark.parametrize("digest", ["md5:../../../../etc/passwd", "md5:", "sha1:" + "a" * 32, "md5:" + "A" * 32])
def test_a_forged_digest_is_refused(people: tuple[Person, Person, Path], digest: str) -> None:
    ada, _, _ = people
    run_id = ada.log(texts={"a.txt": "a"})
    forge(ada, run_id, [ArtifactRecord("a.txt", 1, digest, DVC)])
    unread = Unread()

    with pytest.raises((UnsafePath, ArtifactNotFound)):
        ada.repository.run(run_id).read_artifact("a.txt")
    run = ada.repository.run(run_id)
    assert {} == objects_of(ada.repository.repo, ada.repository.folder, {run_id: run.heads}, unread=unread)
    assert unread.commits


def test_a_forged_folder_stays_in_its_folder(people: tuple[Person, Person, Path], tmp_path: Path) -> None:
    """A list from elsewhere names paths that lead out."""
    ada, _, _ = people
    run_id = ada.log(texts={"a.txt": "a"})
    cache = Cache(str(ada.cache))
    listed = cache.put_bytes(b'[{"md5": "' + b"a" * 32 + b'", "relpath": "../../evil"}]', folder=True)
    forge(ada, run_id, [ArtifactRecord("plots", 1, f"md5:{listed}", DVC, nfiles=1)])

    with pytest.raises(UnsafePath):
        ada.repository.run(run_id).save_artifacts(tmp_path / "out")

    assert not (tmp_path / "evil").exists()
