"""The wheel alone: an empty environment, and a folder that is somebody else's. tests/guide/test_1 serves by it."""

import os
import re
import subprocess
import zipfile

import pytest
from weir.settings import ROOT
from weir.wire import request_contract

from tests.bundles import SIGNATURE
from tests.waiting import COMMAND_S
from tests.wheel import UV

SERVICE = "tiny"


@pytest.fixture
def project(tmp_path):
    """A folder of somebody else: modules that must not be taken for those of Weir or of its libraries."""
    (tmp_path / "app").mkdir()
    for name in ("app/__init__.py", "redis.py", "yaml.py", "secrets.py"):
        (tmp_path / name).write_text("raise RuntimeError('this is not yours')\n")
    contract = tmp_path / "schemas" / f"requests.{SERVICE}"
    contract.mkdir(parents=True)
    (contract / "v1.avsc").write_text(request_contract.build(SERVICE, SIGNATURE))
    return tmp_path


def run(python, project, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WEIR_", "PYTHON"))}
    environment |= {"WEIR_SERVICE": SERVICE}
    return subprocess.run(
        [python, *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


def test_the_wheel_carries_what_every_project_has_and_nothing_of_the_flights(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"weir"}
    held = {str(path.relative_to(ROOT / "app")) for path in (ROOT / "app/weir/schemas").glob("*/v*.avsc")}
    held |= {str(path.relative_to(ROOT / "app")) for path in (ROOT / "app/weir/sql").rglob("*.sql")}
    held |= {str(path.relative_to(ROOT / "app")) for path in (ROOT / "app/weir/runbook").glob("*.md")}
    held |= {str(path.relative_to(ROOT / "app")) for path in (ROOT / "app/weir/templates").rglob("*.in")}
    assert held | {"weir/schemas/topics.yaml"} <= set(names)
    assert not [name for name in names if "flight" in name and not name.startswith("weir/demo/")]


# Imports each module of Weir where only declared dependencies are.
IMPORTS = """
import importlib, pkgutil, sys, weir
for module in pkgutil.walk_packages(weir.__path__, "weir.", onerror=lambda name: sys.exit(name)):
    if not module.name.startswith(tuple(sys.argv[1:])) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
OF_EXTRAS = ("weir.demo", "weir.edges.features.feast_offline_store", "weir.web.grafana.")  # `demo`, and `grafana`


def test_what_the_wheel_declares_is_all_that_it_needs(installed, tmp_path):
    done = subprocess.run([UV, "pip", "freeze", "-q", "-p", installed], capture_output=True, text=True, check=True)
    held = set(re.findall(r"^[\w-]+", done.stdout, re.M))
    assert {"weir", "feast", "onnx", "chdb-core"} <= held
    assert {"pytest", "hypothesis", "scikit-learn", "httpx", "uv"}.isdisjoint(held)
    done = run(installed, tmp_path, "-P", "-c", IMPORTS, *OF_EXTRAS)
    assert done.returncode == 0, done.stderr
    done = run(installed, tmp_path, "-P", "-m", "weir", "monitors", "dashboard", "--out", "own.json")
    assert "pip install 'weir[grafana]'" in done.stderr


@pytest.mark.parametrize("how", ["module", "command"])
def test_the_command_and_the_module_agree(installed, project, how):
    weir = ["-P", "-m", "weir"] if how == "module" else [str(installed.with_name("weir"))]
    done = run(installed, project, *weir, "topics", "list")
    assert done.returncode == 0, done.stderr
    assert f"weir.requests.{SERVICE}" in done.stdout
    assert "flights" not in done.stdout
    done = run(installed, project, *weir, "demo")
    assert done.returncode == 78
    assert "clone" in done.stderr
