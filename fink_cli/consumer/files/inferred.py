"""The types that alerts have which came as JSON, without a schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

_NULL = "null"
_OBJECT = "an object"
_ARRAY = "an array"
_TEXT = "a text"
_TRUTH = "true or false"
_NUMBER = "a number"
_LARGE = "a number of more than 64 bits"


@dataclass
class InferredType:
    """The kinds of values that a field has in some alerts.

    Attributes:
        kinds: how many values there are of each kind; null is of every kind.
        has_fraction: whether one of the numbers is no integer.
        fields: of its objects the fields.
        items: of its arrays the items.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    has_fraction: bool = False
    fields: dict[str, InferredType] = field(default_factory=dict)
    items: InferredType | None = None

    def add(self, value: Any) -> None:
        """Count a value, and what is in it."""
        kind = _kind(value)
        if kind == _NULL:
            return
        self.kinds[kind] += 1
        self.has_fraction |= isinstance(value, float)
        if kind == _OBJECT:
            for name, inner in value.items():
                self.fields.setdefault(name, InferredType()).add(inner)
        elif kind == _ARRAY:
            self.items = self.items or InferredType()
            for inner in value:
                self.items.add(inner)

    @property
    def kind(self) -> str:
        """What most of the values are; the first of several kinds that are as frequent."""
        return self.kinds.most_common(1)[0][0] if self.kinds else _NULL

    def misfit(self, value: Any, path: str = "") -> str | None:
        """Return why a value does not fit among the others; `None` where it does."""
        kind = _kind(value)
        subject = f"field {path}" if path else "the alert"
        if kind == _NULL:
            return None
        if kind == _LARGE:
            return f"{subject} is {_LARGE}"
        if kind != self.kind:
            return f"{subject} is {kind}, and {self.kind} in most alerts"
        if kind == _OBJECT:
            if not self.fields:
                return f"{subject} is an object without fields"
            inner = ((of, value[name], _joined(path, name)) for name, of in self._present(value))
        else:
            items = value if kind == _ARRAY and self.items is not None else ()
            inner = ((self.items or self, each, f"{path}[]") for each in items)
        reasons = (of.misfit(each, below) for of, each, below in inner)
        return next((reason for reason in reasons if reason is not None), None)

    def _present(self, value: Mapping[str, Any]) -> Iterator[tuple[str, InferredType]]:
        return ((name, of) for name, of in self.fields.items() if name in value)

    def arrow(self) -> pa.DataType:
        """Return the same in Arrow."""
        kind = self.kind
        if kind == _OBJECT:
            return pa.struct([(name, of.arrow()) for name, of in self.fields.items()])
        if kind == _ARRAY:
            return pa.list_(pa.null() if self.items is None else self.items.arrow())
        if kind == _NUMBER:
            return pa.float64() if self.has_fraction else pa.int64()
        return {_TEXT: pa.string(), _TRUTH: pa.bool_()}.get(kind, pa.null())

    def completed(self, value: Any) -> Any:
        """Return a value with null for each field that it lacks."""
        if isinstance(value, dict):
            return {name: of.completed(value.get(name)) for name, of in self.fields.items()}
        if isinstance(value, list) and self.items is not None:
            return [self.items.completed(each) for each in value]
        return value


def inferred_type(contents: Iterable[Mapping[str, Any]]) -> InferredType:
    """Return the type that alerts have together."""
    inferred = InferredType()
    for content in contents:
        inferred.add(content)
    return inferred


def misfits(contents: Sequence[Mapping[str, Any]]) -> tuple[dict[int, str], InferredType]:
    """Return why alerts do not fit among the others, by number, and the type of the others."""
    reasons: dict[int, str] = {}
    while True:
        kept = [at for at in range(len(contents)) if at not in reasons]
        together = inferred_type(contents[at] for at in kept)
        tried = {at: together.misfit(contents[at]) for at in kept}
        new = {at: reason for at, reason in tried.items() if reason is not None}
        if not new:
            return reasons, together
        reasons |= new


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return _TRUTH
    if isinstance(value, int):
        return _NUMBER if -(2**63) <= value < 2**63 else _LARGE
    if isinstance(value, float):
        return _NUMBER
    if isinstance(value, dict):
        return _OBJECT
    if isinstance(value, list):
        return _ARRAY
    return _NULL if value is None else _TEXT


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
