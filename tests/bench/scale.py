"""How the cost of an event grows: with the size of batches, the number of features, and that of partitions."""

from __future__ import annotations

from typing import Any

from tests.bench import throughput
from tests.bench.drain import Case
from tests.bench.protocol import Judge, Say
from tests.bench.stand import Stand
from tests.bench.workload import INSIDE, Workload

# Batches, and the share of the rows that a round takes with them: one row a batch is a hundred times slower.
BATCHES = {1: 0.02, 16: 0.15, 64: 0.4, 256: 0.8, 1024: 1.0, 4096: 1.0}
FEATURES = {10: 1.0, 100: 0.5, 300: 0.25}  # 30 is the base; a request of 300 is 1.5 kB
PARTITIONS = (1, 16)  # 4 is the base


def cases(broker: str) -> list[Case]:
    """One process each, features in the request."""
    found = [
        Case(
            name=f"{broker}/batch-{rows}/1p",
            workload=INSIDE,
            share=share,
            environment={"WEIR_BATCH_MAX_ROWS": str(rows), "WEIR_CHUNK_MAX_RECORDS": str(rows)},
        )
        for rows, share in BATCHES.items()
    ]
    found += [
        Case(name=f"{broker}/features-{n}/1p", workload=Workload(service=f"bench-f{n}", features=n), share=share)
        for n, share in FEATURES.items()
    ]
    found += [
        Case(name=f"{broker}/partitions-{n}/1p", workload=Workload(service=f"bench-p{n}", partitions=n))
        for n in PARTITIONS
    ]
    return found


def measure(stand: Stand, judge: Judge, say: Say) -> list[dict[str, Any]]:
    """An entry per configuration; fewer rounds than the others, since what is looked for are factors."""
    return throughput.measure(stand, cases(stand.broker), [], judge, say, judge.protocol.scale_rounds)[0]
