"""Files, figures, pictures and tables as artifacts, and reading them back."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit.errors import ArtifactNotFound, InvalidName, InvalidValue, LedgitWarning, RunNotFound, UsageError


@pytest.fixture
def run(repo: Path) -> ledgit.ActiveRun:
    return ledgit.start_run()


def paths(run: ledgit.Run) -> list[str]:
    return [record.path for record in run.artifacts()]


def test_a_file_goes_into_the_folder_named(run: ledgit.ActiveRun) -> None:
    """Under its own name; what happens to the file afterwards does not matter."""
    ledgit.log_artifact("data.csv")
    ledgit.log_artifact("data.csv", "in/here")
    Path("data.csv").unlink()
    ledgit.end_run()

    assert ["data.csv", "in/here/data.csv"] == paths(run)
    assert b"x,y\n1,2\n" == run.read_artifact("in/here/data.csv")


def test_a_folder_goes_with_all_that_is_in_it(run: ledgit.ActiveRun) -> None:
    """log_artifact keeps the folder's name, log_artifacts does not; a loop of links is walked once."""
    Path("out/deep").mkdir(parents=True)
    Path("out/a.txt").write_text("a")
    Path("out/deep/b.txt").write_text("b")
    Path("out/deep/loop").symlink_to("..")
    ledgit.log_artifact("out")
    ledgit.log_artifacts("out", "models")
    ledgit.end_run()

    assert ["models/a.txt", "models/deep/b.txt", "out/a.txt", "out/deep/b.txt"] == paths(run)


def test_a_large_file_comes_back_as_it_was(run: ledgit.ActiveRun, tmp_path: Path) -> None:
    """Above the threshold it is kept beside the run's tree; nobody sees the difference."""
    content = bytes(range(256)) * 4096
    Path("weights.bin").write_bytes(content)
    ledgit.log_artifact("weights.bin", "model")
    ledgit.end_run()

    (record,) = run.artifacts()
    assert ("model/weights.bin", len(content), "dvc") == (record.path, record.size, record.stored)
    assert content == run.read_artifact("model/weights.bin")
    copy = ledgit.artifacts.download_artifacts(run_id=run.id, artifact_path="model/weights.bin", dst_path=tmp_path)
    assert content == Path(copy).read_bytes()


def test_what_is_not_there_is_a_clear_error(run: ledgit.ActiveRun) -> None:
    """The training's author mistyped; nobody wants to find out a day later."""
    with pytest.raises(InvalidValue, match=r"'none.csv', expected a file or folder that exists"):
        ledgit.log_artifact("none.csv")
    with pytest.raises(InvalidValue, match="log_artifact takes a single file"):
        ledgit.log_artifacts("data.csv")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_artifacts_stay_inside_the_run(run: ledgit.ActiveRun, path: str) -> None:
    """No path leads out of it."""
    with pytest.raises(InvalidName):
        ledgit.log_text("x", path)
    with pytest.raises(InvalidName):
        ledgit.log_artifact("data.csv", path or "..")


@pytest.mark.parametrize("path", ["dvc.yaml", ".gitignore", "sub/.git/config", "x.dvc", "CON", "a/data.CSV"])
def test_paths_that_mean_something_to_git_or_dvc_come_back_as_they_were(run: ledgit.ActiveRun, path: str) -> None:
    """They are stored under another name, and nobody sees it."""
    ledgit.log_text("content", path)
    ledgit.end_run()

    assert [path] == paths(run)
    assert "content" == ledgit.artifacts.load_text(f"runs:/{run.id}/{path}")


def test_text_and_streams_are_logged(run: ledgit.ActiveRun) -> None:
    """Text in UTF-8; the rest of a binary stream."""
    ledgit.log_text("größe ✓", "note.txt")
    stream = io.BytesIO(b"\x00\x01rest")
    stream.read(2)
    ledgit.log_stream(stream, "raw.bin")
    with pytest.raises(InvalidValue, match="bytes"):
        ledgit.log_stream(io.StringIO("text"), "x")
    with pytest.raises(InvalidValue, match="str"):
        ledgit.log_text(b"bytes", "x")  # type: ignore[arg-type]
    ledgit.end_run()

    assert "größe ✓" == run.read_artifact("note.txt").decode()
    assert b"rest" == run.read_artifact("raw.bin")


@pytest.mark.parametrize("name", ["c.json", "c.yaml", "c.yml", "c"])
def test_dictionaries_are_json_or_yaml_by_ending(run: ledgit.ActiveRun, name: str) -> None:
    """With what NumPy left in them, and read back the same."""
    import numpy as np

    given = {"a": np.float64(0.5), "b": [1, np.int64(2)], "c": {"d": np.array([1, 2])}, "e": Path("x"), 1: None}
    ledgit.log_dict(given, name)
    ledgit.end_run()

    plain = {"a": 0.5, "b": [1, 2], "c": {"d": [1, 2]}, "e": "x", "1": None}
    assert plain == ledgit.artifacts.load_dict(f"runs:/{run.id}/{name}")
    assert name.endswith((".yaml", ".yml")) != run.read_artifact(name).startswith(b"{")


def test_matplotlib_and_plotly_figures_are_logged(run: ledgit.ActiveRun) -> None:
    """In the format that the file's ending names."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt
    import plotly.graph_objects as go

    figure, axes = plt.subplots()
    axes.plot([1, 2], [3, 4])
    ledgit.log_figure(figure, "plots/a.png", save_kwargs={"dpi": 40})
    ledgit.log_figure(figure, "plots/a.svg")
    plt.close(figure)
    ledgit.log_figure(go.Figure(go.Scatter(y=[1, 2])), "plots/b.html")
    with pytest.raises(InvalidValue, match="Matplotlib or Plotly"):
        ledgit.log_figure("figure", "c.png")
    ledgit.end_run()

    assert run.read_artifact("plots/a.png").startswith(b"\x89PNG")
    assert b"<svg" in run.read_artifact("plots/a.svg")
    assert b"plotly" in run.read_artifact("plots/b.html").lower()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((2, 3), "uint8"), ((2, 3, 1), "int64"), ((2, 3, 3), "float32"), ((2, 3, 4), "float64"), ((2, 3), "bool")],
)
def test_arrays_are_pictures(run: ledgit.ActiveRun, shape: tuple[int, ...], kind: str) -> None:
    """Grey, RGB, RGBA; integers to 255, floats to 1, bools."""
    import numpy as np

    ledgit.log_image(np.ones(shape, dtype=kind), "a.png")
    ledgit.end_run()

    assert (3, 2) == ledgit.artifacts.load_image(f"runs:/{run.id}/a.png").size


def test_pictures_come_from_pillow_torch_and_files(run: ledgit.ActiveRun) -> None:
    """And keep their pixels; a JPEG has no transparency."""
    import PIL.Image
    import torch

    picture = PIL.Image.new("RGBA", (4, 2), (255, 0, 0, 255))
    picture.save("red.png")
    ledgit.log_image(picture, "a.jpg")
    ledgit.log_image(ledgit.Image("red.png"), "b.png")
    ledgit.log_image(torch.zeros(2, 4), "c.png")
    ledgit.end_run()

    assert ["a.jpg", "b.png", "c.png"] == paths(run)
    assert (255, 0, 0, 255) == ledgit.artifacts.load_image(f"runs:/{run.id}/b.png").getpixel((0, 0))


def test_what_is_no_picture_is_refused(run: ledgit.ActiveRun) -> None:
    """With the reason; floats outside 0–1 are stretched, and said so."""
    import numpy as np

    for wrong in (np.ones((2, 2, 2)), np.ones(3), np.full((2, 2), 256), np.array([["a"]]), "path.png"):
        with pytest.raises(InvalidValue):
            ledgit.log_image(wrong, "a.png")
    with pytest.raises(InvalidValue, match="ending"):
        ledgit.log_image(np.ones((2, 2)), "a.unknown")
    with pytest.warns(LedgitWarning, match="stretched"):
        ledgit.log_image(np.array([[0.0, 2.0]]), "b.png")
    ledgit.end_run()

    assert 255 == ledgit.artifacts.load_image(f"runs:/{run.id}/b.png").getpixel((1, 0))


def test_a_series_of_pictures_has_mlflows_names(run: ledgit.ActiveRun) -> None:
    """Key, step and time are in the path; a tag says that there are pictures."""
    import numpy as np

    for step in (0, 1):
        ledgit.log_image(np.zeros((2, 2)), key="val/dogs", step=step, timestamp=5)
    with pytest.raises(UsageError, match="not both"):
        ledgit.log_image(np.zeros((2, 2)), "a.png", key="dogs")
    with pytest.raises(UsageError, match="needs"):
        ledgit.log_image(np.zeros((2, 2)))
    with pytest.raises(InvalidName):
        ledgit.log_image(np.zeros((2, 2)), key="dogs+cats")
    ledgit.end_run()

    first, second = paths(run)
    assert first.startswith("images/val~dogs+step+0+timestamp+5+")
    assert second.startswith("images/val~dogs+step+1+timestamp+5+")
    assert "true" == run.tags["mlflow.loggedImages"]


def test_a_table_grows_with_every_call(run: ledgit.ActiveRun) -> None:
    """Across sessions too; new columns are filled with null."""
    import pandas as pd

    ledgit.log_table({"q": ["a", "b"], "score": [0.5, float("nan")]}, "t.json")
    ledgit.log_table(pd.DataFrame({"q": ["c"], "extra": [1]}), "t.json")
    ledgit.end_run()
    with ledgit.start_run(run_id=run.id):
        ledgit.log_table({"q": "d", "score": 1}, "t.json")

    table = json.loads(run.read_artifact("t.json"))
    assert ["q", "score", "extra"] == table["columns"]
    assert [["a", 0.5, None], ["b", None, None], ["c", None, 1], ["d", 1, None]] == table["data"]
    assert [{"path": "t.json", "type": "table"}] == json.loads(run.tags["mlflow.loggedArtifacts"])


def test_tables_are_loaded_with_columns_of_their_runs(run: ledgit.ActiveRun) -> None:
    """Those of all runs in the experiment, or of the runs named."""
    ledgit.log_table({"q": ["a"], "status": ["x"]}, "t.json")
    ledgit.end_run()
    with ledgit.start_run() as second:
        ledgit.log_param("lr", 0.1)
        ledgit.log_table({"q": ["b"]}, "t.json")
    with ledgit.start_run():
        pass

    assert {"a", "b"} == set(ledgit.load_table("t.json")["q"])
    frame = ledgit.load_table("t.json", [second.id], ["run_id", "params.lr"])
    assert [["b", second.id, "0.1"]] == frame.to_numpy().tolist()
    assert "status_" in ledgit.load_table("t.json", [run.id], ["status"]).columns
    with pytest.raises(ArtifactNotFound):
        ledgit.load_table("none.json")


@pytest.mark.parametrize("wrong", [{"a": [1, 2], "b": [1]}, [1, 2], "text"])
def test_what_is_no_table_is_refused(run: ledgit.ActiveRun, wrong: Any) -> None:
    """Columns of one length, or a DataFrame."""
    with pytest.raises(InvalidValue):
        ledgit.log_table(wrong, "t.json")
    with pytest.raises(InvalidValue, match="json"):
        ledgit.log_table({"a": [1]}, "t.txt")


def test_pictures_in_a_table_are_stored_beside_it(run: ledgit.ActiveRun) -> None:
    """The cell says where, in MLflow's form."""
    import PIL.Image

    ledgit.log_table({"image": [PIL.Image.new("L", (2, 2))]}, "t.json")
    ledgit.end_run()

    ((cell,),) = json.loads(run.read_artifact("t.json"))["data"]
    assert "image" == cell["type"]
    assert run.read_artifact(cell["filepath"]).startswith(b"\x89PNG")


def test_artifacts_are_listed_and_downloaded(run: ledgit.ActiveRun, tmp_path: Path) -> None:
    """While the run is written, and after; as private copies."""
    for path in ("a.txt", "deep/b.txt", "deep/er/c.txt"):
        ledgit.log_text(path, path)
    assert f"runs:/{run.id}/deep" == ledgit.get_artifact_uri("deep")
    assert f"runs:/{run.id}" == ledgit.get_artifact_uri() == run.info.artifact_uri
    for _ in range(2):
        listed = ledgit.artifacts.list_artifacts(run_id=run.id)
        assert [("a.txt", False, 5), ("deep", True, None)] == [(f.path, f.is_dir, f.file_size) for f in listed]
        inner = ledgit.artifacts.list_artifacts(f"runs:/{run.id}/deep")
        assert ["deep/b.txt", "deep/er"] == [item.path for item in inner]
        ledgit.end_run()

    got = ledgit.artifacts.download_artifacts(f"runs:/{run.id}/deep", dst_path=tmp_path / "got")
    assert str(tmp_path / "got/deep") == got
    files = {path.name: path.read_text() for path in Path(got).rglob("*.txt")}
    assert {"b.txt": "deep/b.txt", "c.txt": "deep/er/c.txt"} == files
    everything = Path(ledgit.artifacts.download_artifacts(run_id=run.id))
    assert "a.txt" == (everything / "a.txt").read_text()
    local = ledgit.artifacts.download_artifacts("data.csv", dst_path=tmp_path / "copies")
    assert str(tmp_path / "copies/data.csv") == local


def test_asking_for_artifacts_wrongly_is_explained(run: ledgit.ActiveRun) -> None:
    """Not found, unclear, or elsewhere."""
    ledgit.log_text("x", "a.txt")
    artifacts = ledgit.artifacts
    with pytest.raises(ArtifactNotFound):
        artifacts.load_text(f"runs:/{run.id}/b.txt")
    with pytest.raises(ArtifactNotFound):
        artifacts.download_artifacts(run_id=run.id, artifact_path="b.txt")
    with pytest.raises(RunNotFound):
        artifacts.load_text(f"runs:/{'f' * 32}/b.txt")
    with pytest.raises(UsageError, match="not both"):
        artifacts.download_artifacts(f"runs:/{run.id}", run_id=run.id)
    with pytest.raises(UsageError, match="can't be read here"):
        artifacts.download_artifacts("s3://bucket/x")
    with pytest.raises(InvalidName):
        artifacts.load_text(f"runs:/{run.id}/../../x")
    with pytest.raises(UsageError, match="names no run"):
        artifacts.load_text("runs:/")


def test_the_run_says_which_artifacts_it_lacks_and_why(run: ledgit.ActiveRun, recwarn: pytest.WarningsRecorder) -> None:
    """A pipe; whoever looks at the run later saw no warning. It is said once all the same."""
    os.mkfifo("pipe")
    ledgit.log_artifact("pipe")
    ledgit.end_run()

    assert "Problem: artifact pipe was not logged" in " ".join(run.log()[-1].changes)
    assert 1 == len([one for one in recwarn if "pipe" in str(one.message)])


def test_a_disk_that_refuses_an_artifact_does_not_end_the_training(
    run: ledgit.ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, and the next ones are tried."""
    from ledgit.errors import StorageError

    def full(path: str, data: bytes) -> None:
        raise StorageError(path, "No space left on device")

    monkeypatch.setattr(run.store, "add_artifact_bytes", full)
    with pytest.warns(LedgitWarning, match=r"artifact a.txt was not logged: .*No space left"):
        ledgit.log_text("x", "a.txt")
    ledgit.log_text("x", "a.txt")
    ledgit.log_metric("m", 1)
