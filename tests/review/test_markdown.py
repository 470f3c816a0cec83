"""The report that is posted: readable, never too long, and nothing in it that a run could have meant as markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.review.conftest import Train, commit

from ledgit.records import Points
from ledgit.repository import open_repository
from ledgit.review import Review, ReviewSettings, parse_range, read_settings, review
from ledgit.review.charts import line_chart
from ledgit.review.escaping import code, fence, html, marker_name, md
from ledgit.review.html import render_html
from ledgit.review.machine import render_junit, render_openmetrics, render_sarif
from ledgit.review.markdown import marker, render_markdown
from ledgit.review.settings import Gate

EVIL = "@everyone </summary><script>alert(1)</script> [x](http://evil.example) | `a` ``b`` #1 \x1b[31m \u202e -->"
GATED = read_settings(b"gates:\n  - {metric: accuracy, threshold: 0.01}\n  - {metric: recall}\n")
TEXTS = st.text(st.characters(codec=None, exclude_categories=[]), max_size=40)


def reviewed(path: Path, settings: ReviewSettings = GATED) -> Review:
    repository = open_repository(str(path))
    return review(repository, parse_range(repository, "", settings), settings, project=EVIL)


@pytest.fixture
def found(repo: Path, train: Train) -> Review:
    """A review of runs that try everything: in params, in a branch's name, in a file's."""
    train(0.90, steps=5, note="plain", lr=0.1)
    run_git(repo, "switch", "-q", "-c", "feat`ure@everyone")
    commit(repo, "a|b<i>.py", "x\n", "deeper")
    train(0.80, steps=5, note=EVIL, lr=0.1)
    return reviewed(repo)


def without_code(text: str) -> str:
    """The text without what stands in code, fenced or not: where hosts look for markup and mentions."""
    text = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


def test_the_verdict_stands_first_and_says_why(found: Review) -> None:
    """Readable without scrolling: counts, what fails, both sides, why that baseline."""
    lines = render_markdown(found).splitlines()

    assert lines[0] == marker(EVIL)
    assert lines[1] == "### PASS 0 · WARN 0 · FAIL 2"
    assert lines[3].startswith("- **FAIL** accuracy")
    assert "where HEAD left main" in "\n".join(lines[:12])
    assert "`0.9`" not in "\n".join(lines[:8])


def test_nothing_of_a_run_is_markup_or_a_mention(found: Review) -> None:
    """Whatever it is called: neither Markdown, HTML nor the host's own references."""
    text = without_code(render_markdown(found))

    assert not re.search(r"@\w", text)
    assert "<script" not in text
    assert "](" not in text
    assert "http://" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert set(re.findall(r"</?(\w+)", text.partition("\n")[2])) <= {"details", "summary", "sub"}


def test_html_comes_through_no_name(found: Review) -> None:
    """The page has the scripts that we put into it, and no attribute that runs anything."""

    class Seen(HTMLParser):
        tags: list[str] = []
        bad: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.bad += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    page = render_html(found, interactive=False)
    seen = Seen()
    seen.feed(page)

    assert "script" not in seen.tags
    assert seen.bad == []
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page
    assert "<svg" in page


def test_a_page_with_plotly_asks_no_network(found: Review) -> None:
    """The library is inside, and so are the data, as JSON that can't end its own script."""
    pytest.importorskip("plotly")
    page = render_html(found)

    assert "Plotly" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    data = re.search(r'id="charts">(.*?)</script>', page)
    assert data is not None
    sides = orjson.loads(data.group(1))[0]["sides"]
    assert [side["name"] for side in sides] == ["baseline", "head"]
    assert sides[0]["x"] == [0, 1, 2, 3, 4, 5]


def test_what_is_too_long_is_cut_by_whole_sections(found: Review) -> None:
    """The least important first, and said; the verdict stays whatever happens."""
    whole = render_markdown(found)
    fewer = render_markdown(found, budget=len(whole) - 200)
    least = render_markdown(found, budget=900)

    assert "Left out for length" in fewer
    assert "Params that differ" in fewer
    assert fewer.count("<details") == fewer.count("</details>")
    assert len(least) <= 900
    assert "FAIL 2" in least


def test_thousands_of_params_fit(repo: Path, train: Train) -> None:
    """10,000 params that differ: a table of some, and how many more."""
    train(0.9, **{f"p{number}": 1 for number in range(10_000)})
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "x\n", "deeper")
    train(0.9, **{f"p{number}": 2 for number in range(10_000)})

    text = render_markdown(reviewed(repo))

    assert len(text) < 60_000
    assert "Params that differ (10000)" in text
    assert "and 9,950 more" in text


def test_machines_read_the_gates(found: Review) -> None:
    """JUnit parses as XML, SARIF names the gate's line, OpenMetrics has a value a metric."""
    suite = ET.fromstring(render_junit(found))
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert set(cases) == {"accuracy", "recall"}
    assert cases["accuracy"].find("failure") is not None
    assert suite.attrib["failures"] == "2"

    sarif = orjson.loads(render_sarif(found))
    results = sarif["runs"][0]["results"]
    assert [result["level"] for result in results] == ["error", "error"]
    region = results[0]["locations"][0]["physicalLocation"]["region"]
    assert region["startLine"] == 2

    metrics = render_openmetrics(found)
    assert 'accuracy{metric="accuracy"} 0.8' in metrics
    assert metrics.endswith("# EOF\n")


@given(TEXTS)
def test_any_text_is_harmless_in_a_sentence(text: str) -> None:
    """One line; none of the characters that mean something, and no mention."""
    shown = md(text)

    assert "\n" not in shown
    assert not set("\\`*_[]<>|~$@") & set(re.sub(r"&#\d+;", "", shown))
    assert not re.search(r"[@#]\w", re.sub(r"&#(\d+);", lambda found: chr(int(found.group(1))), shown))


@given(TEXTS)
def test_any_text_stays_in_its_code(text: str) -> None:
    """A run of backticks inside is shorter or longer than the fence, never the same; a cell has no bare bar."""
    shown = code(text, cell=True)
    ticks = re.match("`*", shown)
    assert ticks is not None
    if not ticks.group():
        assert shown == "–"
        return
    inner = shown[len(ticks.group()) : -len(ticks.group())]
    assert ticks.group() not in re.findall("`+", inner)
    assert not re.search(r"(?<!\\)\|", inner)
    assert "\n" not in shown


@given(st.lists(TEXTS, max_size=5))
def test_any_lines_stay_in_their_block(lines: list[str]) -> None:
    """No line ends the block but its last."""
    block = fence("\n".join(lines)).splitlines()

    assert block[0] == block[-1]
    assert not any(line.startswith(block[0]) for line in block[1:-1])


@given(TEXTS)
def test_a_marker_ends_where_we_end_it(text: str) -> None:
    """Two projects have two markers, and neither can close the comment early."""
    name = marker_name(text)

    assert re.fullmatch(r"[A-Za-z0-9._/~-]*", name)
    assert "--" not in name
    assert marker(text) != marker(text + "x")


@given(TEXTS)
def test_any_text_is_text_in_html(text: str) -> None:
    """Between tags and in quotes."""
    assert not set("<>\"'") & set(html(text))


def test_pictures_are_only_addresses(found: Review) -> None:
    """Opt-in, and nothing that could end the link."""
    text = render_markdown(found, images=["https://host.example/a.png", "javascript:alert(1)", "https://x)y"])

    assert "![chart](https://host.example/a.png)" in text
    assert "javascript" not in text
    assert "x)y" not in text


@pytest.mark.parametrize("text", ["https://evil.example", "see ftp://x", "GH-12", "fixes gl-7"])
def test_what_a_host_links_after_the_markdown_was_read_is_kept_apart(text: str) -> None:
    """GitLab makes links of addresses in finished text, and both hosts of words such as GH-12."""
    from html import unescape

    shown = unescape(md(text))

    assert shown.replace("\u200b", "") == text
    assert "://" not in shown
    assert "-1" not in shown
    assert "-7" not in shown


def test_each_series_of_openmetrics_is_there_once(repo: Path, train: Train) -> None:
    """Names that are spelled alike as a series, and a metric with two gates."""
    import ledgit

    with ledgit.start_run():
        ledgit.log_metrics({"a b": 1, "a-b": 2, "a_b_2": 3, "ledgit_gate_failed": 4})
    found = reviewed(repo, read_settings(b"gates:\n  - {metric: a b, target: 5}\n  - {metric: a b, target: 1}\n"))

    lines = render_openmetrics(found).splitlines()

    types = [line for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) == 5
    assert sum(line.startswith('ledgit_gate_failed{metric="a b"}') for line in lines) == 1


def test_a_drawing_in_a_file_of_its_own_says_which_line_is_whose() -> None:
    """Beside no page that would."""
    points = Points.of([(0, 0, 1.0), (1, 0, 2.0)])

    alone = line_chart(points, points, standalone=True)

    assert ">baseline</text>" in alone
    assert ">this branch</text>" in alone
    assert ">baseline</text>" not in line_chart(None, points, standalone=True)
    assert ">baseline</text>" not in line_chart(points, points)


def test_the_arrow_of_a_metric_is_its_gates(repo: Path, train: Train) -> None:
    """A gate that declares a direction is judged by it, so the table beside it points there, and guesses nothing."""
    train(1.0)
    settings = ReviewSettings(
        gates=(Gate("accuracy", direction="minimize"),), directions={"accuracy": "maximize", "loss": "minimize"}
    )
    repository = open_repository(str(repo))

    (metric,) = review(repository, parse_range(repository, "HEAD..HEAD", settings), settings).metrics

    assert (metric.direction, metric.guessed) == ("minimize", False)
    assert settings.ways["loss"] == "minimize"
