"""Words from runs made harmless in Markdown and HTML: nothing a run says can be a link, a mention or markup.

Everything a run chose (names, values, notes, paths, hunks) comes through here on its way into a report. GitHub and
GitLab look for mentions and references after the Markdown was read, so an escaped ``@`` still mentions: in prose, a
character of no width goes behind it; in code neither host looks.
"""

from __future__ import annotations

import re

from ledgit.records.harmless import clean, fit

__all__ = ["code", "fence", "html", "marker_name", "md"]

# What means something to Markdown within a line, or begins a link without more.
_MEANING = {ord(char): f"&#{ord(char)};" for char in "\\`*_[]<>#|~$&:@"}
# What hosts look for: @name, #12, !34, ~label, %milestone, $snippet, &epic, GH-12, addresses (GitLab looks for these,
# too, after the Markdown was read), and a commit's id.
_REFERENCE = re.compile(r"([@#!~%$&])(?=\w)|((?i:\bG[HL]-))(?=\d)|(:)(?=//)|\b(?=[0-9a-f]{7,40}\b)")
_APART = "\u200b"


def md(text: str, most: int = 300) -> str:
    """Return *text* for a sentence of Markdown: one line, no markup, no mention, no link."""
    parts = _REFERENCE.sub(lambda found: found.group() + _APART, fit(clean(text), most))
    return re.sub(r"(?i)(www)\.", r"\1&#46;", parts.translate(_MEANING))


def code(text: str, most: int = 120, *, cell: bool = False) -> str:
    """Return *text* as code within a line, or within a *cell* of a table."""
    shown = fit(clean(text), most)
    if not shown.strip():
        return "–"
    ticks = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    edge = " " if shown[0] in "` " or shown[-1] in "` " else ""
    # A cell ends at a bar, in code too, unless a backslash stands before it, which the table then reads away.
    inner = shown.replace("|", "\\|") if cell else shown
    return f"{ticks}{edge}{inner}{edge}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return lines as a block of code that none of them can end."""
    lines = [clean(line.replace("\t", "    ")) for line in text.splitlines()]
    ticks = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return "\n".join([f"{ticks}{language}", *lines, ticks])


def html(text: str, most: int = 300) -> str:
    """Return *text* for HTML, between tags or in a quoted attribute."""
    from html import escape

    return escape(fit(clean(text), most), quote=True)


def marker_name(text: str) -> str:
    """Return *text* as part of a hidden marker, unable to end a comment; what had to be changed gets a digest."""
    kept = re.sub(r"[^A-Za-z0-9._/-]+", "-", text)
    kept = re.sub(r"-{2,}", "-", kept).strip("-")[:80]
    if kept == text:
        return kept
    from hashlib import sha256

    return f"{kept}~{sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"
