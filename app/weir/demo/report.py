"""The demo's report: tables for a person, the same numbers as JSON for a program."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from weir.demo.run import Run

SCORE_TOLERANCE, AUC_TOLERANCE, LEAST_AUC = 1e-6, 1e-9, 0.765


def to_json(run: Run) -> dict[str, Any]:
    """The report as plain values; its keys are a contract with the tests."""
    tally, found = run.tally, run.findings
    burst = run.burst_rows / run.seconds["burst"]
    return {
        "requests": {
            "produced": tally.produced,
            "read": tally.read,
            "scored": tally.scored,
            "rejected": tally.rejected,
        },
        "ledger": {
            "complete": found.ledger.complete,
            "gaps": found.ledger.gaps,
            "duplicates": found.ledger.duplicates,
            "missing": found.ledger.missing,
        },
        "throughput": {
            "events_per_s": burst,
            "onnx_only_events_per_s": found.onnx_rows_per_s,
            "ratio": burst / found.onnx_rows_per_s,
            "replay_flights_per_s": run.flights / run.seconds["replay"],
        },
        "model": {
            "service": found.bundle.service,
            "version": found.bundle.version,
            "digest": found.bundle.digest,
            "auc_sql": found.auc_sql,
            "auc_reference": found.auc_reference,
            "max_abs_score_diff": found.max_score_diff,
        },
        "features": {
            "cache_hit_rate": run.cache_hit_rate,
            "cache_hit_rate_burst": run.cache_hit_rate_burst,
            "stale_rows": found.stale_rows,
            "from_the_future": found.future_rows,
            "point_in_time_sample": found.sampled,
            "point_in_time_mismatches": found.mismatches,
        },
        "outcomes": {
            "received": found.outcomes_received,
            "joined": found.outcomes_joined,
            "business_value": found.business_value_usd,
        },
        "seconds": {name: round(run.seconds[name], 3) for name in run.seconds},
    }


def faults(run: Run) -> list[str]:
    """What the demo claims and this run did not show; empty when all is well."""
    tally, found = run.tally, run.findings
    claims = {
        "every request was read": tally.read == tally.produced,
        "every request was scored or rejected": tally.scored + tally.rejected == tally.read,
        "the ledger is complete": found.ledger.complete,
        f"scores equal ONNX Runtime's to {SCORE_TOLERANCE:g}": found.max_score_diff <= SCORE_TOLERANCE,
        f"AUC by SQL is scikit-learn's to {AUC_TOLERANCE:g}": abs(found.auc_sql - found.auc_reference) <= AUC_TOLERANCE,
        "no feature is later than its request": found.future_rows == 0,
        "features equal a point-in-time recomputation": found.mismatches == 0,
        "every outcome found its prediction": found.outcomes_joined == found.outcomes_received == tally.outcomes,
    }
    if run.flights > 100_000:  # a short replay sees one season of delays only
        claims[f"AUC is at least {LEAST_AUC}"] = found.auc_sql >= LEAST_AUC
    return [claim for claim, holds in claims.items() if not holds]


def show(run: Run, console: Console) -> None:
    """Print the report."""
    report, wrong = to_json(run), faults(run)
    console.print(
        Panel(
            Group(_requests(report), _model(report), _features(report), _throughput(report), _seconds(report)),
            title=f"Weir demo: {run.flights:,} real flights, then {run.burst_rows:,} requests at full speed",
            border_style="red" if wrong else "green",
        )
    )
    for claim in wrong:
        console.print(f"[bold red]not shown:[/] {claim}")


def _grid(title: str, *rows: tuple[str, str, str]) -> RenderableType:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", width=25, no_wrap=True)
    table.add_column(justify="right", width=12, no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _requests(report: dict[str, Any]) -> RenderableType:
    asked, ledger = report["requests"], report["ledger"]
    whole = "[green]complete[/]" if ledger["complete"] else "[red]NOT COMPLETE[/]"
    return _grid(
        "Every request accounted for",
        ("produced", f"{asked['produced']:,}", "requests to Kafka"),
        ("read", f"{asked['read']:,}", "in chunks that tile the offsets"),
        ("scored", f"{asked['scored']:,}", "on Kafka, and in ClickHouse once"),
        ("rejected", f"{asked['rejected']:,}", "each with its reason"),
        ("ledger", whole, f"{ledger['gaps']} gaps, {ledger['duplicates']} duplicates, {ledger['missing']} missing"),
    )


def _model(report: dict[str, Any]) -> RenderableType:
    model, outcomes = report["model"], report["outcomes"]
    return _grid(
        "\nModel and outcomes",
        (f"{model['service']} {model['version']}", model["digest"][:12], "bundle digest"),
        ("AUC by SQL", f"{model['auc_sql']:.6f}", f"scikit-learn says {model['auc_reference']:.6f}"),
        ("largest score difference", f"{model['max_abs_score_diff']:.1e}", "against ONNX Runtime directly"),
        ("outcomes joined", f"{outcomes['joined']:,}", f"of {outcomes['received']:,}; cancelled have none"),
        ("business value", f"{outcomes['business_value']:,.0f} $", "missed and false alerts, as priced"),
    )


def _features(report: dict[str, Any]) -> RenderableType:
    features = report["features"]
    return _grid(
        "\nFeatures as of each request",
        ("cache hits", f"{features['cache_hit_rate']:.1%}", f"at full speed {features['cache_hit_rate_burst']:.1%}"),
        ("rows with a stale feature", f"{features['stale_rows']:,}", "past its ttl: the policy took over"),
        ("features from the future", f"{features['from_the_future']:,}", "by SQL, on every row"),
        (
            "point-in-time mismatches",
            f"{features['point_in_time_mismatches']:,}",
            f"{features['point_in_time_sample']:,} requests, from raw events",
        ),
    )


def _throughput(report: dict[str, Any]) -> RenderableType:
    rate = report["throughput"]
    return _grid(
        "\nThroughput",
        ("replay in lockstep", f"{rate['replay_flights_per_s']:,.0f} /s", "flights, one hour after another"),
        ("burst", f"{rate['events_per_s']:,.0f} /s", "Kafka to Kafka, one scorer"),
        ("ONNX Runtime alone", f"{rate['onnx_only_events_per_s']:,.0f} /s", "same rows, one thread, no more"),
        ("ratio", f"{rate['ratio']:.2f}", "of what ONNX Runtime alone does"),
    )


def _seconds(report: dict[str, Any]) -> RenderableType:
    rows = [(name.replace("_", " "), f"{seconds:,.1f} s", "") for name, seconds in report["seconds"].items()]
    return _grid("\nTime", *rows)
