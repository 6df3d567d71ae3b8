"""What was measured: tables on the screen, JSON, and the results kept for this host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.protocol import BROKERS, finite

STAGES = ("fetch", "decode", "lookup", "assemble", "run", "encode", "produce")
BESIDE = ("recorder", "monitor", "clickhouse")
RESULTS = Path(__file__).parent / "results"


def show(report: Mapping[str, Any], console: Console) -> None:
    """All tables, then whether the run counts."""
    for title, columns, rows in _tables(report):
        if rows:
            table = Table(title=title, title_justify="left")
            for number, column in enumerate(columns):
                table.add_column(column, justify="left" if number == 0 else "right")
            for row in rows:
                table.add_row(*row)
            console.print(table)
    broken = report["protocol"]["broken"]
    for reason in broken:
        console.print(f"[red]broken[/red] {reason}", highlight=False, soft_wrap=True)
    verdict = "the run counts" if not broken else "the run is refused: see the reasons above"
    console.print(f"{verdict}; {report['machine']['cpu']}, {report['machine']['cores']} cores", highlight=False)


def save(report: Mapping[str, Any], path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(finite(report), indent=1) + "\n", encoding="utf-8")


def keep(report: Mapping[str, Any], host: str) -> Path | None:
    """Keep a whole, unbroken run as the result of this host; nothing else is worth comparing with.

    A run is whole when all brokers were asked for, even if one of them cannot be started on this host.
    """
    protocol = report["protocol"]
    if protocol["broken"] or protocol["quick"] or protocol["only"] or tuple(protocol["brokers"]) != BROKERS:
        return None
    path = RESULTS / f"{host}.json"
    save(report, path)
    return path


def _tables(report: Mapping[str, Any]) -> Iterable[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    limit = report.get("limit") or {}
    yield (
        "Each engine alone, one thread",
        ("engine", "batch", "rows/s", "us", "CPU us"),
        [
            (engine, batch, f"{rate['per_s']:,.0f}", f"{1e6 / rate['per_s']:.2f}", f"{1e6 / rate['per_cpu_s']:.2f}")
            for engine, curve in {"ONNX Runtime": limit, "kernel for trees": limit.get("kernel") or {}}.items()
            for batch, rate in (curve.get("curve") or {}).items()
        ],
    )
    yield (
        "Throughput",
        (
            "configuration",
            "events/s",
            "limit/s",
            "ratio",
            "scorer us",
            "broker us",
            "batch",
            "hits",
            "in B",
            "out B",
        ),
        [
            (
                one["name"],
                f"{one['events_per_s']:,.0f}",
                f"{one['limit_per_s']:,.0f}",
                f"{one['ratio_to_limit']:.2f}",
                f"{one['scorer_us']:.1f}",
                f"{one['broker_us']:.1f}",
                f"{one['batch_rows']:,.0f}",
                "" if one["hit_rate"] is None else f"{one['hit_rate']:.1%}",
                f"{one['bytes_in']:.0f}",
                f"{one['bytes_out']:.0f}",
            )
            for one in report.get("configurations") or ()
        ],
    )
    yield (
        "Stages alone, us per event; compute is one thread, fetch and produce have their own",
        (
            "service",
            *STAGES,
            "slowest",
            "CPU fetch",
            "CPU compute",
            "CPU produce",
            "variants 1",
            "2",
            "4",
        ),
        [
            (
                one["name"],
                *(f"{one['us'][stage]:.2f}" for stage in STAGES),
                one["bottleneck"],
                *(f"{one['cpu_us'][stage]:.2f}" for stage in ("fetch", "compute", "produce")),
                *(f"{us:.1f}" for us in one["variants_us"].values()),
            )
            for one in report.get("stages") or ()
        ],
    )
    yield (
        "Peers, one process each, same broker, same rounds",
        (
            "peer",
            "version",
            "events/s",
            "CPU us",
            "Weir",
            "ratio",
        ),
        [
            (
                one["name"],
                one["version"],
                f"{one['events_per_s']:,.0f}",
                f"{one['cpu_us']:.0f}",
                f"{one['weir_per_s']:,.0f}",
                f"{one['ratio']:.1f}",
            )
            for one in report.get("peers") or ()
        ],
    )
    yield (
        "Latency, open loop, from when a request was due to its prediction at a consumer",
        (
            "broker",
            "rate/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "p99 of loops",
            "sent late",
            "batch rows",
            "closed by",
            "broken",
        ),
        [
            (
                ", ".join([one["broker"], *one["settings"].values()]),
                f"{one['rate']:,.0f}",
                *(f"{one[name]:.1f}" for name in ("p50_ms", "p99_ms", "p99.9_ms", "max_ms")),
                "{:.1f} - {:.1f}".format(*one["p99_spread_ms"]),
                f"{one['late']:.2%}",
                f"{one['batch_rows']:.1f}",
                _shares(one["closed_by"]),
                "yes" if one["broken"] else "",
            )
            for one in report.get("latency") or ()
        ],
    )
    yield (
        "Recorder",
        ("rows/s", "CPU us", "ClickHouse CPU us", "rows behind at most", "caught up after s"),
        [
            (
                f"{one['rows_per_s']:,.0f}",
                f"{one['cpu_us']['recorder']:.1f}",
                f"{one['cpu_us']['clickhouse']:.1f}",
                f"{one['beside']['max_lag_rows']:,}",
                f"{one['beside']['caught_up_s']:.1f}",
            )
            for one in [report.get("recorder")]
            if one
        ],
    )
    yield (
        "Answers beside recorder and monitor worker",
        (
            "rate/s",
            "p99 ms alone",
            "beside",
            "ratio",
            "recorder behind s",
            "monitor behind s",
            "monitors",
            *(f"cores {name}" for name in BESIDE),
        ),
        [
            (
                f"{beside['rate']:,.0f}",
                f"{one['alone']['p99_ms']:.1f}",
                f"{one['beside']['p99_ms']:.1f}",
                f"{one['ratio']:.2f}",
                *(f"{one['beside']['behind_s'][name]:.1f}" for name in BESIDE[:2]),
                str(one["beside"]["monitors"]),
                *(f"{one['beside']['cores'][name]:.2f}" for name in BESIDE),
            )
            for beside in [(report.get("monitors") or {}).get("beside")]
            if beside
            for one in beside["rounds"]
        ],
    )
    yield (
        "Memory of one scorer",
        ("run", "rows", "MiB at most", "MiB at the end", "MiB a minute", "CPU us"),
        [
            (
                name,
                f"{one['rows']:,}",
                f"{one['max_rss_mib']:.0f}",
                f"{one['rss_mib']:.0f}",
                f"{one['slope_mib_per_minute']:+.2f}",
                f"{one['cpu_us']:.1f}",
            )
            for name, one in (report.get("memory") or {}).items()
            if isinstance(one, dict)
        ],
    )


def _shares(counts: Mapping[str, float]) -> str:
    """What closed the batches, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{why} {share:.0%}" for why, share in ordered if share >= 0.005)
