"""The HTML report as a browser draws it: Chromium, without a screen and without a network."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import orjson
import pytest
from tests.conftest import run_git
from tests.review.conftest import Train, commit

from ledgit.repository import open_repository
from ledgit.review import Review, ReviewSettings, parse_range, review
from ledgit.review.html import render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# What a browser does of its own accord is off, so that the log of the network has what the page asks for.
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--virtual-time-budget=20000", "--enable-logging=stderr"),
]
# What it asks for all the same: the time, its own settings.
OWN = r"https?://[^/]*\.(google|googleapis|gvt1)\.com/|chrome"
EVIL = '"><img src="http://evil.example/x.png" onerror="document.title=1"><script>document.title = 2</script>'

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the report is not drawn")


def browse(page: str, folder: Path, *words: str) -> tuple[str, list[str], list[str]]:
    """Open *page*; return what was printed, the console's lines, and the addresses that were asked for."""
    assert CHROMIUM is not None
    path, log = folder / "report.html", folder / "net.json"
    path.write_text(page, encoding="utf-8")
    line = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", *words, path.as_uri()]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=240)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    asked = set(re.findall(r'"url":"([a-z]+://[^"]*)"', log.read_text(encoding="utf-8", errors="replace")))
    asked = {one for one in asked if not re.match(OWN, one)}
    return done.stdout, console, sorted(asked - {path.as_uri()})


@pytest.fixture
def found(repo: Path, train: Train) -> Review:
    """A review with histories, and markup in every place that takes a text."""
    train(0.90, steps=30, note="plain")
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "a<i>.py", "x = '<b>'\n", "deeper")
    train(0.80, steps=30, note=EVIL)
    repository, settings = open_repository(str(repo)), ReviewSettings()
    return review(repository, parse_range(repository, "", settings), settings, project=EVIL, code_paths=("a<i>.py",))


def test_charts_are_drawn_and_nothing_else_happens(found: Review, tmp_path: Path) -> None:
    """Plotly draws both histories; no error, no address asked for, and no script but ours."""
    pytest.importorskip("plotly")

    shown, console, asked = browse(render_html(found), tmp_path, "--dump-dom")

    drawn = shown.partition('id="chart-0"')[2]
    assert drawn.count('class="trace scatter') == 2
    assert [line for line in console if "favicon" not in line] == []
    assert asked == []
    assert "<title>&quot;&gt;&lt;img" in shown or '<title>"&gt;&lt;img' in shown
    assert "<img" not in shown


def test_a_page_without_plotly_has_its_drawings(found: Review, tmp_path: Path) -> None:
    """As SVG, which needs no script; a screenshot at the width of a telephone is not empty."""
    picture = tmp_path / "shot.png"

    _, console, asked = browse(
        render_html(found, interactive=False), tmp_path, f"--screenshot={picture}", "--window-size=500,900"
    )

    assert console == []
    assert asked == []
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == (500, 900)
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("interactive", [True, False])
def test_the_page_is_never_wider_than_the_screen(found: Review, tmp_path: Path, interactive: bool) -> None:
    """On a telephone wide tables scroll in themselves, whatever a name's length."""
    probe = (
        "<script>addEventListener('load', () => setTimeout(() => { document.title = 'wide ' + ("
        "document.documentElement.scrollWidth - innerWidth) }, 2000))</script></body>"
    )
    found.notes = ("n" * 290,)
    page = render_html(found, interactive=interactive).replace("</body>", probe)

    shown, console, _ = browse(page, tmp_path, "--dump-dom", "--window-size=500,900")

    assert console == []
    assert orjson.loads(re.findall(r"<title>wide (-?\d+)</title>", shown)[0]) <= 0
