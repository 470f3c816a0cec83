"""Garbage: which runs could go and why, what keeps them alive, and the purge of them.

Planning reads and changes nothing; :func:`~ledgit.store.gc.sweeping.sweep` carries a plan out.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.gc.facts import RunFacts
    from ledgit.store.gc.holds import Tie
    from ledgit.store.gc.plan import Candidate, Plan, Selection, make_plan
    from ledgit.store.gc.rules import Rule, parse_rule, parse_span
    from ledgit.store.gc.surveying import Survey, owed_where, survey
    from ledgit.store.gc.sweeping import Swept, clear_caches, refusal, remotes_with_runs, sweep

_WHERE = {
    "facts": "RunFacts",
    "holds": "Tie",
    "plan": "Candidate Plan Selection make_plan",
    "rules": "Rule parse_rule parse_span",
    "surveying": "Survey owed_where survey",
    "sweeping": "Swept clear_caches refusal remotes_with_runs sweep",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "Candidate",
    "Plan",
    "Rule",
    "RunFacts",
    "Selection",
    "Survey",
    "Swept",
    "Tie",
    "clear_caches",
    "make_plan",
    "owed_where",
    "parse_rule",
    "parse_span",
    "refusal",
    "remotes_with_runs",
    "survey",
    "sweep",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.store.gc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ledgit.store.gc.{home}"), name)
