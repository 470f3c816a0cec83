"""Folders as one artifact: what is taken, what is left out and said, and the list that DVC reads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.artifacts import (
    Cache,
    Hashes,
    Member,
    Taken,
    decode_list,
    digest_file,
    encode_list,
    present,
    scan_folder,
    take_folder,
)
from ledgit.errors import RecordError, UnsafePath
from ledgit.records.names import path_problem

MD5 = "0" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def take(folder: Path) -> tuple[Cache, Taken]:
    cache = Cache(str(folder.parent / "cache"))
    return cache, take_folder(cache, Hashes(str(folder.parent)), scan_folder(str(folder)).files)


def contents(cache: Cache, taken: Taken) -> dict[str, bytes]:
    return {member.path: cache.read(member.md5) for member in decode_list(cache.read(taken.oid))}


def reasons(folder: Path, *, follow: bool = False) -> dict[str, str]:
    return dict(scan_folder(str(folder), follow=follow).left_out)


def test_small_and_large_files_are_taken(folder: Path) -> None:
    """With the folders below, in DVC's order."""
    wanted = {"a.txt": b"a", "deep/er/b.bin": os.urandom(2_500_000), "deep/c": b"", "z": os.urandom(2_000_000)}
    for name, data in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    cache, taken = take(folder)

    assert wanted == contents(cache, taken)
    assert (4, sum(map(len, wanted.values())), [], []) == (taken.nfiles, taken.size, taken.left_out, taken.changed)
    assert taken.oid.endswith(".dir")
    assert sorted(wanted) == [member.path for member in decode_list(cache.read(taken.oid))]


def test_the_list_is_dvcs_to_the_byte() -> None:
    """So that the same folder has the same id in both."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    members = [("b/ü", "1" * 32), ("a", "2" * 32), ("b.txt", "3" * 32), ("b/c", "4" * 32)]
    tree = Tree()
    for path, md5 in members:
        tree.add(tuple(path.split("/")), None, HashInfo("md5", md5))

    assert tree.as_bytes() == encode_list(members)


def test_links_to_what_is_inside_are_followed(folder: Path) -> None:
    """ "latest" next to "step-100" is how checkpoints are kept; a loop ends where it began."""
    (folder / "step-100").mkdir()
    (folder / "step-100" / "weights").write_bytes(b"w")
    (folder / "latest").symlink_to("step-100")
    (folder / "best").symlink_to("step-100/weights")
    (folder / "step-100" / "up").symlink_to("..")

    cache, taken = take(folder)

    assert {"best": b"w", "latest/weights": b"w", "step-100/weights": b"w"} == contents(cache, taken)
    assert {} == reasons(folder)


def test_links_that_leave_the_folder_are_left_out_and_said(folder: Path) -> None:
    """What else is on the machine was not meant, unless its owner says so."""
    (folder.parent / "secret").write_text("key")
    (folder.parent / "folder-2").mkdir()
    (folder / "out").symlink_to("../secret")
    (folder / "beside").symlink_to("../folder-2")
    (folder / "nothing").symlink_to("gone")
    (folder / "kept").write_text("kept")

    found = reasons(folder)

    assert {"nothing"} == found.keys()
    assert "link to nothing" in found["nothing"]
    assert ["beside", "out"] == scan_folder(str(folder)).leaving
    assert ["kept"] == [path for _, path in scan_folder(str(folder)).files]
    assert {"nothing"} == reasons(folder, follow=True).keys()
    assert ["kept", "out"] == [path for _, path in scan_folder(str(folder), follow=True).files]
    assert [] == scan_folder(str(folder), follow=True).leaving


@pytest.mark.parametrize("where", ["", "../shared cache"])
def test_data_that_dvc_has_linked_is_followed_into_its_own_cache(repo: Path, where: str) -> None:
    """``cache.type = symlink`` makes a folder of data nothing but links; another project's cache is not meant."""
    dvc = [sys.executable, "-m", "dvc"]
    quiet = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    data = repo / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a.csv").write_text("a")
    (data / "deep" / "b.csv").write_text("b")
    where_to = [("config", "cache.dir", where)] if where else []
    for words in (("init", "-q"), ("config", "cache.type", "symlink"), *where_to, ("add", "-q", "data")):
        subprocess.run([*dvc, *words], cwd=repo, env=quiet, check=True)
    other = repo / "elsewhere" / ".dvc" / "cache" / "files" / "md5" / "00" / ("1" * 30)
    other.parent.mkdir(parents=True)
    other.write_text("not meant")
    (data / "other").symlink_to(other)
    assert (data / "a.csv").is_symlink()

    found = scan_folder(str(data))

    assert ["a.csv", "deep/b.csv"] == [path for _, path in found.files]
    assert ["other"] == found.leaving


def hugging_face(hub: Path, *, shared: bool) -> Path:
    """A model in a cache, as huggingface_hub makes it; return its snapshot."""
    from huggingface_hub import file_download
    from huggingface_hub.utils import _shared_blobs

    storage = hub / file_download.repo_folder_name(repo_id="org/name", repo_type="model")
    snapshot = storage / "snapshots" / ("a" * 40)
    (storage / "blobs").mkdir(parents=True)
    for path, digest, size in (("config.json", "1" * 40, 10), ("onnx/model.onnx", "2" * 64, 5000)):
        blob = storage / "blobs" / digest
        blob.write_bytes(digest[:1].encode() * size)
        if shared and len(digest) == 64:
            assert _shared_blobs.publish_blob_to_shared_store(
                blob_path=str(blob), xet_hash="3" * 64, cache_dir=str(hub), expected_size=size
            )
            assert blob.is_symlink()
        pointer = file_download._get_pointer_path(str(storage), "a" * 40, path)
        os.makedirs(os.path.dirname(pointer), exist_ok=True)
        file_download._create_symlink(str(blob), pointer)
        assert os.path.islink(pointer)
    return snapshot


@pytest.mark.parametrize("shared", [False, True])
def test_a_snapshot_of_a_hugging_face_model_has_its_files(folder: Path, shared: bool) -> None:
    """Each is a link to a blob beside the snapshots; models may share blobs. A folder inside counts, too."""
    snapshot = hugging_face(folder, shared=shared)
    model = b"2" * 5000

    cache, taken = take(snapshot)
    assert {"config.json": b"1" * 10, "onnx/model.onnx": model} == contents(cache, taken)
    cache, taken = take(snapshot / "onnx")
    assert {"model.onnx": model} == contents(cache, taken)
    cache, taken = take(snapshot.parent.parent)
    assert model == contents(cache, taken)[f"snapshots/{snapshot.name}/onnx/model.onnx"]
    for place in (snapshot, snapshot / "onnx", snapshot.parent.parent, folder):
        assert [] == scan_folder(str(place)).leaving


def test_a_link_in_a_snapshot_leads_nowhere_else(folder: Path) -> None:
    """Neither to other models, nor by way of a folder that poses as one of blobs; what looks like a cache is none."""
    snapshot = hugging_face(folder, shared=True)
    (folder / "secret").write_text("key")
    (folder / "models--other" / "blobs").mkdir(parents=True)
    (folder / "models--other" / "blobs" / ("4" * 40)).write_text("other's")
    links = {
        "secret": "../../../secret",
        "other": f"../../../models--other/blobs/{'4' * 40}",
        "ref": "../../refs",
        "blobs": "../../blobs",
        "manifest": f"../../../blobs/33/{'3' * 64}.refs",
        "shared": f"../../../blobs/33/{'3' * 64}",
        "above": "../../../..",
        "detour": "../../blobs/detour",
    }
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "blobs" / "detour").symlink_to("../../secret")
    for name, target in links.items():
        (snapshot / name).symlink_to(target)
    assert sorted(links) == scan_folder(str(snapshot)).leaving

    posing = folder / "models--posing" / "snapshots" / "1"
    posing.mkdir(parents=True)
    (posing.parent.parent / "blobs").symlink_to("../models--other/blobs")
    (posing / "file").symlink_to(f"../../blobs/{'4' * 40}")
    assert ["file"] == scan_folder(str(posing)).leaving


def test_a_folder_given_as_a_link_is_followed(folder: Path) -> None:
    """Its owner named it."""
    (folder / "a").write_text("a")
    link = folder.parent / "link"
    link.symlink_to(folder)

    assert ["a"] == [path for _, path in scan_folder(str(link)).files]


def test_pipes_sockets_and_devices_are_left_out_without_a_wait(folder: Path) -> None:
    """Opening a pipe would wait for its other end for ever."""
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 7))  # /dev/full
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        (folder / "file").write_text("x")

        assert {"pipe", "device", "socket"} == reasons(folder).keys()
        assert {"is no regular file"} == set(reasons(folder).values())
    # One that takes a file's place after it was listed.
    taken = take_folder(
        Cache(str(folder.parent / "cache")),
        Hashes(str(folder.parent)),
        [(str(folder / "pipe"), "pipe"), (str(folder / "gone"), "gone"), (str(folder / "file"), "file")],
    )
    assert [("gone", "is gone"), ("pipe", "is no regular file")] == taken.left_out
    assert 1 == taken.nfiles


def test_names_that_look_like_a_way_out_are_left_out(folder: Path) -> None:
    """A backslash is part of a name here, and a way out elsewhere."""
    (folder / "..\\x").write_text("x")
    (folder / "fine").write_text("x")

    assert {"..\\x"} == reasons(folder).keys()


def test_names_that_are_no_text_and_case_twins_come_back(folder: Path) -> None:
    """Both are files like others where they were made."""
    names = [b"caf\xe9", b"A.txt", b"a.txt", b"new\nline"]
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(name)

    cache, taken = take(folder)

    assert {os.fsdecode(name): name for name in names} == contents(cache, taken)


def test_a_large_file_that_is_known_is_not_read_again(folder: Path) -> None:
    """Its stamp says what it holds; here that is a lie, by which the test sees that nobody looked."""
    large = folder / "large"
    large.write_bytes(os.urandom(2_000_000))
    os.utime(large, (1_000_000_000, 1_000_000_000))
    cache = Cache(str(folder.parent / "cache"))
    other = cache.put_bytes(os.urandom(2_000_000))
    info = large.stat()
    Hashes(str(folder.parent)).note(info, other, read=info.st_ctime_ns + 3_000_000_000)

    _, taken = take(folder)

    assert [Member("large", other)] == decode_list(cache.read(taken.oid))
    cache.remove(other)
    _, taken = take(folder)
    assert [Member("large", digest_file(str(large)))] == decode_list(cache.read(taken.oid))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "..\\x", "C:\\x", "a\0"])
def test_a_list_can_not_lead_out_of_its_folder(path: str) -> None:
    """It comes from a remote that anybody may write to."""
    with pytest.raises(UnsafePath):
        decode_list(encode_list([(path, MD5)]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b"[" * 100_000,
        b'[{"md5": "x"}]',
        b'[{"relpath": "a"}]',
        b'[{"relpath": 1, "md5": "a"}]',
        encode_list([("a", MD5), ("a", MD5)]),
        encode_list([("a", MD5), ("a/b", MD5)]),
    ],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    """Also a file that would be a folder too."""
    with pytest.raises(RecordError):
        decode_list(data)


def test_an_id_that_is_none_is_refused() -> None:
    """It would become a path in the cache."""
    with pytest.raises(UnsafePath):
        decode_list(encode_list([("a", "../../../../etc/passwd")]))


@given(st.lists(st.text("a.:/\\\n\0\udc80\ud800\u00e4", max_size=6), min_size=1, max_size=3, unique=True))
def test_a_list_of_odd_paths_is_judged_as_each_of_them_is(names: list[str]) -> None:
    """However many are looked at together."""
    names = list(dict.fromkeys(json.loads(json.dumps(name)) for name in names))  # two halves become a character
    odd = any(path_problem(name) is not None or {"", "."} & set(name.split("/")) for name in names)
    clash = any(other.startswith(name + "/") for name in names for other in names)
    data = encode_list([(name, MD5) for name in names])
    if odd:
        with pytest.raises(UnsafePath):
            decode_list(data)
    elif clash:
        with pytest.raises(RecordError):
            decode_list(data)
    else:
        assert sorted(names) == [member.path for member in decode_list(data)]


paths = st.lists(st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1), min_size=1)


@given(st.dictionaries(paths.map("/".join), st.text("0123456789abcdef", min_size=32, max_size=32)))
def test_any_list_comes_back_or_is_refused(files: dict[str, str]) -> None:
    """Nothing in between."""
    try:
        found = decode_list(encode_list(files.items()))
    except (RecordError, UnsafePath):
        return
    assert sorted(Member(path, md5) for path, md5 in files.items()) == found


@pytest.mark.parametrize("others", [0, 40_000])
def test_what_is_here_of_very_many_is_found_whichever_way_it_is_looked_for(folder: Path, others: int) -> None:
    """By a look at each, or at the cache's folders: in a small cache, and in one where they are few."""
    cache = Cache(str(folder / "cache"))
    some = [f"{number % 5:02x}{number:030x}" for number in range(2_500)]
    for oid in [*some[::3], *(f"00{number:030x}" for number in range(9_000_000, 9_000_000 + others))]:
        place = Path(cache.location(oid))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()

    assert set(some[::3]) == present(cache, some)
    assert set(some[:9:3]) == present(cache, some[:9])
    assert set() == present(Cache(str(folder / "none")), some)
