"""The demo's report: tables for a person, the same numbers as JSON for a program."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel

from weir.demo import report_learners, report_monitors
from weir.demo.replay import Tally
from weir.demo.report_monitors import grid
from weir.demo.run import Run

SCORE_TOLERANCE, FIGURE_TOLERANCE, LEAST_AUC = 1e-6, 1e-9, 0.765


def to_json(run: Run) -> dict[str, Any]:
    """The report as plain values; its keys are a contract with the tests."""
    tally, found = _tally(run), run.findings
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
            "replay_flights_per_s": run.alone / run.seconds["replay"],
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
        "monitors": report_monitors.to_json(run.watched, run.months, run.cost, run.plants),
        "learners": report_learners.to_json(run.learners),
        "siblings": {service: _sibling(run, service) for service in found.beside},
        "seconds": {name: round(run.seconds[name], 3) for name in run.seconds},
    }


def _tally(run: Run) -> Tally:
    return run.tallies[run.findings.bundle.service]


def _sibling(run: Run, service: str) -> dict[str, Any]:
    sent, found = run.tallies[service], run.findings.beside[service]
    return {
        "task": found.bundle.signature.task.value,
        "digest": found.bundle.digest,
        "requests": sent.produced,
        "answered": found.answered,
        "outcomes": sent.outcomes,
        "outcomes_joined": found.outcomes,
        "max_output_diff": found.max_output_diff,
        "other_decisions": found.other_decisions,
        "figures": {figure.name: {"by_sql": figure.by_sql, "reference": figure.reference} for figure in found.figures},
    }


def faults(run: Run) -> list[str]:
    """What the demo claims and this run did not show; empty when all is well."""
    tally, found = _tally(run), run.findings
    claims = {
        "every request was read": tally.read == tally.produced,
        "every request was scored or rejected": tally.scored + tally.rejected == tally.read,
        "the ledger is complete": found.ledger.complete,
        f"scores equal ONNX Runtime's to {SCORE_TOLERANCE:g}": found.max_score_diff <= SCORE_TOLERANCE,
        f"AUC by SQL is scikit-learn's to {FIGURE_TOLERANCE:g}": abs(found.auc_sql - found.auc_reference)
        <= FIGURE_TOLERANCE,
        "no feature is later than its request": found.future_rows == 0,
        "features equal a point-in-time recomputation": found.mismatches == 0,
        "every outcome found its prediction": found.outcomes_joined == found.outcomes_received == tally.outcomes,
    }
    for service in found.beside:
        claims |= _claims_beside(run, service)
    claims |= report_monitors.claims(report_monitors.to_json(run.watched, run.months, run.cost, run.plants))
    if run.flights > 100_000 and not run.plants:  # a short replay sees one season of delays only
        claims[f"AUC is at least {LEAST_AUC}"] = found.auc_sql >= LEAST_AUC
        claims |= report_learners.claims(run.learners)
    return [claim for claim, holds in claims.items() if not holds]


def _claims_beside(run: Run, service: str) -> dict[str, bool]:
    sent, found = run.tallies[service], run.findings.beside[service]
    claims = {
        "every request was scored": found.answered == sent.produced,
        f"outputs equal ONNX Runtime's to {SCORE_TOLERANCE:g}": found.max_output_diff <= SCORE_TOLERANCE,
        "decisions are those of the outputs": found.other_decisions == 0,
        "every outcome found its prediction": found.outcomes == sent.outcomes,
    }
    for figure in found.figures:
        agrees = figure.agrees(FIGURE_TOLERANCE)
        claims[f"{figure.name} by SQL is {figure.library}'s to {FIGURE_TOLERANCE:g}"] = agrees
    return {f"{service}: {claim}": holds for claim, holds in claims.items()}


def show(run: Run, console: Console) -> None:
    """Print the report."""
    report, wrong = to_json(run), faults(run)
    console.print(
        Panel(
            Group(
                _requests(report),
                _model(report),
                _siblings(run),
                _features(report),
                *report_monitors.show(report["monitors"]),
                *report_learners.show(run.learners),
                _throughput(report),
                _seconds(report),
            ),
            title=f"Weir demo: {run.flights:,} real flights, then {run.burst_rows:,} requests at full speed",
            border_style="red" if wrong else "green",
        )
    )
    for claim in wrong:
        console.print(f"[bold red]not shown:[/] {claim}")


def _requests(report: dict[str, Any]) -> RenderableType:
    asked, ledger = report["requests"], report["ledger"]
    whole = "[green]complete[/]" if ledger["complete"] else "[red]NOT COMPLETE[/]"
    return grid(
        "Every request accounted for",
        ("produced", f"{asked['produced']:,}", "requests to Kafka"),
        ("read", f"{asked['read']:,}", "in chunks that tile the offsets"),
        ("scored", f"{asked['scored']:,}", "on Kafka, and in ClickHouse once"),
        ("rejected", f"{asked['rejected']:,}", "each with its reason"),
        ("ledger", whole, f"{ledger['gaps']} gaps, {ledger['duplicates']} duplicates, {ledger['missing']} missing"),
    )


def _model(report: dict[str, Any]) -> RenderableType:
    model, outcomes = report["model"], report["outcomes"]
    return grid(
        "\nModel and outcomes",
        (f"{model['service']} {model['version']}", model["digest"][:12], "bundle digest"),
        ("AUC by SQL", f"{model['auc_sql']:.6f}", f"scikit-learn says {model['auc_reference']:.6f}"),
        ("largest score difference", f"{model['max_abs_score_diff']:.1e}", "against ONNX Runtime directly"),
        ("outcomes joined", f"{outcomes['joined']:,}", f"of {outcomes['received']:,}; cancelled have none"),
        ("business value", f"{outcomes['business_value']:,.0f} $", "missed and false alerts, as priced"),
    )


def _siblings(run: Run) -> RenderableType:
    rows = []
    for service, found in run.findings.beside.items():
        rows.append((service, f"{found.answered:,}", f"answered; {found.outcomes:,} outcomes joined"))
        rows.append(("largest difference", f"{found.max_output_diff:.1e}", "of all outputs, to ONNX Runtime's"))
        for figure in found.figures:
            said = f"{figure.library} says {figure.reference:.6f}"
            rows.append((f"{figure.name} by SQL", f"{figure.by_sql:.6f}", said))
    return grid("\nOther tasks, side by side", *rows)


def _features(report: dict[str, Any]) -> RenderableType:
    features = report["features"]
    return grid(
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
    return grid(
        "\nThroughput",
        ("replay in lockstep", f"{rate['replay_flights_per_s']:,.0f} /s", "flights, one hour after another"),
        ("burst", f"{rate['events_per_s']:,.0f} /s", "Kafka to Kafka, one scorer"),
        ("ONNX Runtime alone", f"{rate['onnx_only_events_per_s']:,.0f} /s", "same rows, one thread, no more"),
        ("ratio", f"{rate['ratio']:.2f}", "of what ONNX Runtime alone does"),
    )


def _seconds(report: dict[str, Any]) -> RenderableType:
    rows = [(name.replace("_", " "), f"{seconds:,.1f} s", "") for name, seconds in report["seconds"].items()]
    return grid("\nTime", *rows)
