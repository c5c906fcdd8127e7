"""The functions of lists and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fink_cli.alerts.sql.bound import (
    Bound,
    Build,
    Function,
    SqlMistakeError,
    called,
    cast_to,
    text_of,
)
from fink_cli.alerts.sql.types import (
    BOOLEAN,
    INT,
    INTEGERS,
    VOID,
    Basic,
    ListOf,
    MapOf,
    SqlType,
    common_type,
    named,
)
from fink_cli.alerts.sql.values import EvaluationError, equals, greatest, least


def _list(bound: Bound, what: str) -> SqlType:
    if isinstance(bound.kind, ListOf):
        return bound.kind.items
    raise SqlMistakeError(f"takes {bound.named} where {what} needs a list")


def _size(text: str, values: Sequence[Bound]) -> Bound:
    if not isinstance(values[0].kind, ListOf | MapOf) or text.startswith("array_"):
        _list(values[0], text.split("(", 1)[0])
    return called(text, INT, len, values[0])


def _element_at(text: str, values: Sequence[Bound]) -> Bound:
    if isinstance(values[0].kind, MapOf):
        return called(
            text, values[0].kind.values, lambda m, k: m.get(k), values[0], text_of(values[1])
        )
    items = _list(values[0], "element_at")
    forgiving = text.lower().startswith("try_")

    def element(sequence: list[Any], position: int) -> Any:
        if position == 0 or abs(position) > len(sequence):
            if position and forgiving:
                return None
            raise EvaluationError(f"a list has no element {position}")
        return sequence[position - 1 if position > 0 else position]

    return called(text, items, element, values[0], _index(values[1]))


def _get(text: str, values: Sequence[Bound]) -> Bound:
    items = _list(values[0], "get")

    def element(sequence: list[Any], position: int) -> Any:
        return sequence[position] if 0 <= position < len(sequence) else None

    return called(text, items, element, values[0], _index(values[1]))


def item_of(text: str, container: Bound, index: Bound) -> Bound:
    """Return ``a[i]``: an item of a list, counted from 0, or the value of a key of a map.

    Raises:
        SqlMistakeError: it is neither.
    """
    if isinstance(container.kind, MapOf):
        kind = container.kind.values
        return called(text, kind, lambda values, key: values.get(key), container, text_of(index))

    def element(sequence: list[Any], position: int) -> Any:
        if not 0 <= position < len(sequence):
            raise EvaluationError(f"a list has no element [{position}]")
        return sequence[position]

    return called(text, _list(container, "[…]"), element, container, _index(index))


def _index(bound: Bound) -> Bound:
    if bound.kind in (*INTEGERS, VOID):
        return bound
    raise SqlMistakeError(f"takes {bound.named} where the number of an element belongs")


def _array_contains(text: str, values: Sequence[Bound]) -> Bound:
    kind = common_type(_list(values[0], "array_contains"), values[1].kind)
    if kind is None or values[1].kind == VOID:
        raise SqlMistakeError(f"looks for {values[1].named} in {values[0].text}")
    sequence, value = cast_to(values[0], ListOf(kind)), cast_to(values[1], kind)
    return called(text, BOOLEAN, _is_among, value, sequence)


def _is_among(value: Any, sequence: list[Any]) -> bool | None:
    if any(equals(value, item) for item in sequence):
        return True
    return None if None in sequence else False


def _best_of_list(choose: Callable[[list[Any]], Any]) -> Build:
    def build(text: str, values: Sequence[Bound]) -> Bound:
        items = _list(values[0], text.split("(", 1)[0])
        if not isinstance(items, Basic):
            raise SqlMistakeError(f"compares items that are {named(items)}s: {text}")
        return called(text, items, choose, values[0])

    return build


def _quantified(is_all: bool) -> Build:
    """Return `exists` or `forall`: null where null items leave it open."""

    def build(text: str, values: Sequence[Bound]) -> Bound:
        tested = values[1].kind
        if not isinstance(tested, ListOf) or tested.items not in (BOOLEAN, VOID):
            raise SqlMistakeError(f"tests items by what is not true or false: {text}")
        return called(text, BOOLEAN, all_true if is_all else any_true, values[1])

    def any_true(answers: Iterator[bool | None]) -> bool | None:
        is_open = False
        for answer in answers:
            if answer:
                return True
            is_open |= answer is None
        return None if is_open else False

    def all_true(answers: Iterator[bool | None]) -> bool | None:
        is_open = False
        for answer in answers:
            if answer is False:
                return False
            is_open |= answer is None
        return None if is_open else True

    return build


def _filter(text: str, values: Sequence[Bound]) -> Bound:
    def kept(sequence: list[Any], answers: Iterator[Any]) -> list[Any]:
        return [item for item, answer in zip(sequence, answers, strict=True) if answer]

    return called(text, values[0].kind, kept, *values)


def _transform(text: str, values: Sequence[Bound]) -> Bound:
    return called(text, values[1].kind, list, values[1])


LIST_FUNCTIONS: Mapping[str, Function] = {
    "size": Function(_size),
    "cardinality": Function(_size),
    "array_size": Function(_size),
    "element_at": Function(_element_at, 2, 2),
    "try_element_at": Function(_element_at, 2, 2),
    "get": Function(_get, 2, 2),
    "array_contains": Function(_array_contains, 2, 2),
    "array_max": Function(_best_of_list(greatest)),
    "array_min": Function(_best_of_list(least)),
    "exists": Function(_quantified(is_all=False), 2, 2, takes_lambda=True),
    "forall": Function(_quantified(is_all=True), 2, 2, takes_lambda=True),
    "filter": Function(_filter, 2, 2, takes_lambda=True),
    "transform": Function(_transform, 2, 2, takes_lambda=True),
}
