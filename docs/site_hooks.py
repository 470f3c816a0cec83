"""What MkDocs does besides: pages are written for Git hosts, and the site shows them as they are meant there.

- The changelog is a page, though its file is at the top; links to other files outside ``docs`` become their names.
- Pages that the navigation in ``.mkdocs.yml`` doesn't name are put where their folder belongs, so none is lost.
- A page that loads something from another host fails the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: Which part of the navigation takes pages that it doesn't name, by folder.
PLACES = {"how-to": ("How to", "More"), "reference": ("Reference",), "design": ("Design",), ".": ("Project",)}
FENCE = re.compile(r"^ *```")
ITEM = re.compile(r"^( *)(?:[-*]|\d+\.) ")
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)")
# What a browser fetches by itself; a link that somebody follows is another matter.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preconnect|icon|preload))[^>]*\bhref=["']?(?:https?:)?//[^>]*>"""
)


def on_config(config: Any) -> Any:
    """Add the pages that the navigation lacks."""
    docs = Path(config.docs_dir)
    named = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    for page in sorted(docs.rglob("*.md")):
        name = page.relative_to(docs).as_posix()
        if name not in named:
            entries = config.nav
            for part in PLACES[str(Path(name).parent)]:
                entries = next(entry[part] for entry in entries if isinstance(entry, dict) and part in entry)
            entries.append(name)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Make a page of the changelog."""
    from mkdocs.structure.files import File

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "changelog.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn what Git hosts understand into what Python-Markdown does."""
    lines: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        if FENCE.match(line):
            fenced = not fenced
            line = re.sub(r"^( *```\w+) file=(\S+)$", r'\1 title="\2"', line)
        elif not fenced:
            if line.startswith("<!-- not run:"):
                continue  # for the tests
            line = LINK.sub(lambda found: _outside(found, page.file.src_uri), line)
            before = lines[-1] if lines else ""
            if ITEM.match(line) and before.strip() and not ITEM.match(before) and not before.startswith(" "):
                lines.append("")  # a list may follow a paragraph at once
        lines.append(line)
    return "\n".join(lines) + "\n"


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would load something from elsewhere."""
    found = FETCHED.search(output)
    if found:
        from mkdocs.exceptions import PluginError

        problem = f"{page.file.src_uri} loads something from another host: {found[0]}"
        raise PluginError(problem)
    return output


def _outside(found: re.Match[str], source: str) -> str:
    """Return a link as it is if it stays in docs, else what the site has instead."""
    text, path, anchor = found[1], found[2], found[3] or ""
    target = (ROOT / "docs" / source).parent.joinpath(path).resolve()
    if target.is_relative_to(ROOT / "docs"):
        return found[0]
    up = "../" * source.count("/")
    if target == ROOT / "CHANGELOG.md":
        return f"[{text}]({up}changelog.md{anchor})"
    if target == ROOT / "README.md":
        return f"[{text}]({up}index.md)"
    return f"{text} (`{target.relative_to(ROOT).as_posix()}` in the repository)"
