"""Parse a condition in Spark's SQL, and refuse by name what is outside of the supported part.

The part is listed in docs/guide-filters.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError
from sqlglot.parsers.spark import SparkParser

from fink_cli.alerts.fields import Path
from fink_cli.alerts.sql.functions import FUNCTIONS
from fink_cli.alerts.sql.types import NAMES_OF_TYPES
from fink_cli.errors import UsageError

LONGEST = 20_000
DEEPEST = 40
EXAMPLE = "candidate.rb > 0.9 AND cdsxmatch IN ('RRLyrae', 'EclBin')"
_LIST = (
    "The supported part of SQL is listed in docs/guide-filters.md: functions, operators and casts."
)

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_SUPPORTED: tuple[type[exp.Expr], ...] = (
    *(exp.And, exp.Or, exp.Not, exp.Paren),
    *(*COMPARISONS, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Escape),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, exp.Neg),
    *(exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam),
    *(exp.Literal, exp.Boolean, exp.Null, exp.Concat, exp.DPipe),
    *(exp.Column, exp.Identifier, exp.Dot, exp.Bracket, exp.Anonymous, exp.Lambda),
)
# As a person would name them.
_WORDS: Mapping[type[exp.Expr], str] = {
    exp.Query: "a query (SELECT)",
    exp.Subquery: "a query (SELECT)",
    exp.Window: "a window (OVER)",
    exp.Alias: "a name after an expression",
    exp.Distinct: "DISTINCT",
    exp.Star: "*",
    exp.Interval: "INTERVAL",
    exp.Placeholder: "a parameter",
    exp.Parameter: "a parameter",
    exp.Array: "a list in square brackets",
}


class _Dialect(Spark):
    """Spark's SQL, in which a function keeps the name that was typed."""

    class Parser(SparkParser):
        """Leaves all functions as they are, but for casts."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            name: SparkParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST")
        }
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            "CASE": SparkParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }


@dataclass(frozen=True)
class Expression:
    """An expression as it was parsed.

    Attributes:
        text: the expression as it was typed.
        tree: what sqlglot makes of it.
    """

    text: str
    tree: exp.Expr

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The columns that it uses, each once; fields of a lambda's variable are not among them."""
        paths = {steps: Path(spelled(steps), steps) for _, steps in columns_of(self.tree)}
        return tuple(paths.values())


def parse_sql(text: str, what: str = "The expression") -> Expression:
    """Parse an expression of the supported part.

    Args:
        text: one expression.
        what: what it is, to begin a message with.

    Raises:
        UsageError: it is no SQL, or holds what is outside of the supported part.
    """
    expression = read_sql(text, what)
    _refuse(expression, what)
    return expression


def read_sql(text: str, what: str = "The expression") -> Expression:
    """Parse an expression with anything of Spark's SQL in it, to see which columns it uses.

    Raises:
        UsageError: it is no SQL; or, since the parser is not Spark's, seems to be none.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"{what} is longer than {LONGEST:,} characters.", f"Write it like {EXAMPLE}"
        )
    dialect = _Dialect()
    try:
        tokens = dialect.tokenize(text)
        _refuse_python(tokens, what, text)
        trees = dialect.parser().parse(tokens, text)
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _no_sql(what, _reason(error), text) from error
    if len(trees) != 1 or trees[0] is None:
        raise _no_sql(what, "it holds no expression" if not tokens else "it ends with ';'", text)
    tree = trees[0]
    if not isinstance(tree, exp.Expr):
        raise _no_sql(what, "it is no expression", text)
    _limit_depth(tree, what, text)
    return Expression(text.strip(), tree)


def _refuse_python(tokens: Sequence[Any], what: str, text: str) -> None:
    """Refuse what the parser takes from other languages."""
    for token, following in pairwise(tokens):
        if (token.token_type.name, following.token_type.name) == ("IN", "L_BRACKET"):
            raise _no_sql(what, "IN takes values in round brackets", text)


def _reason(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return "it nests too deep" if isinstance(error, RecursionError) else "it can't be read"
    at = details[0]
    # Of a missing operand the description names the parser's own classes.
    what = "an operand is missing" if "class" in at["description"] else at["description"]
    return f"{what.strip().rstrip('.').lower()} near '{at['highlight']}', character {at['col']}"


def _no_sql(what: str, why: str, text: str) -> UsageError:
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    return UsageError(f"{what} is no condition in SQL, {why}: {shown}", f"Write it like {EXAMPLE}")


def _limit_depth(tree: exp.Expr, what: str, text: str) -> None:
    level: list[exp.Expr] = [tree]
    for _ in range(DEEPEST):
        level = [below for node in level for below in operands(node)]
        if not level:
            return
    raise _no_sql(what, "it nests too deep", text)


def operands(node: exp.Expr) -> list[exp.Expr]:
    """Return what a node holds; of a chain of ANDs or ORs all parts at once."""
    if isinstance(node, exp.And | exp.Or):
        parts: list[exp.Expr] = []
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if type(part) is type(node):
                waiting += [part.expression, part.this]
            else:
                parts.append(part)
        return parts
    return [below for below in node.iter_expressions() if isinstance(below, exp.Expr)]


def _refuse(expression: Expression, what: str) -> None:  # noqa: C901 - a list of cases
    for node in expression.tree.walk():
        if isinstance(node, exp.Anonymous):
            name = str(node.this).lower()
            if name not in FUNCTIONS:
                raise _outside(what, f"the function {name}")
        elif isinstance(node, exp.DataType) and node.this.value.lower() not in NAMES_OF_TYPES:
            raise _outside(what, f"the type {node.sql('spark')}")
        elif not isinstance(node, _SUPPORTED):
            raise _outside(what, _named(node))
        elif isinstance(node, COMPARISONS) and any(
            isinstance(side, COMPARISONS) for side in (node.this, node.expression)
        ):
            raise _no_sql(what, "a comparison compares two values", expression.text)
        elif isinstance(node, exp.In) and not node.expressions:
            raise _outside(what, "IN without values in brackets")
        elif isinstance(node, exp.Bracket) and isinstance(node.expressions[0], exp.Neg):
            raise _outside(what, "a negative index: element_at(x, -1) is the last of a list")
        elif isinstance(node, exp.Column) and node.sql() == "None":
            raise _no_sql(what, "None is Python's: IS NULL", expression.text)
        elif _is_root(node):
            raise _no_sql(what, "alert[…] is of the older form: `class`", expression.text)
        elif isinstance(node, exp.Lambda) and not isinstance(node.parent, exp.Anonymous):
            raise _outside(what, "-> outside of a function")


def _is_root(node: exp.Expr) -> bool:
    """Tell whether a node is ``alert['name']``, as the older form of --where has it."""
    if not isinstance(node, exp.Bracket) or node.this.sql() != "alert":
        return False
    index = node.expressions[0]
    return isinstance(index, exp.Literal) and bool(index.is_string)


def _named(node: exp.Expr) -> str:
    named = next((word for kind, word in _WORDS.items() if isinstance(node, kind)), None)
    return named or f"'{node.sql('spark')[:60]}'"


def _outside(what: str, named: str) -> UsageError:
    return UsageError(f"{what} holds {named}, which is outside of fink's part of SQL.", _LIST)


def columns_of(tree: exp.Expr) -> Iterator[tuple[exp.Expr, tuple[str | int, ...]]]:
    """Yield each column of an expression, and of structs and lists the parts, with its steps.

    A variable of a lambda is none, and what the brackets of a list hold may be another.
    """
    waiting: list[tuple[exp.Expr, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, variables = waiting.pop()
        steps = steps_of(node)
        if steps is not None:
            if steps[0] not in variables:
                yield node, steps
            continue
        if isinstance(node, exp.Lambda):
            variables |= {variable.name for variable in node.expressions}
            waiting.append((node.this, variables))
            continue
        if isinstance(node, exp.Dot):
            waiting.append((node.this, variables))
            continue
        waiting += [(below, variables) for below in reversed(operands(node))]


def steps_of(node: exp.Expr) -> tuple[str | int, ...] | None:
    """Return the steps of ``a.b[0]['c']``; `None` for what is no such path."""
    match node:
        case exp.Identifier():
            return (node.name,)
        case exp.Column(parts=parts) if all(isinstance(part, exp.Identifier) for part in parts):
            return tuple(part.name for part in parts)
        case exp.Dot(this=above, expression=exp.Identifier() as name):
            return _longer(above, name.name)
        case exp.Bracket(this=above, expressions=[exp.Literal() as index]):
            number = int(index.name) if index.name.isdecimal() else None
            step = index.name if index.is_string else number
            return None if step is None else _longer(above, step)
    return None


def _longer(above: Any, step: str | int) -> tuple[str | int, ...] | None:
    steps = steps_of(above)
    return None if steps is None else (*steps, step)


def spelled(steps: tuple[str | int, ...]) -> str:
    """Write steps as an expression has them."""
    first, *rest = (
        f"`{step}`" if isinstance(step, str) and not step.isidentifier() else step for step in steps
    )
    return (
        f"{first}{''.join(f'[{step}]' if isinstance(step, int) else f'.{step}' for step in rest)}"
    )
