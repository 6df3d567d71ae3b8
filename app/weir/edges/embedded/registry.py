"""The schema registry as a child process: Confluent's HTTP API over the folder of schemas."""

from __future__ import annotations

import http.client
from pathlib import Path

from weir.edges.embedded.service import HOST, Service, python


def plan(schemas: Path, state: Path, port: int, deployment: str) -> Service:
    """The service over the schemas of a deployment's topics; what is registered at run time is kept in `state`."""

    def ready() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
        try:
            connection.request("GET", "/subjects")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return Service(
        name="registry",
        command=(
            *python("weir.edges.embedded.registry_server", "--host", HOST, "--port", str(port)),
            *("--schemas", str(schemas), "--state", str(state), "--deployment", deployment),
        ),
        port=port,
        ready=ready,
    )
