"""Weir as a wheel in environments of their own, for tests of what a user installs and of what an image holds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from weir.settings import ROOT

from tests.waiting import COMMAND_S

UV = Path(sys.executable).with_name("uv")
WITHIN_S = 600  # a machine whose cache is empty fetches a gigabyte


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built from a copy: a build leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "app", source / "app", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q", "-w", str(out), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True, timeout=COMMAND_S)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Python of an environment with what `pip install 'weir[embedded,build]'` brings, at the versions of our lock."""
    folder = tmp_path_factory.mktemp("installed")
    yield _environment(folder, ["-c", ROOT / "requirements.lock", f"{wheel}[embedded,build]"])
    shutil.rmtree(folder)  # where files cannot be linked it is two gigabytes


@pytest.fixture(scope="session")
def worker_image(wheel, tmp_path_factory):
    """Python of an environment as infra/Dockerfile makes it: what infra/worker.lock names, and the wheel."""
    folder = tmp_path_factory.mktemp("image")
    _environment(folder, ["--require-hashes", "--no-deps", "-r", ROOT / "infra" / "worker.lock"])
    yield _install(folder, ["--no-deps", wheel])
    shutil.rmtree(folder)


def _environment(folder, what):
    subprocess.run([UV, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True, timeout=COMMAND_S)
    return _install(folder, what)


def _install(folder, what):
    """Its Python, once these are in it: from uv's cache where all are there, else from the registry."""
    python = folder / "bin" / "python"
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
    install = [UV, "pip", "install", "-q", "--python", python, *what]
    if subprocess.run(
        [*install, "--offline"], env=outside, capture_output=True, timeout=WITHIN_S, check=False
    ).returncode:
        subprocess.run(install, env=outside, check=True, timeout=WITHIN_S)
    return python
