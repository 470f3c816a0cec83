"""What to look for: MLflow's filter grammar as a superset, order, paging; compiled to SQL.

Pure: no files, no Git, no database. Everything but :class:`Query` loads when first used, because
a plain ``ls`` needs nothing else.
"""

from __future__ import annotations

from ledgit.query.model import VIEWS, Query

TYPE_CHECKING = False  # typing itself costs 3 ms
if TYPE_CHECKING:
    from ledgit.query.compile import FUNCTIONS, Columns, compile_filter, compile_order, mentions, wanted
    from ledgit.query.expr import Among, Expr
    from ledgit.query.keys import ATTRIBUTES, Key
    from ledgit.query.order import OrderKey, parse_order_by
    from ledgit.query.parse import parse_filter
    from ledgit.query.terms import Sql, Term, after, order_sql

__all__ = [
    "ATTRIBUTES",
    "FUNCTIONS",
    "VIEWS",
    "Among",
    "Columns",
    "Expr",
    "Key",
    "OrderKey",
    "Query",
    "Sql",
    "Term",
    "after",
    "compile_filter",
    "compile_order",
    "mentions",
    "order_sql",
    "parse_filter",
    "parse_order_by",
    "wanted",
]

_HOME = {
    "ATTRIBUTES": "keys",
    "Among": "expr",
    "Expr": "expr",
    "Key": "keys",
    "OrderKey": "order",
    "Sql": "terms",
    "Term": "terms",
    "after": "terms",
    "order_sql": "terms",
    "parse_filter": "parse",
    "parse_order_by": "order",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    found: object = getattr(importlib.import_module(f"ledgit.query.{_HOME.get(name, 'compile')}"), name)
    globals()[name] = found
    return found
