"""River's scaler and linear model to arrays, and back, at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weir.core.signature import Task
from weir.learn.linear import Linear


def arrays_of(model: Any, columns: Sequence[str]) -> Linear | None:
    """The arrays of a pipeline of River; None where it is not the one that is compiled.

    That is a StandardScaler, and a LogisticRegression or LinearRegression with SGD of constant rates, the usual loss
    and no penalty. columns: the features that it gets. Raises ImportError, OSError, RuntimeError, see Linear.
    """
    parts = _parts(model)
    if parts is None:
        return None
    scaler, last, task = parts
    weights = last.weights
    state = [
        [float(scaler.counts.get(name, 0)) for name in columns],
        [float(scaler.means.get(name, 0)) for name in columns],
        [float(scaler.vars.get(name, 0)) for name in columns],
        [float(weights.get(name, 0)) for name in columns],
    ]
    rates = last.optimizer.learning_rate, last.intercept_lr.learning_rate
    return Linear(task, np.array(state), np.array([last.intercept, *rates, last.clip_gradient], np.float64))


def is_linear(model: Any) -> bool:
    """Whether it is the pipeline that is compiled, and that can answer requests."""
    return _parts(model) is not None


def river_of(linear: Linear, columns: Sequence[str]) -> Any:
    """The same model as an object of River, which goes on learning as the arrays would."""
    from river import linear_model, optim, preprocessing, utils  # noqa: PLC0415 - an extra, and large

    intercept, rate, intercept_rate, bound = linear.numbers.tolist()
    counts, means, variances, weights = (dict(zip(columns, row, strict=True)) for row in linear.state.tolist())
    seen = [name for name in columns if counts[name] > 0]
    kept = ({name: each[name] for name in seen} for each in (means, variances))
    scaler = preprocessing.StandardScaler._from_state({name: int(counts[name]) for name in seen}, *kept)
    kind = linear_model.LogisticRegression if linear.task is Task.BINARY else linear_model.LinearRegression
    last = kind(optim.SGD(rate), intercept_init=intercept, intercept_lr=intercept_rate, clip_gradient=bound)
    last._weights = utils.VectorDict({name: weights[name] for name in seen})
    return scaler | last


def _parts(model: Any) -> tuple[Any, Any, Task] | None:
    """The scaler, the linear model, and its task."""
    from river import compose, linear_model, optim, preprocessing  # noqa: PLC0415 - an extra, and large

    if not isinstance(model, compose.Pipeline) or len(model.steps) != 2:
        return None
    scaler, last = model.steps.values()
    kinds = {
        linear_model.LogisticRegression: (Task.BINARY, optim.losses.Log),
        linear_model.LinearRegression: (Task.REGRESSION, optim.losses.Squared),
    }
    if type(scaler) is not preprocessing.StandardScaler or type(last) not in kinds:
        return None
    task, loss = kinds[type(last)]
    plain = (
        scaler.with_std
        and scaler.window_size is None
        and type(last.loss) is loss
        and (loss is optim.losses.Squared or last.loss.weight_pos == last.loss.weight_neg == 1)
        and last.l1 == last.l2 == 0
        and type(last.optimizer) is optim.SGD
        and isinstance(last.optimizer.lr, optim.schedulers.Constant)
        and isinstance(last.intercept_lr, optim.schedulers.Constant)
        and type(last.initializer) is optim.initializers.Zeros
    )
    return (scaler, last, task) if plain else None
