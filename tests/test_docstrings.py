"""Every public module, class and function says what it is, and which errors of its own it raises."""

import ast
import re

import pytest
from weir.settings import ROOT

FILES = sorted(path for folder in ("app", "feature_repo") for path in (ROOT / folder).rglob("*.py"))
POINTERS = re.compile(r'"""See [`\w.]+[.]?"""')
NOISE = ("TODO", "FIXME", "XXX", "HACK")
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# They say themselves what they are.
UNDOCUMENTED = {"NotImplementedError", "AssertionError", "SystemExit", "Exit", "BadParameter"}


def public(tree):
    """(name, node, docstrings around it) of every public class and function, methods included."""
    pending = [(tree, "", "")]
    while pending:
        node, prefix, around = pending.pop()
        for child in node.body:
            if isinstance(child, DEFINITIONS) and not child.name.startswith("_"):
                described = f"{around}\n{ast.get_docstring(child) or ''}"
                yield f"{prefix}{child.name}", child, described
                if isinstance(child, ast.ClassDef):
                    pending.append((child, f"{prefix}{child.name}.", described))


def raised(node):
    """Names of the errors that a function raises itself, nested functions left out."""
    pending = list(node.body)
    while pending:
        child = pending.pop()
        if isinstance(child, DEFINITIONS):
            continue
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            yield ast.unparse(child.exc.func).split(".")[-1]
        pending.extend(ast.iter_child_nodes(child))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_public_is_described(path):
    text = path.read_text()
    tree = ast.parse(text, path)
    faults = [] if ast.get_docstring(tree) else [f"{path}:1: module without a docstring"]
    for name, node, described in public(tree):
        decorators = {ast.unparse(item) for item in node.decorator_list}
        if not ast.get_docstring(node) and not decorators & {"override", "overload"}:
            faults.append(f"{path}:{node.lineno}: {name} without a docstring")
        if not isinstance(node, ast.ClassDef):
            unsaid = {error for error in raised(node) if error not in described} - UNDOCUMENTED
            faults += [f"{path}:{node.lineno}: {name} raises {error} and does not say so" for error in sorted(unsaid)]
    faults += [f'{path}: a docstring that only says "See X": use @override' for _ in POINTERS.findall(text)]
    faults += [f"{path}: contains {word}" for word in NOISE if word in text]
    assert not faults, "\n".join(faults)
