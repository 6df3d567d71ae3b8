"""A stack whose services can be killed, ended and started again, each on its port and its files."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from weir.edges.embedded import clickhouse as embedded_clickhouse
from weir.edges.embedded.stack import Stack
from weir.edges.embedded.tansu import answers

from tests.waiting import START_S, until


class ChaosStack(Stack):
    """`broker`, `clickhouse` and `registry` by name; the workers beside them live on."""

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        child = self.child(name)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(START_S)

    def end(self, name: str) -> None:
        """SIGTERM, and wait until it has ended."""
        self.child(name).stop()

    def begin(self, name: str, *, before: Sequence[str] = (), after: Sequence[str] = ()) -> None:
        """Start an ended service again and wait until it answers.

        before: a command that runs the service's command. after: further arguments, which it keeps.
        """
        self.launch(name, before=before, after=after)
        until(lambda: self.answers(name), START_S, f"the {name} to answer again")

    def launch(self, name: str, *, before: Sequence[str] = (), after: Sequence[str] = ()) -> None:
        """Start an ended service again; somebody else waits for it."""
        old = self.child(name)
        command = (*old.command, *after)
        child = self._begin(name, (*before, *command), old.grace_s, {})
        child.command = command
        self._services[self._services.index(old)] = child

    def answers(self, name: str) -> bool:
        self.child(name).check()
        if name == "broker":
            return answers(int(self.settings.kafka.brokers.rpartition(":")[2]))
        assert name == "clickhouse", f"nobody can tell whether {name} answers"
        port = int(self.settings.recording.clickhouse_url.rpartition(":")[2])
        return embedded_clickhouse.plan(self.settings.paths.home, port, durable=False).ready()
