"""Artifacts on S3, against moto's server in a process of its own, through a wire that can be cut."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.remote_kit import MIB, Clock, Clone, dvc, files_below, object_files
from tests.artifacts.servers import BUCKET, S3, S3_USER, S3rver, Wire, why_no_s3rver

from ledgit.artifacts import ObjectRemote
from ledgit.errors import AccessDenied, ArtifactDamaged, ArtifactNotFound, RemoteError, Unreachable

# What two servers by different hands agree about is S3's.
on_both = pytest.mark.parametrize("s3", ["moto", "s3rver"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def s3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    kind = S3rver if getattr(request, "param", "moto") == "s3rver" else S3
    if kind is S3rver and (why := why_no_s3rver()):
        pytest.skip(why)
    with kind(tmp_path_factory.mktemp("s3")).run() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials, and no looking for those of a cloud's machine."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def wire(s3: S3) -> Iterator[Wire]:
    with Wire(s3.port).run() as made:
        yield made


@pytest.fixture
def clone(tmp_path: Path, s3: S3) -> Clone:
    made = Clone(tmp_path / "clone")
    made.personal({"endpointurl": s3.endpoint, "region": "us-east-1", **s3.user})
    return made


def through(clone: Clone, wire: Wire, user: dict[str, str] = S3_USER) -> None:
    """Let the clone talk to the server through the wire."""
    clone.personal({"endpointurl": f"http://127.0.0.1:{wire.port}", "region": "us-east-1", **user})


def store(clone: Clone, name: str) -> ObjectRemote:
    return clone.remote(f"s3://{BUCKET}/{name}")


def keys(clone: Clone, name: str, oids: list[str]) -> dict[str, int]:
    return {f"{name}/{path}": size for path, size in object_files(clone.cache, oids).items()}


@on_both
def test_what_is_sent_is_there_and_comes_back(clone: Clone, s3: S3) -> None:
    """Whole objects under DVC's names; nothing else is in the bucket."""
    with store(clone, "plain") as remote:
        assert set(clone.all) == remote.missing(clone.all)
        assert {} == remote.upload(clone.cache, clone.all).failed
        assert set() == remote.missing(clone.all, clone.sizes())
        assert {oid: clone.cache.size(oid) for oid in clone.all} == dict(remote.objects())
        assert keys(clone, "plain", clone.all) == s3.keys("plain/")
        assert remote.verify(clone.large)
        with pytest.raises(ArtifactNotFound):
            remote.verify("0" * 32)
        other = clone.other_cache()
        fetched = remote.download(other, [*clone.all, "0" * 32])
        assert ["0" * 32] == list(fetched.failed)
        assert isinstance(fetched.errors["0" * 32], ArtifactNotFound)
        assert {} == remote.delete([clone.large, "0" * 32]).failed
        assert {clone.large} == remote.missing(clone.all)

    assert all(other.check(oid) for oid in clone.all)


@on_both
def test_a_large_object_goes_in_pieces_and_comes_back(tmp_path: Path, clone: Clone, s3: S3) -> None:
    """Multipart both ways."""
    clone.all.append(clone.cache.put_bytes(os.urandom(23 * MIB + 5)))

    with store(clone, "pieces") as remote:
        assert {} == remote.upload(clone.cache, clone.all[-1:]).failed
        other = clone.other_cache()
        assert {} == remote.download(other, clone.all[-1:]).failed
        assert remote.verify(clone.all[-1])

    assert other.check(clone.all[-1])
    assert keys(clone, "pieces", clone.all[-1:]) == s3.keys("pieces/")


@on_both
@pytest.mark.parametrize("streams", [1, 3])
def test_an_object_of_any_size_comes_whole(clone: Clone, s3: S3, monkeypatch: pytest.MonkeyPatch, streams: int) -> None:
    """Empty, of one answer to the byte, of one more, and of many streams that share what room there is."""
    from ledgit.artifacts import ranges

    monkeypatch.setattr(ranges, "_FIRST", 1000)
    monkeypatch.setattr(ranges, "_LEAST", 300)
    monkeypatch.setattr(ranges, "_MOST", 700)
    monkeypatch.setattr(ranges, "_FURTHER", streams)
    sizes = (0, 1, 999, 1000, 1001, 1300, 2000, 9999, 300_001)
    oids = {size: clone.cache.put_bytes(os.urandom(size)) for size in sizes}
    with store(clone, f"sizes{streams}") as remote:
        assert {} == remote.upload(clone.cache, oids.values()).failed
        other = clone.other_cache()
        moved = remote.download(other, oids.values())

    assert {} == moved.failed
    assert sum(sizes) == moved.bytes
    assert dict.fromkeys(sizes, True) == {size: other.check(oid) for size, oid in oids.items()}


@on_both
def test_a_stream_that_breaks_goes_on_where_it_was(clone: Clone, s3: S3, wire: Wire) -> None:
    """A router forgets all connections in the middle of a download: what has come is not asked for again."""
    large = clone.cache.put_bytes(os.urandom(100 * MIB))
    with store(clone, "streams") as remote:
        assert {} == remote.upload(clone.cache, [large]).failed
    through(clone, wire, s3.user)
    broken = False

    def shake(_what: str, done: int, _total: int | None) -> None:
        nonlocal broken
        if not broken and done > MIB:
            broken = True
            wire.reset()

    with store(clone, "streams") as remote:
        moved = remote.download(clone.other_cache(), [large], shake)

    assert broken
    assert {} == moved.failed
    assert clone.other_cache().check(large)
    assert wire.received < 130 * MIB


@on_both
def test_a_download_that_is_cut_off_can_be_repeated(clone: Clone, s3: S3, wire: Wire) -> None:
    """Nothing half is in the cache, and nothing is left beside it."""
    large = clone.cache.put_bytes(os.urandom(100 * MIB))
    with store(clone, "halved") as remote:
        assert {} == remote.upload(clone.cache, [large]).failed
    through(clone, wire, s3.user)
    other = clone.other_cache()

    def cut(_what: str, done: int, _total: int | None) -> None:
        if done > MIB and not wire.is_cut:
            wire.cut_after(0)
            wire.reset()

    with store(clone, "halved") as remote, Clock() as clock:
        moved = remote.download(other, [large], cut)
    assert isinstance(moved.errors[large], Unreachable)
    assert clock.seconds < 60
    assert {} == files_below(Path(other.path))
    wire.mend()
    with store(clone, "halved") as remote:
        assert {} == remote.download(other, [large]).failed

    assert other.check(large)


@on_both
@pytest.mark.parametrize("page", [1000, 3, 1])
@pytest.mark.parametrize("there", [0, 1, 300])
def test_what_is_missing_is_found_by_whatever_takes_fewest_requests(
    clone: Clone, s3: S3, there: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one listing, folder by folder, or one by one, as *page* makes them cheap: the answer is the same."""
    from ledgit.artifacts import remote as module

    monkeypatch.setattr(module, "_PAGE", page)
    name = f"many-{there}-{page}"
    client = s3.client()
    oids = [hashlib.md5(b"%d" % number).hexdigest() for number in range(200)]
    others = [hashlib.md5(b"other %d" % number).hexdigest() for number in range(there)]
    for oid in (*oids[: min(there, 150)], *others[: max(0, there - 150)]):
        client.put_object(Bucket=BUCKET, Key=f"{name}/files/md5/{oid[:2]}/{oid[2:]}", Body=b"x")

    with store(clone, name) as remote:
        assert set(oids[min(there, 150) :]) == remote.missing(oids)
        assert set(oids[min(there, 150) :]) == remote.missing(oids, dict.fromkeys(oids, 1))
        assert set(oids) == remote.missing(oids, dict.fromkeys(oids, 2))
        assert set(oids[-2:]) == remote.missing(oids[-2:])


@on_both
def test_damage_is_noticed(clone: Clone, s3: S3) -> None:
    """Somebody wrote something else under the object's name."""
    with store(clone, "damage") as remote:
        remote.upload(clone.cache, clone.all)
        key = f"damage/files/md5/{clone.large[:2]}/{clone.large[2:]}"
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"!" * clone.cache.size(clone.large))

        assert not remote.verify(clone.large)
        moved = remote.download(clone.other_cache(), clone.all)

    assert [clone.large] == list(moved.failed)
    assert isinstance(moved.errors[clone.large], ArtifactDamaged)
    assert not clone.other_cache().has(clone.large)


@on_both
def test_dvc_and_we_read_each_other(clone: Clone, s3: S3, tmp_path: Path) -> None:
    """`dvc push` and `dvc pull` with the same bucket."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "mine.bin").write_bytes(b"from dvc")
    dvc(project, "init", "-q", "--no-scm")
    dvc(project, "add", "-q", "mine.bin")
    dvc(project, "remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/shared")
    for key, value in {"endpointurl": s3.endpoint, "region": "us-east-1", **s3.user}.items():
        dvc(project, "remote", "modify", "--local", "store", key, value)
    dvc(project, "push", "-q")
    with store(clone, "shared") as remote:
        ((theirs, size),) = list(remote.objects())
        assert 8 == size
        assert {} == remote.download(clone.other_cache(), [theirs]).failed
        remote.upload(clone.cache, clone.all)
    (project / "part.dvc").write_text(f"outs:\n- md5: {clone.list}\n  hash: md5\n  path: part\n")

    dvc(project, "pull", "-q", "part")

    assert b"small 7" == (project / "part" / "part" / "7.txt").read_bytes()


# ------------------------------------------------------------------ who we are


def test_wrong_credentials_are_one_sentence(tmp_path: Path, clone: Clone) -> None:
    """The key is not in it."""
    with S3(tmp_path).run(refuse_after=1) as strict:
        clone.personal({"endpointurl": strict.endpoint, "region": "us-east-1", **S3_USER})
        remote = store(clone, "x")
        with pytest.raises(AccessDenied) as caught:
            remote.missing(clone.all)
        moved = remote.upload(clone.cache, [clone.large])

    assert f"s3://{BUCKET}/x: " in str(caught.value)
    assert isinstance(moved.errors[clone.large], AccessDenied)
    said = f"{caught.value} {moved.failed}"
    assert not any(secret in said for secret in S3_USER.values())


@pytest.mark.parametrize("s3", ["s3rver"], indirect=True, scope="module")
def test_a_key_that_the_server_does_not_know_is_one_sentence(clone: Clone, s3: S3) -> None:
    """Neither way anything goes, and the key is not in it."""
    clone.personal({"endpointurl": s3.endpoint, "access_key_id": "stranger", "secret_access_key": "sesame"})
    with store(clone, "x") as remote:
        sent, fetched = remote.upload(clone.cache, clone.all), remote.download(clone.other_cache(), clone.all)

    assert set(clone.all) == set(sent.failed) == set(fetched.failed)
    assert {AccessDenied} == {type(error) for error in (*sent.errors.values(), *fetched.errors.values())}
    assert not any(secret in f"{sent.failed} {fetched.failed}" for secret in ("sesame", "stranger"))


def test_no_credentials_are_one_sentence(clone: Clone, s3: S3) -> None:
    """It says where they are looked for."""
    clone.personal({"endpointurl": s3.endpoint})

    moved = store(clone, "x").upload(clone.cache, [clone.large])

    assert isinstance(moved.errors[clone.large], AccessDenied)
    assert "no credentials were found" in moved.failed[clone.large]


def test_a_bucket_that_is_not_there(clone: Clone) -> None:
    """It is not made."""
    moved = clone.remote("s3://nowhere-at-all/x").upload(clone.cache, clone.all)

    assert set(clone.all) == set(moved.failed)
    assert "s3://nowhere-at-all/x: there is no such bucket" == moved.failed[clone.large]
    assert type(moved.errors[clone.large]) is RemoteError


# ------------------------------------------------------------------ faults


def test_nobody_answers(clone: Clone, wire: Wire) -> None:
    """A sentence within seconds, for all objects together."""
    through(clone, wire)
    wire.cut_after(0)

    with Clock() as clock:
        moved = store(clone, "x").upload(clone.cache, clone.all)

    assert set(clone.all) == set(moved.failed)
    assert all(isinstance(error, Unreachable) for error in moved.errors.values())
    assert clock.seconds < 60


@on_both
def test_a_large_upload_that_is_cut_off_can_be_repeated(tmp_path: Path, clone: Clone, s3: S3, wire: Wire) -> None:
    """200 MB, cut at 60: the error comes soon, the object is not there, and the next push leaves each once."""
    through(clone, wire, s3.user)
    large = clone.cache.put_bytes(os.urandom(200 * MIB))
    wire.cut_after(60 * MIB)

    with store(clone, "cut") as remote, Clock() as clock:
        moved = remote.upload(clone.cache, [*clone.all, large])

    assert isinstance(moved.errors[large], Unreachable)
    assert clock.seconds < 120
    sent = [oid for oid in (*clone.all, large) if oid not in moved.failed]
    assert keys(clone, "cut", sent) == s3.keys("cut/")
    wire.mend()
    with store(clone, "cut") as remote:
        missing = remote.missing([*clone.all, large])
        assert set(moved.failed) == missing
        assert {} == remote.upload(clone.cache, missing).failed
        assert remote.verify(large)
    assert keys(clone, "cut", [*clone.all, large]) == s3.keys("cut/")


def test_pieces_of_an_old_upload_are_removed(clone: Clone, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost money where nobody sees them; a young upload may be somebody's."""
    from ledgit.artifacts import unfinished

    client = s3.client()
    for key in ("old/files/md5/ab/cd", "other/files/md5/ab/cd"):
        client.create_multipart_upload(Bucket=BUCKET, Key=key)
    with store(clone, "old") as remote:
        monkeypatch.setattr(unfinished, "OLD", 10**10)  # moto's uploads are all of 2010
        remote.upload(clone.cache, [clone.large])
        assert 2 == len(client.list_multipart_uploads(Bucket=BUCKET)["Uploads"])
        monkeypatch.setattr(unfinished, "OLD", 2 * 86400)
        remote.upload(clone.cache, [clone.large])

    (left,) = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert "other/files/md5/ab/cd" == left["Key"]


def test_a_connection_that_is_reset_is_made_anew(clone: Clone, s3: S3, wire: Wire) -> None:
    """The server is there: everything goes."""
    through(clone, wire)
    broken = False

    def shake(*_: object) -> None:
        nonlocal broken
        if not broken and wire.sent > 1000:
            broken = True
            wire.reset()

    with store(clone, "shaken") as remote:
        moved = remote.upload(clone.cache, clone.all, shake)

    assert broken
    assert {} == moved.failed
    assert keys(clone, "shaken", clone.all) == s3.keys("shaken/")


def test_a_server_that_falls_silent_is_given_up(clone: Clone, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stands but no answer comes."""
    from ledgit.artifacts import connection, stalls

    monkeypatch.setattr(connection, "_ANSWER", 1)
    monkeypatch.setattr(stalls, "PATIENCE", 2)
    monkeypatch.setattr(stalls, "SLOWEST", MIB)
    through(clone, wire)
    with store(clone, "silent") as remote:
        remote.missing(clone.all[:1])
        wire.stall_after(MIB)
        with Clock() as clock:
            moved = remote.upload(clone.cache, clone.all)

    assert isinstance(moved.errors[clone.large], Unreachable)
    assert clock.seconds < 60


def test_nothing_is_printed_and_nothing_hangs_at_the_end(clone: Clone, wire: Wire) -> None:
    """A process whose connection broke says one sentence, and ends."""
    through(clone, wire)
    wire.cut_after(2 * MIB)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ledgit.artifacts import Cache, find_place, open_remote\n"
        "place = find_place({'ledgit.artifactRemote': sys.argv[2]}, {}, Path(sys.argv[3]))\n"
        "cache = Cache(sys.argv[1])\n"
        "moved = open_remote(place).upload(cache, [oid for oid, _, _ in cache.objects()])\n"
        "print(sorted({type(error).__name__ for error in moved.errors.values()}))\n"
    )
    with Clock() as clock:
        done = subprocess.run(
            [sys.executable, "-c", script, clone.cache.path, f"s3://{BUCKET}/quiet", str(clone.path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert ("['Unreachable']\n", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert clock.seconds < 60
