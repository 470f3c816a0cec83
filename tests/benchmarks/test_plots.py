"""The tables of the benchmarks are the cases', and drawn as they stand."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks.cases import CASES, LARGE
from benchmarks.plots import draw, file_name, main, tables

PAGE = Path(__file__).parent.parent.parent / "docs/benchmarks.md"


def test_each_table_of_the_page_is_one_of_the_cases() -> None:
    """One command repeats all of it."""
    titles = {import_module(f"benchmarks.cases.{name}").CASE.title for name in (*CASES, *LARGE)}

    assert set(re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) <= titles


def test_each_table_has_its_drawing() -> None:
    """In the page and as a file; ``make plots`` after a change."""
    text = PAGE.read_text(encoding="utf-8")
    found = tables(text)

    assert len(found) > 20
    for heading, rows in found.items():
        assert f"(images/{file_name(heading)})" in text
        assert draw(heading, rows) == (PAGE.parent / "images" / file_name(heading)).read_text(encoding="utf-8")


def test_bars_are_as_long_as_the_logarithm_of_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times of all units, sizes, plain numbers; names are text; drawing twice changes nothing."""
    page = tmp_path / "page.md"
    page.write_text("## x\n\n### Times <b>\n\nnote\n\n|  | time | CPU |\n| --- | --: | --: |\n"
                    "| ledgit & co | 1 ms |  |\n| other | 10 s | 1 s |\n| zero | 0 | 1 |\n\n"
                    "| target | measured | met |\n| --- | --: | --: |\n| a | 1 s | yes |\n")  # fmt: skip

    assert {"Times <b>": [("ledgit & co", 0.001, "1 ms"), ("other", 10.0, "10 s")]} == tables(page.read_text())
    main(str(page), str(tmp_path / "images"))
    once = page.read_text()
    main(str(page), str(tmp_path / "images"))

    assert once == page.read_text()
    assert "note\n\n![Times <b>](images/bench-times-b.svg)\n\n|  | time" in once
    root = ET.fromstring((tmp_path / "images/bench-times-b.svg").read_text())
    ours, theirs = (float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect"))
    assert theirs > 10 * ours
    assert "ledgit & co" in "".join(root.itertext())
    assert "drawings" in capsys.readouterr().out
