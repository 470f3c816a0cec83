"""A reproduction, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.cli import render
from ledgit.cli.text import Style, clean, number

if TYPE_CHECKING:
    from ledgit.projects.repro import Plan, Reproduction, Verdict
    from ledgit.projects.repro.auditing import Audited
    from ledgit.projects.repro.verdict import MetricCheck

_SHOWN = 12
_WIDE = 11  # columns of "environment"


def reproduction_lines(made: Reproduction, style: Style, limit: int | None = None) -> list[str]:
    """Return what `ledgit repro` prints of one run."""
    verdict, recipe = made.verdict, made.recipe
    lines = [f"{style.bold(clean(recipe.name))} ({style.yellow(recipe.run_id[:8])}) {headline(verdict, style)}"]
    lines += [f"  {style.red(finding.kind.ljust(_WIDE))}  {clean(finding.text)}" for finding in verdict.reasons]
    lines += _metrics(verdict, style, limit)
    for note in verdict.notes:
        text = note if isinstance(note, str) else f"{note.kind}: {note.text}"
        lines.append(f"  {style.dim('note')}  {clean(text)}")
    if made.diagnosis is not None:
        for setting in made.diagnosis.settings:
            said = "agree" if setting.agree else setting.differ
            lines.append(f"  {style.dim('with')}  {clean(setting.name)}: {clean(said)}")
        lines.append(f"  {clean(made.diagnosis.text)}")
    names = ", ".join(clean(name) for name in made.names)
    lines.append(f"  repeated as {names}, in {clean(made.environment)}")
    if not made.reproduced:
        lines.append(f"  'ledgit diff {recipe.run_id[:8]} {made.runs[0][:8]}' shows all that differs")
    return lines


def headline(verdict: Verdict, style: Style) -> str:
    """Return the verdict in a few words."""
    count = f" in {verdict.repeats} repeats" if verdict.repeats > 1 else ""
    if verdict.reproduced:
        return style.green(f"reproduced{count}: {verdict.level}")
    what = " and ".join(filter(None, [", ".join(verdict.classes[:-1]), *verdict.classes[-1:]]))
    how = "the command fails" if verdict.level == "failed" else "it comes out otherwise"
    tail = f"; different: {what}" if what else "; nothing that was recorded differs"
    return style.red(f"not reproduced{count}: {how}{tail}")


def _metrics(verdict: Verdict, style: Style, limit: int | None) -> list[str]:
    checks = verdict.metrics
    if not checks:
        return []
    if verdict.level == "identical":
        points = sum(check.points for check in checks)
        if len(checks) == 1:
            return [f"  the metric {clean(checks[0].name)} is the same" + (f", at all {points:,} steps" * (points > 1))]
        return [f"  {len(checks)} metrics are the same, all {points:,} points of them"]
    if verdict.level == "failed":
        checks = tuple(check for check in checks if any(value is not None for value in check.got))
    columns = [
        render.Column("metric"),
        render.Column("run", right=True),
        render.Column("repeats", right=True),
        render.Column("verdict"),
    ]
    rows = [[clean(check.name), _value(check.wanted), _repeats(check), _said(check)] for check in checks[:_SHOWN]]
    lines, _ = render.table(columns, rows, style=style, limit=None if limit is None else limit - 2)
    more = [f"… and {len(checks) - _SHOWN} more"] if len(checks) > _SHOWN else []
    return [f"  {line}" for line in [*lines, *more]] if rows else []


def _value(value: float | None) -> str:
    return "none" if value is None else number(value)


def _repeats(check: MetricCheck) -> str:
    values = [value for value in check.got if value is not None]
    if len(check.got) == 1 or not values:
        return _value(check.got[0] if check.got else None)
    if min(values) == max(values):
        return number(values[0])
    return f"{number(min(values))} to {number(max(values))}"


def _said(check: MetricCheck) -> str:
    if check.level == "different" and check.wanted is None:
        return "the run has none"
    if check.level == "different" and None in check.got:
        return "missing in a repeat"
    said = check.level
    if check.level == "consistent" and check.interval is not None:
        return f"consistent: repeats lie in {number(check.interval[0])} to {number(check.interval[1])}"
    if check.level != "identical" and check.largest is not None:
        said += f", by up to {number(check.largest)}"
        if check.points > 1:
            said += f" from step {check.first_step} on"
    return said


def plan_lines(plan: Plan, style: Style) -> list[str]:
    """Return what ``--dry-run`` prints."""
    recipe = plan.recipe
    code = f"the code of {clean(plan.code)}" if plan.code else "the run's code"
    rows = [
        ("run", f"{clean(recipe.name)} ({recipe.run_id[:8]})"),
        ("code", f"{code}, tree {plan.tree[:12]}" + (f", in {clean(recipe.directory)}/" if recipe.directory else "")),
        ("command", clean(" ".join(recipe.command))),
        ("environment", clean(plan.environment)),
    ]
    for name, old, new in plan.packages[:_SHOWN]:
        rows.append(("", clean(f"{name}: recorded {old or 'none'}, here {new or 'none'}")))
    if len(plan.packages) > _SHOWN:
        rows.append(("", f"… and {len(plan.packages) - _SHOWN} more"))
    rows += [("data", clean(f"{one.name} {one.digest}")) for one in recipe.inputs]
    rows += [("lacking", clean(lack.text)) for lack in recipe.lacking]
    return [f"{style.dim(title.ljust(_WIDE))}  {text}".rstrip() for title, text in rows]


def audited_line(one: Audited, style: Style) -> str:
    """Return the line of one run of an audit."""
    paint = style.green if one.reproduced else style.red
    level = one.level + (f": {', '.join(one.classes)}" if one.classes else "")
    said = f"  {clean(one.reason)}" if one.reason else "  (before)" if one.earlier else ""
    return f"{style.yellow(one.run_id[:8])}  {clean(one.name):<24}  {paint(level)}{style.dim(said)}"
