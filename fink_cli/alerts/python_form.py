"""The older form of ``--where``: ``candidate.rb > 0.9 and cdsxmatch in ['RRLyrae', 'EclBin']``.

The expression is Python's in form only. simpleeval evaluates it, with no function but those
below, no operator that makes a long value out of short ones, and fields in place of attributes.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpleeval import SimpleEval

from fink_cli.alerts.comparison import calculated, compared, contains, lacks, plain
from fink_cli.alerts.fields import Mistake, Path, missing_paths, value_at
from fink_cli.alerts.kinds import (
    BOOLEAN,
    NUMBER,
    TEXT,
    Kinds,
    are_comparable,
    kind_of_value,
    kinds_at,
    suits,
)
from fink_cli.avro.schema import Schema
from fink_cli.errors import UsageError

LONGEST = 20_000
DEEPEST = 40

_EXAMPLE = "Write it like --where \"candidate.rb > 0.9 and cdsxmatch in ['RRLyrae', 'EclBin']\""
# The root of the alert, for names that Python can't spell: alert['with-dash'], alert['class'].
_ROOT = "alert"


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | bytes | Sequence | Mapping) else None


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: calculated(operator.add),
    ast.Sub: calculated(operator.sub),
    ast.Mult: calculated(operator.mul),
    ast.Div: calculated(operator.truediv),
    ast.Mod: calculated(operator.mod),
    ast.USub: calculated(operator.neg),
    ast.Not: operator.not_,
    ast.Eq: compared(operator.eq),
    ast.NotEq: compared(operator.ne),
    ast.Lt: compared(operator.lt),
    ast.LtE: compared(operator.le),
    ast.Gt: compared(operator.gt),
    ast.GtE: compared(operator.ge),
    ast.In: contains,
    ast.NotIn: lacks,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": calculated(abs),
    "len": _length,
    "lower": _lower,
}


class PythonCondition:
    """A parsed expression. Make one with :func:`parse_python`.

    Attributes:
        text: the expression as it was typed.
        paths: the fields that it needs, each once.
    """

    def __init__(self, text: str, tree: ast.expr) -> None:
        self.text = text
        self._tree = tree
        paths = [node.path for node in ast.walk(tree) if isinstance(node, _Field)]
        self.paths: tuple[Path, ...] = tuple({path.steps: path for path in paths}.values())
        self._alert: Mapping[str, Any] = {}
        self._evaluator = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names={})
        self._evaluator.nodes[_Field] = lambda node: plain(value_at(self._alert, node.path.steps))
        self._evaluator.nodes[_Values] = lambda node: node.values

    def paths_in(self, _schema: Schema) -> Sequence[Path]:
        """Return the fields that it needs of alerts of a schema."""
        return self.paths

    def matches(self, alert: Mapping[str, Any], _schema: Schema) -> bool:
        """Return whether the expression holds for an alert; never an error.

        A field that is missing, null or NaN is null. A comparison with null is false, but for
        ``== None``, ``!= None``, ``is None`` and ``is not None``; a calculation with null, or one
        that has no result, is null. Times compare as moments with each other and with texts in
        ISO 8601, in UTC where these do not say; with any other text as their own, ``…Z``.
        """
        self._alert = alert
        return bool(self._evaluator.eval(self.text, self._tree))

    def mistakes(self, schema: Schema) -> list[Mistake]:
        """Return what can't be meant of alerts of a schema.

        Fields that no such alert has, and comparisons that have one answer whatever the values.
        """
        lacking = [] if schema.inferred else missing_paths(schema, self.paths)
        odd = self._odd_comparisons(schema)
        same = ": it is the same for every alert"
        return [
            *(Mistake(path=path) for path in lacking),
            *(Mistake(f"{text}{same}") for text in odd if text),
        ]

    def _odd_comparisons(self, schema: Schema) -> Iterator[str]:
        for node in ast.walk(self._tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
                if isinstance(op, ast.In | ast.NotIn):
                    yield _odd_membership(left, right, schema, self.text)
                elif not isinstance(op, ast.Is | ast.IsNot):
                    yield _odd_comparison(left, right, schema, self.text)


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


def parse_python(text: str) -> PythonCondition:
    """Parse an expression.

    Raises:
        UsageError: it is not one, or holds what is not allowed; the message says where.
    """
    if len(text) > LONGEST:
        raise UsageError(f"The --where expression is longer than {LONGEST:,} characters.", _EXAMPLE)
    text = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        position = f"character {error.offset}" if error.offset else "its end"
        raise _wrong(f"{error.msg} at {position}", text) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _wrong("it can't be read", text) from error
    _limit_depth(tree, text)
    return PythonCondition(text, _Reduced(text).visit(tree))


def _wrong(why: str, text: str) -> UsageError:
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    return UsageError(f"The --where expression is of no use, {why}: {shown}", _EXAMPLE)


def _limit_depth(tree: ast.expr, text: str) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [below for node in level for below in ast.iter_child_nodes(node)]
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
            return ast.copy_location(_Field(Path(ast.unparse(node), steps)), node)
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
            return _Values(tuple(ast.literal_eval(value) for value in node.elts))
        except (ValueError, TypeError) as error:
            raise _wrong("a list may hold values only, no fields", self._text) from error

    def _comparison(self, node: ast.Compare) -> Any:
        sides = [node.left, *node.comparators]
        for at, op in enumerate(node.ops):
            with_none = any(
                isinstance(side, ast.Constant) and side.value is None for side in sides[at : at + 2]
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
    """Return the steps of ``a.b[0]['c']``; `None` for what is no such path."""
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
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if type(value) in {str, int} else None


def _odd_membership(left: ast.expr, right: ast.expr, schema: Schema, text: str) -> str:
    """Return what is wrong with a search that has one answer whatever the values; mostly empty."""
    kinds = _kinds(left, schema)
    what = f"looks for {_spelled(left, text)} ({' or '.join(sorted(kinds))})"
    if isinstance(right, _Values):
        if kinds and right.values and not any(suits(kinds, value) for value in right.values):
            return f"{what} among {list(right.values)!r}, where it never is"
    elif kinds and TEXT not in kinds and _kinds(right, schema) == {TEXT}:
        return f"{what} within {_spelled(right, text)} (a text), where it never is"
    return ""


def _odd_comparison(left: ast.expr, right: ast.expr, schema: Schema, text: str) -> str:
    """Return what is wrong with a comparison that has one answer whatever the values."""
    kinds, others = _kinds(left, schema), _kinds(right, schema)
    if isinstance(left, ast.Constant):
        possible = suits(others, left.value)
    elif isinstance(right, ast.Constant):
        possible = suits(kinds, right.value)
    else:
        possible = are_comparable(kinds, others)
    if not kinds or not others or possible:
        return ""
    sides = (
        f"{_spelled(node, text)} ({' or '.join(sorted(of))})"
        for node, of in ((left, kinds), (right, others))
    )
    return f"compares {' with '.join(sides)}, which never equal each other"


def _kinds(node: ast.expr, schema: Schema) -> Kinds:
    """Return the kinds of values that an expression can have; empty if that is not known."""
    match node:
        case _Field():
            return kinds_at(schema, node.path.steps)
        case ast.Constant():
            return frozenset() if node.value is None else frozenset({kind_of_value(node.value)})
        case ast.Call(func=ast.Name(id="lower")):
            return frozenset({TEXT})
        case ast.Call() | ast.BinOp() | ast.UnaryOp(op=ast.USub()):
            return frozenset({NUMBER})
        case ast.Compare() | ast.UnaryOp():
            return frozenset({BOOLEAN})
    return frozenset()


def _spelled(node: ast.expr, text: str) -> str:
    return ast.get_source_segment(text, node) or "a calculation"
