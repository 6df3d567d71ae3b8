"""The peers: programs of other systems that do the scorer's job, each in an environment of its own.

A peer is a folder here: program.py and requirements.txt, pinned; pom.xml where it needs jars as well. Its environment
is made on demand under .weir/bench/peers/, once for each content of those files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from weir.settings import ROOT

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".weir" / "bench" / "peers"
OUT_SCHEMA = HERE / "prediction.avsc"
PACKAGES = {
    "bytewax": "bytewax",
    "faust": "faust-streaming",
    "pathway": "pathway",
    "pyflink": "apache-flink",
    "quix": "quixstreams",
}
INSTALL_WITHIN_S = 900.0
STOP_WITHIN_S = 20.0
REASON_CHARS = 300


class Uninstallable(Exception):
    """Why a peer's environment cannot be made; the log of the try is named in it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that can run here. version: of its package. python: of its environment. by_kernel: see common/job.py."""

    name: str
    version: str
    python: Path
    by_kernel: bool = False

    @property
    def title(self) -> str:
        """Its name, and its engine where that is not ONNX Runtime."""
        return f"{self.name}-kernel" if self.by_kernel else self.name

    @property
    def each_engine(self) -> tuple[Peer, Peer]:
        """The peer with ONNX Runtime, as its documentation has it, and with Weir's kernel for trees."""
        return replace(self, by_kernel=False), replace(self, by_kernel=True)

    def start(self, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """The running program; it consumes from the earliest request until SIGTERM. End it with `stop`.

        env: BROKERS, REQUESTS_TOPIC, PREDICTIONS_TOPIC, MODEL, SCHEMA, GROUP, MAX_BATCH; OUT_SCHEMA has a default.
        log: takes all that it says.
        """
        scratch = ENVIRONMENTS / f"{self.name}.scratch"  # Quix and Faust keep state where they are started
        temporary = scratch / "tmp"  # and PyFlink leaves jars where temporary files belong
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
        paths = {"PYTHONPATH": str(HERE / "common"), "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"}
        paths |= {"TMPDIR": str(temporary), "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary} -XX:-UsePerfData"}
        paths |= {"KERNEL_FROM": str(ROOT / "app")} if self.by_kernel else {}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                [self.python, HERE / self.name / "program.py"],
                env={**inherited, **paths, "OUT_SCHEMA": str(OUT_SCHEMA), **env},
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a peer and whatever it started: SIGTERM, and after a while SIGKILL to its whole session."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def available() -> list[Peer]:
    """Peers whose environment exists or can be made, by name. The first call may take minutes."""
    return [found for found in _all().values() if isinstance(found, Peer)]


def unavailable() -> dict[str, str]:
    """Name -> why it cannot run here."""
    return {name: found for name, found in _all().items() if isinstance(found, str)}


@cache
def _all() -> dict[str, Peer | str]:
    found: dict[str, Peer | str] = {}
    for name in PACKAGES:
        try:
            found[name] = peer(name)
        except Uninstallable as error:
            found[name] = str(error)
    return found


def peer(name: str) -> Peer:
    """One peer, installed. Raises Uninstallable."""
    home, folder = ENVIRONMENTS / name, HERE / name
    recipe = [folder / "requirements.txt", *folder.glob("pom.xml")]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in recipe) + sys.version.encode()).hexdigest()
    ready = home / ".ready"
    if not ready.exists() or ready.read_text() != wanted:
        _install(name, home, folder)
        ready.write_text(wanted)
    return Peer(name, _version(recipe[0], PACKAGES[name]), home / "bin" / "python")


def _install(name: str, home: Path, folder: Path) -> None:
    uv = Path(sys.prefix) / "bin" / "uv"
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    steps = [
        [uv, "venv", "-q", "-p", sys.executable, home],
        [uv, "pip", "install", "--python", home / "bin" / "python", "-r", folder / "requirements.txt"],
    ]
    if (folder / "pom.xml").exists():
        jars = home / "jars"
        steps.append(
            ["mvn", "-q", "-B", "-f", folder / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        )
    log = ENVIRONMENTS / f"{name}.install.log"
    log.write_bytes(b"")
    for step in steps:
        _step([str(part) for part in step], log)


def _step(command: list[str], log: Path) -> None:
    with log.open("ab") as output:
        output.write(f"--- {' '.join(command)}\n".encode())
        output.flush()
        start = output.tell()
        try:
            status = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, check=False, timeout=INSTALL_WITHIN_S
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Uninstallable(f"{command[0]}: {error} ({log})") from error
    if status:
        said = " ".join(log.read_bytes()[start:].decode("utf-8", "replace").split())
        raise Uninstallable(f"{said[-REASON_CHARS:]} ({log})")


def _version(requirements: Path, package: str) -> str:
    found = re.search(rf"^{package}(?:\[.*?\])?==([^\s;]+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{requirements} does not pin {package}"
    return found[1]


def main() -> None:
    """Install what can be installed, and say what stands where."""
    for found in available():
        print(f"{found.name:10} {found.version:10} {found.python}")
    for name, reason in unavailable().items():
        print(f"{name:10} not here: {reason}")


if __name__ == "__main__":
    main()
