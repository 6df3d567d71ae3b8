"""Java for the tests' brokers, which live for seconds: what makes a start cheap, and would slow a long life down.

Its second compiler would take a third of a start and give nothing back. Kafka's classes are read from a cache that one
node leaves behind when it ends (JEP 514): a start takes half of the CPU time.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from weir.edges.embedded.kafka import plan
from weir.edges.embedded.service import free_port

from tests.waiting import START_S, ended, until

OPTIONS = "JDK_JAVA_OPTIONS"  # what the program java takes beside its arguments
QUICK = "-XX:TieredStopAtLevel=1"
SILENT = "-XX:+IgnoreUnrecognizedVMOptions -Xlog:disable"  # another Java does without, and says nothing of it


def cache_of(libs: Path) -> Path:
    """Where the cache for these jars is, or will be."""
    return libs.with_name("classes-of-tests.aot")


def options(libs: Path) -> str:
    """For the environment of whoever starts Java."""
    return f'{QUICK} {SILENT} -XX:AOTCache="{cache_of(libs)}"'


def make_cache(libs: Path) -> None:
    """Make the cache where there is none yet; several processes may ask for it."""
    cache = cache_of(libs)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            _make(libs, cache)


def _make(libs: Path, cache: Path) -> None:
    draft = cache.with_suffix(".draft")
    with tempfile.TemporaryDirectory(dir=cache.parent) as home:
        broker = plan(libs, Path(home), free_port())
        environment = os.environ | {OPTIONS: f'{SILENT} -XX:AOTCacheOutput="{draft}"'}
        with ended(subprocess.Popen(broker.service.command, env=environment, stdout=subprocess.DEVNULL)) as node:
            until(lambda: node.poll() is not None or broker.service.ready(), START_S, "a node of Kafka")
            node.terminate()
            node.wait(START_S)  # it writes the cache first
    if draft.exists():
        draft.replace(cache)
    else:
        cache.touch()  # this Java makes none: the next one need not try
