"""Runs by the code they were made from: how many, the newest, and the best by a metric."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from ledgit.git import CodeFacts

if TYPE_CHECKING:
    from ledgit.store.index_database import Database
    from ledgit.store.index_search import Plan
    from ledgit.store.index_table import Table

__all__ = ["CodeRuns", "runs_by_code"]


class CodeRuns(NamedTuple):
    """The runs of one code.

    Attributes:
        facts: What is known of the code.
        runs: How many there are, without deleted ones.
        newest: When the newest began, ms since the epoch.
        newest_run: Its id.
        value: The best value of the metric that was asked for; None where no run has one.
        best_run: Id of the run that has it.
    """

    facts: CodeFacts
    runs: int
    newest: int
    newest_run: str
    value: float | None = None
    best_run: str = ""


def runs_by_code(database: Database, plan: Plan, metric: str, *, least: bool) -> list[CodeRuns]:
    """Return the runs that *plan* is about by their code; those that know nothing of it are left out.

    Args:
        database: The index's.
        plan: Which runs.
        metric: A metric's name, "" for none.
        least: Whether less of it is better.
    """
    found = []
    for table in (database.runs, database.live)[: 1 + plan.live]:
        newest = plan.grouped(table, "r.code, count(*), max(r.started), r.id", "r.code")
        value = _value(table, metric)
        best = {}
        if value is not None:
            # SQLite takes the other columns of a group from the row that has its max() or min().
            sql = f"r.code, {'min' if least else 'max'}({value}), r.id"
            best = {
                code: (number, run) for code, number, run in plan.grouped(table, sql, "r.code") if number is not None
            }
        facts = _facts(database, table)
        for code, runs, started, run in newest:
            if code in facts:
                found.append(CodeRuns(facts[code], runs, started or 0, run, *best.get(code, (None, ""))))
    return found


def _value(table: Table, metric: str) -> str | None:
    from ledgit.query import Key

    return table.number(Key("metrics", metric)) if metric else None


def _facts(database: Database, table: Table) -> dict[int, CodeFacts]:
    sql = f"SELECT n, oid, tree, patch_id, subtrees, derived FROM {table.codes.name}"
    return {
        number: CodeFacts(oid or None, tree or None, orjson.loads(paths) if paths else {}, patch or derived or None)
        for number, oid, tree, patch, paths, derived in database.db.execute(sql)
    }
