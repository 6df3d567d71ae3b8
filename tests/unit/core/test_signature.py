"""Whoever writes a signature is heard: every field of it is read by the product, not only shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields

import pytest
from weir.core.bundle import Bundle
from weir.core.signature import Input, JoinKey, Signature
from weir.settings import ROOT

APP = ROOT / "app" / "weir"
SHOWN_ONLY = {"cli", "demo"}  # a field that only these read changes nothing
SELF_CHECKS = {"core/signature.py", "core/bundle.py"}
FOR_PEOPLE = {
    "doc",
    "owner",
    "training_from",
    "training_to",
    "training_snapshot",
    "metrics",
}  # kept and shown


def read_in_the_product() -> Iterator[str]:
    """Names of attributes that are read where something follows from them."""
    for path in APP.rglob("*.py"):
        relative = path.relative_to(APP)
        if relative.parts[0] in SHOWN_ONLY or str(relative) in SELF_CHECKS:
            continue
        for node in ast.walk(ast.parse(path.read_text(), path)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield node.attr


READ_AS = {"threshold": "cuts", "bands": "decisions"}  # what is made of a field, and read in its place
READ = frozenset(read_in_the_product())
FIELDS = [(kind.__name__, field.name) for kind in (Signature, Input, JoinKey, Bundle) for field in fields(kind)]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_has_a_reader(kind: str, name: str) -> None:
    assert READ_AS.get(name, name) in READ or name in FOR_PEOPLE, (
        f"{kind}.{name} is written by users and read by nobody"
    )
