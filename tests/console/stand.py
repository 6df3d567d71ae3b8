"""The console on a machine of its own, for a person to look at: `python -m tests.console.stand PORT`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.operations import local
from weir.settings import Settings, load
from weir.web.console.app import make
from weir.web.console.asking import Asker
from weir.web.console.security import doorman
from weir.web.console.site import Site

from tests.console.filled import NOW, fill, served
from tests.waiting import START_S


def site(settings: Settings, *, act: bool = True, answer_s: float = START_S) -> Site:
    """A console for which it is NOW, and that waits for a busy machine."""
    return Site(
        settings=settings,
        asker=Asker(settings, answer_s),
        doorman=doorman("127.0.0.1", (), "", act=act),
        now=lambda: NOW,
    )


def main() -> None:
    with TemporaryDirectory() as home, Stack(load(home=Path(home), embedded_broker="tansu"), report=print) as stack:
        settings = stack.settings
        local.prepare(stack)
        fill(connect(settings.recording), served(settings))
        print(
            f"ClickHouse is process {stack.child('clickhouse').pid}, on {settings.recording.clickhouse_url}", flush=True
        )
        uvicorn.run(make(site(settings)), port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
