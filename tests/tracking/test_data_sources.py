"""``ledgit.data.get_source``: where a run's data came from, and getting them back."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.servers import BUCKET, S3, S3_USER, free_port
from tests.conftest import run_git
from tests.tracking.test_data_dvc import made, project  # noqa: F401 - fixtures

import ledgit
from ledgit.data import DatasetSource, get_source
from ledgit.errors import (
    AccessDenied,
    ArtifactDamaged,
    ArtifactNotFound,
    InvalidValue,
    MissingDependency,
    RemoteError,
    Unreachable,
    UnsafePath,
    UsageError,
)

CSV = b"x,y\n1,2\n"


class Pages(http.server.BaseHTTPRequestHandler):
    """A web server with a few pages."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        codes = {"/none.csv": 404, "/private.csv": 403, "/broken.csv": 500}
        if path in codes:
            self.send_error(codes[path])
            return
        if path == "/moved.csv":
            self.send_response(302)
            self.send_header("Location", "/data/train.csv")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CSV) + (path == "/cut.csv")))
        if path == "/named":
            self.send_header("Content-Disposition", 'attachment; filename="../../.evil.csv"')
        self.end_headers()
        self.wfile.write(CSV)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def logged(dataset: object) -> object:
    """Log it and return it as the run has it."""
    with ledgit.start_run() as run:
        ledgit.log_input(dataset, context="training")
    (found,) = ledgit.get_run(run.info.run_id).inputs.dataset_inputs
    return found


def test_a_file_is_where_it_was(repo: Path, tmp_path: Path) -> None:
    """Its own path, or a copy in a folder; asked of what describes it, of a run's input and of the data set in that."""
    given = ledgit.data.from_file("data.csv")
    found = logged(given)

    sources = [get_source(given), get_source(found), get_source(found.dataset)]  # type: ignore[attr-defined]
    assert [sources[0]] * 3 == sources
    source = sources[1]
    assert ("local", "local", "data.csv") == (source.source_type, source._get_source_type(), source.uri)
    assert {"uri": "data.csv"} == source.to_dict() == json.loads(source.to_json())
    assert str(repo / "data.csv") == source.load()
    copy = Path(source.load(tmp_path / "copies"))
    assert (tmp_path / "copies" / "data.csv", CSV) == (copy, copy.read_bytes())


def test_a_file_that_changed_is_not_what_the_run_saw(repo: Path, tmp_path: Path) -> None:
    """Nothing is handed out then, and nothing copied; one that is gone is said to be."""
    source = get_source(logged("data.csv"))
    (repo / "data.csv").write_bytes(b"x,y\n3,4\n")

    with pytest.raises(ArtifactDamaged, match="which the run saw"):
        source.load(tmp_path / "copies")
    assert not (tmp_path / "copies").exists()
    (repo / "data.csv").unlink()
    with pytest.raises(ArtifactNotFound, match=r"data\.csv"):
        source.load()


def test_an_artifact_of_a_run_can_be_a_source(repo: Path) -> None:
    """``runs:/…``, as MLflow takes it."""
    with ledgit.start_run() as run:
        ledgit.log_artifact("data.csv")

    source = get_source(ledgit.data.from_file("data.csv", source=f"runs:/{run.info.run_id}/data.csv"))

    assert CSV == Path(source.load()).read_bytes()


def test_what_is_on_the_web_is_downloaded(repo: Path, web: str, tmp_path: Path) -> None:
    """Into the folder that was given, or a new one; a redirection is followed."""
    source = get_source(logged(ledgit.data.from_file("data.csv", source=f"{web}/data/train.csv")))

    assert ("http", f"{web}/data/train.csv") == (source.source_type, source.url)
    path = Path(source.load(tmp_path / "here"))
    assert (tmp_path / "here" / "train.csv", CSV) == (path, path.read_bytes())
    assert ["train.csv"] == os.listdir(tmp_path / "here")
    other = Path(source.load())
    assert CSV == other.read_bytes()
    assert other.parent != path.parent
    moved = get_source(ledgit.data.from_file("data.csv", source=f"{web}/moved.csv?token=1"))
    assert CSV == Path(moved.load(tmp_path / "moved")).read_bytes()


def test_a_servers_name_for_a_file_never_leaves_the_folder(repo: Path, web: str, tmp_path: Path) -> None:
    """Nor is it hidden."""
    source = get_source(ledgit.data.from_file("data.csv", source=f"{web}/named"))

    assert str(tmp_path / "here" / "evil.csv") == source.load(tmp_path / "here")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("none.csv", ArtifactNotFound),
        ("private.csv", AccessDenied),
        ("broken.csv", RemoteError),
        ("cut.csv", Unreachable),
        ("", Unreachable),
    ],
)
def test_what_goes_wrong_on_the_web_is_one_sentence(
    repo: Path, web: str, tmp_path: Path, path: str, error: type[Exception]
) -> None:
    """And nothing half is left."""
    where = f"{web}/{path}" if path else f"http://127.0.0.1:{free_port()}/x.csv"
    source = get_source(ledgit.data.from_file("data.csv", source=where))

    with pytest.raises(error) as caught:
        source.load(tmp_path / "here")

    assert error is type(caught.value)
    assert where in str(caught.value)
    assert [] == os.listdir(tmp_path / "here")


def test_another_content_on_the_web_is_not_what_the_run_saw(repo: Path, web: str) -> None:
    """The record has the MD5 of the file."""
    (repo / "other.csv").write_text("x\n")
    source = get_source(ledgit.data.from_file("other.csv", source=f"{web}/train.csv"))

    with pytest.raises(ArtifactDamaged, match="which the run saw"):
        source.load()


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    folder = tmp_path / "s3"
    folder.mkdir()
    with S3(folder).run() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_USER["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_USER["secret_access_key"])
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield server


def test_what_is_on_s3_is_downloaded(repo: Path, s3: S3, tmp_path: Path) -> None:
    """A file, or a folder with all in it; a key that would leave the folder is refused."""
    for key in ("train.csv", "folder/data.csv", "folder/deep/data.csv", "evil/../../data.csv"):
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=CSV)
    file, folder, evil, none = (
        get_source(ledgit.data.from_file("data.csv", source=f"s3://{BUCKET}/{key}"))
        for key in ("train.csv", "folder/", "evil", "none.csv")
    )
    frame = get_source(ledgit.data.Dataset("plain", "1", f"s3://{BUCKET}/folder/", "s3"))

    assert ("s3", f"s3://{BUCKET}/train.csv") == (file.source_type, file.uri)
    assert CSV == Path(file.load(tmp_path / "here")).read_bytes()
    with pytest.raises(ArtifactDamaged):  # a folder is not the file that was seen
        folder.load(tmp_path / "here")
    found = Path(frame.load(tmp_path / "there"))
    assert ["data.csv", "deep/data.csv"] == sorted(str(p.relative_to(found)) for p in found.rglob("*.csv"))
    with pytest.raises(UnsafePath):
        evil.load(tmp_path / "evil")
    with pytest.raises(ArtifactNotFound):
        none.load(tmp_path / "none")
    assert not list((tmp_path).glob("*.csv"))


def test_a_store_without_its_library_says_what_to_install(repo: Path) -> None:
    """Before anything is asked of it."""
    source = get_source(ledgit.data.Dataset("plain", "1", "nowhere://bucket/x", "nowhere"))

    with pytest.raises(MissingDependency, match="nowhere"):
        source.load()


def test_data_that_code_made_can_not_be_loaded(repo: Path) -> None:
    """It is said; so it is of a kind that Ledgit knows nothing of."""
    import numpy as np

    made_here = get_source(logged(ledgit.data.from_numpy(np.ones(3), name="ones")))
    assert ("code", {"tags": {}}) == (made_here.source_type, made_here.to_dict())
    with pytest.raises(UsageError, match="'ones' has a source of the type 'code'"):
        made_here.load()
    table = get_source(ledgit.data.Dataset("t", "1", '{"delta_table_name": "a.b"}', "delta_table"))
    assert ("a.b", "delta_table") == (table.delta_table_name, table.source_type)
    with pytest.raises(UsageError, match="delta_table"):
        table.load()
    with pytest.raises(AttributeError):
        _ = table.url


def test_what_is_no_data_set_has_no_source() -> None:
    """As everywhere, one sentence."""
    for given in (None, "data.csv", object()):
        with pytest.raises(InvalidValue, match="from_pandas"):
            get_source(given)


@pytest.mark.filterwarnings("ignore:The specified dataset source can be interpreted in multiple ways")
def test_mlflows_own_data_sets_have_mlflows_source(repo: Path) -> None:
    """And as the run has them they have the same facts, under the same names."""
    import mlflow.data
    import numpy as np

    theirs = mlflow.data.from_numpy(np.ones(3), source=str(repo / "data.csv"), name="ones")
    source = get_source(theirs)
    ours = get_source(logged(theirs))

    assert theirs.source is source
    assert isinstance(ours, DatasetSource)
    assert (source._get_source_type(), source.to_dict()) == (ours._get_source_type(), ours.to_dict())
    assert (source.uri, source.load()) == (ours.uri, ours.load())
    entity = mlflow.entities.Dataset("n", "1", "http", '{"url": "http://127.0.0.1/x"}')
    assert mlflow.data.get_source(entity).to_dict() == get_source(entity).to_dict()


@pytest.mark.frameworks
def test_hugging_faces_data_sets_are_loaded_by_their_own_library(repo: Path, tmp_path: Path) -> None:
    """With what was recorded, and options of one's own."""
    import datasets

    (repo / "lines.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    options = {"data_files": str(repo / "lines.jsonl"), "split": "train"}
    one = datasets.load_dataset("json", cache_dir=str(tmp_path / "hf"), **options)
    given = ledgit.data.from_huggingface(one, path="json", data_files=options["data_files"])

    source = get_source(logged(given))

    assert ("hugging_face", "json") == (source.source_type, source.path)
    assert [1, 2] == source.load(tmp_path / "hf")["n"]
    with pytest.raises(UsageError, match="split"):
        source.load(split="test")


# ------------------------------------------------------------------ DVC


def test_what_dvc_tracks_comes_from_the_work_tree_or_from_its_cache(project: Path, tmp_path: Path) -> None:  # noqa: F811
    """A file and a folder, as the run saw them, also after they were changed or deleted."""
    file, folder = get_source(logged("data/train.csv")), get_source(logged("data/images"))
    assert ("dvc", "data/train.csv") == (file.source_type, file.path)
    assert str(project / "data" / "train.csv") == file.load()
    assert str(project / "data" / "images") == folder.load()
    before = (project / "data" / "train.csv").read_bytes()
    (project / "data" / "train.csv").unlink()
    (project / "data" / "train.csv").write_bytes(b"changed")
    (project / "data" / "images" / "a.png").unlink()

    got = Path(file.load(tmp_path / "here"))
    images = Path(folder.load(tmp_path / "here"))

    assert (tmp_path / "here" / "train.csv", before) == (got, got.read_bytes())
    names = {str(path.relative_to(images)): path.read_text() for path in images.rglob("*.png")}
    assert {name: name for name in ("a.png", "b.png", "deep/c.png", "deep/ü d.png")} == names


def test_damage_in_dvcs_cache_is_noticed_and_left_there(project: Path, tmp_path: Path) -> None:  # noqa: F811
    """It is DVC's; nothing is handed out."""
    source = get_source(logged("data/train.csv"))
    md5 = json.loads(source.to_json())["md5"]
    cached = project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    (project / "data" / "train.csv").unlink()
    cached.chmod(0o644)
    cached.write_bytes(b"damage")

    with pytest.raises(ArtifactDamaged, match="DVC's cache"):
        source.load(tmp_path / "here")

    assert b"damage" == cached.read_bytes()
    assert [] == os.listdir(tmp_path / "here")


def test_what_only_dvc_can_fetch_is_said(project: Path) -> None:  # noqa: F811
    """With the command that does."""
    source = get_source(logged("data/train.csv"))
    commit = run_git(project, "rev-parse", "HEAD")
    (project / "data" / "train.csv").unlink()
    md5 = source.md5
    (project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]).unlink()

    with pytest.raises(ArtifactNotFound, match=f"'dvc get . data/train.csv --rev {commit}'"):
        source.load()
