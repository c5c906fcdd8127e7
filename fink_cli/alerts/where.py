"""Expressions that select alerts: ``candidate.rb > 0.9 and cdsxmatch in ['RRLyrae', 'EclBin']``.

The expression is Python's in form only. simpleeval evaluates it, with no function but those
below, no operator that makes a long value out of short ones, and fields in place of attributes.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from simpleeval import SimpleEval

from fink_cli.alerts.projection import can_lead
from fink_cli.alerts.schema import Schema, leaf_paths
from fink_cli.alerts.select import Path, value_at
from fink_cli.errors import UsageError

LONGEST = 20_000
DEEPEST = 40

_EXAMPLE = "Write it like --where \"candidate.rb > 0.9 and cdsxmatch in ['RRLyrae', 'EclBin']\""
# The root of the alert, for names that Python can't spell: alert['with-dash'], alert['class'].
_ROOT = "alert"

Number = int | float


def _calculated(function: Callable[..., Number]) -> Callable[..., Number | None]:
    """Of numbers only, and null where there is no result: '%' and '*' of texts make long ones."""

    def calculate(*values: Any) -> Number | None:
        if not all(isinstance(each, int | float) for each in values):
            return None
        try:
            return function(*values)
        except (ArithmeticError, ValueError):
            return None

    return calculate


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """False where a side is null, or where the two can't be compared."""

    def test(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return compare(*_moments(left, right))
        except TypeError:
            return False

    return test


class _Time(str):
    """A time as its text in ISO 8601, which compares as the moment that it is.

    Texts would not do: of 12:00:00Z and 12:00:00.5Z the first comes after the second.
    """

    moment: datetime

    def __new__(cls, value: datetime) -> _Time:
        """The time as a text."""
        utc = _utc(value)
        made = super().__new__(
            cls, f"{utc.replace(tzinfo=None).isoformat()}{'Z' if value.tzinfo else ''}"
        )
        made.moment = utc
        return made


def _moments(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides as moments where one is a time, and the other one or a text that is one."""
    if isinstance(left, _Time) or isinstance(right, _Time):
        moments = _moment(left), _moment(right)
        if None not in moments:
            return moments
    return left, right


def _moment(value: Any) -> datetime | None:
    if isinstance(value, _Time):
        return value.moment
    try:
        return _utc(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _contains(left: Any, right: Any) -> bool:
    try:
        return right is not None and _is_in(left, right)
    except TypeError:
        return False


def _lacks(left: Any, right: Any) -> bool:
    try:
        return left is not None and right is not None and not _is_in(left, right)
    except TypeError:
        return False


def _is_in(left: Any, right: Any) -> bool:
    if isinstance(left, _Time) and isinstance(right, tuple):
        return any(operator.eq(*_moments(left, each)) for each in right)
    return bool(left in right)


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | bytes | Sequence | Mapping) else None


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _calculated(operator.add),
    ast.Sub: _calculated(operator.sub),
    ast.Mult: _calculated(operator.mul),
    ast.Div: _calculated(operator.truediv),
    ast.Mod: _calculated(operator.mod),
    ast.USub: _calculated(operator.neg),
    ast.Not: operator.not_,
    ast.Eq: _compared(operator.eq),
    ast.NotEq: _compared(operator.ne),
    ast.Lt: _compared(operator.lt),
    ast.LtE: _compared(operator.le),
    ast.Gt: _compared(operator.gt),
    ast.GtE: _compared(operator.ge),
    ast.In: _contains,
    ast.NotIn: _lacks,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": _calculated(abs),
    "len": _length,
    "lower": _lower,
}


class Where:
    """A parsed expression. Make one with :func:`parse_where`.

    Attributes:
        text: the expression as it was typed.
        paths: the fields that it needs, each once.
    """

    def __init__(self, text: str, tree: ast.expr) -> None:
        self.text = text
        self._tree = tree
        paths = [each.path for each in ast.walk(tree) if isinstance(each, _Field)]
        self.paths: tuple[Path, ...] = tuple({each.steps: each for each in paths}.values())
        self._alert: Mapping[str, Any] = {}
        self._evaluator = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names={})
        self._evaluator.nodes[_Field] = lambda node: plain(value_at(self._alert, node.path.steps))
        self._evaluator.nodes[_Values] = lambda node: node.values

    def matches(self, alert: Mapping[str, Any]) -> bool:
        """Whether the expression holds for an alert; never an error.

        A field that is missing, null or NaN is null. A comparison with null is false, but for
        ``== None``, ``!= None``, ``is None`` and ``is not None``; a calculation with null, or one
        that has no result, is null. Times compare as moments with each other and with texts in
        ISO 8601, in UTC where these do not say; with any other text as their own, ``…Z``.
        """
        self._alert = alert
        return bool(self._evaluator.eval(self.text, self._tree))

    def check(self, schema: Schema) -> None:
        """See that alerts of a schema can have the fields.

        Raises:
            UsageError: one names a field that no such alert has.
        """
        for path in self.missing(schema):
            raise self.mistake(path, schema)

    def missing(self, schema: Schema) -> list[Path]:
        """The fields that no alert of a schema can have."""
        return [each for each in self.paths if not can_lead(schema.parsed, each.steps)]

    @staticmethod
    def mistake(path: Path, schema: Schema) -> UsageError:
        """The error for a field that no alert has; the schema tells which may be meant."""
        return UsageError(
            f"--where names {path.text}, and the alerts have no such field.",
            _suggestion(path, schema),
        )


@dataclass
class _Field(ast.expr):
    """A field of the alert, in place of the attributes and subscripts that spell it."""

    path: Path
    _fields = ()


@dataclass
class _Values(ast.expr):
    """A list of values, made once."""

    values: tuple[Any, ...]
    _fields = ()


def parse_where(text: str) -> Where:
    """Parse an expression.

    Raises:
        UsageError: it is not one, or holds what is not allowed; the message says where.
    """
    if len(text) > LONGEST:
        raise UsageError(f"The --where expression is longer than {LONGEST:,} characters.", _EXAMPLE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        place = f"character {error.offset}" if error.offset else "its end"
        raise _wrong(f"{error.msg} at {place}", text) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _wrong("it can't be read", text) from error
    _limit_depth(tree, text)
    return Where(text, _Reduced(text).visit(tree))


def plain(value: Any) -> Any:
    """A field's value as an expression sees it: NaN is null, a time its text in ISO 8601."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return _Time(value) if isinstance(value, datetime) else value


def _wrong(why: str, text: str) -> UsageError:
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    return UsageError(f"The --where expression is of no use, {why}: {shown}", _EXAMPLE)


def _limit_depth(tree: ast.expr, text: str) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [below for each in level for below in ast.iter_child_nodes(each)]
        if not level:
            return
    raise _wrong("it nests too deep", text)


class _Reduced(ast.NodeTransformer):
    """Puts fields for names, and refuses all that is not named here."""

    def __init__(self, text: str) -> None:
        self._text = text

    def visit(self, node: ast.AST) -> Any:
        steps = _steps(node)
        if steps is not None:
            return _Field(Path(ast.unparse(node), steps))
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._constants(node)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if not self._allowed(node):
            raise _wrong(f"it may not hold {ast.unparse(node) or type(node).__name__}", self._text)
        return self.generic_visit(node)

    def _allowed(self, node: ast.AST) -> bool:
        if isinstance(node, ast.operator | ast.unaryop | ast.cmpop):
            return type(node) in _OPERATORS
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str | int | float | None)
        return isinstance(node, ast.BoolOp | ast.boolop | ast.UnaryOp | ast.BinOp)

    def _constants(self, node: ast.List | ast.Tuple | ast.Set) -> _Values:
        try:
            return _Values(tuple(ast.literal_eval(each) for each in node.elts))
        except ValueError as error:
            raise _wrong("a list may hold values only, no fields", self._text) from error

    def _comparison(self, node: ast.Compare) -> Any:
        sides = [node.left, *node.comparators]
        for at, op in enumerate(node.ops):
            with_none = any(
                isinstance(each, ast.Constant) and each.value is None for each in sides[at : at + 2]
            )
            if isinstance(op, ast.Is | ast.IsNot) and not with_none:
                raise _wrong("'is' goes with None only; '==' compares", self._text)
            if with_none and isinstance(op, ast.Eq | ast.NotEq):
                node.ops[at] = ast.Is() if isinstance(op, ast.Eq) else ast.IsNot()
        return self.generic_visit(node)

    def _call(self, node: ast.Call) -> ast.Call:
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
            raise _wrong(
                f"'{ast.unparse(node.func)}' is no function of it "
                f"(there are {', '.join(_FUNCTIONS)})",
                self._text,
            )
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise _wrong(f"{node.func.id}() takes one value", self._text)
        node.args = [self.visit(node.args[0])]
        return node


def _steps(node: ast.AST) -> tuple[str | int, ...] | None:
    """The steps of ``a.b[0]['c']``; none of what is not such a path."""
    if isinstance(node, ast.Name):
        return (node.id,)
    step: str | int | None
    if isinstance(node, ast.Attribute):
        above, step = _steps(node.value), node.attr
    elif isinstance(node, ast.Subscript):
        above, step = _steps(node.value), _index(node.slice)
    else:
        return None
    if above is None or step is None:
        return None
    if above == (_ROOT,) and isinstance(node, ast.Subscript) and isinstance(step, str):
        return (step,)
    return (*above, step)


def _index(node: ast.expr) -> str | int | None:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str) and sign == 1:
        return value
    return sign * value if type(value) is int else None


def _suggestion(path: Path, schema: Schema) -> str:
    names = leaf_paths(schema.parsed)
    last = next(each for each in reversed(path.steps) if isinstance(each, str))
    ends = {each.rpartition(".")[2]: each for each in names}
    close = [each for each in names if each.rpartition(".")[2] == last] or [
        ends[each] for each in get_close_matches(last, ends, 3)
    ]
    if close:
        return f"Is it {' or '.join(close[:3])} that you mean?"
    return "See which there are: fink consume --topic NAME --limit 1 -o json"
