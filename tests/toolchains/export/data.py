"""Real rows that ship with River: two classes, seven classes, a number, and columns of text."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
from river import datasets


@dataclass(frozen=True, slots=True)
class Column:
    """An input. dtype: as Weir names it. categories: of a column of text."""

    name: str
    dtype: str = "float"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows. columns: by name, float32[n], or object[n] of text. label: object[n] of class names, or float64[n]."""

    task: str
    inputs: tuple[Column, ...]
    columns: dict[str, np.ndarray]
    label: np.ndarray
    classes: tuple[str, ...] = ()

    @property
    def matrix(self) -> np.ndarray:
        """float32[n, k] of the columns that are numbers, which all are but those of `flares`."""
        return np.column_stack([self.columns[item.name] for item in self.inputs if not item.categories])

    @property
    def texts(self) -> np.ndarray:
        """object[n, j] of the columns of text."""
        return np.column_stack([self.columns[item.name] for item in self.inputs if item.categories])

    @property
    def codes(self) -> np.ndarray:
        """int64[n], the number of each row's class."""
        return np.array([self.classes.index(label) for label in self.label])


def phishing() -> Rows:
    """Binary, 1,250 web pages, 9 numbers."""
    return _numbers("binary", [(x, "phishing" if y else "genuine") for x, y in datasets.Phishing()])


def segments() -> Rows:
    """Seven classes, 2,310 outdoor images, 18 numbers."""
    return _numbers("multiclass", list(datasets.ImageSegments()))


def flow() -> Rows:
    """Regression, 1,268 hours of a water pipe: the flow from the hour, the day of the week and the flow before."""
    found: list[tuple[dict[str, Any], float]] = []
    flows: list[float] = []
    for x, y in datasets.WaterFlow():
        at: datetime.datetime = x["Time"]
        if len(flows) >= 24:
            row = {"hour": at.hour, "weekday": at.weekday(), "hour_before": flows[-1], "day_before": flows[-24]}
            found.append((row, y))
        flows.append(y)
    return _numbers("regression", found)


def flares() -> Rows:
    """Binary, 1,066 regions of the Sun, 3 columns of text and 7 of numbers: whether a region flares."""
    pairs = [(x, "flare" if sum(y.values()) else "calm") for x, y in datasets.SolarFlare()]
    names = list(pairs[0][0])
    columns: dict[str, np.ndarray] = {}
    inputs = []
    for name in names:
        values = [x[name] for x, _ in pairs]
        known = _plain(name)
        if isinstance(values[0], str):
            columns[known] = np.array(values, object)
            inputs.append(Column(known, "category", tuple(sorted(set(values)))))
        else:
            columns[known] = np.array(values, np.float32)
            inputs.append(Column(known))
    return Rows("binary", tuple(inputs), columns, np.array([y for _, y in pairs], object), ("calm", "flare"))


def _numbers(task: str, pairs: list[tuple[dict[str, Any], Any]]) -> Rows:
    """Numbers are rounded to float32 before anything is trained, so that library and export see the same."""
    names = list(pairs[0][0])
    inputs = tuple(Column(_plain(name)) for name in names)
    columns = {_plain(name): np.array([x[name] for x, _ in pairs], np.float32) for name in names}
    if task == "regression":
        return Rows(task, inputs, columns, np.array([y for _, y in pairs], np.float64))
    label = np.array([y for _, y in pairs], object)
    return Rows(task, inputs, columns, label, tuple(sorted(set(label))))


def _plain(name: str) -> str:
    return name.replace("-", "_")
