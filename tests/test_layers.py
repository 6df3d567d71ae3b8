"""Imports point one way: cli, demo -> operations -> agents -> stages and edges -> core.

And a worker loads no training library.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from weir.settings import ROOT

APP = ROOT / "app" / "weir"
STAGES = {"wire", "trees", "scoring", "recording", "rolling", "monitor", "learn", "respond"}
GROUND = {"settings", "setting_groups", "project", "running", "metrics", "telemetry"}
AGENTS = {"core", "edges"} | STAGES | GROUND

# area -> areas that it may import beside itself; a missing area is a fault, so that a new one is thought about
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "project": {"core"},
    "setting_groups": {"core", "project"},
    "running": set(),
    "settings": {"core", "project", "running", "setting_groups"},
    "metrics": set(),
    "telemetry": {"core", "metrics"},
    **{stage: {"core"} for stage in STAGES},
    "native": set(),
    "trees": {"core", "native"},
    "learn": {"core", "monitor", "native"},  # their statistics are the same
    "wire": {"core", "native"},
    "edges": {"core", "monitor", "native", "trees", "wire"} | GROUND,
    "agents": AGENTS | {"native"},
    "operations": AGENTS | {"agents"},
    "demo": AGENTS | {"agents", "operations"},
    "web": AGENTS | {"operations"},
    "cli": AGENTS | {"agents", "operations", "demo", "web"},
    "__main__": {"cli", "core", "settings", "edges"},
}

# the same for the folders of edges and of agents
EDGES: dict[str, set[str]] = {
    "schemas": set(),
    "features": {"observability"},
    "clickhouse": set(),
    "observability": set(),
    "kafka": {"schemas"},
    "bundles": {"features"},
    "embedded": {"schemas"},
    "notify": set(),
}
ROLES: dict[str, set[str]] = {
    "worker": set(),
    "scorer": {"worker"},
    "recorder": {"worker"},
    "monitor": {"worker"},
    "shadow": {"worker"},
    "canary": {"worker"},
    "learner": {"worker"},
}
FOLDERS = {"edges": EDGES, "agents": ROLES}
CORE_LIBRARIES = {"numpy", "pyarrow"}
FAUST_AREAS = {"agents", "edges"}
CLOCKS = {"time", "random", "os"}  # time, randomness and environment are arguments of a stage
PURE = STAGES | {"core"}
TRAINING = {"lightgbm", "sklearn", "pandas", "onnx", "feast", "river", "duckdb", "chdb", "ibis", "dask", "scipy"}
WORKER_MODULES = ("weir.cli.worker", "weir.agents.scorer.agent")


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(APP.rglob("*.py")):
        relative = path.relative_to(APP)
        area = relative.parts[0].removesuffix(".py")
        if area != "__init__":
            yield path, area


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported anywhere in a file, inside functions and TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            if node.module == "weir":
                yield from ((node.lineno, f"weir.{name.name}") for name in node.names)
            else:
                yield node.lineno, node.module


CASES = [pytest.param(path, area, id=str(path.relative_to(ROOT))) for path, area in sources()]


@pytest.mark.parametrize(("path", "area"), CASES)
def test_imports_point_one_way(path, area):
    assert area in ALLOWED, f"app/weir/{area} is not in the list of layers"
    allowed = ALLOWED[area] | {area}
    faults = [
        f"{path}:{line}: {area} imports {name}"
        for line, name in imported(path)
        if name.split(".")[0] == "weir" and name.split(".")[1] not in allowed
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("path", "area"), [case for case in CASES if case.values[1] in FOLDERS])
def test_folders_of_an_area_point_one_way(path, area):
    folder, *rest = path.relative_to(APP / area).parts
    if not rest:
        assert folder == "__init__.py", f"{path} stands in no folder of {area}"
        return
    table = FOLDERS[area]
    assert folder in table, f"app/weir/{area}/{folder} is not in the table of folders"
    faults = [
        f"{path}:{line}: {area}/{folder} imports {name}"
        for line, name in imported(path)
        if name.startswith(f"weir.{area}.") and name.split(".")[2] not in table[folder] | {folder}
    ]
    assert not faults, "\n".join(faults)


def modules() -> dict[str, set[str]]:
    """Each module of weir, and the modules of weir that it imports anywhere, inside functions too."""
    names = {
        ".".join(path.relative_to(APP.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in APP.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for module, path in names.items():
        tree = ast.parse(path.read_text(), path)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        found[module] = {
            name
            for node in imports
            for name in (node.module, *(f"{node.module}.{item.name}" for item in node.names))
            if name in names and name != module
        }
    return found


def test_no_import_runs_in_a_circle():
    found = modules()
    while free := {name for name, needs in found.items() if not needs & found.keys()}:
        found = {name: needs for name, needs in found.items() if name not in free}
    assert not found, f"in a circle, or above one: {', '.join(sorted(found))}"


@pytest.mark.parametrize(("path", "area"), [case for case in CASES if case.values[1] == "core"])
def test_core_needs_numpy_and_pyarrow_only(path, area):
    allowed = sys.stdlib_module_names | CORE_LIBRARIES | {"weir"}
    faults = [f"{path}:{line}: {name}" for line, name in imported(path) if name.split(".")[0] not in allowed]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("path", "area"), [case for case in CASES if case.values[1] in PURE])
def test_stages_take_time_and_environment_as_arguments(path, area):
    faults = [f"{path}:{line}: {name}" for line, name in imported(path) if name.split(".")[0] in CLOCKS]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("path", "area"), [case for case in CASES if case.values[1] not in FAUST_AREAS])
def test_faust_stays_in_agents_and_edges(path, area):
    faults = [f"{path}:{line}: {name}" for line, name in imported(path) if name.split(".")[0] in {"faust", "mode"}]
    assert not faults, "\n".join(faults)


def loaded_by(program: str) -> set[str]:
    """Top-level names in sys.modules after a program ran in a fresh interpreter."""
    code = f"{program}\nimport sys; print('\\n'.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", WORKER_MODULES)
def test_a_worker_loads_no_training_library(module):
    if not (ROOT / "app" / f"{module.replace('.', '/')}.py").exists():
        pytest.skip(f"{module} is not part of this checkout")
    assert loaded_by(f"import {module}") & TRAINING == set()


def test_a_worker_has_no_pandas_though_pyarrow_would_load_it_for_a_list():
    lists = "import pyarrow; assert pyarrow.array([1, None, 'x'][:2]).to_pylist() == [1, None]"
    assert "pandas" in loaded_by(lists)
    before = "from weir.edges.observability.small_process import do_without_pandas as f; f(); f()"
    assert "pandas" not in loaded_by(f"{before}; {lists}; import weir.agents.recorder.agent")


@pytest.mark.parametrize(("role", "there"), [("recorder", False), ("canary", True)])
def test_a_role_that_never_asks_feast_begins_without_pandas(role, there):
    program = f"""
from tests.command_line import cli
cli(["worker", "{role}", "--help"], standalone_mode=False)
try:
    import pandas
except ModuleNotFoundError:
    import wave
"""
    assert ("wave" in loaded_by(program)) != there


def test_a_worker_loads_no_compiler_before_it_has_a_model_of_trees():
    assert "llvmlite" not in loaded_by("import weir.agents.scorer.agent, weir.agents.shadow.agent")


def test_the_command_line_starts_without_what_its_commands_need():
    loaded = loaded_by("import weir.__main__")
    assert loaded & (TRAINING | {"faust", "confluent_kafka", "onnxruntime", "pyarrow"}) == set()
