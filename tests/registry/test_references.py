"""How people name versions, and that any model can be named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun

from ledgit.errors import UsageError
from ledgit.registry.references import parse_reference

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "model", "selector"),
    [
        ("churn@v1.2.0", "churn", "v1.2.0"),
        ("churn@1.2.0", "churn", "v1.2.0"),
        ("churn@v1.2.0-rc.1+b", "churn", "v1.2.0-rc.1+b"),
        ("churn@3", "churn", "3"),
        ("churn@latest", "churn", "latest"),
        ("churn@greatest", "churn", "greatest"),
        ("churn@prod", "churn", "@prod"),
        ("churn#prod", "churn", "@prod"),
        ("churn#prod#7", "churn", "@prod"),
        ("team/churn#prod", "team/churn", "@prod"),
        ("a@b@v1.0.0", "a@b", "v1.0.0"),
        ("Kundenabwanderung 2026@prod", "Kundenabwanderung 2026", "@prod"),
        ("models:/churn/3", "churn", "3"),
        ("models:/churn/v1.2.0", "churn", "v1.2.0"),
        ("models:/churn/latest", "churn", "latest"),
        ("models:/churn/Production", "churn", "@Production"),
        ("models:/churn@prod", "churn", "@prod"),
        ("models:/team/churn@prod", "team/churn", "@prod"),
        ("models:/team/churn/3", "team/churn", "3"),
    ],
)
def test_every_way_to_name_a_version(text: str, model: str, selector: str) -> None:
    """Ledgit's, GTO's and MLflow's."""
    found = parse_reference(text)

    assert (model, selector) == (found.model, found.selector)


@pytest.mark.parametrize(
    "text", ["churn", "", "@v1.0.0", "churn@", "#prod", "models:/churn", "models:/", "models:/m-1f"]
)
def test_what_names_no_version_is_refused(text: str) -> None:
    """With what would."""
    with pytest.raises(UsageError, match="names no version"):
        parse_reference(text)


def test_a_model_alone_where_that_will_do() -> None:
    """For descriptions and tags."""
    found = parse_reference("churn", whole=True)

    assert ("churn", "") == (found.model, found.selector)


@given(names, st.sampled_from(["v1.0.0", "v0.12.3-rc.1"]))
def test_any_name_with_a_version_is_that_name(name: str, version: str) -> None:
    """Whatever characters it has."""
    assume(name == name.strip() and not name.startswith("models:"))

    found = parse_reference(f"{name}@{version}")

    assert (name, version) == (found.model, found.selector)


@given(st.text(max_size=40))
def test_no_text_does_anything_but_name_or_be_refused(text: str) -> None:
    """No other error."""
    try:
        found = parse_reference(text)
    except UsageError:
        return
    assert found.model
    assert found.selector


@pytest.mark.parametrize("name", ["Kundenabwanderung 2026", "a..b", "~weird^:name?", "@at", "x" * 120, "モデル"])
def test_names_that_git_refuses_work_all_the_same(
    repo: Path, make_run: MakeRun, cli: Cli, git: GitFunction, name: str
) -> None:
    """The tag has a slug, its message the name."""
    run = make_run()

    made = cli("registry", "register", run, name)
    [version] = cli("registry", "ls", "--json", name).json
    cli("registry", "promote", f"{name}@1", "prod")

    assert made.out == f"{name}@v0.0.1\n"
    assert name == version["model"]
    assert version["tag"].endswith("@v0.0.1")
    assert 0 == cli("registry", "verify", f"{name}#prod").code
    assert f"{name}@v0.0.1\n" == cli("registry", "which", name, "prod").out
