"""What a worker installs is imported somewhere, or does its work without being imported."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from weir.settings import ROOT

UNSEEN = {
    "hiredis": "redis takes it where it is there",
    "lz4": "clickhouse-connect takes it where it is there",
    "httpx2": "the registry client speaks HTTP with it",
    "opentelemetry-api": "the SDK's words",
}


def imported() -> set[str]:
    """Top-level names that the product imports, inside functions too."""
    found: set[str] = set()
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "feature_repo").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(), path)):
            if isinstance(node, ast.Import):
                found |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def dependencies() -> list[str]:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    required = [Requirement(text) for text in declared]
    return sorted(one.name.lower() for one in required if one.marker is None or one.marker.evaluate())


@pytest.fixture(scope="module")
def used() -> set[str]:
    names = packages_distributions()
    return {dist.lower().replace("_", "-") for module in imported() for dist in names.get(module, ())}


@pytest.mark.parametrize("name", dependencies())
def test_a_dependency_earns_its_place(name, used):
    assert name in used or name in UNSEEN, f"nothing imports {name}"
