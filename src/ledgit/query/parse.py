"""Filter text to :data:`~ledgit.query.expr.Expr`: MLflow's grammar as a superset.

The grammar library costs 45 ms (34 to import, 11 to build the tables), so only a filter loads
it. Lexing needs no context: every token is one of the patterns below, so a wrong character or a
missing quote is found where it stands.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ledgit.errors import FilterError
from ledgit.query import keys
from ledgit.query.expr import And, Compare, Expr, Membership, Not, Or, SomeInput
from ledgit.query.lower import Literal, among_code, between, compare, is_in, missing

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedToken

__all__ = ["parse_filter"]

MAX_TEXT = 100_000
MAX_DEPTH = 50
MAX_CONDITIONS = 500
MAX_VALUES = 10_000

_GRAMMAR = rf"""
?start: any_of
?any_of: all_of (_OR all_of)*
?all_of: negation (_AND negation)*
?negation: condition | NOT negation -> negate
?condition: "(" any_of ")"
    | key COMPARISON value -> comparison
    | key NOT? LIKE value -> like
    | key NOT? IN "(" value ("," value)* ","? ")" -> membership
    | key NOT? BETWEEN value _AND value -> between
    | key IS NOT? (NULL | NAN) -> null
    | CODE_IN_ONE -> code
    | CODE_IN "(" revision ("," revision)* ","? ")" -> code
key: PLAIN | BACK_QUOTED | DOUBLE_QUOTED | PART "(" (PLAIN | BACK_QUOTED | DOUBLE_QUOTED) ")"
revision: SINGLE_QUOTED | DOUBLE_QUOTED
value: SINGLE_QUOTED | DOUBLE_QUOTED | DATE | DURATION | NUMBER | TRUE | FALSE | NAN

COMPARISON: "==" | "!=" | "<>" | ">=" | "<=" | "=" | ">" | "<"
_AND.3: /and\b/i
_OR.3: /or\b/i
NOT.3: /not\b/i
LIKE.3: /i?like\b/i
IN.3: /in\b/i
BETWEEN.3: /between\b/i
IS.3: /is\b/i
NULL.3: /null\b/i
NAN.3: /nan\b/i
TRUE.3: /true\b/i
FALSE.3: /false\b/i
CODE_IN.7: /code\s+(?:not\s+)?in(?=\s*\()/i
CODE_IN_ONE.6: /code\s+(?:not\s+)?in\s+(?:'(?:[^']|'')*'|{keys.DOUBLE_QUOTED}|[^\s()'"`,]+)/i
PART.3: /(?i:min|max|last)(?=\s*\()/
DATE.5: /\d{{4}}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)?(?![\w.])/
DURATION.4: /\d++(?:\.\d++)?(?:ms|s|mins?|m|hours?|h|days?|d|weeks?|w|mo|y)\b/i
NUMBER.3: /[+-]?(?:(?:\d++\.?\d*+|\.\d++)(?:e[+-]?\d++)?|inf(?:inity)?)(?![\w.])/i
SINGLE_QUOTED: /'(?:[^']|'')*'/
DOUBLE_QUOTED: /{keys.DOUBLE_QUOTED}/
BACK_QUOTED: /{keys.BACK_QUOTED}/
PLAIN: /{keys.PLAIN.replace("/", chr(92) + "/")}/
%ignore /\s+/
"""


def parse_filter(text: str) -> Expr:
    """Parse *text*, a filter as ``metrics.acc > 0.9 AND NOT params.opt IN ('sgd', 'adam')``.

    Raises:
        FilterError: With the offset of the character that is wrong; nothing else is raised,
            whatever *text* is.
    """
    _check_text(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    try:
        tree = _parser().parse(text)
    except UnexpectedCharacters as error:
        problem = _bad_character(text, error.pos_in_stream or 0)
    except UnexpectedToken as error:
        problem = _bad_token(text, error)
    else:
        return _Builder(text).build(tree, 0)
    # Out here, without the parser's error behind it: that can't be pickled, and Dask pickles what stands behind.
    raise problem


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="basic", propagate_positions=False, maybe_placeholders=False)


def _check_text(text: str) -> None:
    if not text.strip():
        raise FilterError(text, 0, "the filter is empty")
    if len(text) > MAX_TEXT:
        raise FilterError(text[:60], 0, f"the filter has {len(text)} characters, at most {MAX_TEXT} are read")
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise FilterError(text, position, "this character can't be in a filter")


class _Builder:
    """Lark's tree to ours, refusing what is too deep or too long for SQLite."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.conditions = 0
        self.values = 0

    def build(self, tree: Tree[Token], depth: int) -> Expr:
        if depth > MAX_DEPTH:
            raise FilterError(self.text, 0, f"the filter is nested more than {MAX_DEPTH} deep")
        children: list[Any] = tree.children
        if tree.data == "any_of":
            return Or(tuple(self.build(child, depth + 1) for child in children))
        if tree.data == "all_of":
            return And(tuple(self.build(child, depth + 1) for child in children))
        if tree.data == "negate":
            return Not(self.build(children[1], depth + 1))
        return self._condition(str(tree.data), children)

    def _condition(self, kind: str, children: list[Any]) -> Expr:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            at = (children[0] if kind == "code" else children[0].children[0]).start_pos
            raise FilterError(self.text, at, f"the filter has more than {MAX_CONDITIONS} conditions")
        if kind == "code":
            return self._code(children)
        key = self._key(children[0])
        words: list[Token] = [child for child in children[1:] if not hasattr(child, "data")]
        values = [self._value(child) for child in children[1:] if hasattr(child, "data")]
        negated = any(word.type == "NOT" for word in words)
        at = words[0].start_pos or 0
        found: Expr
        if kind == "null":
            found = missing(key, words[-1].type == "NAN", self.text, at)
        elif kind == "membership":
            found = is_in(key, values, self.text)
        elif kind == "between":
            found = between(key, values[0], values[1], self.text, at)
        else:
            found = compare(key, str(words[-1]).upper(), values[0], self.text, at)
        if negated:
            found = Not(found)
        # "!=" and NOT IN ask for a data set that differs, as in MLflow; NOT (…) for none that is so.
        if key.kind == "datasets" and isinstance(found, Compare | Membership | Not) and kind != "null":
            return SomeInput(found)
        return found

    def _code(self, children: list[Any]) -> Expr:
        word: Token = children[0]
        literals = [self._value(child) for child in children[1:]]
        if not literals:  # the only revision is part of the token: unquoted, it may look like anything
            match = re.match(r"(?is)(code\s+(?:not\s+)?in)\s+(.+)", word)
            assert match is not None
            kind = "SINGLE_QUOTED" if match[2][0] in "'\"" else "REVISION"
            literals = [Literal(kind, match[2], (word.start_pos or 0) + match.start(2))]
        found = among_code(literals, self.text)
        return Not(found) if re.match(r"(?i)code\s+not\b", word) else found

    def _key(self, tree: Tree[Token]) -> keys.Key:
        tokens: list[Any] = tree.children
        part = str(tokens[0]).lower() if len(tokens) > 1 else "last"
        return keys.make_key(str(tokens[-1]), part, self.text, tokens[-1].start_pos)

    def _value(self, tree: Tree[Token]) -> Literal:
        self.values += 1
        token: Any = tree.children[0]
        if self.values > MAX_VALUES:
            raise FilterError(self.text, token.start_pos, f"the filter has more than {MAX_VALUES} values")
        return Literal(token.type, str(token), token.start_pos)


def _bad_character(text: str, position: int) -> FilterError:
    if text[position] == "." and text[position + 1 : position + 2] in ("'", '"', "`"):
        position += 1
    character = text[position]
    if character in "'\"`":
        return FilterError(text, position, f"this {character} has no closing {character}")
    if character in ".[]{}" and position and not text[position - 1].isspace():
        return FilterError(text, position, "put a key with unusual characters in back quotes, as metrics.`a [b]`")
    return FilterError(text, position, f"{character!r} means nothing here")


_VALUES = {"SINGLE_QUOTED", "DOUBLE_QUOTED", "DATE", "DURATION", "NUMBER", "TRUE", "FALSE", "NAN"}


def _bad_token(text: str, error: UnexpectedToken) -> FilterError:
    token, expected = error.token, set(error.expected)
    ended = token.type == "$END"
    position = len(text.rstrip()) if ended else (token.start_pos or 0)
    shown = "the filter ends" if ended else f"{str(token)!r} is"
    if expected >= {"NUMBER", "SINGLE_QUOTED"}:
        if token.type == "PLAIN":
            return FilterError(text, position, f"text needs quotes: '{token}'")
        return FilterError(text, position, f"{shown} where a value is needed, as 0.9 or 'adam'")
    if "COMPARISON" in expected:
        reason = "where a comparison is needed: = != > >= < <= LIKE IN BETWEEN or IS NULL"
        return FilterError(text, position, f"{shown} {reason}")
    if expected == {"SINGLE_QUOTED", "DOUBLE_QUOTED"}:
        return FilterError(text, position, f"{shown} where a revision in quotes is needed, as ('main', 'v1.0..HEAD')")
    if "LPAR" in expected and "PLAIN" not in expected:
        if re.search(r"(?i)(?<![\w.])code\s+(?:not\s+)?in\s*$", text[:position]):
            return FilterError(text, position, f"{shown} where a revision is needed, as code IN main..HEAD")
        return FilterError(text, position, f"{shown} where a list is needed, as ('adam', 'sgd')")
    if "NULL" in expected:
        return FilterError(text, position, f"{shown} where NULL, NOT NULL or NAN is needed")
    if "PLAIN" in expected:
        if token.type in _VALUES:
            return FilterError(text, position, "a condition begins with its key, as metrics.accuracy > 0.9")
        return FilterError(text, position, f"{shown} where a condition is needed, as metrics.accuracy > 0.9")
    if ended and "RPAR" in expected:
        return FilterError(text, position, "a closing parenthesis is missing")
    if token.type == "RPAR":
        return FilterError(text, position, "this parenthesis was never opened")
    if "_OR" in expected:
        return FilterError(text, position, f"{shown} where AND, OR or the end is needed")
    named = sorted(_WORDS.get(name, name.lstrip("_")) for name in expected)
    return FilterError(text, position, f"{shown} where {' or '.join(named)} is needed")


_WORDS = {"LPAR": "(", "RPAR": ")", "COMMA": "a comma", "LIKE": "LIKE"}
