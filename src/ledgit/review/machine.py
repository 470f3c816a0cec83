"""Gates for machines: JUnit XML, SARIF 2.1.0, and OpenMetrics as GitLab's metrics reports read it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from ledgit.records.harmless import clean
from ledgit.review.wording import against, gate_word, headline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.review.gates import GateResult
    from ledgit.review.reviewing import Review

__all__ = ["render_junit", "render_openmetrics", "render_sarif"]

_CONFIG = ".ledgit/config.yaml"


def render_junit(found: Review) -> str:
    """Return a test suite with a test a gate, as CI systems show them.

    A failing gate is a failure, a warning a passed test with its reason in the output; a gate without a baseline
    is skipped. Format: the common subset that Jenkins and GitLab read.
    """
    from xml.sax.saxutils import escape, quoteattr

    results = found.gates
    failures = sum(result.failed for result in results)
    skipped = sum(result.state == "no-baseline" and not result.failed for result in results)
    seconds = "0"
    counts = f'tests="{len(results)}" failures="{failures}" skipped="{skipped}"'
    name = quoteattr(_xml(f"ledgit: {found.project}"))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="ledgit" {counts}>',
        f'  <testsuite name={name} {counts} time="{seconds}">',
    ]
    for result in results:
        reason = _xml(result.reason)
        case = f'    <testcase classname="ledgit.gates" name={quoteattr(_xml(result.metric))} time="{seconds}"'
        if result.failed:
            inner = f"<failure message={quoteattr(reason)}>{escape(_xml(_about(found, result)))}</failure>"
        elif result.state == "no-baseline":
            inner = f"<skipped message={quoteattr(reason)}/>"
        else:
            inner = f"<system-out>{escape(f'{gate_word(result)}: {reason}')}</system-out>"
        lines.append(f"{case}>{inner}</testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


# What XML 1.0 can't have, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    return _NOT_XML.sub("", clean(text))


def _about(found: Review, result: GateResult) -> str:
    return f"{result.reason}\nbaseline: {against(found)}\ngate: {result.gate.where or 'given on the command line'}"


def render_sarif(found: Review) -> str:
    """Return the gates that don't pass as SARIF results, which code scanning shows at the gate's line."""
    from json import dumps

    from ledgit._version import __version__

    levels = {"fail": "error", "no-run": "error", "warn": "warning", "no-baseline": "note"}
    rules: dict[str, dict[str, Any]] = {}
    results = []
    for result in found.gates:
        if result.state == "pass":
            continue
        rule = f"gate/{clean(result.metric)}"
        rules[rule] = {
            "id": rule,
            "name": "MetricGate",
            "shortDescription": {"text": f"The gate on {clean(result.metric)}"},
        }
        level = levels[result.state] if result.failed or result.state != "no-run" else "warning"
        line = re.search(r"line (\d+)$", result.gate.where)
        region = {"startLine": int(line.group(1))} if line else {"startLine": 1}
        where = {"physicalLocation": {"artifactLocation": {"uri": _CONFIG}, "region": region}}
        results.append(
            {
                "ruleId": rule,
                "level": level if result.failed or level != "error" else "warning",
                "message": {"text": f"{clean(result.reason)} (baseline: {clean(against(found))})"},
                "locations": [where],
                "partialFingerprints": {"gate/v1": f"{found.project}/{result.gate.metric}/{result.metric}"},
            }
        )
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Ledgit",
                        "version": __version__,
                        "rules": list(rules.values()),
                    }
                },
                "results": results,
                "invocations": [{"executionSuccessful": True, "exitCode": 1 if found.failed else 0}],
                "properties": {"verdict": headline(found)},
            }
        ],
    }
    return dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_openmetrics(found: Review) -> str:
    """Return the head's metrics as an OpenMetrics text; a merge request's widget compares it with the target's."""
    lines = []
    taken = {"ledgit_gate_failed"}
    for metric in found.metrics:
        value = metric.samples.mean_head
        if value is None and metric.head:
            value = metric.head[0]
        if value is None:
            continue
        plain = name = _series(metric.name)
        number = 1
        while name in taken:  # two names that differ in what a series can't be called
            number += 1
            name = f"{plain}_{number}"
        taken.add(name)
        lines += [f"# TYPE {name} gauge", f'{name}{{metric="{_label(metric.name)}"}} {_value(value)}']
    return "\n".join([*lines, *_gates(found.gates), "# EOF", ""])


def _gates(results: Iterable[GateResult]) -> Iterable[str]:
    failed: dict[str, bool] = {}
    for result in results:  # a metric may have several gates, and a series has one value
        failed[result.metric] = failed.get(result.metric, False) or result.failed
    rows = [f'ledgit_gate_failed{{metric="{_label(name)}"}} {int(state)}' for name, state in failed.items()]
    return ["# TYPE ledgit_gate_failed gauge", *rows] if rows else []


def _series(name: str) -> str:
    plain = re.sub(r"[^a-zA-Z0-9_:]", "_", name)
    return plain if re.match(r"[a-zA-Z_:]", plain) else f"_{plain}"


def _label(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace('"', '\\"')


def _value(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return repr(value) if math.isfinite(value) else "+Inf" if value > 0 else "-Inf"
