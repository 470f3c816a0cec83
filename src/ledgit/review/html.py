"""A review as one HTML page: no network, no other file; charts that can be zoomed where Plotly is installed.

Nothing that a run chose is markup: text is escaped, data are JSON in which ``<`` is an escape, and the page's own
security policy lets nothing be loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ledgit.compare import Missing, reduce_points
from ledgit.records.wording import moment, number, scalar
from ledgit.review.charts import line_chart
from ledgit.review.escaping import html
from ledgit.review.wording import cells, chance, change, failing, gate_word, headline, how_to, sides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.compare import Cell, Row
    from ledgit.records import Points
    from ledgit.review.gates import MetricComparison
    from ledgit.review.reviewing import Review

__all__ = ["render_html"]

# Points a chart draws of each side.
_MOST = 1_000
# Gates that don't pass, and metrics, that are shown without unfolding anything.
_ITEMS, _METRICS = 10, 25
# Rows of a folded table; the rest is counted. A page of 10,000 rows takes a browser seconds.
_ROWS = 2_000
_SIDES = ("baseline", "head")
# Characters of a metric's name; the whole one shows under the pointer.
_NAME = 80
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --line: #d8dee4; --page: #fff; --card: #f6f8fa;
  --good: #1a7f37; --bad: #c6261c; --warn: #9a6700; --base: #6e7781; --head: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --page: #0d1117;
  --card: #161b22; --good: #3fb950; --bad: #f85149; --warn: #d29922; --base: #8b949e; --head: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.5rem; font-weight: 600; } .pass { color: var(--good); } .fail { color: var(--bad); }
.warn { color: var(--warn); } .soft { color: var(--soft); } code, pre { font: 13px/1.45 ui-monospace, monospace; }
.sides { display: grid; grid-template-columns: 7rem 1fr; gap: .25rem 1rem; margin: 1rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; } td.n, th.n { text-align: right; white-space: nowrap; }
td.k { overflow-wrap: anywhere; min-width: 7rem; } td.c { min-width: 18rem; }
ul { padding-left: 1.25rem; } h1, li, p, .verdict, .soft, .sides div { overflow-wrap: anywhere; }
details { margin: .75rem 0; border: 1px solid var(--line); border-radius: 6px; }
summary { padding: .5rem .75rem; cursor: pointer; background: var(--card); border-radius: 6px; }
details > div { padding: .75rem; } pre { overflow-x: auto; background: var(--card); padding: .75rem; margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; min-width: 0; }
figcaption { color: var(--soft); overflow-wrap: anywhere; } svg { width: 100%; height: auto; display: block; }
.plot { height: 240px; } img { max-width: 100%; height: auto; } .add { color: var(--good); } .del { color: var(--bad); }
"""
_SCRIPT = """
const charts = JSON.parse(document.getElementById("charts").textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const draw = () => charts.forEach((chart, place) => {
  const box = document.getElementById("chart-" + place);
  const ink = css("--soft"), line = css("--line");
  const traces = chart.sides.map(side => ({
    x: side.x, y: side.y, name: side.name, mode: side.x.length > 1 ? "lines" : "markers", type: "scatter",
    line: {color: css(side.name === "head" ? "--head" : "--base"), width: 2},
  }));
  Plotly.react(box, traces, {
    margin: {l: 48, r: 8, t: 28, b: 36}, height: 240, showlegend: true,
    legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom"},
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: {color: ink, size: 11},
    xaxis: {title: {text: "step"}, gridcolor: line, zerolinecolor: line},
    yaxis: {gridcolor: line, zerolinecolor: line}, hovermode: "x unified",
  }, {displayModeBar: false, responsive: true});
});
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
"""


def render_html(found: Review, *, interactive: bool = True) -> str:
    """Return the page.

    Args:
        found: The review.
        interactive: Charts that can be zoomed, by Plotly where it is installed (the page has its 4.5 MB inside);
            else, and without it, drawings.
    """
    library = _library() if interactive and found.charts else ""
    verdict = found.counts.verdict if found.gates else "pass" if found.head.runs else "fail"
    title = html(f"{found.project}: {headline(found)}")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html(found.project)}</h1>",
        f'<div class="verdict {verdict}">{html(headline(found))}</div>',
        *_failing(found),
        '<div class="sides">',
        *(
            f'<div class="soft">{name}</div><div>{html(what, 400)}<br>{_names(runs)}</div>'
            for name, what, runs in sides(found)
        ),
        "</div>",
        *(f'<div class="soft">{html(note)}</div>' for note in found.notes),
        *_metrics(found),
        *_charts(found, library),
        *_details(found),
        f'<p class="soft">{html(_foot(found))}</p>',
        *_scripts(found, library),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _library() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        return ""
    return str(get_plotlyjs())


def _failing(found: Review) -> Iterable[str]:
    """Yield why gates don't pass: what fails in any case, warnings beyond a screenful folded."""
    rows = failing(found)
    if not rows:
        return
    items = []
    for result in rows:
        kind = "fail" if result.failed else "warn"
        items.append(f'<li><strong class="{kind}">{gate_word(result)}</strong> {html(result.reason)}</li>')
    first = max(_ITEMS, sum(result.failed for result in rows))
    yield "<ul>" + "".join(items[:first]) + "</ul>"
    if items[first:]:
        rest = "".join(items[first:])
        yield f"<details><summary>{len(items) - first} more</summary><div><ul>{rest}</ul></div></details>"


def _names(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - 8} more" if len(runs) > 8 else ""
    shown = ", ".join(f"<code>{html(run)}</code>" for run in runs[:8])
    return f"{shown}{more}" if runs else '<span class="warn">no run</span>'


def _metrics(found: Review) -> Iterable[str]:
    changed = [one for one in found.metrics if one.changed or found.gate_of(one.name)]
    same = [one for one in found.metrics if one not in changed]
    if changed:
        yield "<h2>Metrics</h2>"
        yield _metric_table(found, changed[:_METRICS])
    if changed[_METRICS:]:
        more = changed[_METRICS:]
        yield f"<details><summary>{len(more)} more metrics</summary><div>{_metric_table(found, more)}</div></details>"
    if same:
        yield f"<details><summary>{len(same)} metrics did not change</summary><div>{_metric_table(found, same)}</div>"
        yield "</details>"


def _metric_table(found: Review, metrics: Sequence[MetricComparison]) -> str:
    rows = []
    for one in metrics:
        base, head = cells(one)
        difference, part = change(one)
        way = {"maximize": "↑", "minimize": "↓", None: ""}[one.direction]
        if one.guessed:
            way = f'<span title="told from the name">{way}?</span>'
        kind = {True: "pass", False: "fail", None: "soft"}[one.better]
        result = found.gate_of(one.name)
        gate = ""
        if result is not None:
            tone = "fail" if result.failed else "pass" if result.state == "pass" else "warn"
            gate = f'<span class="{tone}" title="{html(result.reason)}">{gate_word(result)}</span>'
        rows.append(
            f'<tr><td class="k">{_name(one.name)}</td><td>{way}</td><td class="n">{html(base)}</td>'
            f'<td class="n">{html(head)}</td><td class="n {kind}">{html(difference)}</td>'
            f'<td class="n {kind}">{html(part)}</td><td>{gate}</td><td class="soft c">{html(chance(one))}</td></tr>'
        )
    return (
        '<div class="wide"><table><tr><th>metric</th><th></th><th class="n">baseline</th><th class="n">head</th>'
        f'<th class="n">Δ</th><th class="n">Δ%</th><th>gate</th><th>repeats</th></tr>{"".join(rows)}</table></div>'
    )


def _charts(found: Review, library: str) -> Iterable[str]:
    if not found.charts:
        return
    yield '<h2>Histories</h2><div class="charts">'
    for place, (name, (base, head)) in enumerate(found.charts.items()):
        drawn = (
            f'<div class="plot" id="chart-{place}"></div>' if library else line_chart(_reduced(base), _reduced(head))
        )
        yield f"<figure><figcaption>{_name(name)}</figcaption>{drawn}</figure>"
    yield "</div>"


def _name(name: str) -> str:
    return f'<code title="{html(name)}">{html(name, _NAME)}</code>'


def _reduced(points: Points | None) -> Points | None:
    return None if points is None else reduce_points(points.sorted_unique(), _MOST)


def _scripts(found: Review, library: str) -> Iterable[str]:
    if not library:
        return
    charts = []
    for pair in found.charts.values():
        shown = [
            _side(name, points)
            for name, points in (("baseline", pair[0]), ("head", pair[1]))
            if points is not None and len(points)
        ]
        charts.append({"sides": shown})
    yield f'<script type="application/json" id="charts">{_json(charts)}</script>'
    # In a script an end of it would end it, wherever it stands.
    yield "<script>" + library.replace("</script", "<\\/script") + "</script>"
    yield f"<script>{_SCRIPT}</script>"


def _side(name: str, points: Points) -> dict[str, Any]:
    rows = list(_reduced(points) or ())
    return {
        "name": name,
        "x": [step for step, _, _ in rows],
        "y": [value if math.isfinite(value) else None for _, _, value in rows],
    }


def _json(value: object) -> str:
    from json import dumps

    return dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _details(found: Review) -> Iterable[str]:
    diff = found.diff
    if diff is not None:
        yield _rows("Params that differ", diff.params, opened=True)
        yield _rows("Data that differs", diff.inputs)
    if found.files:
        rows = [[_path(one.path, one.old_path), _count(one.added), _count(one.removed)] for one in found.files]
        yield _table("Files of code that differ", ["", "added", "removed"], rows, opened=True)
    if found.patch:
        yield f"<details><summary>Changed lines</summary><div><pre>{_painted(found.patch)}</pre></div></details>"
    if diff is not None:
        yield _rows("Environment that differs", diff.environment)
        yield _rows("Artifacts that differ", diff.artifacts)
        yield from _contents(found)
        yield _rows("Tags that differ", diff.tags)
    names = [one.name for one in found.metrics if not one.name.startswith("system/")][:6]
    rows = []
    for one in found.branch:
        values = [number(one.run.metrics[name]) if name in one.run.metrics else "–" for name in names]
        rows.append([one.run.name, one.run.status.lower(), one.commit[:8], *values])
    yield _table("Runs of this branch", ["run", "", "commit", *names], rows)
    commands = html("\n".join(how_to(found)), 2_000).replace("\\n", "\n")
    yield f"<details><summary>How to look closer</summary><div><pre>{commands}</pre></div></details>"


def _contents(found: Review) -> Iterable[str]:
    for one in found.contents:
        if one.kind == "not here":
            continue
        body = _painted("\n".join(one.lines)) + (f"\n{one.more} more lines" if one.more else "")
        title = f"{_name(one.path)} {html(one.summary)}"
        if one.pictures:
            drawn = "".join(_picture(side, *each) for side, each in zip(_SIDES, one.pictures, strict=True))
            yield f'<details open><summary>{title}</summary><div class="charts">{drawn}</div></details>'
            continue
        yield (
            f"<details><summary>{title}</summary><div><pre>{body}</pre></div></details>"
            if one.lines
            else (f'<p class="soft">{title}</p>')
        )


def _picture(side: str, kind: str, data: bytes) -> str:
    """Return a picture that is inside the page; a browser draws it and runs nothing of it."""
    from base64 import b64encode

    source = f"data:{kind};base64,{b64encode(data).decode('ascii')}"
    return f'<figure><figcaption>{side}</figcaption><img alt="{side}" src="{source}"></figure>'


def _path(path: str, old: str | None) -> str:
    return path if old is None else f"{old} → {path}"


def _count(count: int | None) -> str:
    return "binary" if count is None else str(count)


def _painted(patch: str) -> str:
    lines = []
    for line in patch.splitlines():
        kind = "add" if line.startswith("+") else "del" if line.startswith("-") else ""
        text = html(line.replace("\t", "    "), 500)
        lines.append(f'<span class="{kind}">{text}</span>' if kind else text)
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    return "–" if isinstance(cell, Missing) else scalar(cell)


def _rows(title: str, rows: Iterable[Row], *, opened: bool = False) -> str:
    differing = [[row.key, *map(_cell, row.cells)] for row in rows if row.differs]
    return _table(title, ["", "baseline", "head"], differing, opened=opened)


def _table(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], *, opened: bool = False) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html(name)}</th>" for name in titles)
    body = "".join(
        "<tr>" + "".join(f'<td class="k">{html(cell, 1_000)}</td>' for cell in row) + "</tr>" for row in rows[:_ROWS]
    )
    more = f'<div class="soft">and {len(rows) - _ROWS:,} more</div>' if len(rows) > _ROWS else ""
    return (
        f"<details{' open' if opened and len(rows) <= 30 else ''}><summary>{title} ({len(rows)})</summary>"
        f'<div class="wide"><table><tr>{head}</tr>{body}</table>{more}</div></details>'
    )


def _foot(found: Review) -> str:
    from ledgit._version import __version__

    newest = found.head.newest
    of = f" · run {newest.id}" if newest is not None else ""
    return f"Ledgit {__version__} · {moment(found.made)}{of}"
