"""A name that is not there is never a valid index: pyarrow's -1 would be the last column."""

from __future__ import annotations

import ast

import pytest
from weir.settings import ROOT

FILES = sorted((ROOT / "app" / "weir").rglob("*.py"))
BY_INDEX = {"get_field_index", "get_all_field_indices"}
CHECKED = {"app/weir/core/arrow.py"}  # looks before it asks


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_columns_are_taken_by_name(path):
    """`rows.column(name)` raises KeyError for a name that is not there, and for one that is there twice."""
    where = str(path.relative_to(ROOT))
    found = [
        f"{where}:{node.lineno}: {node.attr}"
        for node in ast.walk(ast.parse(path.read_text(), path))
        if isinstance(node, ast.Attribute) and node.attr in BY_INDEX and where not in CHECKED
    ]
    assert not found, found
