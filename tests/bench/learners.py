"""How fast learners learn: the compiled one, with and without guards, and River's models beside River itself.

Run as a program: `python -m tests.bench.learners [--json PATH]`. Counted is the thread's CPU time, so that what else
runs on the machine counts little. Every outcome is preceded by its request, which is answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from weir.core.signature import Task
from weir.learn import linear_river
from weir.learn.learner import Learner, Limits, Part, Subject
from weir.learn.prequential import Prequential
from weir.learn.river_model import RiverModel
from weir.learn.river_parts import made
from weir.learn.run import Events, Run

from tests.bench.figures import told

COLUMNS, OUTCOMES, BY_RIVER, TURNS = 30, 500_000, 5_000, 3
BLOCK = 1 << 16  # events of a page of a replay
SCALER = Part("river.preprocessing.StandardScaler")
LINEAR = (SCALER, Part("river.linear_model.LogisticRegression"))
MODELS = {
    "StandardScaler | LogisticRegression": LINEAR,
    "GaussianNB": (Part("river.naive_bayes.GaussianNB"),),
    "HoeffdingTree": (Part("river.tree.HoeffdingTreeClassifier"),),
}
SUBJECT = Subject(Task.BINARY, ("no", "yes"), tuple(f"c{i}" for i in range(COLUMNS)))


def events(outcomes: int) -> Events:
    """Each request is answered, and its outcome learned a minute later, before the next one is served."""
    chance = np.random.default_rng(1)
    x = np.repeat(chance.standard_normal((outcomes, COLUMNS)), 2, axis=0)
    y = (x[:, 0] + x[:, 1] > chance.standard_normal(len(x))).astype(np.float64)
    y[1::2] = y[::2]
    at = 60_000 * np.arange(len(x), dtype=np.int64)
    tenants = pa.array(["atlas", "borealis", "cirrus", "delta"]).take(pa.array(np.arange(len(x)) // 2 % 4))
    said = np.full((len(x), 1), 0.5)
    return Events(at, np.arange(len(x)) % 2 == 1, pa.array(at.astype(str)), x, y, said, tenants)


def of_river(model: tuple[Part, ...]) -> Any:
    """River's own object."""
    return made(Learner(name="bench", service="bench", model=model), Task.BINARY)


def rate(outcomes: int, work: Callable[[], Callable[[], None]]) -> float:
    """Outcomes a second of CPU, answers included; the median of turns, each on a new model."""
    return outcomes / median(_spent(work()) for _ in range(TURNS))


def _spent(work: Callable[[], None]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def compiled(of: Events) -> Callable[[], None]:
    """The compiled model alone."""
    model, out = linear_river.arrays_of(of_river(LINEAR), SUBJECT.columns), np.empty((len(of.y), 1))
    assert model is not None
    return lambda: model.run(of.x, of.y, of.learns, out)


def guarded(of: Events, *, figures: bool) -> Callable[[], None]:
    """With guards and baselines, as a replay has it, page by page; figures: with all of them."""
    model = linear_river.arrays_of(of_river(LINEAR), SUBJECT.columns)
    assert model is not None
    run, told = Run(model, SUBJECT, Limits()), Prequential(SUBJECT, ("learner", "champion", "no change", "last"))

    def work() -> None:
        for begin in range(0, len(of.y), BLOCK):
            page = of.cut(begin, min(begin + BLOCK, len(of.y)))
            said, served = run.take(page), ~page.learns
            if figures:
                parts = zip(
                    ("learner", "champion", "no change", "last"),
                    (said.learner, page.champion, said.no_change, said.last),
                    strict=True,
                )
                answers = {who: part[served] for who, part in parts}
                told.take(page.at_ms[served], answers, page.y[served], said.known[served])
        assert run.stop is None

    return work


def adapted(of: Events, model: tuple[Part, ...]) -> Callable[[], None]:
    """A model of River by Weir's adapter, with guards and baselines."""
    run = Run(RiverModel(of_river(model), SUBJECT), SUBJECT, Limits())
    return lambda: (run.take(of), None)[1]


def bare(of: Events, model: tuple[Part, ...]) -> Callable[[], None]:
    """The same model of River in a plain loop over dicts that are there already."""
    river = of_river(model)
    rows = [dict(zip(SUBJECT.columns, row, strict=True)) for row in of.x.tolist()]
    labels = (of.y > 0).tolist()

    def work() -> None:
        for row, label, learned in zip(rows, labels, of.learns.tolist(), strict=True):
            if learned:
                river.learn_one(row, label)
            else:
                river.predict_proba_one(row)

    return work


def measure() -> dict[str, Any]:
    """Everything, in outcomes a second."""
    many, few = events(OUTCOMES), events(BY_RIVER)
    found: dict[str, Any] = {
        "compiled": rate(OUTCOMES, lambda: compiled(many)),
        "compiled, with guards": rate(OUTCOMES, lambda: guarded(many, figures=False)),
        "compiled, with guards and figures": rate(OUTCOMES, lambda: guarded(many, figures=True)),
    }
    for name, model in MODELS.items():
        spent = [(_spent(adapted(few, model)), _spent(bare(few, model))) for _ in range(TURNS)]  # in turns
        found |= {
            f"{name}, by the adapter": BY_RIVER / median(ours for ours, _ in spent),
            f"{name}, River alone": BY_RIVER / median(river for _, river in spent),
            f"{name}, share of River's rate": median(river / ours for ours, river in spent),
        }
    return found


def main() -> None:
    """Print the figures, and write them where it is asked for."""
    told(__doc__, measure, _line)


def _line(name: str, value: float) -> str:
    return f"{name:55} {value:>12,.0f} outcomes/s" if value > 2 else f"{name:55} {value:>12.2f}"


if __name__ == "__main__":
    main()
