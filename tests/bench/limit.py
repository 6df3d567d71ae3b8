"""The limit: ONNX Runtime alone, one thread, on the rows that the requests carry; and the kernel for trees beside it.

Run as a program (`python -m tests.bench.limit ENGINE MODEL FEATURES SECONDS BATCH...`) so that nothing else is in the
process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weir.settings import ROOT

from tests.bench.workload import INSIDE, Floats

if TYPE_CHECKING:
    from tests.bench.protocol import Judge, Say
    from tests.bench.stand import Stand

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
HEADLINE = (1024, 4096)  # the flat end of the curve: the better of the two is the limit of a round
ONNX_RUNTIME, KERNEL = "onnxruntime", "kernel"
ROWS = 16_384  # more than a cache holds, as in a stream


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows per second of the clock, and per second of CPU time: they differ when something else takes the core."""

    per_s: float
    per_cpu_s: float


def curve(
    model: Path,
    features: int,
    seconds: float,
    batches: Sequence[int] = BATCHES,
    processes: int = 1,
    engine: str = ONNX_RUNTIME,
) -> list[dict[int, Rate]]:
    """Rates by batch size, of each of so many processes at once. Raises RuntimeError when one of them fails."""
    command = [sys.executable, "-m", "tests.bench.limit", engine, str(model), str(features), str(seconds)]
    command += map(str, batches)
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    answers = [process.communicate(timeout=60 + 10 * seconds * len(batches))[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"{engine} alone could not be measured; its errors are above")
    return [{int(batch): Rate(*rate) for batch, rate in json.loads(answer).items()} for answer in answers]


def headline(model: Path, features: int, seconds: float) -> Rate:
    """The limit of a round."""
    return max(curve(model, features, seconds / len(HEADLINE), HEADLINE)[0].values(), key=lambda rate: rate.per_s)


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """The whole curve, and two processes at once, which tells whether the machine's cores are whole ones."""
    service = stand.service(INSIDE)
    model, seconds = service.bundle / "model.onnx", judge.protocol.limit_s
    alone = curve(model, INSIDE.features, seconds)[0]
    kernel = curve(model, INSIDE.features, seconds, engine=KERNEL)[0]
    both = curve(model, INSIDE.features, seconds, HEADLINE, processes=2)
    best = max(rate.per_s for rate in alone.values())
    together = sum(max(rate.per_s for rate in one.values()) for one in both)
    by_kernel = max(rate.per_s for rate in kernel.values())
    say(f"limit {best:,.0f} rows/s; two processes at once {together:,.0f}; the kernel alone {by_kernel:,.0f}")
    return {
        "curve": {str(batch): asdict(rate) for batch, rate in alone.items()},
        "per_s": best,
        "two_processes_per_s": together,
        "kernel": {"curve": {str(batch): asdict(rate) for batch, rate in kernel.items()}, "per_s": by_kernel},
        "us": 1e6 / best,
        "cpu_us": 1e6 / max(rate.per_cpu_s for rate in alone.values()),
    }


def _main(engine: str, model: str, features: str, seconds: str, *batches: str) -> None:
    from tests.bench.workload import rows

    run, matrix = _engine(engine, model, int(features)), rows(ROWS, int(features))
    found = {}
    for size in map(int, batches):
        parts = [matrix[begin : begin + size] for begin in range(0, ROWS, size)]
        for part in parts[: max(3, 4096 // size)]:
            run(part)
        done, began, began_cpu = 0, time.perf_counter(), time.process_time()
        while (spent := time.perf_counter() - began) < float(seconds):
            for part in parts[: max(1, 2048 // size)]:
                run(part)
                done += len(part)
            parts = [*parts[max(1, 2048 // size) :], *parts[: max(1, 2048 // size)]]
        found[size] = (done / spent, done / (time.process_time() - began_cpu))
    print(json.dumps(found))


def _engine(engine: str, model: str, features: int) -> Callable[[Floats], Any]:
    if engine == KERNEL:
        from tests.bench.engines import kernel

        return kernel(Path(model).read_bytes(), features).run
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda part: session.run(None, {name: part})


if __name__ == "__main__":
    _main(*sys.argv[1:])
