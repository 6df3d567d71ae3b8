"""What is said of monitors' rows, to the letter; with the headers that Weir's monitors have. `_` is the thin space."""

from datetime import UTC, datetime, timedelta

import pytest
from weir.core import numbers
from weir.core.reference import About
from weir.edges.clickhouse import monitors
from weir.monitor import verdicts
from weir.monitor.spec import Panel, Row
from weir.monitor.verdict import Scene, State, worst
from weir.settings import load

from tests.unit.monitor.test_header import read

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
FOUND = monitors.files(load())


def row(at, value, subject="", /, n=1000, low=None, high=None, p=None, **details):
    """A row of the window `at` windows after BEGIN; `said` gives it its time."""
    return at, {"value": value, "subject": subject, "n": n, "low": low, "high": high, "p": p, "details": details}


def said(monitor, rows, **scene):
    """State and sentence, of a monitor or its name; complete: how many windows are."""
    monitor = FOUND[monitor] if isinstance(monitor, str) else monitor
    step = timedelta(seconds=monitor.window_s)
    windows = scene.pop("windows", max([at for at, _ in rows], default=0) + 1)
    if (complete := scene.pop("complete", None)) is not None:
        scene["complete_to"] = BEGIN + complete * step
    scene = Scene(
        monitor=monitor,
        service="s",
        begin=BEGIN,
        end=BEGIN + windows * step,
        step_s=monitor.window_s,
        **scene,
    )
    made = [Row(begin=BEGIN + at * step, **parts) for at, parts in rows]
    verdict = verdicts.say(sorted(made, key=lambda one: (one.begin, one.subject)), scene)
    return verdict.state, verdict.sentence.replace(numbers.THIN, "_")


def psi(at, value, subject="", /, p=1e-9, **details):
    return row(at, value, subject, p=p, base="reference", **details)


def over(values, subject="", **details):
    """A row a window, each of value, low and high."""
    return [row(at, v, subject, low=v - 0.01, high=v + 0.01, maturity=1.0, **details) for at, v in enumerate(values)]


STEADY = [0.68, 0.69, 0.685, 0.682, 0.688, 0.679, 0.691, 0.684]
MONEY = {"metered": 10.0, "allocated": 7.0, "rejected": 0.0, "unrecorded": 0.0, "idle": 3.0, "currency": "EUR"}
BUDGET = {"forecast": 80.0, "amount": 100.0, "currency": "USD", "period_end": int(BEGIN.timestamp()) + 7 * 86_400}
GAP = {"maturity": 1.0}
LEDGER = {"scored": 990, "rejected": 10}

CASES = {
    # nothing to say
    "nothing": ("drift/features", [], "unknown", "Nothing is recorded from 24 Nov 00:00 to 24 Nov 01:00."),
    "few": (
        "health/errors",
        [row(0, 0.5, n=7, rejected=3)],
        "unknown",
        "3 of 7 requests were rejected, 42.9_%.",
    ),
    "too few": (
        "drift/score",
        [row(0, 0.5, n=7, base="reference")],
        "unknown",
        "Too few to say: a window needs 100 rows, and has 7.",
    ),
    # drift
    "no baseline": (
        "drift/features",
        [row(0, None, "a", base="")],
        "unknown",
        "There is no baseline to compare with: the bundle brings no reference of what is normal.",
    ),
    "inputs moved": (
        "drift/features",
        [psi(0, 0.01, "a"), psi(1, 0.12, "a"), psi(2, 0.36, "a"), psi(2, 0.11, "b"), psi(2, 0.05, "c")],
        "alarm",
        "2 of 3 inputs are away from the baseline since 24 Nov 01:00. Largest: a, PSI 0.36.",
    ),
    "one input moved": (
        "drift/categories",
        [psi(0, 0.11, "a"), psi(0, 0.01, "b")],
        "look",
        "1 of 2 inputs is away from the baseline since 24 Nov 00:00. Largest: a, PSI 0.11.",
    ),
    "chance is no drift": (
        "drift/features",
        [psi(0, 0.3, "a", p=0.2), psi(0, 0.02, "b")],
        "ok",
        "Nothing moved: all 2 inputs are within tolerance (PSI 0.10), or no further than chance explains.",
    ),
    "moved earlier": (
        "drift/features",
        [psi(0, 0.3, "a"), psi(1, 0.02, "a"), psi(1, 0.02, "b")],
        "ok",
        "Nothing moved: all 2 inputs are within tolerance (PSI 0.10). 1 of them was away earlier.",
    ),
    "one input quiet": (
        "drift/features",
        [psi(0, 0.3, "a"), psi(1, 0.02, "a")],
        "ok",
        "Nothing moved: a is within tolerance (PSI 0.10). It was away earlier.",
    ),
    "classes": (
        "drift/classes",
        [psi(0, 0.3, "red"), psi(0, 0.01, "green")],
        "alarm",
        "1 of 2 classes is away from the baseline since 24 Nov 00:00. Largest: red, PSI 0.30.",
    ),
    "score moved": (
        "drift/score",
        [psi(0, 0.3, mean=0.39, base_mean=0.29)],
        "alarm",
        "What the model says is away from the baseline since 24 Nov 00:00: PSI 0.30, tolerance 0.10. Its mean is 0.39,"
        " 0.29 in the baseline.",
    ),
    "score quiet": (
        "drift/score",
        [psi(0, 0.3), psi(1, 0.02)],
        "ok",
        "What the model says is as in the baseline: PSI 0.020, tolerance 0.10. It was away earlier.",
    ),
    "score by chance": (
        "drift/score",
        [psi(0, 0.13, p=0.2)],
        "ok",
        "What the model says is as in the baseline: PSI 0.13 of 1_000 rows, no more than chance explains, tolerance"
        " 0.10.",
    ),
    "out of range": (
        "drift/feature",
        [psi(0, 4.0, "wind", below_rate=0.0, above_rate=1.0, base_outside_rate=0.0, mean=9.0, base_mean=1.0)],
        "alarm",
        "wind is away from the baseline since 24 Nov 00:00: PSI 4.00, tolerance 0.10. 100.0_% of the values lie outside"
        " the range of the baseline: another unit or column?",
    ),
    "missing": (
        "drift/feature",
        [psi(0, 0.4, "wind", missing_rate=0.31, base_missing_rate=0.01)],
        "alarm",
        "wind is away from the baseline since 24 Nov 00:00: PSI 0.40, tolerance 0.10. 31.0_% are missing, 1.0_% in the"
        " baseline.",
    ),
    "new words": (
        "drift/category",
        [psi(0, 0.2, "kind", new_rate=0.2, new_words=["x", "y"])],
        "look",
        "kind is away from the baseline since 24 Nov 00:00: PSI 0.20, tolerance 0.10. 20.0_% have a word that the"
        " baseline has not: x and y.",
    ),
    "decisions": (
        "drift/decisions",
        [psi(0, 0.2, decision=["no", "yes"], share=[0.5, 0.5], base_share=[0.7, 0.3])],
        "look",
        "What is decided is away from the baseline since 24 Nov 00:00: PSI 0.20, tolerance 0.10. yes: 50.0_%, 30.0_% in"
        " the baseline.",
    ),
    "exact": (
        "drift/exact",
        [row(0, 0.086, "a", p=1e-6)],
        "unknown",
        "KS 0.086 against its baseline, more than chance explains.",
    ),
    "views late": (
        "drift/stale",
        [row(0, 0.002, "one"), row(0, 0.12, "two")],
        "alarm",
        "1 of 2 views is not fresh since 24 Nov 00:00: of two 12.0_% was too old or missing, 10_% is allowed.",
    ),
    "views fresh": (
        "health/features",
        [row(0, 0.002, "one")],
        "ok",
        "The view is fresh. Most that was too old or missing: 0.2_%, of one.",
    ),
    # outcomes
    "immature": (
        "outcome/auc",
        [row(0, 0.7, maturity=0.31)],
        "unknown",
        "Too early to say: no window has 90_% of its outcomes yet, the furthest has 31.0_%.",
    ),
    "no auc": (
        "outcome/auc",
        [row(0, None)],
        "unknown",
        "There is no figure of area under the ROC curve in this time.",
    ),
    "first auc": (
        "outcome/auc",
        over([0.686])[:1],
        "unknown",
        "AUC 0.686 (0.676 to 0.696), of 1_000 outcomes. There is no window before it to compare with.",
    ),
    "auc steady": (
        "outcome/auc",
        over(STEADY),
        "ok",
        "AUC 0.684: as in the 7 windows before it.",
    ),
    "auc fell": (
        "outcome/auc",
        [*over([*STEADY, 0.637]), row(9, 0.2, maturity=0.4)],
        "look",
        "AUC went from 0.685 to 0.637, more than chance explains. Windows from 3 Dec 00:00 on are still maturing.",
    ),
    "auc fell, two windows": (
        "outcome/auc",
        over([0.686, 0.637]),
        "look",
        "AUC went from 0.686 to 0.637, more than chance explains.",
    ),
    "auc rose": ("outcome/auc", over([0.637, 0.686]), "ok", "AUC 0.686: as in the window before it."),
    "decisions of outcomes": (
        "outcome/decisions",
        [*over([0.5, 0.4], "precision"), *over([0.6, 0.6], "recall"), *over([0.1, 0.2], "alert_rate")],
        "look",
        "Precision went from 50.0_% to 40.0_%, more than chance explains.",
    ),
    "accuracy": (
        "outcome/accuracy",
        [*over([0.91, 0.91], "accuracy"), *over([0.8, 0.8], "macro_f1")],
        "ok",
        "Accuracy 91.0_%, macro F1 80.0_%: as in the window before it.",
    ),
    "error rose": (
        "outcome/error",
        [*over([4.1, 4.9], "mae"), *over([5.1, 6.2], "rmse"), *over([0.1, 0.1], "bias")],
        "look",
        "Root mean square error went from 5.10 to 6.20, more than chance explains. So did mean absolute error.",
    ),
    "value by version": (
        "outcome/value",
        [*over([2.0, 1.5], "8/champion"), *over([2.0, 2.0], "9/canary")],
        "look",
        "Value of a prediction of 8/champion went from $2.00 to $1.50, more than chance explains.",
    ),
    "coverage": (
        "outcome/coverage",
        [*over([0.9, 0.9], "0.9"), *over([0.1, 0.1], "0.1")],
        "ok",
        "Coverage of 0.9 90.0_%, coverage of 0.1 10.0_%: as in the window before it.",
    ),
    "a service's own floor": (
        read(page="< 0.68", value="auc", unit="auc", verdict="performance", maturity="0.9", window="1d"),
        [row(0, 0.70), row(1, 0.66), row(2, 0.637)],
        "alarm",
        "AUC is 0.637, below its bound of 0.680 since 25 Nov 00:00.",
    ),
    "calibrated": (
        "outcome/calibration",
        [row(0, 0.14, "yes/0.1", low=0.1, high=0.2, chance=0.15, gap=-0.01, **GAP)],
        "ok",
        "Yes: what came true is within 1.0_% of the chance that was given, or within its interval, in the tenth"
        " (24 Nov 00:00).",
    ),
    "too low": (
        "outcome/calibration",
        [
            row(0, 0.46, "yes/0.3", n=209, low=0.43, high=0.49, chance=0.37, gap=0.09, **GAP),
            row(0, 0.14, "yes/0.1", low=0.1, high=0.2, chance=0.15, gap=-0.01, **GAP),
        ],
        "look",
        "Scores near 0.37 are too low: 0.46 came true (209 outcomes). 1 of 2 tenths is off.",
    ),
    "too bold": (
        "outcome/calibration_slope",
        [row(0, 0.8, "slope", low=0.75, high=0.85, **GAP), row(0, 0.0, "intercept", **GAP)],
        "look",
        "Chances are too bold: high chances are too high and low ones too low. The slope is 0.80 (0.75 to 0.85), and 1"
        " is right.",
    ),
    "slope right": (
        "outcome/calibration_slope",
        [row(0, 0.8, "slope", low=0.55, high=1.05, **GAP)],
        "ok",
        "Neither: the slope is 0.80 (0.55 to 1.05), and 1 is right.",
    ),
    "confusion": (
        "outcome/confusion",
        [
            row(0, 0.9, "a/a", n=100, times=90, **GAP),
            row(0, 0.1, "a/b", n=100, times=10, **GAP),
            row(0, 0.08, "b/a", n=50, times=4, **GAP),
        ],
        "unknown",
        "a is taken for b most often: 10 times, 10.0_% of 100 outcomes of a (24 Nov 00:00).",
    ),
    "no confusion": (
        "outcome/confusion",
        [row(0, 1.0, "a/a", times=9, **GAP)],
        "unknown",
        "Nothing was taken for something else (24 Nov 00:00).",
    ),
    "off by value": (
        "outcome/error_by_value",
        [row(0, 0.1, "20", low=-0.1, high=0.3, **GAP), row(0, -2.5, "50.0", n=80, low=-3.0, high=-2.0, **GAP)],
        "unknown",
        "Scores from 50.0 on are too low by 2.50 on average, the most of 2 spans (80 outcomes).",
    ),
    "right everywhere": (
        "outcome/error_by_value",
        [row(0, 0.1, "20", low=-0.1, high=0.3, **GAP)],
        "ok",
        "Nowhere beyond chance: in the span of scores it is right on average.",
    ),
    "loss by age": (
        "outcome/loss_by_age",
        [
            row(0, 0.3, "rates/below 1 min", low=0.2, high=0.4, more=0.0, **GAP),
            row(0, 0.9, "rates/1 d or more", n=80, low=0.7, high=1.1, more=0.6, **GAP),
        ],
        "unknown",
        "rates/1 d or more: predictions lose 0.6 more than with the youngest, the most of 2 spans (80 outcomes).",
    ),
    "no loss by age": (
        "outcome/loss_by_age",
        [row(0, 0.3, "rates/below 1 min", low=0.2, high=0.4, more=0.0, **GAP)],
        "ok",
        "No age costs more than the youngest beyond chance, in 1 span of ages.",
    ),
    "maturity": (
        "outcome/maturity",
        [row(0, 0.2, "1h", age_s=3600), row(0, 0.6, "6h", age_s=21_600), row(0, 0.97, "3d", age_s=259_200)],
        "ok",
        "Half of the outcomes are known within 6_h, 90_% within 3_d; 3.0_% have none after 3_d.",
    ),
    "late outcomes": (
        "outcome/maturity",
        [row(at, v, "1h", age_s=3600) for at, v in enumerate([0.7, 0.72, 0.69, 0.71, 0.7, 0.73, 0.68, 0.31])],
        "look",
        "Outcomes of 1 Dec are late: 31.0_% known after 1_h, usually 68.0_% to 73.0_%. Half of the outcomes are known"
        " within 1_h; 34.5_% have none after 1_h.",
    ),
    "waiting": (
        "outcome/waiting",
        [row(0, 40, "waiting", n=100), row(0, 3, "overdue", n=100), row(1, 100, "waiting", n=100)],
        "unknown",
        "140 of 200 predictions have no outcome yet. Of 3 of them none is to be expected any more.",
    ),
    "odd outcomes": (
        "outcome/arrivals",
        [row(0, 5, "repeated", n=100), row(0, 0, "withdrawn", n=100), row(0, 7, "unmatched", n=100)],
        "unknown",
        "Of 100 outcomes: 7 unmatched and 5 repeated.",
    ),
    "no odd outcomes": (
        "outcome/arrivals",
        [row(0, 0, "repeated", n=100)],
        "unknown",
        "All 100 outcomes came once, each for a prediction that there is.",
    ),
    # cost
    "it adds up": (
        "cost/conservation",
        [row(0, 0.0, "cpu", **MONEY), row(1, 0.0002, "cpu", **MONEY)],
        "ok",
        "€20.00 metered = €14.00 allocated + €6.00 idle; 0.020_% unexplained at most, 1_% allowed.",
    ),
    "it does not add up": (
        "cost/conservation",
        [row(0, 0.02, "gpu", **MONEY | {"rejected": 1.0})],
        "alarm",
        "€10.00 metered = €7.00 allocated + €1.00 rejected + €3.00 idle; 2.0_% of gpu unexplained in the window of"
        " 24 Nov 00:00, 1_% allowed.",
    ),
    "no prices": (
        "cost/conservation",
        [row(0, 0.0, "cpu", **MONEY | {"metered": None})],
        "ok",
        "Not everything has a price. In what was used, 0.0_% unexplained at most, 1_% allowed.",
    ),
    "dearest": (
        "cost/services",
        [
            row(0, 3.0, "m/8/champion/ops/", n=1_000_000, cost=3.0, value=None, currency="USD"),
            row(0, 6.0, "m/9/shadow/ops/acme", n=500_000, cost=3.0, value=None, currency="USD"),
        ],
        "unknown",
        "$4.00 a million predictions, of 1.50_M. Dearest: m, 9, shadow, ops, acme, $6.00.",
    ),
    "earned": (
        "cost/services",
        [row(0, 3.0, "m/8/champion//", n=1_000_000, cost=3.0, value=4515.0, currency="USD")],
        "unknown",
        "$3.00 a million predictions, of 1.00_M. They earned $4_515 so far.",
    ),
    "unpriced": (
        "cost/services",
        [row(0, None, "m/8/champion//", cost=None, value=None, currency="")],
        "unknown",
        "Nothing has a price: the project's prices.yaml says none for this time.",
    ),
    "tenants": (
        "cost/tenants",
        [row(0, 3.0, "acme", currency="USD"), row(0, 1.0, "", currency="USD")],
        "unknown",
        "acme bears 75.0_% of $4.00, the most of 2 tenants.",
    ),
    "components": ("cost/components", [row(0, 3.0, "cpu", currency="USD")], "unknown", "cpu is all of $3.00."),
    "budget": (
        "cost/budgets",
        [row(0, 0.8, "month", **BUDGET)],
        "ok",
        "The budget lasts. The furthest: month, $80.00 of $100 by 1 Dec.",
    ),
    "budget broken": (
        "cost/budgets",
        [row(0, 0.8, "month", **BUDGET), row(1, 1.2, "month", **BUDGET | {"forecast": 120.0})],
        "alarm",
        "month reaches 120.0_% of $100, since 24 Nov 01:00: $120 by 1 Dec.",
    ),
    "dearer": (
        "cost/regression",
        [row(0, 0.2, "8/champion", low=0.15, high=0.25, p=1e-6, dearest="cpu")],
        "look",
        "A prediction of 8, champion costs 20.0_% more than in the 28 days before, since 24 Nov 00:00. Most of it is"
        " cpu.",
    ),
    "not dearer": (
        "cost/regression",
        [row(0, -0.02, "8/champion", p=0.9, dearest="")],
        "ok",
        "No: a prediction of 8, champion costs 2.0_% less than in the 28 days before.",
    ),
    "untagged": (
        "cost/untagged",
        [row(0, 0.3, "tenant"), row(0, 0.01, "team")],
        "alarm",
        "30.0_% of the cost names no tenant and 1.0_% of the cost names no team: above the bound of 25_% since"
        " 24 Nov 00:00.",
    ),
    "a component without a price": (
        "cost/unpriced",
        [row(0, 1.0, "cpu"), row(0, 0.0, "idle")],
        "look",
        "No: cpu is used without a price, since 24 Nov 00:00. Amounts of that time, and budgets, are not known.",
    ),
    "all priced": (
        "cost/unpriced",
        [row(0, 0.0, "cpu"), row(0, 0.0, "idle")],
        "ok",
        "Yes. All 2 components are priced.",
    ),
    "a budget that nothing is known of": (
        "cost/budgets",
        [row(0, None, "month"), row(0, 0.4, "week")],
        "unknown",
        "month cannot be forecast: something that was used has no price in prices.yaml, and cost/unpriced says what.",
    ),
    # speed
    "latency": (
        "health/traffic",
        [row(0, 12.0, p50_ms=5.2), row(1, 6.3, p50_ms=5.1)],
        "unknown",
        "In the newest window half of the answers took 5.1_ms, 99 of 100 at most 6.3_ms. The slowest window was 24 Nov"
        " 00:00, with 12_ms.",
    ),
    "latency with a promise": (
        read(page="> 10", verdict="latency", unit="ms"),
        [row(0, 12.0, p50_ms=5.2), row(1, 6.3, p50_ms=5.1)],
        "look",
        "p99 was above its bound of 10_ms in 1 of 2 windows. In the newest window half of the answers took 5.1_ms, 99"
        " of 100 at most 6.3_ms.",
    ),
    "stages": (
        "health/stages",
        [row(0, 40.0, "wait", share=0.6), row(0, 9.0, "run", share=0.3), row(0, 1.0, "encode", share=0.1)],
        "unknown",
        "A request spends 60.0_% of its time in wait, 30.0_% in run. wait took up to 40_ms (p99, 24 Nov 00:00).",
    ),
    "within": (
        "health/within",
        [row(0, 0.95, "10", good=950), row(0, 0.999, "20", good=999), row(0, 1.0, "50", good=1000)],
        "unknown",
        "Of the answers 99.9_% take at most 20_ms, 100.0_% take at most 50_ms.",
    ),
    "rate": (
        "health/rate",
        [row(0, 2.0, n=600), row(1, 4.0, n=1200)],
        "unknown",
        "3.00_/s on average, at most 4.00_/s (24 Nov 00:05).",
    ),
    "lag": ("health/lag", [row(0, 0.2), row(1, 0.35)], "ok", "350_ms, within the bound of 5_s."),
    "lagging": (
        "health/lag",
        [row(0, 0.2), row(1, 90.0)],
        "alarm",
        "1.5_min, above the bound of 1_min since 24 Nov 00:05.",
    ),
    # the ledger
    "complete": (
        "ledger/complete",
        [row(0, 0, "t/0/log"), row(0, 0, "t/1/log")],
        "ok",
        "Yes, to the offset: 2_000 requests of 2 partitions.",
    ),
    "missing offsets": (
        "ledger/complete",
        [row(0, 0, "t/0/log"), row(0, 50, "t/1/log"), row(1, 0, "t/1/log")],
        "alarm",
        "50 offsets of t, partition 1 are missing since 24 Nov 00:00.",
    ),
    "left out": (
        "ledger/strips",
        [row(0, 1, "t/0/log"), row(0, 50, "t/1/log")],
        "alarm",
        "50 offsets of t, partition 1 are left out since 24 Nov 00:00. Offsets of 1 more partition are, too.",
    ),
    "totals": ("ledger/totals", [row(0, 0, **LEDGER)], "ok", "1_000 read = 990 scored + 10 rejected."),
    "totals off": (
        "ledger/totals",
        [row(0, 0, **LEDGER), row(1, 4, **LEDGER)],
        "alarm",
        "4 are neither scored nor rejected, since 24 Nov 01:00: 2_000 read = 1_980 scored + 20 rejected.",
    ),
    # what is rejected
    "letters": (
        "health/rejected",
        [
            row(0, 3, "decode/bad_json", n=3, example="no object"),
            row(0, 1, "lookup/not_found", n=1, example=""),
        ],
        "unknown",
        "4 requests were rejected. 3 of them were bad json, in decode. The newest of 24 Nov 00:00 says: no object",
    ),
    "a letter": (
        "health/rejected",
        [row(0, 1, "decode/bad_json", n=1, example="")],
        "unknown",
        "1 request was rejected. It was bad json, in decode.",
    ),
    "share rejected": (
        "health/errors",
        [row(0, 0.03, rejected=30), row(1, 0.001, rejected=1)],
        "ok",
        "31 of 2_000 requests were rejected, 1.6_%: within the bound of 1_%, but for 1 window.",
    ),
    "share rejected too high": (
        "health/errors",
        [row(0, 0.001, rejected=1), row(1, 0.06, rejected=60)],
        "alarm",
        "6.0_% are rejected, above the bound of 5_% since 24 Nov 00:05. 61 of 2_000 requests were rejected, 3.0_%.",
    ),
    "golden": ("health/golden", [row(0, 0, n=12)], "ok", "All 12 golden requests were answered as expected."),
    "not golden": (
        "health/golden",
        [row(0, 0, n=12), row(1, 2, n=12, example="weir-golden:1")],
        "alarm",
        "2 of 24 golden requests were answered wrongly, the first in the window of 24 Nov 00:05. One of them:"
        " weir-golden:1.",
    ),
    # a team's own files
    "plain, one": (
        read(page="> 4"),
        [row(0, 3.0), row(1, 5.0)],
        "alarm",
        "5.00_/s, above the bound of 4.00_/s since 24 Nov 00:05.",
    ),
    "plain, several": (
        read(warn="< 2", subject="a"),
        [row(0, 3.0, "x"), row(0, 1.0, "y"), row(0, 1.5, "z")],
        "look",
        "2 of 3 are below the bound of 2.00_/s since 24 Nov 00:00. Smallest: y, 1.00_/s.",
    ),
    "plain, all within": (
        read(warn="< 2", subject="a"),
        [row(0, 3.0, "x"), row(0, 4.0, "y")],
        "ok",
        "All 2 are within the bound of 2.00_/s. The smallest: x, 3.00_/s.",
    ),
    "plain, unbounded": (
        read(),
        [row(0, 3.0)],
        "unknown",
        "3.00_/s in the window that ended 24 Nov 00:05. It is held to no bound.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_to_the_letter(case):
    monitor, rows, state, sentence = CASES[case]
    assert said(monitor, rows) == (State(state), sentence)


def test_what_is_not_complete_is_not_judged():
    rows = [psi(0, 0.02, "a"), psi(1, 0.9, "a")]
    assert said("drift/features", rows, complete=1)[0] is State.OK
    assert said("drift/features", rows, complete=0) == (
        State.UNKNOWN,
        "Too early to say: the record is complete to 24 Nov 00:00, before a window ends.",
    )


def test_a_record_that_is_behind_is_said():
    assert said("ledger/complete", [row(0, 0, "t/0/log")], windows=6, complete=3) == (
        State.LOOK,
        "Yes, to the offset: 1_000 requests of 1 partition. The record is complete to 24 Nov 03:00, 3_h behind.",
    )


def test_inputs_are_weighed_where_their_importance_is_known():
    rows = [psi(0, 0.3, "a"), psi(0, 0.01, "b")]
    assert (
        "since 24 Nov 00:00, 25.0_% of the model's importance."
        in said("drift/features", rows, inputs={"a": About(importance=0.2), "b": About(importance=0.6)})[1]
    )


def test_inputs_that_move_by_nature_are_named_and_not_counted():
    rows = [psi(0, 0.3, "a"), psi(0, 0.01, "b"), psi(0, 7.0, "hour")]
    inputs = {"hour": About(cycle="calendar")}
    by_nature = " Not counted, since it is away by nature: hour (calendar)."
    assert said("drift/features", rows, inputs=inputs) == (
        "alarm",
        f"1 of 3 inputs is away from the baseline since 24 Nov 00:00. Largest: a, PSI 0.30.{by_nature}",
    )
    assert said("drift/features", rows[1:], inputs=inputs)[0] == "ok"
    assert said("drift/features", rows[1:], inputs=inputs)[1].endswith(by_nature)


def test_silent_windows_are_counted():
    assert said("health/rate", [row(0, 2.0, n=600)], windows=4)[1].endswith("In 3 of 4 windows nothing was asked.")


def test_every_monitor_of_weir_has_its_family_and_says_what_it_draws():
    for monitor in FOUND.values():
        assert monitor.verdict, monitor.name
        assert monitor.series or monitor.panel is not Panel.LINES, monitor.name


def test_every_family_is_some_monitors():
    assert {monitor.verdict for monitor in FOUND.values()} == set(verdicts.VERDICTS)


def test_states_have_shapes_and_words_of_their_own():
    assert len({state.glyph for state in State}) == len({state.word for state in State}) == len(State)
    assert worst([State.UNKNOWN, State.OK, State.LOOK]) is State.LOOK
    assert worst([]) is State.UNKNOWN
