"""What people and programs declare and ask, and what of it is shown."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.fuzz.decoders import STEERS, NotForIt, target, text_of

from ledgit.errors import LedgitError

# ------------------------------------------------------------------ what people and programs declare


@target
def config_yaml(data: bytes) -> None:
    """``.ledgit/config.yaml``, by all who read something in it."""
    from ledgit.records import load_document
    from ledgit.registry.policy import parse_policy
    from ledgit.review.settings import read_settings

    try:
        read_settings(data)
    except LedgitError as error:
        str(error)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".ledgit").mkdir()
        Path(folder, ".ledgit", "config.yaml").write_bytes(data)
        repo = SimpleNamespace(
            work_tree=folder, config=lambda: SimpleNamespace(get_all=lambda _name: [], get=lambda *_: None)
        )
        for feed in _config_readers():
            try:
                feed(repo)
            except LedgitError as error:
                str(error)
    found = load_document(data)
    if isinstance(found, dict):
        parse_policy(found, "config.yaml")


def _config_readers() -> list[Callable[[Any], object]]:
    from ledgit.cli.context import directions
    from ledgit.store.artifacts.setting import place_of
    from ledgit.store.artifacts.threshold import artifact_threshold
    from ledgit.store.config import code_paths
    from ledgit.store.sync.publish import read_allowed
    from ledgit.tui.data.views import read_views

    of_repository = [lambda repo: directions(SimpleNamespace(repo=repo))]
    return [code_paths, read_allowed, artifact_threshold, place_of, read_views, *of_repository]


@target
def mlproject(data: bytes) -> None:
    """The file, what it declares, values for its parameters, and the command it makes."""
    from ledgit.projects import bind
    from ledgit.projects.mlproject import parse_project

    project = parse_project("/nowhere/x", "/nowhere/x/MLproject", _utf8(data))
    for entry in project.entry_points.values():
        try:
            bind(entry, {"alpha": 0.5, "x": "$(id)", "data": "s3://x/y"}, "/nowhere")
        except LedgitError as error:
            str(error)


@target
def environment_files(data: bytes) -> None:
    """``python_env.yaml``, ``conda.yaml``, ``requirements.txt`` and ``pyproject.toml``."""
    from ledgit.projects.environments.declared import read_wish
    from ledgit.projects.mlproject import EnvironmentSpec, read_project

    kinds = {"python_env.yaml": "python_env", "conda.yaml": "conda_env", "requirements.txt": "", "pyproject.toml": ""}
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in kinds.items():
            path = Path(folder, name)
            path.write_bytes(data)
            try:
                project = read_project(folder)
                read_wish(EnvironmentSpec(kind, str(path)) if kind else project.environment, project)
            except LedgitError as error:
                str(error)
            path.unlink()


@target
def parameter_file(data: bytes) -> None:
    from ledgit.projects.parameters import read_parameters

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "p.yaml").write_bytes(data)
        read_parameters([f"@{folder}/p.yaml"])


@target
def sweep_space(data: bytes) -> None:
    from ledgit.projects.sweeps.space import parse_dimension

    parse_dimension("x", text_of(data))


@target
def sweep_plan(data: bytes) -> None:
    from ledgit.projects.sweeps.plan import SweepPlan

    SweepPlan.from_json(data)


@target
def project_bundle(data: bytes) -> None:
    from ledgit.projects.unbundling import is_bundle, open_bundle, read_manifest

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.zip")
        Path(path).write_bytes(data)
        is_bundle(path)
        read_manifest(path)
        open_bundle(path, os.path.join(folder, "mirror.git"))


@target
def mlmodel(data: bytes) -> None:
    from ledgit.models.mlmodel import Model

    model = Model.decode(data)
    model.get_model_info("models:/x/1")
    model.to_json()
    Model.decode(model.to_yaml().encode())


@target
def model_request(data: bytes) -> None:
    """What a client of a served model sends."""
    from ledgit.models.payload import frame_from_csv, read_request

    try:
        frame_from_csv(_utf8(data), None)
    except LedgitError as error:
        str(error)
    read_request(data, None)


@target
def filter_text(data: bytes) -> None:
    """The grammar of filters, their SQL, and SQLite's word on it."""
    from tests.fuzz.columns import COLUMNS, connect

    from ledgit.query import compile_filter, parse_filter, wanted

    expr = parse_filter(text_of(data))
    among = dict.fromkeys(wanted(expr), "1")
    sql = compile_filter(expr, COLUMNS, now=1_763_900_000_000, among=among)
    connect().execute(f"SELECT 1 FROM run WHERE {sql.text}", sql.bindings).fetchall()


@target
def order_text(data: bytes) -> None:
    from ledgit.query import parse_order_by

    parse_order_by(text_of(data).split("\n"))


@target
def words(data: bytes) -> None:
    """Points in time, rules of ``gc --keep``, tokens of pages, scalars, keys and paths."""
    from ledgit.query import Query
    from ledgit.records.names import check_artifact_path, check_key, stored_path
    from ledgit.records.run import from_iso
    from ledgit.records.scalars import load_scalar
    from ledgit.records.times import parse_since, parse_until
    from ledgit.store.artifacts.threshold import parse_size
    from ledgit.store.gc.rules import parse_rule
    from ledgit.store.index_search import read_token

    text = text_of(data)
    feeds: list[Callable[[str], object]] = [
        load_scalar, from_iso, parse_since, parse_until, parse_rule, check_artifact_path,
        lambda text: check_key("param", text), lambda text: parse_size(text, "x"),
        lambda text: read_token(Query(page_token=text)), lambda text: stored_path(check_artifact_path(text)),
    ]  # fmt: skip
    for feed in feeds:
        try:
            feed(text)
        except LedgitError as error:
            str(error)


# ------------------------------------------------------------------ what is shown


@target
def preview(data: bytes) -> None:
    """A preview never raises and steers no terminal."""
    from ledgit.artifacts.previews import preview

    for path in ("a.csv", "a.json", "a.png", "a.npy", "a.zip", "a.svg", "a.yaml", "a.txt"):
        shown = preview(path, data, 60, 12)
        assert not re.search(STEERS, "\n".join((shown.title, *shown.lines)))
        assert len(shown.lines) <= 12


@target
def textconv(data: bytes) -> None:
    from ledgit.review.textconv import textconv

    assert not re.search(STEERS, textconv(data))


@target
def shown_text(data: bytes) -> None:
    """Words of a run in a terminal, in Markdown, in HTML."""
    from ledgit.records.harmless import clean, clean_lines, fit, width
    from ledgit.review.escaping import code, fence, html, marker_name, md

    text = text_of(data)
    for shown in (clean(text), *clean_lines(text), md(text), code(text), html(text)):
        assert not re.search(STEERS + "|\n", shown)
    for most in (1, 7, 60):
        assert width(fit(text if text.isprintable() else clean(text), most)) <= most
    assert not re.search("[<>\"']", html(text))
    assert not re.search(r"[<>\[\]`*]|\w@\w", md(text))
    ticks = fence(text).splitlines()
    assert all(ticks[0] not in line for line in ticks[1:-1])
    assert "--" not in marker_name(text)
    assert ">" not in marker_name(text)


@target
def in_kind(data: bytes) -> None:
    """Two versions of an artifact, compared by what they are."""
    from ledgit.review.in_kind import compare_content

    before, _, after = data.partition(b"\n%%\n")
    for path in ("a.csv", "a.json", "a.yaml", "a.txt", "a.png"):
        compare_content(path, before, after)


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotForIt("no text") from None
