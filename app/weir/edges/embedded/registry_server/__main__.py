"""`python -m weir.edges.embedded.registry_server`: serve one folder of schemas until the process is ended."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn

from weir.core.errors import WeirError
from weir.edges.embedded.registry_server.guard import Guard, Impatient
from weir.edges.embedded.registry_server.server import app
from weir.edges.embedded.registry_server.store import Store

CONNECTIONS = 512  # at once; one more is answered 503


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="Local schema registry with Confluent's HTTP API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--schemas", type=Path, required=True, help="the project's folder of contracts")
    parser.add_argument("--state", type=Path, required=True, help="directory for what is registered at run time")
    parser.add_argument("--deployment", default="weir", help="what the names of topics begin with")
    given = parser.parse_args()
    try:
        store = Store(given.schemas, given.state, given.deployment)
    except WeirError as error:
        sys.stderr.write(f"weir: {error}\n")
        sys.exit(error.status)
    uvicorn.run(
        Guard(app(store), given.host, given.port),
        host=given.host,
        port=given.port,
        http=Impatient,
        limit_concurrency=CONNECTIONS,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
