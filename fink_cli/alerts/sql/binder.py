"""Make what evaluates an expression, out of the tree of its text and the types of columns."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from fink_cli.alerts.sql.bound import (
    Bound,
    Row,
    SqlMistakeError,
    agreed,
    called,
    cast_to,
    constant,
    expected,
)
from fink_cli.alerts.sql.casts import cast
from fink_cli.alerts.sql.functions import FUNCTIONS, chosen, concat
from fink_cli.alerts.sql.list_functions import item_of
from fink_cli.alerts.sql.operators import (
    calculated,
    compared,
    connected,
    field_of,
    is_among,
    is_constant,
    like,
    literal,
    minus,
    same,
)
from fink_cli.alerts.sql.parse import operands
from fink_cli.alerts.sql.types import (
    BOOLEAN,
    INTEGERS,
    MOST_DIGITS,
    NAMES_OF_TYPES,
    VOID,
    Basic,
    ListOf,
    MapOf,
    StructOf,
    is_decimal,
    is_number,
)
from fink_cli.alerts.sql.values import EvaluationError, reader

_COMPARE: Mapping[type[exp.Expr], Callable[[Any, Any], bool]] = {
    **{exp.EQ: operator.eq, exp.NEQ: operator.ne, exp.GT: operator.gt, exp.GTE: operator.ge},
    **{exp.LT: operator.lt, exp.LTE: operator.le},
}
_SIGNS: Mapping[type[exp.Expr], str] = {
    **{exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.IntDiv: "div"},
}
_LONGEST_TEXT = 60


class Binder:
    """Binds the nodes of a tree.

    Attributes:
        columns: the columns that were bound, outside of lambdas' variables.
    """

    def __init__(self, columns: StructOf) -> None:
        self._of_alerts = columns
        self._variables: dict[str, Bound] = {}
        self.columns: list[Bound] = []

    def bind(self, node: exp.Expr) -> Bound:
        """Bind an expression.

        Raises:
            SqlMistakeError: its types do not go together.
        """
        return _BINDERS[type(node)](self, _text(node), node)

    def bind_all(self, nodes: Iterable[exp.Expr]) -> list[Bound]:
        """Bind expressions."""
        return [self.bind(node) for node in nodes]

    def sides(self, node: exp.Expr) -> list[Bound]:
        """Bind the two sides of an operator."""
        return self.bind_all([node.this, node.expression])

    def paren(self, text: str, node: exp.Expr) -> Bound:
        return replace(self.bind(node.this), text=text)

    def connection(self, text: str, node: exp.Expr) -> Bound:
        return connected(text, isinstance(node, exp.And), self.bind_all(operands(node)))

    def negation(self, text: str, node: exp.Expr) -> Bound:
        return called(text, BOOLEAN, operator.not_, expected(self.bind(node.this), BOOLEAN, "NOT"))

    def variable(self, _text: str, node: exp.Expr) -> Bound:
        return self._variables[node.name]

    def field(self, text: str, node: exp.Expr) -> Bound:
        return field_of(text, self.bind(node.this), node.expression.name)

    def item(self, text: str, node: exp.Expr) -> Bound:
        above, index = self.bind(node.this), node.expressions[0]
        if isinstance(index, exp.Literal) and index.is_string and not isinstance(above.kind, MapOf):
            return field_of(text, above, index.name)
        return item_of(text, above, self.bind(index))

    def cast(self, text: str, node: exp.Expr) -> Bound:
        return _cast(text, node, self.bind(node.this))

    def is_test(self, text: str, node: exp.Expr) -> Bound:
        if isinstance(node.expression, exp.Null):
            return is_constant(text, self.bind(node.this), None)
        if not isinstance(node.expression, exp.Boolean):
            raise SqlMistakeError(f"compares with IS what is not NULL, TRUE or FALSE: {text}")
        value = expected(self.bind(node.this), BOOLEAN, "IS TRUE")
        return is_constant(text, value, node.expression.this)

    def membership(self, text: str, node: exp.Expr) -> Bound:
        first, *others = agreed(self.bind_all([node.this, *node.expressions]))
        return is_among(text, first, others)

    def between(self, text: str, node: exp.Expr) -> Bound:
        value, low, high = self.bind_all([node.this, node.args["low"], node.args["high"]])
        tests = ((low, operator.ge), (high, operator.le))
        bounds = [compared(text, compare, value, bound) for bound, compare in tests]
        return connected(text, True, bounds)

    def escaped(self, text: str, node: exp.Expr) -> Bound:
        escape = node.expression
        is_text = isinstance(escape, exp.Literal) and escape.is_string
        return self._like(text, node.this, escape.name if is_text else "")

    def like(self, text: str, node: exp.Expr) -> Bound:
        return self._like(text, node, "\\")

    def joined(self, text: str, node: exp.Expr) -> Bound:
        is_row = isinstance(node, exp.Concat)
        return concat(text, self.bind_all(node.expressions) if is_row else self.sides(node))

    def minus(self, text: str, node: exp.Expr) -> Bound:
        return minus(text, self.bind(node.this))

    def sameness(self, text: str, node: exp.Expr) -> Bound:
        one, other = agreed(self.sides(node))
        return same(text, one, other, isinstance(node, exp.NullSafeEQ))

    def comparison(self, text: str, node: exp.Expr) -> Bound:
        return compared(text, _COMPARE[type(node)], *self.sides(node))

    def calculation(self, text: str, node: exp.Expr) -> Bound:
        return calculated(text, _SIGNS[type(node)], *self.sides(node))

    def column(self, text: str, node: exp.Expr) -> Bound:
        assert isinstance(node, exp.Column)  # noqa: S101 - of the table below
        return self._column(text, [part.name for part in node.parts])

    def _column(self, text: str, names: list[str]) -> Bound:
        first, *rest = names
        if first in self._variables:
            bound = self._variables[first]
        else:
            kind = self._of_alerts.fields.get(first, VOID)
            read = reader(kind)
            bound = Bound(first, kind, operator.methodcaller("get", first))
            if read is not None:
                bound = called(first, kind, read, bound)
        for name in rest:
            bound = field_of(f"{bound.text}.{name}", bound, name)
        bound = replace(bound, text=text)
        if first not in self._variables:
            self.columns.append(bound)
        return bound

    def case(self, text: str, node: exp.Expr) -> Bound:
        branches = node.args["ifs"]
        tests = [
            branch.this
            if node.this is None
            else exp.EQ(this=node.this.copy(), expression=branch.this)
            for branch in branches
        ]
        conditions = [expected(self.bind(test), BOOLEAN, "WHEN") for test in tests]
        otherwise = node.args.get("default") or exp.Null()
        values = self.bind_all([*(branch.args["true"] for branch in branches), otherwise])
        return chosen(text, conditions, values)

    def call(self, text: str, node: exp.Expr) -> Bound:
        name = str(node.this).lower()
        function, nodes = FUNCTIONS[name], node.expressions
        if not function.least <= len(nodes) <= function.most:
            raise SqlMistakeError(f"gives {name} {len(nodes)} values, and not {function.counts}")
        if not function.takes_lambda:
            if any(isinstance(each, exp.Lambda) for each in nodes):
                raise SqlMistakeError(f"gives {name} a function (->)")
            return function.build(text, self.bind_all(nodes))
        if not isinstance(nodes[1], exp.Lambda):
            raise SqlMistakeError(f"needs a function in {name}, such as x -> x > 1")
        sequence = self.bind(nodes[0])
        return function.build(text, [sequence, self._each(sequence, nodes[1], name)])

    def _each(self, sequence: Bound, function: exp.Lambda, name: str) -> Bound:
        """Return the values of a lambda for the items of a list, one by one."""
        if not isinstance(sequence.kind, ListOf):
            raise SqlMistakeError(f"takes {sequence.named} where {name} needs a list")
        if len(function.expressions) != 1:
            raise SqlMistakeError(f"gives the function in {name} more than one variable")
        variable = function.expressions[0].name
        item: list[Any] = [None]
        outer = self._variables
        self._variables = {
            **outer,
            variable: Bound(variable, sequence.kind.items, lambda _row: item[0]),
        }
        try:
            result = self.bind(function.this)
        finally:
            self._variables = outer

        def values(row: Row) -> Any:
            items = sequence.value(row)
            return None if items is None else map(evaluate, items, [row] * len(items))

        def evaluate(value: Any, row: Row) -> Any:
            item[0] = value
            return result.value(row)

        return Bound(result.text, ListOf(result.kind), values)

    def _like(self, text: str, node: exp.Expr, escape: str) -> Bound:
        value, pattern = self.sides(node)
        return like(
            text,
            value,
            pattern,
            escape=escape,
            ignores_case=isinstance(node, exp.ILike),
            is_negated=bool(node.args.get("negate")),
        )


_BINDERS: Mapping[type[exp.Expr], Callable[[Binder, str, Any], Bound]] = {
    exp.Paren: Binder.paren,
    **dict.fromkeys((exp.And, exp.Or), Binder.connection),
    exp.Not: Binder.negation,
    exp.Literal: lambda _binder, text, node: literal(text, node.this, node.is_string),
    exp.Boolean: lambda _binder, text, node: constant(text, BOOLEAN, node.this),
    exp.Null: lambda _binder, text, _node: constant(text, VOID, None),
    exp.Column: Binder.column,
    exp.Identifier: Binder.variable,
    exp.Dot: Binder.field,
    exp.Bracket: Binder.item,
    **dict.fromkeys((exp.Cast, exp.TryCast), Binder.cast),
    exp.Case: Binder.case,
    exp.Anonymous: Binder.call,
    exp.Is: Binder.is_test,
    exp.In: Binder.membership,
    exp.Between: Binder.between,
    exp.Escape: Binder.escaped,
    **dict.fromkeys((exp.Like, exp.ILike), Binder.like),
    **dict.fromkeys((exp.Concat, exp.DPipe), Binder.joined),
    exp.Neg: Binder.minus,
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ), Binder.sameness),
    **dict.fromkeys(_COMPARE, Binder.comparison),
    **dict.fromkeys(_SIGNS, Binder.calculation),
}


def _cast(text: str, node: exp.Expr, value: Bound) -> Bound:
    kind = _named_type(node.args["to"])
    is_try = isinstance(node, exp.TryCast) and bool(node.args.get("safe"))
    if is_number(kind) and value.is_literal and is_number(value.kind) and kind in INTEGERS:
        return replace(cast_to(value, kind), text=text)
    try:
        bound = cast_to(replace(value, is_literal=False), kind)
    except SqlMistakeError as error:
        raise SqlMistakeError(f"casts {value.named} to {_text(node.args['to']).lower()}") from error
    change = cast(value.kind, kind)
    if not is_try or change is None:
        return replace(bound, text=text)

    def attempt(before: Any) -> Any:
        try:
            return change(before)
        except EvaluationError:
            return None

    # What raises in the value itself is an error all the same.
    return called(text, kind, attempt, value)


def _named_type(node: exp.DataType) -> Basic:
    kind = NAMES_OF_TYPES[node.this.value.lower()]
    digits = [int(each.name) for each in node.expressions]
    if not digits or not is_decimal(kind):
        return kind
    precision, scale = digits[0], digits[1] if len(digits) > 1 else 0
    if not 0 <= scale <= precision <= MOST_DIGITS:
        raise SqlMistakeError(f"names {_text(node).lower()}, which is no type")
    return Basic("decimal", precision, scale)


def _text(node: exp.Expr) -> str:
    text = node.sql("spark", normalize_functions=False, comments=False)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
