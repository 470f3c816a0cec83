"""Saved views, written into a file that people edit too."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import ConfigError
from ledgit.git import Repo
from ledgit.tui.data.views import View, drop_view, read_views, save_view, with_view

TEXT = """\
# Ours.
metrics:
  churn: {direction: minimize}  # less is better

views:
  # the good ones
  good:
    filter: metrics.accuracy > 0.9
    sort: [-metrics.accuracy]   # best first
  # all others
  rest:
    branch: main

# What may pass.
gates:
  - {metric: accuracy, threshold: 0.01}
"""


def test_every_other_line_stays_as_it_is() -> None:
    """Comments, order and blank lines are the person's."""
    added = with_view(TEXT, "new one", {"filter": "x", "columns": ["params.lr"]})
    assert [line for line in added.splitlines() if line in TEXT.splitlines()] == TEXT.splitlines()
    assert yaml.safe_load(added)["views"]["new one"] == {"filter": "x", "columns": ["params.lr"]}

    changed = with_view(TEXT, "good", {"filter": "y"})
    assert "# the good ones" in changed
    assert "# all others" in changed
    assert list(yaml.safe_load(changed)["views"]) == ["good", "rest"]

    both = with_view(with_view(TEXT, "good", None), "rest", None)
    assert "views" not in yaml.safe_load(both)
    assert "# What may pass." in both
    assert yaml.safe_load(both)["gates"] == yaml.safe_load(TEXT)["gates"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: 1",
        "views: {}\n",
        "views:\n",
        "views: {a: {filter: x}}\nb: 1\n",
        "---\nviews:\n    a:\n        filter: x\n",
    ],
)
def test_a_view_can_be_added_to_any_mapping(text: str) -> None:
    """Flow style, nothing there yet, no newline at the end, other indents."""
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(with_view(text, "v", {"filter": "metrics.x > 1"}))
    assert after == {**before, "views": {**(before.get("views") or {}), "v": {"filter": "metrics.x > 1"}}}


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.text(max_size=40))
def test_names_and_filters_come_back_whatever_they_are(name: str, said: str) -> None:
    """Or are refused; the file never breaks."""
    try:
        text = with_view(TEXT, name, {"filter": said})
    except ConfigError:
        return
    assert yaml.safe_load(text)["views"][name] == {"filter": said}


def test_a_file_that_is_no_mapping_is_refused_and_stays(repo: Path) -> None:
    """Nothing is written over what can't be understood."""
    folder = repo / ".ledgit"
    folder.mkdir()
    file = folder / "config.yaml"
    for text in ("- a\n- b\n", "a: [\n"):
        file.write_text(text)
        with pytest.raises(ConfigError):
            save_view(Repo.discover(str(repo)), "v", View(filter="x"))
        assert file.read_text() == text


def test_views_are_saved_read_and_dropped(repo: Path) -> None:
    """In the work tree's file, for a commit to share."""
    here = Repo.discover(str(repo))
    view = View("metrics.x > 1", "main", "", ("-metrics.x",), ("start", "params.lr"), "branch")
    save_view(here, " best ", view)
    save_view(here, "other", View(experiment="wine"))

    assert read_views(here) == {"best": view, "other": View(experiment="wine")}
    drop_view(here, "best")
    assert list(read_views(here)) == ["other"]
