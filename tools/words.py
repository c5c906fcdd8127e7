"""Check the words of the code: `python tools/words.py`, part of `make check`.

In fink_cli:

- no class shares its name with another class,
- no name `each` or `found` lives longer than a line or a comprehension,
- the docstring of a function begins with a verb, that is with none of NO_VERBS,
- a function takes at most five arguments by position.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "fink_cli"
VAGUE = {"each", "found"}
MOST_POSITIONAL = 5
NO_VERBS = {
    *("a", "all", "an", "any", "every", "how", "if", "in", "it", "its", "no", "of", "one", "some"),
    *("that", "the", "this", "those", "what", "when", "where", "whether", "which", "who", "why"),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def vague_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and a message for each vague name that lives longer than a line."""
    in_comprehensions = {
        id(name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        for name in ast.walk(node)
    }
    fields = {
        id(field.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign)  # the key of a JSON document
    }
    short_loops = {
        id(name)
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and node.body[0].lineno == node.body[-1].end_lineno
        for name in ast.walk(node.target)
    }
    for node in ast.walk(tree):
        if isinstance(node, Function):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for argument in arguments:
                if argument.arg in VAGUE:
                    yield argument.lineno, f"name the argument '{argument.arg}' after what it holds"
        elif (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and node.id in VAGUE
            and id(node) not in in_comprehensions | short_loops | fields
        ):
            yield node.lineno, f"name '{node.id}' after what it holds"


def docstrings_without_verb(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and a message for each function whose docstring does not begin with a verb."""
    for node in ast.walk(tree):
        if not isinstance(node, Function):
            continue
        if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
            continue
        text = ast.get_docstring(node) or ""
        first = text.split(maxsplit=1)[0].strip("`:;,.").lower() if text else ""
        if first in NO_VERBS:
            yield node.lineno, f"begin the docstring of {node.name} with a verb, not '{first}'"


def long_signatures(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and a message for each function with too many positional arguments."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and not _is_command(node):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > MOST_POSITIONAL:
                yield node.lineno, f"{node.name} takes {count} arguments by position"


def _is_command(function: Function) -> bool:
    """Return whether Typer calls a function: always by keyword."""
    texts = [ast.unparse(decorator) for decorator in function.decorator_list]
    texts += [ast.unparse(argument) for argument in function.args.args]
    commands = (".command", ".callback", "typer.", "profile: Profile")
    return any(word in text for text in texts for word in commands)


def main() -> int:
    """Print what is wrong; return 1 when something is."""
    mistakes: list[str] = []
    classes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(PACKAGE.parent)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(f"{name}:{node.lineno}")
        for check in (vague_names, docstrings_without_verb, long_signatures):
            mistakes += [f"{name}:{line}: {text}" for line, text in check(tree)]
    for name, lines in classes.items():
        if len(lines) > 1:
            mistakes.append(f"{lines[0]}: {name} is also a class in {', '.join(lines[1:])}")
    print("\n".join(mistakes), end="\n" if mistakes else "")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
