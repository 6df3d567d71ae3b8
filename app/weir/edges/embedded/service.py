"""An embedded service: what to start, and how to see that it answers."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from weir.core.errors import Unavailable
from weir.edges.embedded.leash import Child

HOST = "127.0.0.1"
CONSOLE_PORT = 8300  # beside those of the other services
READY_WITHIN_S = 120.0  # starting on a loaded machine; what takes longer counts as failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A plan; nothing runs yet.

    name: as people call it, also the stem of its log file.
    port: where it will listen on 127.0.0.1.
    ready: one look, at most about a second: whether the service answers in its own protocol. Errors that mean "not
        yet" are False; anything else may raise Unavailable.
    grace_s: between SIGTERM and SIGKILL at the end.
    """

    name: str
    command: tuple[str, ...]
    port: int
    ready: Callable[[], bool]
    grace_s: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """host:port."""
        return f"{HOST}:{self.port}"


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of this package, whatever stands in the folder where it is started.

    -P keeps that folder off the path: its app/, weir/ or typing.py would be taken for what they are called.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def free_port() -> int:
    """A TCP port on 127.0.0.1 where nothing listens.

    A service is told its port and listens there seconds later, when anybody may have been given it. So on Linux this
    process keeps a socket on it that does not listen: the kernel then gives the port to nobody who asks for any, and
    who asks for this one, with SO_REUSEADDR as servers do, has it. Other systems do not let two sockets share it.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, 0))
        port = int(held.getsockname()[1])
        if sys.platform == "linux":
            held.detach()  # for as long as this process lives
    return port


def claim_port(name: str, port: int, option: str) -> int:
    """The port, or a free one for 0. Raises Unavailable when something else listens there."""
    if port == 0:
        return free_port()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a socket in TIME_WAIT does not count as taken
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise Unavailable(
                f"the port of the {name} is taken: {error.strerror}",
                where=f"{HOST}:{port}",
                remedy=f"stop what listens there, or choose another with {option} (0 takes any)",
            ) from error
    return port


def is_free(port: int) -> bool:
    """Whether a service could listen there."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def wait_ready(
    started: Sequence[tuple[Service, Child]], began_s: float, report: Callable[[str], None]
) -> dict[str, float]:
    """Wait until every service answers; seconds from `began_s` (of time.monotonic) until each did, by name.

    report: told of each as it comes. One thread looks at all of them, so that the first failure, or Ctrl-C, ends the
    waiting at once.

    Raises Unavailable with its last log lines for the first that ended or did not answer in time.
    """
    after_s: dict[str, float] = {}
    pause_s = 0.002
    while True:
        for service, child in started:
            child.check()
            if service.name in after_s or not service.ready():
                continue
            child.check()  # a stranger on the same port must not pass for it
            after_s[service.name] = time.monotonic() - began_s
            report(f"{service.name} ready on {service.address} after {after_s[service.name]:.2f} s")
        waiting = [(service, child) for service, child in started if service.name not in after_s]
        if not waiting:
            return after_s
        for service, child in waiting:
            if time.monotonic() - began_s > READY_WITHIN_S:
                raise Unavailable(
                    f"the {service.name} does not answer after {READY_WITHIN_S:g} s",
                    where=service.address,
                    remedy=f"read {child.log}; its last lines:\n{child.log_tail()}",
                )
        time.sleep(pause_s)  # the pause between two looks; the deadline above decides
        pause_s = min(pause_s * 1.5, 0.05)
