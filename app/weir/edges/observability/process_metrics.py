"""How this process keeps the values of its metrics."""

from __future__ import annotations

import os

# prometheus_client reads the first two, Feast sets all but the second when it is imported, and children inherit them.
VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir", "PROMETHEUS_MULTIPROCESS_DIR")


def forget_folders() -> None:
    """Keep them in this process; to be called before anything imports prometheus_client.

    Where those variables are set prometheus_client writes every value through a memory-mapped file in a folder that
    processes share (2.5 us instead of 1.1 us), and gauges change their meaning. A Weir worker is one process.
    """
    for name in VARIABLES:
        os.environ.pop(name, None)


def keep_in_memory() -> None:
    """The same, whatever is imported later; to be called before anything imports Feast.

    prometheus_client decides when it is imported, so it is imported here: what Feast sets then changes nothing.
    """
    forget_folders()
    import prometheus_client  # noqa: F401, PLC0415
