"""Repeating a run, and saying what differs if it comes out otherwise.

::

    from ledgit.projects.repro import ReproOptions, reproduce

    repository = ledgit.open()
    made = reproduce(repository, repository.run("calm-owl-417"), ReproOptions(repeats=5))
    made.verdict.level, made.verdict.classes
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.repro.auditing import Audit, Audited, audit, auditable
    from ledgit.projects.repro.findings import CLASSES, Finding
    from ledgit.projects.repro.recipe import Recipe, recipe_of
    from ledgit.projects.repro.repeating import make_plan, reproduce
    from ledgit.projects.repro.reproduction import Plan, Reproduction, ReproOptions
    from ledgit.projects.repro.verdict import LEVELS, Tolerance, Verdict, judge

_MODULES = {
    "auditing": ("Audit", "Audited", "audit", "auditable"),
    "findings": ("CLASSES", "Finding"),
    "recipe": ("Recipe", "recipe_of"),
    "repeating": ("make_plan", "reproduce"),
    "reproduction": ("Plan", "ReproOptions", "Reproduction"),
    "verdict": ("LEVELS", "Tolerance", "Verdict", "judge"),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CLASSES",
    "LEVELS",
    "Audit",
    "Audited",
    "Finding",
    "Plan",
    "Recipe",
    "ReproOptions",
    "Reproduction",
    "Tolerance",
    "Verdict",
    "audit",
    "auditable",
    "judge",
    "make_plan",
    "recipe_of",
    "reproduce",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'ledgit.projects.repro' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"ledgit.projects.repro.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
