"""A query as one SQL statement over finalized and live runs, page by page."""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from binascii import a2b_base64, b2a_base64, crc32
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ledgit.errors import FilterError, GitFailed, InvalidValue, NotFound, RecordError
from ledgit.query import Term, order_sql
from ledgit.records import from_json, to_json
from ledgit.store.index_cover import covering_index

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ledgit.query import Expr, OrderKey, Query
    from ledgit.store.index_database import Database
    from ledgit.store.index_links import Linked
    from ledgit.store.index_table import Table

__all__ = ["Experiments", "Plan", "Row", "read_token", "write_token"]

_MOST_IDS = 10_000
#: Number of the set that stays from one query to the next.
_KEPT = -2

Experiments = dict[str, tuple[str, bool]]
"""What is recorded about experiments: label → (name that people see, deleted)."""


Codes = tuple["Collection[int]", "Collection[int]"]
"""Numbers of codes: in the finalized runs' table, and in the live runs'."""


class Row(NamedTuple):
    """A run's place in the result: which table, which row, and the values it is sorted by."""

    live: bool
    number: int
    values: tuple[Any, ...]


class Plan:
    """What *query* asks, parsed, ready to be put to the tables.

    Args:
        index: The database.
        query: The query.
        experiments: What is recorded about experiments.
        codes: Makes what finds the numbers of the codes that belong to a revision.
        live: Whether there are live runs to be put among the others.

    Raises:
        FilterError: The filter or an order doesn't parse, or names a revision that is not here.
    """

    def __init__(
        self,
        index: Database,
        query: Query,
        experiments: Experiments,
        codes: Callable[[], Linked],
        live: bool,
    ) -> None:
        self.index = index
        self.db = index.db
        self.query = query
        self.experiments = experiments
        self._linker = codes
        self.live = live
        self.sets: dict[tuple[str, str], int] = {}
        self.expr: Expr | None = None
        self.all_views = False
        self.order: tuple[OrderKey, ...] = ()
        if query.filter.strip():
            from ledgit.query import mentions, parse_filter

            self.expr = parse_filter(query.filter)
            self.all_views = mentions(self.expr, "deleted")
        if query.order_by:
            from ledgit.query import parse_order_by

            self.order = parse_order_by(query.order_by)
        self._find_out()

    def ends(self) -> set[tuple[str, str]]:
        """Return the (metric, ``min`` or ``max``) pairs that the query compares or sorts by."""
        return {(key.name, key.part) for key in self._keys() if key.part != "last"}

    def keys(self) -> set[tuple[str, str]]:
        """Return the (kind, key) pairs that the query compares or sorts by."""
        return {("inputs" if key.kind == "datasets" else key.kind, key.name) for key in self._keys()}

    def _keys(self) -> list[Any]:
        keys: list[Any] = [one.key for one in self.order]
        todo: list[Any] = [self.expr] if self.expr is not None else []
        while todo:
            item = todo.pop()
            todo.extend(getattr(item, "items", ()))
            if hasattr(item, "item"):
                todo.append(item.item)
            if hasattr(item, "key"):
                keys.append(item.key)
        return keys

    def statement(self, limit: int | None, after: Sequence[Any] | None) -> tuple[str, Sequence[Any]]:
        """Return the SQL for the rows from *offset* on, at most *limit*, and its values.

        Args:
            limit: At most so many; None for all.
            after: Sort values of the run after which to begin.
        """
        tables = (self.index.runs, self.index.live)[: 1 + self.live]
        count = -1 if limit is None else limit
        offset = self.query.offset
        parts = [self._part(number, table, after) for number, table in enumerate(tables)]
        if len(parts) == 1:
            text, values, terms = parts[0]
            statement = f"{text} ORDER BY {order_sql(terms)} LIMIT ? OFFSET ?"
        else:
            # Each table gives its own first rows, so that each can use its index.
            most = -1 if limit is None else limit + offset
            texts, values = [], []
            for text, own, terms in parts:
                texts.append(f"SELECT * FROM ({text} ORDER BY {order_sql(terms)} LIMIT ?)")
                values += [*own, most]
            outer = ", ".join(term.ordering(f"s{place}") for place, term in enumerate(parts[0][2]))
            statement = f"SELECT * FROM ({' UNION ALL '.join(texts)}) ORDER BY {outer} LIMIT ? OFFSET ?"
        return statement, (*values, count, offset)

    def rows(self, statement: tuple[str, Sequence[Any]]) -> list[Row]:
        """Return the rows that a *statement* of this plan finds."""
        found = self.db.execute(*statement)
        return [Row(bool(source), number, tuple(keys)) for source, number, *keys in found]

    def count(self) -> int:
        """Return how many runs match."""
        total = 0
        for table in (self.index.runs, self.index.live)[: 1 + self.live]:
            where, values = self._where(table)
            source = self._source(table, where, self._terms(table))
            total += self.db.execute(f"SELECT count(*) FROM {source} WHERE {where}", values).fetchone()[0]
        return total

    def grouped(self, table: Table, columns: str, group: str) -> list[tuple[Any, ...]]:
        """Return *columns* (SQL of ours) of the runs in *table* that match, one row for each *group*."""
        where, values = self._where(table)
        return self.db.execute(f"SELECT {columns} FROM {table.run} r WHERE {where} GROUP BY {group}", values).fetchall()

    def _part(self, source: int, table: Table, after: Sequence[Any] | None) -> tuple[str, list[Any], tuple[Term, ...]]:
        """Return the statement for one table but for its order, its values, and the terms of the order."""
        where, values = self._where(table)
        terms = self._terms(table)
        if after is not None:
            from ledgit.query import after as place_after

            sql = place_after(terms, after)
            where += f" AND ({sql.text})"
            values += sql.bindings
        columns = "".join(f", {term.sql} AS s{number}" for number, term in enumerate(terms))
        source_sql = self._source(table, where, terms)
        return f"SELECT {source} AS source, r.n AS n{columns} FROM {source_sql} WHERE {where}", values, terms

    def _source(self, table: Table, where: str, terms: Sequence[Term]) -> str:
        """Return what to select from: the table, by an index that has all the question needs."""
        makes = self._makes_covers()
        index = covering_index(self.index, where, terms, make=makes) if table is self.index.runs else None
        return f"{table.run} r" + (f" INDEXED BY {index}" if index else "")

    def _makes_covers(self) -> bool:
        """Whether an index may be made for this kind of question."""
        return True

    def _terms(self, table: Table) -> tuple[Term, ...]:
        if not self.order:  # spelled out, because the compiler takes 4 ms to load
            return Term("r.started", descending=True), Term("r.id", nullable=False)
        from ledgit.query import compile_order

        return compile_order(self.order, table)

    def _where(self, table: Table) -> tuple[str, list[Any]]:
        query = self.query
        parts: list[str] = []
        values: list[Any] = []

        def add(sql: str, *bound: Any) -> None:
            parts.append(sql)
            values.extend(bound)

        if not self.all_views:
            self._view(add)
        if query.experiments is not None:
            labels = set(query.experiments)
            labels.update(label for label, (name, _) in self.experiments.items() if name in query.experiments)
            add(f"r.experiment IN ({_marks(labels)})", *sorted(labels))
        if query.since is not None:
            add("r.started >= ?", query.since)
        if query.user is not None:
            add("r.user = ?", query.user)
        if query.parent_run is not None:
            add("r.parent_run = ?", query.parent_run)
        if query.ids is not None:
            if len(query.ids) > _MOST_IDS:
                raise InvalidValue("ids", len(query.ids), f"at most {_MOST_IDS} ids at once")
            add(f"r.id IN ({_marks(query.ids)})", *query.ids)
        if self.expr is not None:
            from ledgit.query import FUNCTIONS, compile_filter, wanted

            among = {one: self._is_among(one.what, one.name, table) for one in wanted(self.expr)}
            sql = compile_filter(self.expr, table, among=among)
            for name, function in FUNCTIONS.items():
                if name in sql.text:
                    self.db.create_function(name, 1, function, deterministic=True)
            add(f"({sql.text})", *sql.bindings)
        if query.branch is not None:  # after what is quicker to find out
            add(f"(r.branch = ? OR {self._is_among('branch', query.branch, table)})", query.branch)
        if self.live and table is self.index.runs:
            add(f"r.id NOT IN (SELECT id FROM {self.index.live.run})")
        return " AND ".join(parts) or "1", values

    def _view(self, add: Any) -> None:
        gone = sorted(label for label, (_, deleted) in self.experiments.items() if deleted)
        marks = _marks(gone)
        if self.query.view == "active":
            add("r.deleted = 0")
            if gone:
                add(f"r.experiment NOT IN ({marks})", *gone)
        elif self.query.view == "deleted":
            add(f"(r.deleted = 1 OR r.experiment IN ({marks}))" if gone else "r.deleted = 1", *gone)

    # -- sets of runs that must be found out before SQL can ask for them ----------------------

    def _find_out(self) -> None:
        """Put what the query's revisions and ancestors stand for into a temporary table, each set with a number."""
        asked = [("branch", self.query.branch, 0)] if self.query.branch is not None else []
        if self.expr is not None:
            from ledgit.query import wanted

            asked += [(one.what, one.name, one.position) for one in wanted(self.expr)]
        if not asked:
            return
        sql = "CREATE TEMP TABLE IF NOT EXISTS among (k INTEGER, item, PRIMARY KEY (k, item)) WITHOUT ROWID"
        self.db.execute(sql)
        self.db.execute("DELETE FROM temp.among WHERE k >= 0")
        self._codes = self._linker()
        for what, name, position in asked:
            if (what, name) in self.sets:
                continue
            if what == "branch" and self._is_kept(name):
                self.sets[what, name] = _KEPT
                continue
            number = self.sets[what, name] = 2 * len(self.sets)
            # Ids are the same in both tables; the numbers of codes are not.
            runs, live = self._below(name) if what == "ancestor" else self._linked(what, name, position)
            rows = [(number, item) for item in runs] + [(number + 1, item) for item in live]
            self.db.executemany("INSERT INTO temp.among VALUES (?, ?)", rows)

    def _is_kept(self, branch: str) -> bool:
        """Have a *branch*'s codes stay in the table until something changes, where one can say when that is.

        Who types a filter asks again with every few keys, and finding them out takes Git and 20 ms.
        """
        mark = self._codes.mark(branch) if not self.live else None
        if mark is None:
            return False
        if mark != self.index.kept_set:
            runs, _ = self._linked("branch", branch, 0)
            self.index.kept_set = None
            self.db.execute("DELETE FROM temp.among WHERE k < 0")
            self.db.executemany("INSERT INTO temp.among VALUES (?, ?)", [(_KEPT, item) for item in runs])
            self.index.kept_set = mark if self._codes.settled else None
        return True

    def _is_among(self, what: str, name: str, table: Table) -> str:
        number = self.sets[what, name] + (table is not self.index.runs)
        asked = f"IN (SELECT item FROM temp.among WHERE k = {number})"
        if what == "ancestor":
            return f"r.id {asked}"
        # A run whose code nobody knows is neither in nor out; in SQL it would be out of an empty set.
        return f"(CASE WHEN r.code IS NOT NULL THEN r.code {asked} END)"

    def _linked(self, what: str, rev: str, position: int) -> Codes:
        """Return the numbers of the codes that belong to *rev*."""
        try:
            return self._codes(rev)
        except (GitFailed, NotFound):
            if what == "branch":
                return set(), set()  # gone, or of another clone: then the name alone tells
            reason = f"there is no revision {rev!r} in this clone"
            raise FilterError(self.query.filter, position, reason) from None

    def _below(self, beginning: str) -> tuple[set[str], set[str]]:
        """Return the runs that are nested below those whose ids begin so, at any depth."""
        children: dict[str, list[str]] = {}
        live = dict(self.db.execute(f"SELECT id, parent_run FROM {self.index.live.run}") if self.live else ())
        rows = self.db.execute(f"SELECT id, parent_run FROM {self.index.runs.run} WHERE parent_run IS NOT NULL")
        for run, parent in (dict(rows) | live).items():
            if parent is not None:
                children.setdefault(parent, []).append(run)
        todo = [parent for parent in children if parent.startswith(beginning)]
        found: set[str] = set()
        while todo:  # runs that are each other's parents (a repository can say so) are found once
            new = [run for run in children.get(todo.pop(), ()) if run not in found]
            found.update(new)
            todo += new
        return found, found


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _fingerprint(query: Query) -> str:
    """Return what a token is bound to: everything but where the page begins and how long it is."""
    same = [
        query.filter, query.order_by, query.experiments, query.view, query.branch, query.since, query.user,
        query.ids, query.parent_run,
    ]  # fmt: skip
    return f"{crc32(orjson.dumps(same)):08x}"


def write_token(query: Query, values: Sequence[Any]) -> str:
    """Return the token of the page after the run that has these sort values."""
    packed = orjson.dumps([_fingerprint(query), [to_json(value) for value in values]])
    return b2a_base64(packed, newline=False).decode().rstrip("=").replace("/", "_").replace("+", "-")


def read_token(query: Query) -> list[Any] | None:
    """Return the sort values in *query*'s page token, None if it has none.

    Raises:
        InvalidValue: It is no token, or one of another query.
    """
    token = query.page_token
    if not token:
        return None
    try:
        padded = token.replace("_", "/").replace("-", "+") + "=" * (-len(token) % 4)
        mark, values = orjson.loads(a2b_base64(padded))
        found = [from_json(value) for value in values]
    except (ValueError, TypeError, RecordError):
        raise InvalidValue("page token", token, "the next_token of a page") from None
    if mark != _fingerprint(query):
        raise InvalidValue("page token", token, "a token of the same query") from None
    return found
