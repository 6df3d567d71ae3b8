"""Weir as a wheel in an environment of its own, for tests of what a user installs."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from weir.settings import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built from a copy: a build leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "app", source / "app", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q", "-w", str(out), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True, timeout=120)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Python of an environment that has Weir from the wheel only, and its dependencies from this environment."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    python = folder / "bin" / "python"
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "-q", "--offline", "--no-deps", "--python", python]
    subprocess.run([*uv, wheel], check=True, timeout=60)
    into = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    libraries = [path for path in sys.path if path.endswith("-packages")]
    (Path(into) / "libraries.pth").write_text("\n".join(libraries) + "\n")  # their own .pth files are not read
    return python
