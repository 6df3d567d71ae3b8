"""A Redis server for tests: the real one, on a free port, in memory."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.ports import free_port
from tests.waiting import WAIT_S, until


class RedisServer:
    """One server on one port, which may be killed, stopped in its tracks, and started again, with what was saved."""

    def __init__(self, folder: Path) -> None:
        self._binary = shutil.which("redis-server")
        if self._binary is None:
            pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                str(self._binary),
                "--port",
                str(self._port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self._folder),
                "--logfile",
                str(self._folder / "redis.log"),
            ]
        )
        with redis.Redis(port=self._port, host="127.0.0.1") as client:
            until(lambda: answers(client), WAIT_S, "redis-server to answer")

    def save(self) -> None:
        """Let every later start begin with what is held at this moment."""
        with redis.Redis(port=self._port, host="127.0.0.1") as client:
            client.save()

    def signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, which)

    def kill(self) -> None:
        """At once, and without a word to its clients; harmless when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(WAIT_S)
            self._process = None


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a running server; skips the test where redis-server is not installed."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory))
        server.start()
        try:
            yield server.url
        finally:
            server.kill()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
