"""`weir` as a user types it: processes in a folder."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import COMMAND_S, WAIT_S, ended

PORTS = ("--broker-port", "0", "--clickhouse-port", "0", "--registry-port", "0", "--no-console")
KEPT = ("WEIR_KAFKA_LIBS_DIR",)  # jars that are fetched once for all tests


class Shell:
    """A user's shell: a working folder, and what was exported.

    python: of the environment where Weir is. commands: what was typed, in order.
    """

    def __init__(self, python: Sequence[str], folder: Path, pythonpath: str = "") -> None:
        self._python, self._folder = list(python), folder
        left = {name: value for name, value in os.environ.items() if not name.startswith(("WEIR_", "PYTHON"))}
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._environment = {**left, **kept, "COLUMNS": "200"} | ({"PYTHONPATH": pythonpath} if pythonpath else {})
        self.commands: list[str] = []

    def cd(self, folder: str) -> None:
        """Go into a folder."""
        self._folder = self._folder / folder

    def weir(self, line: str, *, status: int = 0) -> str:
        """What a command writes to standard output, which ends with this status."""
        done = subprocess.run(
            self._command(line),
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == status, f"weir {line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def up(self, line: str = "up") -> Iterator[str]:
        """`weir up` on free ports; what it printed. Later commands find it by themselves."""
        command = self._command(line) + list(PORTS)
        with ended(
            subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        ) as running:
            said = self._until_up(running)
            yield said
            running.send_signal(signal.SIGTERM)
            rest = running.stdout.read() if running.stdout else ""
            assert running.wait(WAIT_S) == 0, rest
            assert rest.rstrip().endswith("stopped"), rest

    def _command(self, line: str) -> list[str]:
        self.commands.append(f"weir {line}")
        return [*self._python, "-P", "-m", "weir", *shlex.split(line)]

    @staticmethod
    def _until_up(running: subprocess.Popen[str]) -> str:
        said = ""
        assert running.stdout is not None
        while "versions/latest/schema" not in said:
            line = running.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        return said
