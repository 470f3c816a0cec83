"""MLflow's scoring protocol: four ways to say the data, three media types, and errors that name the column."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import NAMES, frame

import ledgit as mlflow

JSON = {"content-type": "application/json"}
ROW = [1.5, 0.25]
Client = Callable[..., Any]


def post(client: Any, body: object, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/invocations", content=data, headers={**JSON, **headers})


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES, "data": [ROW]}},
        {"dataframe_split": {"columns": NAMES[::-1], "data": [ROW[::-1]]}},
        {"dataframe_split": {"columns": NAMES, "data": [ROW], "index": [7]}},
        {"dataframe_split": {"columns": [*NAMES, "more"], "data": [[*ROW, "x"]]}},
        {"dataframe_records": [dict(zip(NAMES, ROW, strict=True))]},
        {"dataframe_records": [{**dict(zip(NAMES, ROW, strict=True)), "more": None}]},
        {"inputs": {"length": [1.5], "width": [0.25]}},
        {"instances": [{"length": 1.5, "width": 0.25}]},
        {"dataframe_split": {"columns": NAMES, "data": [ROW]}, "params": None},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_way_to_say_a_row_gives_the_same(model: Any, client: Client, body: dict[str, Any]) -> None:
    answer = post(client("area"), body)

    assert 200 == answer.status_code, answer.text
    assert {"predictions": pytest.approx([3.25])} == answer.json()


def test_whole_numbers_are_doubles_in_json(model: Any, client: Client) -> None:
    """JSON does not tell 2 from 2.0."""
    asked = client("area")

    for data in ([[2, 1]], [[2, 1.0]], [[2.0, 1.0]]):
        answer = post(asked, {"dataframe_split": {"columns": NAMES, "data": data}})
        assert {"predictions": pytest.approx([5.0])} == answer.json()


def test_csv_and_parquet(model: Any, client: Client) -> None:
    asked, data = client("area"), frame()
    parquet = BytesIO()
    data.to_parquet(parquet)

    expected = model.predict(data).tolist()
    for body, kind in (
        (data.to_csv(index=False).encode(), "text/csv"),
        (data.to_csv(index=False).encode(), "text/csv; charset=utf-8"),
        (parquet.getvalue(), "application/vnd.apache.parquet"),
        (parquet.getvalue(), "application/x-parquet"),
    ):
        answer = asked.post("/invocations", content=body, headers={"content-type": kind})
        assert {"predictions": pytest.approx(expected)} == answer.json(), kind


def test_nan_as_python_writes_it_is_read(repo: Path, client: Client) -> None:
    """``json.dumps`` writes NaN, which is no JSON; the model gets it, and what it makes of it is null."""

    def same(model_input: Any) -> Any:
        return model_input["length"].to_numpy()

    import ledgit.pyfunc
    from ledgit.models import infer_signature

    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="same", python_model=same, signature=infer_signature(frame(), 1.0))

    answer = post(client("same"), b'{"dataframe_split": {"columns": ["length", "width"], "data": [[NaN, 1.0]]}}')

    assert (200, {"predictions": [None]}) == (answer.status_code, answer.json())


BAD = [
    (b"", 400, "no body", None),
    (b"{", 400, "no JSON", None),
    (b"[1, 2]", 400, "a list", None),
    (b'"text"', 400, "a text", None),
    (b"{}", 400, "exactly one of", None),
    (b'{"rows": [[1, 2]]}', 400, "exactly one of", None),
    (b'{"inputs": [], "instances": []}', 400, "exactly one of", None),
    (b'{"dataframe_split": [1]}', 400, "dataframe_split", None),
    (b'{"dataframe_records": {"length": 1}}', 400, "dataframe_records", None),
    (b'{"dataframe_split": {"columns": ["length"], "data": [[1.0]]}}', 400, "width", "width"),
    (b'{"dataframe_split": {"columns": ["length", "width"], "data": [["tall", 1.0]]}}', 400, "length", "length"),
    (b'{"dataframe_split": {"columns": ["length", "width"], "data": [[1.0], [1.0, 2.0]]}}', 400, None, None),
    (b'{"dataframe_split": {"columns": ["length", "width"], "data": [[1.0, {"deep": 1}]]}}', 400, "width", "width"),
    (
        b'{"dataframe_split": {"columns": ["length", "width"], "data": [[1.0, 2.0]]}, "params": 3}',
        400,
        "params",
        "params",
    ),
    (b'{"dataframe_split": {"columns": ["length", "width"], "data": [[1.0, 2.0]]}, "extra": 3}', 400, "extra", None),
    (b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, None, None),
    (b'{"dataframe_records": [1, 2]}', 400, "dataframe_records", None),
    (b"\xff\xfe", 400, "no JSON", None),
]


@pytest.mark.parametrize(("body", "status", "says", "column"), BAD, ids=[str(item[0][:60]) for item in BAD])
def test_input_that_can_not_be_predicted_on(
    model: Any, client: Client, body: bytes, status: int, says: str | None, column: str | None
) -> None:
    """A 4xx with one sentence, and the column by its name where it is about one."""
    answer = post(client("area"), body)
    said = answer.json()

    assert status == answer.status_code, answer.text
    assert "error_code" in said
    assert "Traceback" not in answer.text
    assert "\n" not in said["message"]
    assert says is None or says in said["message"]
    assert column is None or column == said["column"]


def test_what_the_types_allow_and_the_model_does_not_take(model: Any, client: Client) -> None:
    """No rows, and missing values, which are doubles too."""
    asked = client("area")
    empty = post(asked, {"dataframe_split": {"columns": NAMES, "data": []}})
    missing = post(asked, {"dataframe_split": {"columns": NAMES, "data": [[1.0, None]]}})

    assert (400, 400) == (empty.status_code, missing.status_code)
    assert "no rows" in empty.json()["message"]
    assert "width" == missing.json()["column"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("", "not given"),
        ("application/xml", "application/xml"),
        ("application/json; charset=latin-1", "UTF-8"),
        ("application/json; boundary=x", "boundary"),
    ],
)
def test_media_types_that_are_not_read(model: Any, client: Client, kind: str, says: str) -> None:
    answer = client("area").post("/invocations", content=b"{}", headers={"content-type": kind})

    assert 415 == answer.status_code
    assert says in answer.json()["message"]


def test_csv_that_is_none(model: Any, client: Client) -> None:
    asked = client("area")

    for body in (b"", b"\xff\xfe\x00", b'length,width\n"1,2\n3,4,5,6\n', b"length,width\ntall,1\n"):
        answer = asked.post("/invocations", content=body, headers={"content-type": "text/csv"})
        assert 400 == answer.status_code, answer.text
        assert "Traceback" not in answer.text


def test_parquet_that_is_none(model: Any, client: Client) -> None:
    answer = client("area").post(
        "/invocations", content=b"PAR1nonsense", headers={"content-type": "application/x-parquet"}
    )

    assert 400 == answer.status_code


def test_a_body_that_is_too_large_is_not_read(model: Any, client: Client) -> None:
    """Told by its length, or as soon as more has come than may."""
    asked = client("area", max_body=1000)
    large = json.dumps({"inputs": [0.0] * 2000}).encode()

    told = post(asked, large)
    in_pieces = asked.post("/invocations", content=iter([large[:600], large[600:]]), headers=JSON)

    assert (413, 413) == (told.status_code, in_pieces.status_code)
    assert "1,000" in told.json()["message"]


def test_100_mb_are_more_than_a_request_may_have(model: Any, client: Client) -> None:
    """By the limit that a server has if nobody says another."""
    asked = client("area")

    told = asked.post("/invocations", content=b" " * 100_000_000, headers=JSON)
    in_pieces = asked.post("/invocations", content=iter([b" " * (1 << 20)] * 100), headers=JSON)

    assert (413, 413) == (told.status_code, in_pieces.status_code)
    assert "67,108,864" in told.json()["message"]
    assert 200 == post(asked, {"dataframe_split": {"columns": NAMES, "data": [ROW]}}).status_code


def test_a_model_that_fails_tells_no_secrets(repo: Path, client: Client) -> None:
    """The traceback is the server's own; the answer says whose fault it is."""

    def fails(model_input: Any) -> Any:
        raise RuntimeError("password=hunter2")

    import ledgit.pyfunc
    from ledgit.models import infer_signature

    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="with", python_model=fails, signature=infer_signature(frame(), 1.0))
        ledgit.pyfunc.log_model(name="without", python_model=fails)

    body = {"dataframe_split": {"columns": NAMES, "data": [ROW]}}
    with_signature, without = post(client("with"), body), post(client("without"), body)

    assert (500, 400) == (with_signature.status_code, without.status_code)
    assert "hunter2" not in with_signature.text + without.text


def test_a_model_that_takes_too_long(repo: Path, client: Client) -> None:
    """504 after the time limit, and others are answered meanwhile."""

    def slow(model_input: Any) -> Any:
        import time

        time.sleep(float(model_input["length"].iloc[0]))
        return [1.0]

    import ledgit.pyfunc
    from ledgit.models import infer_signature

    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="slow", python_model=slow, signature=infer_signature(frame(), 1.0))
    asked = client("slow", timeout=0.5)

    late = post(asked, {"dataframe_split": {"columns": NAMES, "data": [[5.0, 1.0]]}})
    quick = post(asked, {"dataframe_split": {"columns": NAMES, "data": [[0.0, 1.0]]}})

    assert (504, 200) == (late.status_code, quick.status_code)


def test_more_than_can_wait_are_told_to_come_again(repo: Path, client: Client) -> None:
    """One prediction holds the only thread until the others have been turned away."""
    import threading

    from ledgit.models.serving import keeper

    def answers(model_input: Any) -> Any:
        return [1.0]

    import ledgit.pyfunc
    from ledgit.models import infer_signature

    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="held", python_model=answers, signature=infer_signature(frame(), 1.0))
    asked = client("held", threads=1, waiting=0)
    let_go, came = threading.Event(), threading.Event()
    predict = keeper.Served.predict

    def held(*args: Any, **options: Any) -> Any:
        came.set()
        assert let_go.wait(60)
        return predict(*args, **options)

    body = {"dataframe_split": {"columns": NAMES, "data": [ROW]}}
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper.Served, "predict", held)
        first = threading.Thread(target=lambda: found.append(post(asked, body)))
        first.start()
        assert came.wait(60)
        turned_away = post(asked, body)
        let_go.set()
        first.join(60)

    assert 503 == turned_away.status_code
    assert "1" == turned_away.headers["retry-after"]
    assert [200] == [answer.status_code for answer in found]


def test_what_models_give_becomes_json() -> None:
    """Frames as records, series as MLflow does it, arrays of any order, tensors, times, bytes."""
    import datetime as dt

    import numpy as np
    import pandas as pd
    import scipy.sparse

    from ledgit.models.serving.answers import answer

    cases: list[tuple[Any, Any]] = [
        (np.array([1, 2]), [1, 2]),
        (np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1.0, np.nan, np.inf]), [1.0, None, None]),
        (np.float32(0.5), 0.5),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (pd.Series([1, 2], name="y"), [{"y": 1}, {"y": 2}]),
        ([np.int64(3), {"k": np.array([1.5])}], [3, {"k": [1.5]}]),
        (scipy.sparse.csr_matrix([[0, 1]]), [[0, 1]]),
        ([b"\x00\x01"], ["AAE="]),
        ([dt.date(2026, 11, 23)], ["2026-11-23"]),
        (pd.DataFrame({"when": pd.to_datetime(["2026-11-23"])}), [{"when": "2026-11-23T00:00:00"}]),
        ({"a": (1, 2)}, {"a": [1, 2]}),
    ]
    for given, expected in cases:
        assert {"predictions": expected} == json.loads(answer(given)), given

    with pytest.raises(TypeError):
        answer([object()])


def test_what_there_is_besides_predictions(model: Any, client: Client) -> None:
    asked = client("area")
    post(asked, {"dataframe_split": {"columns": NAMES, "data": [ROW, ROW]}})
    post(asked, b"{")

    for path in ("/ping", "/health"):
        assert 200 == asked.get(path).status_code
    assert mlflow.__version__ == asked.get("/version").text
    assert "area" == asked.get("/model").json()["name"]
    counted = asked.get("/metrics").text
    assert 'ledgit_requests_total{status="200"} 1.0' in counted
    assert 'ledgit_requests_total{status="400"} 1.0' in counted
    assert "ledgit_rows_total 2.0" in counted
    assert 'model="area"' in counted
    assert 405 == asked.get("/invocations").status_code
    assert 404 == asked.get("/nothing").status_code


def test_the_api_is_described_by_the_signature(model: Any, client: Client) -> None:
    """Required columns with their types, and an example that the server answers."""
    asked = client("area")
    said = asked.get("/openapi.json").json()
    request = said["components"]["schemas"]["Request"]["oneOf"]
    records = next(way for way in request if way["title"] == "dataframe_records")

    row = records["properties"]["dataframe_records"]["items"]
    assert NAMES == row["required"]
    assert {"type": "number", "format": "double"} == row["properties"]["width"]
    example = said["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert 200 == post(asked, example).status_code
    page = asked.get("/").text
    assert all(name in page for name in NAMES)
    assert "http" not in page.replace("http-equiv", "")  # nothing comes from anywhere else


def test_names_can_not_smuggle_html_into_the_page(repo: Path, client: Client) -> None:
    import ledgit.pyfunc
    from ledgit.models import infer_signature

    data = frame().rename(columns={"length": "<script>alert(1)</script>"})

    def zero(model_input: Any) -> Any:
        return [0.0] * len(model_input)

    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="odd", python_model=zero, signature=infer_signature(data, 1.0))

    assert "<script>alert" not in client("odd").get("/").text


def test_the_quick_way_is_the_careful_way(model: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a request says, both give the same answer, or both refuse."""
    from hypothesis import given, settings
    from hypothesis import strategies as st

    from ledgit.models.serving.quick import QuickFrame

    quick, careful = client("area"), client("area")
    careful_server = careful.app.router.routes[4].endpoint.__self__
    assert isinstance(careful_server.keeper.now.quick, QuickFrame)
    careful_server.keeper.now.quick = None
    value = st.one_of(
        st.floats(-1e6, 1e6), st.integers(-(2**40), 2**40), st.none(), st.booleans(), st.sampled_from(["", "1", "x"])
    )
    plain = st.floats(-1e6, 1e6)
    rows = st.one_of(
        st.lists(st.lists(plain, min_size=2, max_size=2), min_size=1, max_size=4),
        st.lists(st.lists(value, min_size=1, max_size=3), max_size=4),
    )
    bodies = st.one_of(
        rows.map(lambda data: {"dataframe_split": {"columns": NAMES, "data": data}}),
        st.lists(st.dictionaries(st.sampled_from([*NAMES, "more"]), value), max_size=3).map(
            lambda data: {"dataframe_records": data}
        ),
    )

    @settings(max_examples=150)
    @given(bodies)
    def check(body: dict[str, Any]) -> None:
        one, other = post(quick, body), post(careful, body)
        if one.status_code == 200 and other.status_code == 200:
            assert one.json()["predictions"] == pytest.approx(other.json()["predictions"])
        else:
            assert (one.status_code, one.json()) == (other.status_code, other.json())

    check()
