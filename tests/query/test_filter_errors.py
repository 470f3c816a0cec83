"""What is wrong with a filter is said where it is wrong."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import FilterError, InvalidValue
from ledgit.query import Query, parse_filter, parse_order_by
from ledgit.query.parse import MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT, MAX_VALUES


@pytest.mark.parametrize(
    ("text", "marked", "reason"),
    [
        ("", "", "empty"),
        ("metrics.acc > 0.9 AND", "$", "ends where a condition is needed"),
        ("metrics.acc >", "$", "value is needed"),
        ("metrics.acc", "$", "comparison is needed"),
        ("metrics.acc not", "$", "IN or LIKE is needed"),
        ("(metrics.acc > 1", "$", "closing parenthesis"),
        ("metrics.acc > 1)", ")", "never opened"),
        ("metrics.acc > 1 metrics.b > 2", "metrics.b", "AND, OR or the end"),
        ("name = 'adam", "'adam", "no closing '"),
        ('metrics."acc > 1', '"acc', 'no closing "'),
        ("metrics.`acc > 1", "`acc", "no closing `"),
        ("metrics.a[0] > 1", "[0]", "back quotes"),
        ("metrics.a ? 1", "? 1", "means nothing"),
        ("acc > 0.9", "acc", "metrics.acc"),
        ("statsu = 'FINISHED'", "statsu", "did you mean status"),
        ("run.nam = 'x'", "run.nam", "did you mean name"),
        ("code.size = 'x'", "code.size", "code has commit"),
        ("status = FINISHED", "FINISHED", "'FINISHED'"),
        ("status = 'done'", "'done'", "RUNNING"),
        ("status > 'FAILED'", "> ", "is text"),
        ("0.9 < metrics.acc", "0.9", "begins with its key"),
        ("metrics.acc = '0.9'", "'0.9'", "leave the quotes away: 0.9"),
        ("metrics.acc LIKE '0%'", "LIKE", "compares text"),
        ("metrics.acc = nan", "nan", "IS NAN"),
        ("metrics.acc = true", "true", "is a number"),
        ("metrics.acc > 7d", "7d", "is a number"),
        ("params.lr > '0.1'", "'0.1'", "params.lr > 0.1"),
        ("params.lr > 'x'", "'x'", "without quotes"),
        ("params.lr LIKE 1", "1", "'1%'"),
        ("params.lr IS NAN", "IS NAN", "only a metric"),
        ("params.lr = 7d", "7d", "in quotes"),
        ("tags.team = 3", "3", "'3'"),
        ("tags.team >= 'a'", ">=", "is text"),
        ("age < 7", "7", "age < 7d"),
        ("duration > 7", "7", "duration < 7d"),
        ("start < 7d", "7d", "age < 7d"),
        ("start = 'yesterday'", "'yesterday'", "2026-11-23"),
        ("start = '2026-13-01'", "'2026-13-01'", "is no time"),
        ("start = '0000-01-01'", "'0000-01-01'", "is no time"),
        ("deleted = 'maybe'", "'maybe'", "true or false"),
        ("deleted > 1", "> 1", "true or false"),
        ("user = 3", "3", "in quotes"),
        ("metrics.acc IN ()", ")", "value is needed"),
        ("min(params.lr) > 1", "params.lr", "takes a metric"),
        ("datasets.source = 'mnist'", "datasets", "name, digest, context"),
        ("metrics.a > 1 and datasets.name > 'mnist'", "> 'm", "is text"),
        ("dataset.name = mnist", "mnist", "'mnist'"),
        ("dataset.name = 3", "3", "in quotes"),
        ("dataset.context = true", "true", "in quotes"),
        ("dataset.digest BETWEEN 'a' AND 'b'", "BETWEEN", "is text"),
        ("dataset.digest LIKE 3", "3", "'3%'"),
        ("dataset.digest IS NAN", "IS NAN", "only a metric"),
        ("max(dataset.digest) = 'a'", "dataset", "takes a metric"),
        ("artifact_uri = 3", "3", "in quotes"),
        ("code IN", "$", "code IN main..HEAD"),
        ("code IN (", "$", "revision in quotes"),
        ("code IN (main)", "main", "revision in quotes"),
        ("code IN --all", "--all", "is no revision"),
        ("code IN ('main', '')", "''", "is no revision"),
        ("code NOT IN 'main", "'main", "no closing '"),
        ("code = 'main'", "code", "code IN main..HEAD"),
        ("code IN main..HEAD status = 'FAILED'", "status", "AND, OR or the end"),
        ("ancestor = 'x'", "'x'", "no run's id"),
        ("ancestor LIKE 'ab%'", "LIKE", "compares text"),
        ("ancestor IS NULL", "IS", "parent_run IS NULL"),
        ("metrics.acc IN 0.9", "0.9", "where a list is needed"),
        ("metrics.`` > 1", "metrics", "names no key"),
        ("metrics.a > 1 \0", "\0", "can't be in a filter"),
        ("name = '\ud800'", "\ud800", "can't be in a filter"),
    ],
)
def test_the_error_points_at_the_character_and_says_what_to_write(text: str, marked: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)

    position = len(text.rstrip()) if marked == "$" else text.index(marked)
    assert (position, text) == (caught.value.position, caught.value.text)
    assert reason in caught.value.reason
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


@pytest.mark.parametrize(
    ("item", "position"),
    [
        ("", 0),
        ("metrics.a DESC x", 15),
        ("-metrics.a DESC", 11),
        ("metrics.a,", 10),
        ("-", 0),
        ("acc", 0),
        ("min(params.x)", 4),
        ("name, ancestor", 6),
        ("name, dataset.name", 6),
    ],
)
def test_an_order_that_does_not_parse_says_where(item: str, position: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse_order_by([item])

    assert position == caught.value.position


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(NOT " * (MAX_DEPTH + 1) + "metrics.a > 1" + ")" * (MAX_DEPTH + 1),
        "NOT " * 10_000 + "metrics.a > 1",
        " AND ".join(["metrics.a > 1"] * (MAX_CONDITIONS + 1)),
        f"metrics.a IN ({', '.join(['1'] * (MAX_VALUES + 1))})",
        "metrics.a > 1" + " " * MAX_TEXT,
        "name LIKE '" + "%" * 6_000 + "'",
    ],
)
def test_what_would_be_too_much_for_sqlite_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text)


TOKENS = r"""
metrics.a metrics. params.`b c` tags."x" status name "run name" and OR not ( ) ( ) , = == != < > >= in like ILIKE
is null nan between 1 -2.5 1e999 7d 2026-11-23 2026-99-99 'x' 'it''s' "y" ' " ` true min( max (last inf . ; -- \
ä 😀 artifact_uri dataset.name datasets.x code.x 99999999999999999999 code main..HEAD --all ancestor 'ab12'
"""
tokens = st.sampled_from([*TOKENS.split(), "\0", "\ud800"])
texts = st.one_of(
    st.text(max_size=60), st.lists(tokens, max_size=12).map(" ".join), st.lists(tokens, max_size=6).map("".join)
)


@settings(max_examples=200)
@given(texts)
def test_no_text_makes_the_parsers_raise_anything_else(text: str) -> None:
    """Whatever somebody types, the answer is a condition or a FilterError within the text."""
    positions = []
    for parse in (parse_filter, lambda item: parse_order_by([item])):
        try:
            parse(text)
        except FilterError as error:
            positions.append(error.position)

    assert all(0 <= position <= len(text) for position in positions)


def test_parentheses_alone_may_be_as_deep_as_one_likes() -> None:
    assert parse_filter("metrics.a > 1") == parse_filter("(" * 2_000 + "metrics.a > 1" + ")" * 2_000)


def test_a_query_refuses_values_that_mean_nothing() -> None:
    for wrong in ({"view": "gone"}, {"limit": -1}, {"offset": -1}, {"offset": 1, "page_token": "x"}):
        with pytest.raises(InvalidValue):
            Query(**wrong)  # type: ignore[arg-type]


def test_a_query_takes_one_name_or_several() -> None:
    assert ("a",) == Query(experiments="a").experiments  # type: ignore[arg-type]
    assert ("-metrics.a", "name") == Query(order_by=["-metrics.a", "name"]).order_by  # type: ignore[arg-type]
