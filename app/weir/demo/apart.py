"""Training in a process of its own: what it loads and holds, more than a gigabyte, is gone before the replay begins."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from weir.core.errors import Refused, Unavailable, WeirError
from weir.demo import training
from weir.demo.flights import Progress
from weir.demo.recipe import STEPS
from weir.settings import Settings


def build(settings: Settings, progress: Progress) -> dict[str, Path]:
    """The same as training.build. Raises Refused, Unavailable; the latter also when the process is killed."""
    if found := training.existing(settings):
        progress(STEPS, STEPS, "bundles of an earlier run")
        return found
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_train, args=(settings, there), name="training", daemon=True)
    resource_tracker.ensure_running()  # its own start, else within the child's, ends with SIGINT let through again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the child inherits it: Ctrl-C is for this process alone
    child.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    there.close()
    try:
        while True:
            kind, *said = here.recv()
            if kind == "built":
                return dict(said[0])
            if kind == "refused":
                raise Refused(said[0], where=said[1], remedy=said[2])
            if kind == "unavailable":
                raise Unavailable(said[0], where=said[1], remedy=said[2])
            progress(*said)
    except EOFError:
        child.join()
        raise Unavailable(
            f"training ended with exit status {child.exitcode}", remedy="see what it wrote; it needs 2 GiB of memory"
        ) from None
    finally:
        child.terminate()  # where it still trains: nobody waits for the bundles any more
        here.close()
        child.join()


def _train(settings: Settings, out: Connection[Any, Any]) -> None:
    try:
        out.send(("built", training.build(settings, lambda *step: out.send(("step", *step)))))
    except WeirError as error:
        out.send(("refused" if isinstance(error, Refused) else "unavailable", error.what, error.where, error.remedy))
    out.close()
    os._exit(0)  # at an ordinary exit DuckDB's bindings list on stderr what they leak
