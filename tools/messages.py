"""Hold docs/troubleshooting.md against the source: every error's first sentence must be in it.

``python tools/messages.py`` names what is missing and what no longer exists, and ends with 1.
``--skeleton`` prints entries for what is missing, with the hint that the program gives, to be put
under their headings and explained by hand.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "troubleshooting.md"
GAP = "…"
# Sentences that are somebody else's alone, for which there are no words to search for: the system's
# (app.py), and those of argparse on an option of fink_kafka (compat).
QUOTED = {f"{GAP}.", f"{GAP}: {GAP}."}
# The last two say why a message or a schema is of no use: they are quoted in notes and errors.
ROOTS = {"FinkError", "UndecodableError", "BadSchemaError"}
# Functions that pass on what another process or function of fink said, whose sentences are found
# where it says them; next_of takes them from a table beside it.
PASSED_ON = {
    ("fink_cli/avro/reference.py", "next_of"),
    ("fink_cli/avro/decoder.py", "_known"),
    ("fink_cli/distribution/dry_run/__main__.py", "answer_all"),
    ("fink_cli/distribution/dry_run/__main__.py", "main"),
    ("fink_cli/distribution/service/status.py", "error"),
}
# An entry of the page: a line of its own that is one piece of code, or one in the first cell of a
# row of a table, where several are separated by <br>.
_ENTRY = re.compile(r"^`([^`]+)`$|(?:^\| |<br>)`([^`]+)`(?=<br>| \|)", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """The first line of an error, with a gap where the program fills something in."""

    text: str
    hint: str
    place: str


class UnreadableMessageError(Exception):
    """A message whose words can't be found in the source."""


def error_classes(trees: list[ast.Module]) -> set[str]:
    """The kinds of error whose sentences a user sees, and what is made from them."""
    parents = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = set(ROOTS)
    while more := {name for name, bases in parents.items() if bases & found} - found:
        found |= more
    return found


def words_of(node: ast.expr, scope: ast.AST, tree: ast.Module) -> Iterator[str]:
    """The texts that an expression may be, with gaps; none when no word of it is known."""
    inner: list[tuple[ast.expr, ast.AST]] = []
    match node:
        case ast.Constant(value=str(text)):
            # Texts for str.format have their gaps in braces.
            yield re.sub(r"\{[a-z_]*\}", GAP, text)
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else GAP for p in parts)
        case ast.BinOp(left=left, op=ast.Add()):
            yield from (text + GAP for text in words_of(left, scope, tree))
        case ast.IfExp(body=one, orelse=other):
            inner = [(one, scope), (other, scope)]
        case ast.BoolOp(values=values):
            inner = [(value, scope) for value in values]
        case ast.Name(id=name):
            inner = [(value, scope) for value in assigned(name, scope)]
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Name(id=name)]):
            inner = [(value, scope) for value in appended(name, scope)]
        case ast.Call(func=ast.Name(id=name)):
            inner = list(returned(name, tree))
    for value, where in inner:
        yield from words_of(value, where, tree)


def assigned(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    """What is assigned to a name."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            if name in targets:
                yield node.value


def appended(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    """What is appended to a list."""
    for node in ast.walk(scope):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=found), attr="append"), args=[value]
            ) if found == name:
                yield value


def returned(name: str, tree: ast.Module) -> Iterator[tuple[ast.expr, ast.AST]]:
    """What a function of the file returns, and the function."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name == name:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield node.value, function


def tabled(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Pairs of sentence and hint that stand in a table, for messages made with str.format."""
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str()) as text, hint]):
                yield text, hint


def messages_of(tree: ast.Module, kinds: set[str], place: str) -> Iterator[Message]:
    """Every error that a file makes.

    Raises:
        UnreadableMessageError: one whose words are not in the file.
    """
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        arguments = list(node.args)
        if node.func.id in {"_Explanation", "SlackRefusedError"}:
            arguments = arguments[1:]  # the class or the code stands before the sentence
        elif node.func.id not in kinds:
            continue
        inside = [s for s in scopes if s.lineno <= node.lineno <= (s.end_lineno or 0)]
        scope: ast.AST = inside[-1] if inside else tree
        if ".format(" in ast.unparse(arguments[0]):
            pairs = list(tabled(tree))
        else:
            pairs = [(arguments[0], arguments[1] if len(arguments) > 1 else ast.Constant(""))]
        texts = [(text, hint) for first, hint in pairs for text in words_of(first, scope, tree)]
        if not texts and (place, getattr(scope, "name", "")) not in PASSED_ON:
            raise UnreadableMessageError(f"{place}:{node.lineno}: write the sentence where it is")
        for text, hint in texts:
            said = next((w for at in (scope, tree) for w in words_of(hint, at, tree)), "")
            yield Message(first_line(text), said, place)


def first_line(text: str) -> str:
    """The first line, gaps that touch made one."""
    return re.sub(f"{GAP}+", GAP, text.split("\n", maxsplit=1)[0]).replace("`", "'").strip()


def program_messages() -> list[Message]:
    """Every error of the program, each sentence once."""
    files = sorted((ROOT / "fink_cli").rglob("*.py"))
    trees = {file: ast.parse(file.read_text()) for file in files}
    kinds = error_classes(list(trees.values()))
    found: dict[str, Message] = {}
    for file, tree in trees.items():
        for each in messages_of(tree, kinds, str(file.relative_to(ROOT))):
            found.setdefault(each.text, each)
    return [each for text, each in found.items() if text not in QUOTED]


def page_entries() -> list[str]:
    """The messages that the page explains."""
    return [line or cell for line, cell in _ENTRY.findall(PAGE.read_text())]


def missing() -> list[Message]:
    """The messages that the page lacks."""
    there = set(page_entries())
    return [each for each in program_messages() if each.text not in there]


def outdated() -> list[str]:
    """The entries of the page that the program no longer says."""
    return sorted(set(page_entries()) - {each.text for each in program_messages()})


def main() -> None:
    """Compare, or print what to add."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--skeleton", action="store_true", help="print entries to add")
    lacking = missing()
    if parser.parse_args().skeleton:
        for each in lacking:
            print(f"| `{each.text}` | {each.hint} |  <!-- {each.place} -->")
        return
    for each in lacking:
        print(f"missing: {each.text} ({each.place})")
    for text in outdated():
        print(f"no longer said: {text}")
    if lacking or outdated():
        sys.exit("docs/troubleshooting.md is stale: python tools/messages.py --skeleton helps")


if __name__ == "__main__":
    main()
